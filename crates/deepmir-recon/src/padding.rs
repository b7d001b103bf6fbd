//! Room around an image, up to lengths that Fourier transforms are fast for.

use deepmir_volume::{Grid, Volume};

use crate::fourier::good_length;

/// A larger grid around a given one.
#[derive(Clone, Copy, Debug)]
pub struct Padding {
    inner: Grid,
    outer: Grid,
    /// Where the inner grid's first voxel lies.
    start: [usize; 3],
}

impl Padding {
    /// At least `margin` voxels on both sides of every axis; lengths are even products of 2, 3, 5.
    pub fn new(grid: &Grid, margin: [usize; 3]) -> Self {
        let inner = grid.shape();
        let shape: [usize; 3] =
            std::array::from_fn(|axis| good_length(inner[axis] + 2 * margin[axis]));
        let start: [usize; 3] = std::array::from_fn(|axis| (shape[axis] - inner[axis]) / 2);
        let affine = grid.affine().shifted(start.map(|voxels| -(voxels as f64)));
        // A grid that fits in memory still does with margins of a few voxels; if not, none are put.
        match Grid::new(shape, affine) {
            Ok(outer) => Self { inner: *grid, outer, start },
            Err(_) => Self { inner: *grid, outer: *grid, start: [0; 3] },
        }
    }

    /// The padded grid.
    pub fn grid(&self) -> &Grid {
        &self.outer
    }

    /// The volume in the middle of `fill`.
    pub fn pad<T: Copy>(&self, volume: &Volume<T>, fill: T) -> Volume<T> {
        let mut padded = Volume::filled(self.outer, fill);
        self.rows(|from, to, length| {
            padded.data_mut()[to..to + length].copy_from_slice(&volume.data()[from..from + length]);
        });
        padded
    }

    /// The volume, its outermost voxels repeated over the room around it.
    pub fn extend<T: Copy>(&self, volume: &Volume<T>) -> Volume<T> {
        let inner = self.inner.shape();
        Volume::from_fn(self.outer, |voxel| {
            volume[std::array::from_fn(|axis| {
                voxel[axis].saturating_sub(self.start[axis]).min(inner[axis] - 1)
            })]
        })
    }

    /// The inner part of padded voxels.
    pub fn crop_data<T: Copy + Default>(&self, padded: &[T]) -> Volume<T> {
        let mut volume = Volume::filled(self.inner, T::default());
        self.rows(|to, from, length| {
            volume.data_mut()[to..to + length].copy_from_slice(&padded[from..from + length]);
        });
        volume
    }

    /// Calls with every row's position inside, its position in the padded data, and its length.
    fn rows(&self, mut row: impl FnMut(usize, usize, usize)) {
        let [nx, ny, nz] = self.inner.shape();
        let [x, y, z] = self.start;
        for k in 0..nz {
            for j in 0..ny {
                row(self.inner.index([0, j, k]), self.outer.index([x, y + j, z + k]), nx);
            }
        }
    }
}

/// Voxels that make up at least `distance_mm` along each axis.
pub fn voxels_in(grid: &Grid, distance_mm: f64) -> [usize; 3] {
    grid.voxel_sizes_mm().map(|size| (distance_mm / size).ceil().clamp(0.0, 512.0) as usize)
}
