//! What a brain mask holds that is no brain.

use deepmir_cases::{Case, Modality};
use deepmir_model::training_range::inside;
use deepmir_volume::{Warning, statistics};

/// A voxel below this share of the median is air, bone or a large vein.
const DARK: f32 = 0.1;
/// Of fifteen simulated brains 0.3 to 1.9 % are as dark as that.
const MOST_DARK: f64 = 0.05;

/// A warning of an SWI that is dark as air in much of the brain.
pub(super) fn warning(case: &Case) -> Option<Warning> {
    let mut values = inside(case.images.get(&Modality::Swi)?, &case.brain);
    let median = statistics::median(&mut values)?;
    let dark = values.iter().filter(|&&value| value < DARK * median).count();
    let share = dark as f64 / values.len() as f64;
    (share > MOST_DARK).then(|| {
        let message = format!(
            "{:.0} % of the brain is as dark as air in the SWI of {}: the mask holds air or bone, or the image lost its signal; \
             look at the mask's outline on the page, or give a better mask",
            100.0 * share,
            case.id
        );
        Warning::new("brain_contents", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::nifti;
    use deepmir_volume::{Affine, Grid, Volume};
    use std::collections::BTreeMap;

    #[test]
    fn a_mask_with_air_in_it_is_told() {
        let grid = Grid::new([20; 3], Affine::from_spacing([2.0; 3], [0.0; 3])).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("swi.nii");
        let case = |air: usize| {
            let swi = Volume::from_fn(grid, |[i, _, _]| if i < air { 3.0 } else { 100.0 });
            nifti::write(&path, &swi, None).unwrap();
            Case {
                id: "sub-01".to_owned(),
                header: nifti::read_header(&path).unwrap(),
                images: BTreeMap::from([(Modality::Swi, swi)]),
                brain: Volume::filled(grid, true),
                contrast: deepmir_cases::Contrast::Swi,
                brain_source: deepmir_cases::BrainSource::Given,
                truth: None,
                unknown: None,
                warnings: Vec::new(),
            }
        };
        assert_eq!(warning(&case(1)), None);
        let told = warning(&case(2)).unwrap();
        assert!(told.code == "brain_contents" && told.message.contains("10 %"), "{told}");
    }
}
