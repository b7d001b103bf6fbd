//! Interpolating cubic B-splines.
//!
//! A recursive filter along each axis turns voxel values into spline coefficients (Unser, Aldroubi
//! and Eden, "B-spline signal processing", 1993; boundary as in Thévenaz, Blu and Unser 2000,
//! mirrored on the outermost voxel centres); each sample then mixes the 64 coefficients around it.

use rayon::prelude::*;

use crate::Volume;

/// The pole of the cubic B-spline's inverse filter, √3 − 2.
const POLE: f64 = -0.267_949_192_431_122_7;

/// Spline coefficients of a volume.
pub(super) struct Cubic {
    shape: [usize; 3],
    coefficients: Vec<f32>,
}

impl Cubic {
    /// The spline that passes through every voxel value.
    pub(super) fn through(volume: &Volume<f32>) -> Self {
        let shape = volume.shape();
        let mut coefficients = volume.data().to_vec();
        let [nx, ny, nz] = shape;
        coefficients.par_chunks_mut(nx).for_each(filter_row);
        coefficients.par_chunks_mut(nx * ny).for_each(|slice| filter_rows(slice, nx, ny));
        // Along the third axis: columns are taken apart in bands of one row's width.
        if nz > 1 {
            let mut transposed: Vec<f32> = vec![0.0; coefficients.len()];
            transposed.par_chunks_mut(nx * nz).enumerate().for_each(|(j, band)| {
                for k in 0..nz {
                    let from = nx * (j + ny * k);
                    band[k * nx..(k + 1) * nx].copy_from_slice(&coefficients[from..from + nx]);
                }
                filter_rows(band, nx, nz);
            });
            coefficients.par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
                for j in 0..ny {
                    let from = nx * (k + nz * j);
                    slice[j * nx..(j + 1) * nx].copy_from_slice(&transposed[from..from + nx]);
                }
            });
        }
        Self { shape, coefficients }
    }

    /// The spline's value at a fractional index within the voxel centres' range.
    pub(super) fn at(&self, at: [f64; 3]) -> f32 {
        let [nx, ny, _] = self.shape;
        let taps: [([usize; 4], [f32; 4]); 3] =
            std::array::from_fn(|axis| axis_taps(at[axis], self.shape[axis]));
        let [(xs, wx), (ys, wy), (zs, wz)] = taps;
        let mut sum = 0.0;
        for (&z, &wz) in zs.iter().zip(&wz) {
            let mut plane = 0.0;
            for (&y, &wy) in ys.iter().zip(&wy) {
                let row = &self.coefficients[nx * (y + ny * z)..][..nx];
                let along: f32 = xs.iter().zip(&wx).map(|(&x, &weight)| row[x] * weight).sum();
                plane += along * wy;
            }
            sum += plane * wz;
        }
        sum
    }
}

/// The four coefficients' positions around a fractional index, mirrored at the ends, with their weights.
fn axis_taps(at: f64, length: usize) -> ([usize; 4], [f32; 4]) {
    let base = at.floor();
    let t = (at - base) as f32;
    let (a, b) = (1.0 - t, t);
    let weights = [
        a * a * a / 6.0,
        2.0 / 3.0 - b * b * (2.0 - b) / 2.0,
        2.0 / 3.0 - a * a * (2.0 - a) / 2.0,
        b * b * b / 6.0,
    ];
    let base = base as isize;
    (std::array::from_fn(|tap| mirrored(base - 1 + tap as isize, length)), weights)
}

/// An index mirrored on the first and last voxel centres.
fn mirrored(index: isize, length: usize) -> usize {
    if length == 1 {
        return 0;
    }
    let period = 2 * (length as isize - 1);
    let wrapped = index.rem_euclid(period);
    wrapped.min(period - wrapped) as usize
}

/// Filters one contiguous row in place.
fn filter_row(row: &mut [f32]) {
    filter_rows(row, 1, row.len());
}

/// Filters along the slower axis of `count` rows of `width` values: all columns side by side.
fn filter_rows(rows: &mut [f32], width: usize, count: usize) {
    if count < 2 {
        return;
    }
    let gain = ((1.0 - POLE) * (1.0 - 1.0 / POLE)) as f32;
    rows.iter_mut().for_each(|value| *value *= gain);

    // The causal filter's first value: a sum over the mirrored signal, cut off where the pole's
    // power is below single precision (16 terms), or exact for shorter rows.
    let horizon = count.min(16);
    let mut first: Vec<f64> = rows[..width].iter().map(|&value| f64::from(value)).collect();
    if horizon < count {
        let mut power = POLE;
        for row in rows.chunks_exact(width).take(horizon).skip(1) {
            for (sum, &value) in first.iter_mut().zip(row) {
                *sum += power * f64::from(value);
            }
            power *= POLE;
        }
    } else {
        let (mut power, last) = (POLE, POLE.powi(count as i32 - 1));
        let mut mirror = last * last / POLE;
        for (n, row) in rows.chunks_exact(width).enumerate().skip(1) {
            let weight = if n + 1 < count { power + mirror } else { last };
            for (sum, &value) in first.iter_mut().zip(row) {
                *sum += weight * f64::from(value);
            }
            power *= POLE;
            mirror /= POLE;
        }
        first.iter_mut().for_each(|sum| *sum /= 1.0 - last * last);
    }
    for (value, sum) in rows[..width].iter_mut().zip(first) {
        *value = sum as f32;
    }

    let pole = POLE as f32;
    for n in 1..count {
        let (before, here) = rows.split_at_mut(n * width);
        let before = &before[(n - 1) * width..];
        here[..width].iter_mut().zip(before).for_each(|(value, &before)| *value += pole * before);
    }
    // The anticausal filter starts from the mirrored end.
    let scale = (POLE / (POLE * POLE - 1.0)) as f32;
    {
        let (before, last) = rows.split_at_mut((count - 1) * width);
        let before = &before[(count - 2) * width..];
        last.iter_mut()
            .zip(before)
            .for_each(|(value, &before)| *value = scale * (*value + pole * before));
    }
    for n in (0..count - 1).rev() {
        let (here, after) = rows.split_at_mut((n + 1) * width);
        let here = &mut here[n * width..];
        here.iter_mut()
            .zip(&after[..width])
            .for_each(|(value, &after)| *value = pole * (after - *value));
    }
}
