//! Exact Euclidean distance in millimetres.

use rayon::prelude::*;

use crate::{Mask, Volume};

/// For every voxel, the distance in millimetres from its centre to the centre of the nearest true
/// voxel (0 inside the mask, infinite if the mask is empty), voxels being boxes of any size.
///
/// One pass an axis: squared distances are the lower envelope of parabolas (Felzenszwalb and
/// Huttenlocher, "Distance transforms of sampled functions", 2012), exact but for rounding.
/// The grid's axes are taken to be orthogonal.
pub fn distance_to(mask: &Mask) -> Volume<f32> {
    let [nx, ny, nz] = mask.shape();
    let [dx, dy, dz] = mask.grid().voxel_sizes_mm();
    let mut squared = mask.map(|&inside| if inside { 0.0 } else { f64::INFINITY });
    let data = squared.data_mut();
    data.par_chunks_mut(nx * ny).for_each(|slice| {
        let mut envelope = Envelope::new(nx.max(ny));
        for row in slice.chunks_exact_mut(nx) {
            envelope.transform(row, dx);
        }
        let mut column = vec![0.0; ny];
        for i in 0..nx {
            column.iter_mut().zip(slice[i..].iter().step_by(nx)).for_each(|(to, from)| *to = *from);
            envelope.transform(&mut column, dy);
            slice[i..].iter_mut().step_by(nx).zip(&column).for_each(|(to, from)| *to = *from);
        }
    });
    // Along z: bands of one y, gathered so that every column is contiguous.
    let columns: Vec<Vec<f64>> = (0..ny)
        .into_par_iter()
        .map(|j| {
            let mut envelope = Envelope::new(nz);
            let mut band = vec![0.0; nx * nz];
            for (i, column) in band.chunks_exact_mut(nz).enumerate() {
                for (k, value) in column.iter_mut().enumerate() {
                    *value = data[i + nx * (j + ny * k)];
                }
                envelope.transform(column, dz);
            }
            band
        })
        .collect();
    let mut distance = Volume::filled(*mask.grid(), 0.0_f32);
    distance.data_mut().par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
        for (j, row) in slice.chunks_exact_mut(nx).enumerate() {
            for (i, value) in row.iter_mut().enumerate() {
                *value = columns[j][i * nz + k].sqrt() as f32;
            }
        }
    });
    distance
}

/// Scratch space for the one-dimensional transform.
struct Envelope {
    /// Places of the parabolas in the lower envelope.
    places: Vec<usize>,
    /// Where each begins to be the lowest.
    begins: Vec<f64>,
    values: Vec<f64>,
}

impl Envelope {
    fn new(length: usize) -> Self {
        Self {
            places: Vec::with_capacity(length),
            begins: Vec::with_capacity(length),
            values: Vec::with_capacity(length),
        }
    }

    /// Replaces squared distances by min over q of `row[q] + (spacing·(p − q))²`.
    fn transform(&mut self, row: &mut [f64], spacing: f64) {
        self.places.clear();
        self.begins.clear();
        let weight = spacing * spacing;
        for (q, &height) in row.iter().enumerate() {
            if height.is_infinite() {
                continue;
            }
            let mut begin = f64::NEG_INFINITY;
            while let (Some(&p), Some(&p_begin)) = (self.places.last(), self.begins.last()) {
                let (near, far) = (p as f64, q as f64);
                // Where the parabolas from p and q cross.
                begin =
                    ((height - row[p]) / weight + far * far - near * near) / (2.0 * (far - near));
                if begin > p_begin {
                    break;
                }
                self.places.pop();
                self.begins.pop();
                begin = f64::NEG_INFINITY;
            }
            self.places.push(q);
            self.begins.push(begin);
        }
        if self.places.is_empty() {
            return;
        }
        self.values.clear();
        self.values.extend_from_slice(row);
        let mut lowest = 0;
        for (p, value) in row.iter_mut().enumerate() {
            while lowest + 1 < self.places.len() && self.begins[lowest + 1] <= p as f64 {
                lowest += 1;
            }
            let q = self.places[lowest];
            let apart = p.abs_diff(q) as f64;
            *value = self.values[q] + weight * apart * apart;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, Grid};

    #[test]
    fn distances_to_two_voxels_are_the_straight_lines() {
        let grid = Grid::new([9, 8, 7], Affine::from_spacing([0.5, 0.75, 1.5], [0.0; 3])).unwrap();
        let marked = [[1, 2, 3], [7, 7, 0]];
        let mask = Volume::from_fn(grid, |voxel| marked.contains(&voxel));
        let distance = distance_to(&mask);
        for index in 0..grid.len() {
            let here = grid.position_mm(grid.voxel(index));
            let nearest = marked
                .iter()
                .map(|&voxel| {
                    let there = grid.position_mm(voxel);
                    (0..3).map(|axis| (here[axis] - there[axis]).powi(2)).sum::<f64>().sqrt()
                })
                .fold(f64::INFINITY, f64::min);
            assert!((f64::from(distance.data()[index]) - nearest).abs() < 1e-5);
        }
    }

    #[test]
    fn an_empty_mask_is_infinitely_far() {
        let grid = Grid::new([3, 2, 2], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let distance = distance_to(&Volume::filled(grid, false));
        assert!(distance.data().iter().all(|value| value.is_infinite()));
    }
}
