//! Images as the page gets them: 16-bit steps, which are half as much to send, keep and look through as
//! the numbers themselves, and finer than any screen.

use deepmir_volume::{Affine, Grid, Volume, nifti};

use crate::AnnotateError;
use crate::case::ShownImage;

/// The window to begin with, in steps: an image keeps that of 4096 greys, and what lies up to seven and a half
/// windows beyond it on either side.
pub const WINDOW: [i16; 2] = [-2048, 2048];

/// An image in steps as NIfTI, in RAS order. Its geometry is upright, without the head's tilt: panes show
/// voxels as they are, and places in millimetres come from the case's own affine.
///
/// # Errors
/// A grid that NIfTI cannot hold.
pub fn encoded(image: &ShownImage) -> Result<Vec<u8>, AnnotateError> {
    let grid = image.volume.grid();
    let upright = Affine::from_spacing(grid.voxel_sizes_mm(), [0.0; 3]);
    let steps = in_steps(image).with_grid(Grid::new(grid.shape(), upright)?)?;
    Ok(nifti::encode(&steps, None))
}

fn in_steps(image: &ShownImage) -> Volume<i16> {
    let [low, high] = image.window;
    let middle = low + (high - low) / 2.0;
    let steps = f32::from(WINDOW[1] - WINDOW[0]) / (high - low);
    // `as` keeps within the type's range.
    image.volume.map(|&value| ((value - middle) * steps).round() as i16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageKind;

    #[test]
    fn a_window_is_4096_steps_and_far_values_stay_at_the_ends() {
        let grid = Grid::new([5, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let values = [-0.15, 0.05, 0.25, 0.2501, 1e9];
        let image = ShownImage {
            kind: ImageKind::Qsm,
            volume: Volume::from_fn(grid, |[i, _, _]| values[i]),
            window: [-0.15, 0.25],
            resampled: false,
        };
        assert_eq!(in_steps(&image).data(), [-2048, 0, 2048, 2049, i16::MAX]);
        // A header of 352 bytes, and two a voxel.
        assert_eq!(encoded(&image).unwrap().len(), 352 + 2 * 5);
    }
}
