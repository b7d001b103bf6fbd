//! Filters over whole maps in double precision, and the measures made of them.

use deepmir_volume::{BoundingBox, Mask, Volume};
use rayon::prelude::*;

/// Standard deviation of the Laplacian of Gaussian, in voxels.
const SIGMA_VOXELS: f64 = 1.5;

/// How far its kernel reaches, in voxels: five standard deviations, rounded.
const REACH: usize = 8;

/// Half the side of the windows of XSIM, in voxels.
const HALF_WINDOW: usize = 2;

/// A map in double precision, first axis fastest.
pub struct Field {
    shape: [usize; 3],
    data: Vec<f64>,
}

impl Field {
    /// A map that is zero outside a region.
    pub fn inside(map: &Volume<f32>, region: &Mask) -> Self {
        let value = |(&value, &inside): (&f32, &bool)| if inside { f64::from(value) } else { 0.0 };
        let data = map.data().iter().zip(region.data()).map(value).collect();
        Self { shape: map.shape(), data }
    }

    fn map(&self, value: impl Fn(usize) -> f64) -> Self {
        Self { shape: self.shape, data: (0..self.data.len()).map(value).collect() }
    }

    /// Every line along an axis, changed by `change`, which gets the line and where it goes.
    fn along(&self, axis: usize, change: impl Fn(&[f64], &mut [f64]) + Sync) -> Self {
        let [nx, ny, _] = self.shape;
        let (length, step) = (self.shape[axis], [1, nx, nx * ny][axis]);
        let starts: Vec<usize> =
            (0..self.data.len()).filter(|index| (index / step).is_multiple_of(length)).collect();
        let lines: Vec<Vec<f64>> = starts
            .par_iter()
            .map(|&start| {
                let line: Vec<f64> = (0..length).map(|n| self.data[start + n * step]).collect();
                let mut changed = vec![0.0; length];
                change(&line, &mut changed);
                changed
            })
            .collect();
        let mut data = vec![0.0; self.data.len()];
        for (&start, line) in starts.iter().zip(&lines) {
            line.iter().enumerate().for_each(|(n, value)| data[start + n * step] = *value);
        }
        Self { shape: self.shape, data }
    }

    /// Correlation with a symmetric kernel given from its middle outwards; the edges are mirrored.
    fn filtered(&self, axis: usize, kernel: &[f64]) -> Self {
        let mirrored = |at: isize, length: isize| {
            let at = at.rem_euclid(2 * length);
            at.min(2 * length - 1 - at) as usize
        };
        self.along(axis, |line, to| {
            let length = line.len() as isize;
            for (n, to) in to.iter_mut().enumerate() {
                let n = n as isize;
                let at = |place: isize| match line.get(place as usize) {
                    Some(value) => *value,
                    None => line[mirrored(place, length)],
                };
                *to = kernel[0] * line[n as usize];
                for (apart, weight) in kernel.iter().enumerate().skip(1) {
                    *to += weight * (at(n - apart as isize) + at(n + apart as isize));
                }
            }
        })
    }

    /// Laplacian of Gaussian: along one axis after the other the second derivative of a Gaussian, smoothed along
    /// the others.
    fn laplacian_of_gaussian(&self) -> Self {
        let variance = SIGMA_VOXELS * SIGMA_VOXELS;
        let bell = |n: usize| (-0.5 * (n * n) as f64 / variance).exp();
        let sum = bell(0) + 2.0 * (1..=REACH).map(bell).sum::<f64>();
        let smooth: Vec<f64> = (0..=REACH).map(|n| bell(n) / sum).collect();
        let second: Vec<f64> =
            (0..=REACH).map(|n| smooth[n] * ((n * n) as f64 / variance - 1.0) / variance).collect();
        let terms = [0, 1, 2].map(|derived| {
            (0..3).fold(self.map(|index| self.data[index]), |field, axis| {
                field.filtered(axis, if axis == derived { &second } else { &smooth })
            })
        });
        self.map(|index| terms.iter().map(|term| term.data[index]).sum())
    }

    /// Sums over boxes around each voxel, of what of them lies in the volume.
    fn box_sums(&self) -> Self {
        (0..3).fold(self.map(|index| self.data[index]), |field, axis| {
            field.along(axis, |line, to| {
                for (n, to) in to.iter_mut().enumerate() {
                    let end = (n + HALF_WINDOW + 1).min(line.len());
                    *to = line[n.saturating_sub(HALF_WINDOW)..end].iter().sum();
                }
            })
        })
    }

    /// Derivatives along an axis per voxel between two places of it: central, one-sided at the ends.
    fn gradient(&self, axis: usize, (first, last): (usize, usize)) -> Self {
        self.along(axis, |line, to| {
            for (n, to) in to.iter_mut().enumerate().take(last + 1).skip(first) {
                let (from, until) = (n.saturating_sub(1).max(first), (n + 1).min(last));
                *to = (line[until] - line[from]) / (until - from) as f64;
            }
        })
    }
}

/// High-frequency error norm (Ravishankar and Bresler 2011) in per cent, over a region.
pub fn hfen_percent(chi: &Field, truth: &Field, region: &Mask) -> Option<f64> {
    let [a, b] = [chi, truth].map(Field::laplacian_of_gaussian);
    let (mut error, mut size) = (0.0, 0.0);
    for (index, inside) in region.data().iter().enumerate() {
        if *inside {
            error += (a.data[index] - b.data[index]).powi(2);
            size += b.data[index].powi(2);
        }
    }
    (size > 0.0).then(|| 100.0 * (error / size).sqrt())
}

/// XSIM with boxes for windows: mean over a region.
pub fn xsim_of_boxes(chi: &Field, truth: &Field, region: &Mask) -> Option<f64> {
    const C1: f64 = 1e-4;
    const C2: f64 = 1e-6;
    let (a, b) = (&chi.data, &truth.data);
    let counts = chi.map(|_| 1.0).box_sums();
    let mean = |field: Field| {
        let mut sums = field.box_sums();
        sums.data.iter_mut().zip(&counts.data).for_each(|(sum, count)| *sum /= count);
        sums.data
    };
    let (mean_a, mean_b) = (mean(chi.map(|n| a[n])), mean(chi.map(|n| b[n])));
    let (aa, bb) = (mean(chi.map(|n| a[n] * a[n])), mean(chi.map(|n| b[n] * b[n])));
    let ab = mean(chi.map(|n| a[n] * b[n]));
    let inside = (0..region.data().len()).filter(|&n| region.data()[n]);
    let similarity = inside.map(|n| {
        let (p, q) = (mean_a[n], mean_b[n]);
        (2.0 * p * q + C1) / (p * p + q * q + C1) * (2.0 * (ab[n] - p * q) + C2)
            / (aa[n] - p * p + bb[n] - q * q + C2)
    });
    let (sum, count) = similarity.fold((0.0, 0_usize), |(sum, count), x| (sum + x, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// Root mean square of the difference of the gradients, over all components and all voxels of the box of a region.
pub fn gradient_error(chi: &Field, truth: &Field, region: &Mask) -> Option<f64> {
    let bounds = BoundingBox::around(region)?;
    // A gradient needs two voxels along each axis.
    if bounds.shape().contains(&1) {
        return None;
    }
    let ([x, y, z], [end_x, end_y, end_z]) = (bounds.start(), bounds.end());
    let difference = chi.map(|index| chi.data[index] - truth.data[index]);
    let gradients = [(x, end_x), (y, end_y), (z, end_z)];
    let gradients: Vec<Field> = gradients
        .iter()
        .enumerate()
        .map(|(axis, &(start, end))| difference.gradient(axis, (start, end - 1)))
        .collect();
    let (mut sum, mut count) = (0.0, 0_usize);
    for k in z..end_z {
        for j in y..end_y {
            for i in x..end_x {
                let index = region.grid().index([i, j, k]);
                sum += gradients.iter().map(|field| field.data[index].powi(2)).sum::<f64>();
                count += 3;
            }
        }
    }
    Some((sum / count as f64).sqrt())
}
