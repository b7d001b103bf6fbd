//! Labels between voxels: smooth surfaces from a coarse map.

use deepmir_volume::Volume;
use rayon::prelude::*;

use crate::structure::Structure;

/// A label map that is asked at any place. Between voxel centres every label's indicator is
/// smoothed by a quadratic B-spline and the largest wins, so surfaces come out without stairs and
/// sheets of one voxel keep their thickness.
#[derive(Clone, Debug)]
pub(crate) struct LabelField {
    labels: Volume<Structure>,
    /// Whether a voxel and its 26 neighbours are all the same.
    uniform: Vec<bool>,
}

impl LabelField {
    pub(crate) fn new(labels: Volume<Structure>) -> Self {
        let [nx, ny, nz] = labels.shape();
        let mut uniform = vec![false; nx * ny * nz];
        uniform.par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
            if k == 0 || k + 1 == nz {
                return;
            }
            for j in 1..ny.max(2) - 1 {
                for i in 1..nx.max(2) - 1 {
                    let here = labels[[i, j, k]];
                    slice[i + nx * j] = (k - 1..=k + 1).all(|c| {
                        (j - 1..=j + 1).all(|b| {
                            let row = labels.grid().index([i - 1, b, c]);
                            labels.data()[row..row + 3].iter().all(|&label| label == here)
                        })
                    });
                }
            }
        });
        Self { labels, uniform }
    }

    /// The label map itself.
    pub(crate) fn labels(&self) -> &Volume<Structure> {
        &self.labels
    }

    /// The label at fractional voxel indices. Outside is air, but below the map the lowest slice
    /// goes on: a neck does not end where a scan does.
    pub(crate) fn at(&self, index: [f64; 3]) -> Structure {
        let shape = self.labels.shape();
        let mut nearest = [0_usize; 3];
        for axis in 0..3 {
            let rounded = (index[axis] + 0.5).floor();
            if rounded >= shape[axis] as f64 || (rounded < 0.0 && axis != 2) {
                return Structure::Air;
            }
            nearest[axis] = rounded.max(0.0) as usize;
        }
        let place = self.labels.grid().index(nearest);
        if self.uniform[place] {
            return self.labels.data()[place];
        }
        let part: [f64; 3] =
            std::array::from_fn(|axis| (index[axis] - nearest[axis] as f64).clamp(-0.5, 0.5));
        self.smooth(nearest, part)
    }

    fn smooth(&self, nearest: [usize; 3], part: [f64; 3]) -> Structure {
        let shape = self.labels.shape();
        let weights: [[f32; 3]; 3] = part.map(|t| {
            [0.5 * (0.5 - t).powi(2), 0.75 - t * t, 0.5 * (0.5 + t).powi(2)].map(|w| w as f32)
        });
        let neighbour = |axis: usize, step: usize| {
            (nearest[axis] + step).saturating_sub(1).min(shape[axis] - 1)
        };
        let mut votes: [(Structure, f32); 27] = [(Structure::Air, 0.0); 27];
        let mut count = 0;
        for (c, weight_z) in weights[2].into_iter().enumerate() {
            for (b, weight_y) in weights[1].into_iter().enumerate() {
                let row = self.labels.grid().index([0, neighbour(1, b), neighbour(2, c)]);
                for (a, weight_x) in weights[0].into_iter().enumerate() {
                    let label = self.labels.data()[row + neighbour(0, a)];
                    let weight = weight_x * weight_y * weight_z;
                    match votes[..count].iter_mut().find(|(other, _)| *other == label) {
                        Some((_, sum)) => *sum += weight,
                        None => {
                            votes[count] = (label, weight);
                            count += 1;
                        }
                    }
                }
            }
        }
        let mut best = votes[0];
        for &vote in &votes[1..count] {
            if vote.1 > best.1 {
                best = vote;
            }
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use deepmir_volume::{Affine, Grid};

    use super::*;

    #[test]
    fn a_ball_keeps_its_volume_and_loses_its_stairs() {
        let grid = Grid::new([24; 3], Affine::from_spacing([1.0; 3], [-11.5; 3])).unwrap();
        let radius = |p: [f64; 3]| p.iter().map(|x| x * x).sum::<f64>().sqrt();
        let ball = Volume::from_fn(grid, |voxel| {
            if radius(grid.position_mm(voxel)) < 8.0 { Structure::Thalamus } else { Structure::Air }
        });
        let field = LabelField::new(ball);
        let (mut inside, mut wrong) = (0, 0);
        let step = 0.25;
        for n in 0..80_usize.pow(3) {
            let at = [n % 80, n / 80 % 80, n / 6400].map(|i| (i as f64 + 0.5) * step - 10.0);
            let label = field.at(at.map(|mm| mm + 11.5));
            inside += usize::from(label == Structure::Thalamus);
            // No corner sticks out.
            wrong += usize::from(
                (label == Structure::Thalamus) != (radius(at) < 8.0)
                    && (radius(at) - 8.0).abs() > 0.6,
            );
        }
        let volume = inside as f64 * step.powi(3);
        let truth = 4.0 / 3.0 * std::f64::consts::PI * 8.0_f64.powi(3);
        assert!((volume / truth - 1.0).abs() < 0.03, "{volume} of {truth}");
        assert_eq!(wrong, 0);
    }

    #[test]
    fn the_neck_goes_on_and_the_air_does_not_begin() {
        let grid = Grid::new([4; 3], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let field = LabelField::new(Volume::filled(grid, Structure::SoftTissue));
        assert_eq!(field.at([1.5, 1.5, -30.0]), Structure::SoftTissue);
        assert_eq!(field.at([1.5, 1.5, 5.0]), Structure::Air);
        assert_eq!(field.at([-2.0, 1.5, 1.0]), Structure::Air);
    }
}
