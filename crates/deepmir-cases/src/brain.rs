//! Where the brain is, when nobody says: the zeros around a skull-stripped image.

use std::path::Path;

use deepmir_volume::components::{Connectivity, components};
use deepmir_volume::{Mask, Volume, Warning, morphology};

/// The largest and smallest volume that passes for a brain, in millilitres (the brain with its
/// ventricles is 0.9 to 1.9 litres; a head is above 3). The lower end lets partial scans through.
pub(crate) const BRAIN_ML: std::ops::RangeInclusive<f64> = 5.0..=2300.0;
/// Below this share of zeros an image is not stripped.
const LEAST_ZEROS: f64 = 0.05;
/// Parts of less volume together are specks.
const PIECE_ML: f64 = 1.0;

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

/// The brain of a skull-stripped image, and what was left out of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stripped {
    /// The brain.
    pub brain: Mask,
    /// Volume of the parts that do not hang together with it.
    pub left_out_ml: f64,
}

/// The brain of a skull-stripped image: the largest connected part that is not zero, with those that lie beside it where
/// the scan cuts the brain (the hemispheres of a slab), hollows filled (a dark lesion may be zero too).
///
/// # Errors
/// [`NotStripped`] if the image does not look stripped.
pub fn of_stripped(image: &Volume<f32>) -> Result<Stripped, NotStripped> {
    let something = image.map(|&value| value != 0.0);
    let zeros = 1.0 - something.count() as f64 / something.data().len() as f64;
    if zeros < LEAST_ZEROS {
        return Err(NotStripped::FewZeros);
    }
    let (parts, apart) = parts(&something);
    let mut brain = Volume::filled(*image.grid(), false);
    parts.iter().flatten().for_each(|&voxel| brain.data_mut()[voxel] = true);
    let brain = morphology::fill_holes(&brain);
    let ml = millilitres(&brain);
    if BRAIN_ML.contains(&ml) {
        let left_out_ml = apart as f64 * brain.grid().voxel_volume_mm3() / 1000.0;
        Ok(Stripped { brain, left_out_ml })
    } else {
        Err(NotStripped::Volume { millilitres: ml })
    }
}

/// The volume of a mask.
pub(crate) fn millilitres(mask: &Mask) -> f64 {
    mask.count() as f64 * mask.grid().voxel_volume_mm3() / 1000.0
}

/// A warning of a brain mask that has parts elsewhere: bits of neck or scalp, or another mask's.
pub(crate) fn in_pieces(brain: &Mask, path: &Path) -> Option<Warning> {
    let (_, apart) = parts(brain);
    let ml = apart as f64 * brain.grid().voxel_volume_mm3() / 1000.0;
    (ml >= PIECE_ML).then(|| {
        let message = format!(
            "the brain mask is in pieces, {ml:.1} mL lie apart from the largest and are taken for brain, too; remove what is no brain: {}",
            path.display()
        );
        Warning::new("brain_in_pieces", message)
    })
}

/// A warning of an image whose parts were left out.
pub(crate) fn left_out(ml: f64, path: &Path) -> Option<Warning> {
    (ml >= PIECE_ML).then(|| {
        let message = format!(
            "the image is in pieces, {ml:.1} mL lie apart from the largest and are left out; give a brain mask if they are brain: {}",
            path.display()
        );
        Warning::new("brain_in_pieces", message)
    })
}

/// The largest part of a mask with the large ones that reach the same outermost slice of the image, and how many voxels
/// the others have.
fn parts(mask: &Mask) -> (Vec<Vec<usize>>, usize) {
    let mut parts: Vec<Vec<usize>> =
        components(mask, false, Connectivity::Six).into_iter().map(|part| part.voxels).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let Some(largest) = parts.first() else { return (parts, 0) };
    let (faces, least) = (faces(mask, largest), largest.len() / 20);
    let beside = |part: &Vec<usize>| {
        part.len() >= least && self::faces(mask, part).iter().zip(&faces).any(|(a, b)| *a && *b)
    };
    let mut first = true;
    let (brain, apart): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|part| std::mem::take(&mut first) || beside(part));
    (brain, apart.iter().map(Vec::len).sum())
}

/// Which of the image's six outermost slices some voxels reach.
fn faces(mask: &Mask, voxels: &[usize]) -> [bool; 6] {
    let shape = mask.shape();
    let mut reached = [false; 6];
    for &voxel in voxels {
        let voxel = mask.grid().voxel(voxel);
        for axis in 0..3 {
            reached[2 * axis] |= voxel[axis] == 0;
            reached[2 * axis + 1] |= voxel[axis] + 1 == shape[axis];
        }
    }
    reached
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
        let brain = of_stripped(&image(60, 3.0, 66.0, 0.0)).unwrap().brain;
        assert!(brain[[30, 30, 30]]);
        assert!(!brain[[0, 0, 0]]);
    }

    #[test]
    fn a_head_and_noise_are_not_taken_for_a_brain() {
        assert_eq!(of_stripped(&image(60, 3.0, 66.0, 0.1)), Err(NotStripped::FewZeros));
        let head = of_stripped(&image(70, 3.0, 95.0, 0.0));
        assert!(matches!(head, Err(NotStripped::Volume { millilitres }) if millilitres > 3000.0));
    }

    #[test]
    fn both_hemispheres_of_a_slab_are_brain_and_a_bit_of_neck_is_not() {
        let grid = Grid::new([40, 20, 10], Affine::from_spacing([3.0; 3], [0.0; 3])).unwrap();
        let slab = |voxel: [usize; 3]| {
            let [i, j, k] = voxel;
            let apart = (3..18).contains(&i) || (20..36).contains(&i);
            f32::from(u8::from(apart && (2..17).contains(&j) && k < 6))
        };
        let both = of_stripped(&Volume::from_fn(grid, slab)).unwrap();
        assert!(both.brain[[5, 5, 0]] && both.brain[[30, 5, 0]] && both.left_out_ml == 0.0);
        let neck = Volume::from_fn(grid, |voxel| {
            let [i, j, k] = voxel;
            f32::from(u8::from(i > 9 && i < 30 && j > 2 && j < 17 && k > 2 && k < 9))
                + f32::from(u8::from(i > 15 && i < 22 && j > 5 && j < 14 && k == 0))
        });
        let found = of_stripped(&neck).unwrap();
        assert!(!found.brain[[18, 10, 0]] && found.left_out_ml > 1.0);
        let warning = left_out(found.left_out_ml, Path::new("swi.nii")).unwrap();
        assert!(warning.message.contains("swi.nii") && warning.code == "brain_in_pieces");
        let mask = neck.map(|&value| value != 0.0);
        assert_eq!(in_pieces(&mask, Path::new("mask.nii")).unwrap().code, "brain_in_pieces");
    }
}
