//! Where the brain is, when nobody says: the zeros around a skull-stripped image.

use deepmir_volume::components::Connectivity;
use deepmir_volume::{Mask, Volume, morphology};

/// The largest and smallest volume that passes for a brain, in millilitres (the brain with its
/// ventricles is 0.9 to 1.9 litres; a head is above 3). The lower end lets partial scans through.
const BRAIN_ML: std::ops::RangeInclusive<f64> = 5.0..=2300.0;
/// Below this share of zeros an image is not stripped.
const LEAST_ZEROS: f64 = 0.05;

/// Why no brain was recognised in an image.
#[derive(Clone, Debug, PartialEq)]
pub enum NotStripped {
    /// Nearly every voxel is something: a whole head, or noise all around.
    FewZeros,
    /// The part that is not zero is too large or too small for a brain.
    Volume {
        /// Its volume.
        millilitres: f64,
    },
}

/// The brain of a skull-stripped image: the largest connected part that is not zero, hollows
/// filled (a dark lesion may be zero too).
///
/// # Errors
/// [`NotStripped`] if the image does not look stripped.
pub fn of_stripped(image: &Volume<f32>) -> Result<Mask, NotStripped> {
    let something = image.map(|&value| value != 0.0);
    let zeros = 1.0 - something.count() as f64 / something.data().len() as f64;
    if zeros < LEAST_ZEROS {
        return Err(NotStripped::FewZeros);
    }
    let brain =
        morphology::fill_holes(&morphology::largest_component(&something, Connectivity::Six));
    let millilitres = brain.count() as f64 * brain.grid().voxel_volume_mm3() / 1000.0;
    if BRAIN_ML.contains(&millilitres) {
        Ok(brain)
    } else {
        Err(NotStripped::Volume { millilitres })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid};

    fn image(size: usize, voxel_mm: f64, radius_mm: f64, around: f32) -> Volume<f32> {
        let grid = Grid::new([size; 3], Affine::from_spacing([voxel_mm; 3], [0.0; 3])).unwrap();
        let centre = voxel_mm * (size as f64 - 1.0) / 2.0;
        Volume::from_fn(grid, |voxel| {
            let place = grid.position_mm(voxel);
            let apart: f64 = place.iter().map(|x| (x - centre).powi(2)).sum();
            // A zero inside, as a microbleed may be.
            if apart < 4.0 || apart > radius_mm * radius_mm { around } else { 1.0 }
        })
    }

    #[test]
    fn a_stripped_brain_is_found_with_its_zeros_inside() {
        let brain = of_stripped(&image(60, 3.0, 66.0, 0.0)).unwrap();
        assert!(brain[[30, 30, 30]]);
        assert!(!brain[[0, 0, 0]]);
    }

    #[test]
    fn a_head_and_noise_are_not_taken_for_a_brain() {
        assert_eq!(of_stripped(&image(60, 3.0, 66.0, 0.1)), Err(NotStripped::FewZeros));
        let head = of_stripped(&image(70, 3.0, 95.0, 0.0));
        assert!(matches!(head, Err(NotStripped::Volume { millilitres }) if millilitres > 3000.0));
    }
}
