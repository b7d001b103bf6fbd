//! Boxes of voxels.

use crate::{Grid, Mask};

/// A box of voxels: from `start` (inside) to `end` (the first outside), on each axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundingBox {
    start: [usize; 3],
    end: [usize; 3],
}

impl BoundingBox {
    /// From the first voxel inside to the first outside; `None` if that is empty.
    pub fn new(start: [usize; 3], end: [usize; 3]) -> Option<Self> {
        (0..3).all(|axis| start[axis] < end[axis]).then_some(Self { start, end })
    }

    /// The whole of a grid.
    pub fn whole(grid: &Grid) -> Self {
        Self { start: [0; 3], end: grid.shape() }
    }

    /// The smallest box around the true voxels; `None` if there are none.
    pub fn around(mask: &Mask) -> Option<Self> {
        let [nx, ny, nz] = mask.shape();
        let (mut start, mut end) = ([usize::MAX; 3], [0; 3]);
        for k in 0..nz {
            for j in 0..ny {
                let row = mask.grid().index([0, j, k]);
                let row = &mask.data()[row..row + nx];
                let Some(first) = row.iter().position(|&inside| inside) else {
                    continue;
                };
                let last = row.iter().rposition(|&inside| inside).unwrap_or(first);
                for (axis, (low, high)) in [(first, last), (j, j), (k, k)].into_iter().enumerate() {
                    start[axis] = start[axis].min(low);
                    end[axis] = end[axis].max(high + 1);
                }
            }
        }
        Self::new(start, end)
    }

    /// The smallest box around some voxels; `None` if there are none.
    pub fn around_voxels(voxels: impl IntoIterator<Item = [usize; 3]>) -> Option<Self> {
        let (mut start, mut end) = ([usize::MAX; 3], [0; 3]);
        for voxel in voxels {
            for axis in 0..3 {
                start[axis] = start[axis].min(voxel[axis]);
                end[axis] = end[axis].max(voxel[axis] + 1);
            }
        }
        Self::new(start, end)
    }

    /// The first voxel inside.
    pub fn start(&self) -> [usize; 3] {
        self.start
    }

    /// The first voxel outside.
    pub fn end(&self) -> [usize; 3] {
        self.end
    }

    /// Voxels along each axis.
    pub fn shape(&self) -> [usize; 3] {
        std::array::from_fn(|axis| self.end[axis] - self.start[axis])
    }

    /// Grown by `margin` voxels on every side of each axis, but not past the grid.
    pub fn grown(&self, margin: [usize; 3], grid: &Grid) -> Self {
        Self {
            start: std::array::from_fn(|axis| self.start[axis].saturating_sub(margin[axis])),
            end: std::array::from_fn(|axis| {
                (self.end[axis] + margin[axis]).min(grid.shape()[axis])
            }),
        }
    }

    /// The grid of the voxels inside the box.
    pub fn grid_of(&self, grid: &Grid) -> Grid {
        let start = self.start.map(|index| index as f64);
        Grid::from_parts(self.shape(), grid.affine().shifted(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, Volume};

    #[test]
    fn a_box_around_voxels_holds_them_and_no_more() {
        let tight = BoundingBox::around_voxels([[3, 1, 7], [2, 5, 7]]).unwrap();
        assert_eq!((tight.start(), tight.end()), ([2, 1, 7], [4, 6, 8]));
        assert_eq!(BoundingBox::around_voxels([]), None);
    }

    #[test]
    fn the_box_is_tight_and_grows_up_to_the_edge() {
        let grid = Grid::new([8, 9, 10], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let mask = Volume::from_fn(grid, |voxel| matches!(voxel, [2, 3, 4] | [5, 3, 9]));
        let tight = BoundingBox::around(&mask).unwrap();
        assert_eq!((tight.start(), tight.end()), ([2, 3, 4], [6, 4, 10]));
        let grown = tight.grown([3, 1, 1], &grid);
        assert_eq!((grown.start(), grown.end()), ([0, 2, 3], [8, 5, 10]));
        assert!(BoundingBox::around(&Volume::filled(grid, false)).is_none());
    }
}
