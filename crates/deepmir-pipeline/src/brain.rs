//! The brain of a scan that comes without a mask.

use std::path::Path;
use std::sync::Arc;

use deepmir_anatomy::{AnatomyModel, Parcellation, Verdict};
use deepmir_cases::{BrainMask, FindBrain};
use deepmir_kernels::Engine;
use deepmir_volume::{Mask, Volume, Warning};

/// Dice coefficient of two masks of one brain, at the least: masks with and without the fluid around the brain have more.
const LEAST_AGREEMENT: f64 = 0.8;

/// Finds brains with the anatomy network that comes with the program.
#[derive(Debug, Default)]
pub struct AnatomyBrain;

/// What [`deepmir_cases::CaseFiles::read_finding`] and [`deepmir_model::Detector`] take.
pub fn finder() -> Arc<dyn FindBrain> {
    Arc::new(AnatomyBrain)
}

impl FindBrain for AnatomyBrain {
    fn find(&self, image: &Volume<f32>, path: &Path) -> Result<BrainMask, String> {
        let found = parcellation(image)?;
        let path = path.display();
        let mut warnings = vec![Warning::new(
            "brain_found",
            format!(
                "the image is not skull-stripped and there is no mask, so the brain was outlined by a network that \
                 learned from simulated images; look at the outline on the page, or give a mask with --mask: {path}"
            ),
        )];
        match found.quality.verdict {
            Verdict::Good => {}
            Verdict::Doubtful(reasons) => warnings.push(Warning::new(
                "anatomy_doubtful",
                format!("{}; look at the brain's outline: {path}", reasons.join("; ")),
            )),
            Verdict::Refused(reasons) => return Err(reasons.join("; ")),
        }
        Ok(BrainMask { brain: found.brain, warnings })
    }
}

/// A warning of a brain found in some other way that is not the one that the network outlines. None where the network finds
/// no brain that it is sure of.
pub(crate) fn compared(brain: &Mask, image: &Volume<f32>, path: &Path) -> Option<Warning> {
    let found = parcellation(image).ok()?;
    if found.quality.verdict != Verdict::Good {
        return None;
    }
    let dice = dice(brain, &found.brain);
    (dice < LEAST_AGREEMENT).then(|| {
        let message = format!(
            "the brain found in the echoes and the one that a network outlines in their magnitude differ (Dice {dice:.2}); \
             look at the mask's outline, or give a mask with --mask: {}",
            path.display()
        );
        Warning::new("brain_masks_differ", message)
    })
}

fn dice(a: &Mask, b: &Mask) -> f64 {
    let both = a.data().iter().zip(b.data()).filter(|(a, b)| **a && **b).count();
    2.0 * both as f64 / (a.count() + b.count()).max(1) as f64
}

/// The parcellation of an image.
fn parcellation(image: &Volume<f32>) -> Result<Parcellation, String> {
    let told = |error: deepmir_anatomy::AnatomyError| error.to_string();
    let engine = Engine::from_environment().map_err(|error| error.to_string())?;
    AnatomyModel::shipped().map_err(told)?.parcellate(&engine, image).map_err(told)
}
