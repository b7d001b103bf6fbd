//! Sources on a fine grid.

use deepmir_volume::{Affine, Grid};

use super::Source;

/// A part of a fine voxel that a source fills.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Inclusion {
    /// Position of the voxel in the data.
    pub(crate) index: usize,
    /// Filled part, 0 to 1.
    pub(crate) fraction: f32,
}

/// Samples along each axis of a voxel.
const SAMPLES: usize = 4;

/// The voxels that a source fills, whole or in part. `to_head` takes the grid's millimetres to the
/// head's.
pub(crate) fn rasterise(source: &Source, grid: &Grid, to_head: &Affine) -> Vec<Inclusion> {
    let to_index = grid.affine().inverse().after(&to_head.inverse());
    let map = to_head.after(grid.affine());
    let centre = to_index.apply(source.centre_mm());
    let sizes = grid.voxel_sizes_mm();
    let (mut low, mut high) = ([0_usize; 3], [0_usize; 3]);
    for axis in 0..3 {
        let reach = source.reach_mm() / sizes[axis] + 2.0;
        low[axis] = (centre[axis] - reach).floor().max(0.0) as usize;
        high[axis] = ((centre[axis] + reach).ceil().max(0.0) as usize).min(grid.shape()[axis]);
    }
    let mut inclusions = Vec::new();
    for k in low[2]..high[2] {
        for j in low[1]..high[1] {
            for i in low[0]..high[0] {
                let voxel = [i as f64, j as f64, k as f64];
                let count = (0..SAMPLES.pow(3))
                    .filter(|&sample| {
                        let steps =
                            [sample % SAMPLES, sample / SAMPLES % SAMPLES, sample / SAMPLES.pow(2)];
                        let place = map.apply(std::array::from_fn(|axis| {
                            voxel[axis] + (steps[axis] as f64 + 0.5) / SAMPLES as f64 - 0.5
                        }));
                        source.lobules.iter().any(|lobule| lobule.contains(place))
                    })
                    .count();
                if count > 0 {
                    inclusions.push(Inclusion {
                        index: grid.index([i, j, k]),
                        fraction: count as f32 / SAMPLES.pow(3) as f32,
                    });
                }
            }
        }
    }
    inclusions
}
