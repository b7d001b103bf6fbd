//! The nearest voxel of a set.

use deepmir_volume::{Mask, Volume};

/// The value for voxels that no set voxel was found for.
const NONE: u32 = u32::MAX;

/// For every voxel, the position of a nearest set voxel.
pub(super) struct Nearest(Volume<u32>);

impl Nearest {
    /// Two sweeps over the voxels, each taking over its neighbours' nearest voxels where they are nearer
    /// (Danielsson, Computer Graphics and Image Processing 14:227, 1980). Off by a fraction of a voxel
    /// in rare places.
    pub(super) fn to(mask: &Mask) -> Self {
        let grid = *mask.grid();
        let mut position = 0..;
        let nearest = mask.map(|&inside| {
            let position = position.next().unwrap_or(NONE);
            if inside { position } else { NONE }
        });
        let mut sweep = Sweep { nearest, sizes_mm: grid.voxel_sizes_mm() };
        (0..grid.len()).for_each(|position| sweep.visit(position, false));
        (0..grid.len()).rev().for_each(|position| sweep.visit(position, true));
        Self(sweep.nearest)
    }

    /// The position of the nearest set voxel; `None` if there is none.
    pub(super) fn at(&self, position: usize) -> Option<usize> {
        let nearest = self.0.data()[position];
        (nearest != NONE).then_some(nearest as usize)
    }

    /// The distance between the centres of a voxel and the nearest set one in millimetres.
    pub(super) fn distance_mm(&self, position: usize) -> f64 {
        let grid = self.0.grid();
        self.at(position).map_or(f64::INFINITY, |nearest| {
            let (here, there) = (grid.voxel(position), grid.voxel(nearest));
            squared_mm2(here, there, grid.voxel_sizes_mm()).sqrt()
        })
    }
}

struct Sweep {
    nearest: Volume<u32>,
    sizes_mm: [f64; 3],
}

impl Sweep {
    /// Looks at the neighbours of a voxel that were visited before it.
    fn visit(&mut self, position: usize, backward: bool) {
        let grid = *self.nearest.grid();
        let here = grid.voxel(position);
        let mut best = self.nearest.data()[position];
        if best == position as u32 {
            return;
        }
        let mut least = self.squared_to(here, best);
        for [di, dj, dk] in BEFORE {
            let sign = if backward { -1 } else { 1 };
            let moved = [
                here[0].checked_add_signed(sign * di),
                here[1].checked_add_signed(sign * dj),
                here[2].checked_add_signed(sign * dk),
            ];
            let [Some(i), Some(j), Some(k)] = moved else { continue };
            if i >= grid.shape()[0] || j >= grid.shape()[1] || k >= grid.shape()[2] {
                continue;
            }
            let candidate = self.nearest[[i, j, k]];
            if candidate == best || candidate == NONE {
                continue;
            }
            let squared = self.squared_to(here, candidate);
            if squared < least {
                (least, best) = (squared, candidate);
            }
        }
        self.nearest.data_mut()[position] = best;
    }

    fn squared_to(&self, here: [usize; 3], nearest: u32) -> f64 {
        if nearest == NONE {
            return f64::INFINITY;
        }
        squared_mm2(here, self.nearest.grid().voxel(nearest as usize), self.sizes_mm)
    }
}

fn squared_mm2(here: [usize; 3], there: [usize; 3], sizes_mm: [f64; 3]) -> f64 {
    (0..3).map(|axis| (here[axis].abs_diff(there[axis]) as f64 * sizes_mm[axis]).powi(2)).sum()
}

/// The thirteen neighbours before a voxel in the order of the data.
const BEFORE: [[isize; 3]; 13] = [
    [-1, 0, 0],
    [-1, -1, 0],
    [0, -1, 0],
    [1, -1, 0],
    [-1, -1, -1],
    [0, -1, -1],
    [1, -1, -1],
    [-1, 0, -1],
    [0, 0, -1],
    [1, 0, -1],
    [-1, 1, -1],
    [0, 1, -1],
    [1, 1, -1],
];

#[cfg(test)]
mod tests {
    use deepmir_volume::{Affine, Grid, distance::distance_to};

    use super::*;

    #[test]
    fn the_nearest_voxel_is_as_far_as_the_exact_distance() {
        let grid =
            Grid::new([24, 20, 17], Affine::from_spacing([1.0, 1.5, 2.0], [0.0; 3])).unwrap();
        let mask = Volume::from_fn(grid, |[i, j, k]| (i * 7 + j * 13 + k * 29) % 97 == 0);
        let (nearest, exact) = (Nearest::to(&mask), distance_to(&mask));
        for position in 0..grid.len() {
            assert!(mask.data()[nearest.at(position).unwrap()]);
            let apart = nearest.distance_mm(position) - f64::from(exact.data()[position]);
            assert!((-1e-4..0.5).contains(&apart), "{apart}");
        }
    }

    #[test]
    fn in_an_empty_set_nothing_is_nearest() {
        let grid = Grid::new([3, 2, 2], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let nearest = Nearest::to(&Volume::filled(grid, false));
        assert_eq!(nearest.at(5), None);
        assert_eq!(nearest.distance_mm(5), f64::INFINITY);
    }
}
