//! Voxels on a grid.

use std::ops::{Index, IndexMut};

use crate::{BoundingBox, Grid, VolumeError};

/// A 3D array on a [`Grid`], the first axis running fastest (as in NIfTI files), so that an axial
/// slice of a RAS volume is one contiguous piece.
///
/// ```
/// use deepmir_volume::{Affine, Grid, Volume};
///
/// let grid = Grid::new([4, 3, 2], Affine::from_spacing([1.0; 3], [0.0; 3]))?;
/// let volume = Volume::from_fn(grid, |[i, j, k]| i + 10 * j + 100 * k);
/// assert_eq!(volume[[3, 2, 1]], 123);
/// assert_eq!(&volume.data()[..4], [0, 1, 2, 3]);
/// # Ok::<(), deepmir_volume::VolumeError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Volume<T> {
    grid: Grid,
    data: Vec<T>,
}

/// A volume of yes and no.
pub type Mask = Volume<bool>;

impl<T> Volume<T> {
    /// Joins a grid and its voxels.
    ///
    /// # Errors
    /// If there are more or fewer values than the grid has voxels.
    pub fn new(grid: Grid, data: Vec<T>) -> Result<Self, VolumeError> {
        if data.len() != grid.len() {
            return Err(VolumeError::Length { shape: grid.shape(), length: data.len() });
        }
        Ok(Self { grid, data })
    }

    /// For data whose length is known to fit.
    pub(crate) fn from_parts(grid: Grid, data: Vec<T>) -> Self {
        debug_assert_eq!(grid.len(), data.len());
        Self { grid, data }
    }

    /// Calls `value` for every voxel, the first axis running fastest.
    pub fn from_fn(grid: Grid, mut value: impl FnMut([usize; 3]) -> T) -> Self {
        let [nx, ny, nz] = grid.shape();
        let mut data = Vec::with_capacity(grid.len());
        for k in 0..nz {
            for j in 0..ny {
                data.extend((0..nx).map(|i| value([i, j, k])));
            }
        }
        Self { grid, data }
    }

    /// The grid.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Voxels along each axis.
    pub fn shape(&self) -> [usize; 3] {
        self.grid.shape()
    }

    /// All voxels, the first axis running fastest.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// All voxels, to change.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// Gives the voxels away.
    pub fn into_data(self) -> Vec<T> {
        self.data
    }

    /// The voxels of one slice across the third axis.
    ///
    /// # Panics
    /// If there is no slice `k`.
    pub fn slice(&self, k: usize) -> &[T] {
        let area = self.shape()[0] * self.shape()[1];
        &self.data[k * area..(k + 1) * area]
    }

    /// A volume of `change(value)` for every voxel.
    pub fn map<U>(&self, change: impl FnMut(&T) -> U) -> Volume<U> {
        Volume { grid: self.grid, data: self.data.iter().map(change).collect() }
    }

    /// The same voxels on another grid of the same shape (to correct an affine, say).
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn with_grid(self, grid: Grid) -> Result<Self, VolumeError> {
        Self::new(grid, self.data)
    }
}

impl<T: Copy> Volume<T> {
    /// Every voxel the same.
    pub fn filled(grid: Grid, value: T) -> Self {
        Self { grid, data: vec![value; grid.len()] }
    }

    /// The part inside a box, each voxel staying at its place in millimetres.
    ///
    /// # Panics
    /// If the box reaches outside the volume.
    pub fn crop(&self, part: &BoundingBox) -> Self {
        let [nx, ny, nz] = part.shape();
        let [x0, y0, z0] = part.start();
        let mut data = Vec::with_capacity(nx * ny * nz);
        for k in z0..z0 + nz {
            for j in y0..y0 + ny {
                let row = self.grid.index([x0, j, k]);
                data.extend_from_slice(&self.data[row..row + nx]);
            }
        }
        Self { grid: part.grid_of(&self.grid), data }
    }

    /// Writes `part` (as cut by [`Volume::crop`]) back into its place.
    ///
    /// # Panics
    /// If the box reaches outside the volume or `part` is not of the box's shape.
    pub fn paste(&mut self, part: &Volume<T>, place: &BoundingBox) {
        assert_eq!(part.shape(), place.shape(), "the part has the shape of its place");
        let [nx, ny, nz] = place.shape();
        let [x0, y0, z0] = place.start();
        for k in 0..nz {
            for j in 0..ny {
                let to = self.grid.index([x0, y0 + j, z0 + k]);
                let from = part.grid.index([0, j, k]);
                self.data[to..to + nx].copy_from_slice(&part.data[from..from + nx]);
            }
        }
    }
}

impl Volume<bool> {
    /// How many voxels are true.
    pub fn count(&self) -> usize {
        self.data.iter().filter(|&&inside| inside).count()
    }
}

impl<T> Index<[usize; 3]> for Volume<T> {
    type Output = T;

    fn index(&self, voxel: [usize; 3]) -> &T {
        debug_assert!((0..3).all(|axis| voxel[axis] < self.shape()[axis]));
        &self.data[self.grid.index(voxel)]
    }
}

impl<T> IndexMut<[usize; 3]> for Volume<T> {
    fn index_mut(&mut self, voxel: [usize; 3]) -> &mut T {
        debug_assert!((0..3).all(|axis| voxel[axis] < self.shape()[axis]));
        let index = self.grid.index(voxel);
        &mut self.data[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Affine;

    #[test]
    fn a_crop_keeps_places_and_paste_undoes_it() {
        let grid = Grid::new([5, 6, 7], Affine::from_spacing([1.0, 2.0, 3.0], [10.0, 20.0, 30.0]))
            .unwrap();
        let volume = Volume::from_fn(grid, |[i, j, k]| (i + 10 * j + 100 * k) as u16);
        let part = BoundingBox::new([1, 2, 3], [3, 5, 7]).unwrap();
        let cropped = volume.crop(&part);
        assert_eq!(cropped.shape(), [2, 3, 4]);
        assert_eq!(cropped[[0, 0, 0]], 321);
        assert_eq!(cropped.grid().position_mm([0, 0, 0]), volume.grid().position_mm([1, 2, 3]));

        let mut other = Volume::filled(grid, 0_u16);
        other.paste(&cropped, &part);
        assert_eq!(other[[2, 4, 6]], volume[[2, 4, 6]]);
        assert_eq!(other[[0, 0, 0]], 0);
    }
}
