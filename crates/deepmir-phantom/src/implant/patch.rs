//! The voxels around a source, and the fine ones that its effect is computed on.

use deepmir_recon::fourier::Complex32;
use deepmir_volume::{Grid, Volume, VolumeError};
use rayon::prelude::*;

use crate::physics::kspace::KSpaceCrop;
use crate::physics::zero_fill::ZeroFill;

/// Voxels over which the fine computation fades into the one at voxel centres, and then the image into nothing, so that
/// neither is cut off.
const FADE_VOXELS: f64 = 4.0;

/// A box of an image's voxels around a source, with fine voxels over the same box. It may reach out of the image; there, the
/// image's last voxels go on.
pub(super) struct Patch {
    /// The image's voxel that is the box's first.
    pub(super) start: [i64; 3],
    /// The source's centre in voxels of the box.
    pub(super) centre: [f64; 3],
    /// Voxels along each axis.
    pub(super) shape: [usize; 3],
    /// The box's voxels in the image's millimetres.
    pub(super) grid: Grid,
    /// Fine voxels over the same box.
    pub(super) fine: Grid,
    /// How much the fine computation counts at each of the box's voxels.
    counts: Vec<f32>,
    /// The same at fine voxels, along each axis.
    fine_inner: [Vec<f32>; 3],
    /// 1 where the fine computation counts at all, falling to 0 at the box's edge.
    outer: Vec<f32>,
}

impl Patch {
    /// Around `centre_mm`, the fine computation counting within `half_mm` of it along each axis, on voxels of at most
    /// `fine_voxel_mm`.
    pub(super) fn new(
        image: &Grid,
        centre_mm: [f64; 3],
        half_mm: f64,
        fine_voxel_mm: f64,
    ) -> Result<Self, VolumeError> {
        let sizes = image.voxel_sizes_mm();
        let centre = image.affine().inverse().apply(centre_mm);
        let half = sizes.map(|size| half_mm / size);
        // The field's coarse grid has cubes of four fine voxels.
        let shape = half.map(|half| {
            let least = (2.0 * (half + 2.0 * FADE_VOXELS)).ceil() as usize + 1;
            least.next_multiple_of(4)
        });
        let start: [i64; 3] =
            std::array::from_fn(|axis| centre[axis].round() as i64 - shape[axis] as i64 / 2);
        let finer = sizes.map(|size| (size / fine_voxel_mm - 1e-6).ceil().max(1.0) as usize);
        let grid = Grid::new(shape, image.affine().shifted(start.map(|index| index as f64)))?;
        let fine =
            grid.with_spacing(std::array::from_fn(|axis| sizes[axis] / finer[axis] as f64))?;
        let windows = |parts: [usize; 3], rise: f64| {
            std::array::from_fn(|axis| {
                let parts = parts[axis];
                (0..shape[axis] * parts)
                    .map(|n| {
                        let at = (n as f64 + 0.5) / parts as f64 - 0.5;
                        let from = (at + start[axis] as f64 - centre[axis]).abs();
                        let faded = (from - half[axis] - rise) / FADE_VOXELS;
                        (std::f64::consts::FRAC_PI_2 * faded.clamp(0.0, 1.0)).cos().powi(2) as f32
                    })
                    .collect()
            })
        };
        let product = |windows: [Vec<f32>; 3]| -> Vec<f32> {
            let value = |voxel: [usize; 3]| (0..3).map(|axis| windows[axis][voxel[axis]]).product();
            (0..grid.len()).map(|place| value(grid.voxel(place))).collect()
        };
        Ok(Self {
            start,
            centre: std::array::from_fn(|axis| centre[axis] - start[axis] as f64),
            shape,
            grid,
            fine,
            counts: product(windows([1; 3], 0.0)),
            fine_inner: windows(finer, 0.0),
            outer: product(windows([1; 3], FADE_VOXELS)),
        })
    }

    /// The box's values of an image; outside the image, its nearest voxel's.
    pub(super) fn gather(&self, image: &Volume<f32>) -> Vec<f32> {
        let size = image.shape();
        let place = |axis: usize, n: usize| {
            (self.start[axis] + n as i64).clamp(0, size[axis] as i64 - 1) as usize
        };
        let columns: Vec<usize> = (0..self.shape[0]).map(|n| place(0, n)).collect();
        let mut values = Vec::with_capacity(self.grid.len());
        for k in 0..self.shape[2] {
            for j in 0..self.shape[1] {
                let row = image.grid().index([0, place(1, j), place(2, k)]);
                values.extend(columns.iter().map(|&i| image.data()[row + i]));
            }
        }
        values
    }

    /// How much the fine computation counts at a position in the box.
    pub(super) fn counts(&self, place: usize) -> f32 {
        self.counts[place]
    }

    /// The box's voxels inside an image: position in the box, position in the image, and how much the fine computation
    /// counts there.
    pub(super) fn voxels(&self, image: &Grid) -> Vec<(usize, usize, f32)> {
        let size = image.shape();
        let mut voxels = Vec::new();
        for place in 0..self.grid.len() {
            let voxel = self.grid.voxel(place);
            let at: [i64; 3] = std::array::from_fn(|axis| self.start[axis] + voxel[axis] as i64);
            if (0..3).all(|axis| at[axis] >= 0 && at[axis] < size[axis] as i64) {
                voxels.push((place, image.index(at.map(|n| n as usize)), self.counts(place)));
            }
        }
        voxels
    }

    /// What changes between voxels: the signal there, `signal` being that at the voxels' centres, times `change`, the factor
    /// minus one at a fine voxel.
    pub(super) fn fine_change(
        &self,
        signal: &[Complex32],
        change: impl Fn(usize) -> Complex32 + Sync,
    ) -> Vec<Complex32> {
        let faded: Vec<Complex32> =
            signal.iter().zip(&self.outer).map(|(value, outer)| value * outer).collect();
        let mut fine = ZeroFill::new(self.shape, self.fine.shape()).fill(&faded);
        let [nx, ny, _] = self.fine.shape();
        let area = nx * ny;
        fine.par_chunks_mut(area).enumerate().for_each(|(k, slice)| {
            for (n, value) in slice.iter_mut().enumerate() {
                let counts =
                    self.fine_inner[0][n % nx] * self.fine_inner[1][n / nx] * self.fine_inner[2][k];
                *value = if counts > 0.0 {
                    *value * change(k * area + n) * counts
                } else {
                    Complex32::default()
                };
            }
        });
        fine
    }

    /// What a scanner sees of fine voxels.
    pub(super) fn seen(&self, fine: &[Complex32]) -> Vec<Complex32> {
        let [nx, ny, _] = self.fine.shape();
        let area = nx * ny;
        let crop = KSpaceCrop::new(self.fine.shape(), self.shape);
        let mut seen = crop.reduce(1, |k, slices| {
            slices[0].copy_from_slice(&fine[k * area..(k + 1) * area]);
        });
        seen.swap_remove(0)
    }
}
