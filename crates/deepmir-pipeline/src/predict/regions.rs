//! What the user is told where regions come from the brain's box.

use deepmir_anatomy::Regions;
use deepmir_volume::{Mask, Warning};

use super::WHOLE_ML;

/// A warning of a whole brain whose parts were not recognised, where lesions have regions. Of a part of a brain nobody
/// expects them.
pub(super) fn warning(
    regions: Result<&Regions, &String>,
    brain: &Mask,
    lesions: usize,
) -> Option<Warning> {
    let reason = regions.err()?;
    let volume_ml = brain.count() as f64 * brain.grid().voxel_volume_mm3() / 1000.0;
    (lesions > 0 && volume_ml > WHOLE_ML).then(|| {
        let message = format!(
            "the parts of the brain were not recognised ({reason}), so the regions of lesions are guesses by the brain's \
             outline; look at them before you count by region"
        );
        Warning::new("regions_by_outline", message)
    })
}

#[cfg(test)]
mod tests {
    use deepmir_volume::{Affine, Grid, Volume};

    use super::*;

    #[test]
    fn only_whole_brains_with_lesions_are_warned_of() {
        let brain = |side: usize| {
            let grid = Grid::new([side; 3], Affine::from_spacing([2.0; 3], [0.0; 3])).unwrap();
            Volume::filled(grid, true)
        };
        let reason = "noise".to_owned();
        // 1.3 L, and 0.2 L.
        let (whole, part) = (brain(55), brain(30));
        let told = warning(Err(&reason), &whole, 1).unwrap();
        assert_eq!(told.code, "regions_by_outline");
        assert!(told.message.contains("(noise)"), "{}", told.message);
        assert!(warning(Err(&reason), &whole, 0).is_none());
        assert!(warning(Err(&reason), &part, 1).is_none());
    }
}
