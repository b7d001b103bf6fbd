//! Sources on a fine grid.

use deepmir_volume::{Affine, Grid};
use rayon::prelude::*;

use super::{Overlap, Source};

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
    // All samples of a voxel lie within this ball around its centre.
    let radius_mm = sizes.iter().map(|size| size * size).sum::<f64>().sqrt() / 2.0;
    let voxel = |index: [usize; 3], near: &mut Vec<usize>| -> f32 {
        let at = index.map(|n| n as f64);
        let centre = map.apply(at);
        near.clear();
        for (n, lobule) in source.lobules.iter().enumerate() {
            match lobule.overlap(centre, radius_mm) {
                Overlap::All => return 1.0,
                Overlap::Some => near.push(n),
                Overlap::None => {}
            }
        }
        if near.is_empty() {
            return 0.0;
        }
        let count = (0..SAMPLES.pow(3))
            .filter(|&sample| {
                let steps = [sample % SAMPLES, sample / SAMPLES % SAMPLES, sample / SAMPLES.pow(2)];
                let place = map.apply(std::array::from_fn(|axis| {
                    at[axis] + (steps[axis] as f64 + 0.5) / SAMPLES as f64 - 0.5
                }));
                near.iter().any(|&n| source.lobules[n].contains(place))
            })
            .count();
        count as f32 / SAMPLES.pow(3) as f32
    };
    (low[2]..high[2])
        .into_par_iter()
        .flat_map_iter(|k| {
            let mut slice = Vec::new();
            let mut near = Vec::new();
            for j in low[1]..high[1] {
                for i in low[0]..high[0] {
                    let fraction = voxel([i, j, k], &mut near);
                    if fraction > 0.0 {
                        slice.push(Inclusion { index: grid.index([i, j, k]), fraction });
                    }
                }
            }
            slice
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};
    use crate::source::{Change, Lobule, SourceKind};

    #[test]
    fn shortcuts_leave_what_every_sample_by_itself_says() {
        let mut generator = stream(3, Purpose::Lesions, 0);
        let lobules = [[0.0, 0.2, -0.4], [1.6, 0.9, 0.3], [-1.1, -1.2, 1.0]]
            .map(|centre| Lobule::draw(centre, 2.6, 0.25, 0.3, &mut generator));
        let source = Source {
            id: 1,
            kind: SourceKind::IronDeposit,
            site: String::new(),
            region: None,
            change: Change::Baseline,
            chi_ppm: 0.5,
            lobules: lobules.to_vec(),
        };
        let affine = Affine::from_spacing([0.5, 0.4, 0.7], [-4.0, -4.1, -4.2]);
        let grid = Grid::new([18, 20, 13], affine).unwrap();
        let to_head = crate::geometry::rigid([10.0, -5.0, 3.0], [0.1, 0.2, -0.3]);
        let found = rasterise(&source, &grid, &to_head);
        let map = to_head.after(grid.affine());
        let mut filled = vec![0.0; grid.len()];
        found.iter().for_each(|inclusion| filled[inclusion.index] = inclusion.fraction);
        for (index, &fraction) in filled.iter().enumerate() {
            let count = (0..64)
                .filter(|n| {
                    let steps =
                        [n % 4, n / 4 % 4, n / 16].map(|n| (f64::from(n) + 0.5) / 4.0 - 0.5);
                    let voxel = grid.voxel(index);
                    let at = map.apply(std::array::from_fn(|a| voxel[a] as f64 + steps[a]));
                    lobules.iter().any(|lobule| lobule.contains(at))
                })
                .count();
            assert_eq!(fraction, count as f32 / 64.0);
        }
        assert!(found.len() > 100);
    }
}
