//! The image as the network reads it.

use deepmir_volume::{Affine, Grid, Interpolation, Volume, resample_to_spacing, statistics};

use crate::AnatomyError;
use crate::network::VOXEL_MM;
use crate::synthesis::normalise;

/// Voxels of the field that the network learned from: smaller fields are padded to it.
const LEAST: [usize; 3] = [96, 128, 96];
/// A larger field is cut to this around the upper part of the head: 208 × 256 × 192 mm. The neck is not what the network
/// learned from.
const MOST: [usize; 3] = [104, 128, 96];
/// Sides are padded to multiples of this, for the network's poolings.
const MULTIPLE: usize = 16;
/// Magnitude of the head over that of its brightest parts, at the least.
const SIGNAL: f32 = 0.1;

/// An image in RAS order on voxels of 2 mm, padded with zeros and normalised.
pub(crate) struct Coarse {
    pub image: Volume<f32>,
    /// The voxels of [`Coarse::image`] that the image itself covers: first and end along each axis.
    pub field: [[usize; 2]; 3],
}

impl Coarse {
    /// `image` is in RAS order.
    pub fn of(image: &Volume<f32>) -> Result<Self, AnatomyError> {
        let finite = image.map(|&value| if value.is_finite() { value } else { 0.0 });
        let coarse = resample_to_spacing(&finite, [VOXEL_MM; 3], Interpolation::Linear)?;
        drop(finite);
        let shape = coarse.shape();
        let window = window(&coarse);
        let inside: [usize; 3] = std::array::from_fn(|axis| window[axis][1] - window[axis][0]);
        let target: [usize; 3] =
            std::array::from_fn(|axis| inside[axis].max(LEAST[axis]).next_multiple_of(MULTIPLE));
        // The window's first voxel in the target.
        let before: [usize; 3] = std::array::from_fn(|axis| (target[axis] - inside[axis]) / 2);
        let shift: [f64; 3] =
            std::array::from_fn(|axis| window[axis][0] as f64 - before[axis] as f64);
        let grid = Grid::new(target, coarse.grid().affine().shifted(shift))?;
        let mut data = vec![0.0; grid.len()];
        let first: [usize; 3] = std::array::from_fn(|axis| window[axis][0]);
        for k in 0..inside[2] {
            for j in 0..inside[1] {
                let from = first[0] + shape[0] * (first[1] + j + shape[1] * (first[2] + k));
                let to = grid.index([before[0], before[1] + j, before[2] + k]);
                data[to..to + inside[0]].copy_from_slice(&coarse.data()[from..from + inside[0]]);
            }
        }
        normalise(&mut data);
        let field = std::array::from_fn(|axis| [before[axis], before[axis] + inside[axis]]);
        Ok(Self { image: Volume::new(grid, data)?, field })
    }

    /// The image as it were if the header named its axes otherwise: `from[axis]` is the axis that lies along `axis`, and the
    /// values run backwards where `flipped`. The grid is not changed; sides must be multiples of the poolings, which they
    /// stay.
    pub fn turned(&self, from: [usize; 3], flipped: [bool; 3]) -> Result<Self, AnatomyError> {
        let shape = self.image.shape();
        let target = from.map(|axis| shape[axis]);
        let grid = Grid::new(target, Affine::from_spacing([VOXEL_MM; 3], [0.0; 3]))?;
        let image = Volume::from_fn(grid, |voxel| {
            let mut at = [0; 3];
            for axis in 0..3 {
                let place =
                    if flipped[axis] { target[axis] - 1 - voxel[axis] } else { voxel[axis] };
                at[from[axis]] = place;
            }
            self.image[at]
        });
        let field = std::array::from_fn(|axis| {
            let [first, end] = self.field[from[axis]];
            if flipped[axis] { [target[axis] - end, target[axis] - first] } else { [first, end] }
        });
        Ok(Self { image, field })
    }
}

/// First and end of the voxels to read along each axis: all, or those around the head where there are too many.
fn window(image: &Volume<f32>) -> [[usize; 2]; 3] {
    let shape = image.shape();
    let mut magnitudes: Vec<f32> =
        image.data().iter().map(|value| value.abs()).filter(|&value| value > 0.0).collect();
    let brightest = statistics::quantile(&mut magnitudes, 0.99).unwrap_or(0.0);
    let mut counts: [Vec<usize>; 3] = shape.map(|length| vec![0; length]);
    for (index, value) in image.data().iter().enumerate() {
        if value.abs() > SIGNAL * brightest {
            let voxel = image.grid().voxel(index);
            (0..3).for_each(|axis| counts[axis][voxel[axis]] += 1);
        }
    }
    std::array::from_fn(|axis| {
        let length = shape[axis];
        if length <= MOST[axis] {
            return [0, length];
        }
        let total: usize = counts[axis].iter().sum();
        // Without the outermost hundredth on either side, which may be noise.
        let (mut sum, mut low, mut high) = (0, 0, length);
        for (place, count) in counts[axis].iter().enumerate() {
            if sum * 100 < total {
                low = place;
            }
            sum += count;
            if sum * 100 <= total * 99 {
                high = place + 1;
            }
        }
        let middle = (low + high) / 2;
        // The brain is at the top of the head.
        let end = if axis == 2 { high + 8 } else { middle + MOST[axis] / 2 };
        let end = end.clamp(MOST[axis], length);
        [end - MOST[axis], end]
    })
}
