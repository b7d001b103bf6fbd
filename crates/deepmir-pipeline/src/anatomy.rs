//! The anatomy of a scan: its brain, where no mask comes with it, and where in the brain lesions lie.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use deepmir_anatomy::{AnatomyModel, Parcellation, Regions, Verdict};
use deepmir_cases::{BrainMask, FindBrain};
use deepmir_kernels::Engine;
use deepmir_volume::morphology::dilate_mm;
use deepmir_volume::{Grid, Mask, Volume, Warning};

/// Dice coefficient of two masks of one brain, at the least: masks with and without the fluid around the brain have more.
const LEAST_AGREEMENT: f64 = 0.8;

/// So far beyond its outline a brain is searched for lesions, in millimetres: the network's outline may be a voxel off, and
/// lesions are on the surface, too.
const MARGIN_MM: f32 = 1.0;

/// Outlines the parts of heads with the network that comes with the program. Remembers the last scan, so that its brain
/// and its regions cost one reading.
#[derive(Debug, Default)]
pub struct Anatomy {
    last: Mutex<Option<(Grid, u64, Arc<Parcellation>)>>,
}

impl Anatomy {
    /// The parcellation of an image.
    ///
    /// # Errors
    /// Why there is none.
    pub fn parcellation(&self, image: &Volume<f32>) -> Result<Arc<Parcellation>, String> {
        let sum = checksum(image);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((grid, of, found)) = last.as_ref()
            && *of == sum
            && grid == image.grid()
        {
            return Ok(Arc::clone(found));
        }
        let told = |error: deepmir_anatomy::AnatomyError| error.to_string();
        let engine = Engine::from_environment().map_err(|error| error.to_string())?;
        let model = AnatomyModel::shipped().map_err(told)?;
        let found = Arc::new(model.parcellate(&engine, image).map_err(told)?);
        *last = Some((*image.grid(), sum, Arc::clone(&found)));
        Ok(found)
    }

    /// The regions of an image's brain.
    ///
    /// # Errors
    /// Why its parts are not recognised with certainty.
    pub fn regions(&self, image: &Volume<f32>) -> Result<Regions, String> {
        let found = self.parcellation(image)?;
        if let Verdict::Refused(reasons) = &found.quality.verdict {
            return Err(reasons.join("; "));
        }
        Regions::of(&found.coarse.tissue, &found.coarse.side)
            .ok_or_else(|| "too much of the brain is outside the image".to_owned())
    }
}

impl FindBrain for Anatomy {
    fn find(&self, image: &Volume<f32>, path: &Path) -> Result<BrainMask, String> {
        brain_of(&*self.parcellation(image)?, path)
    }
}

/// The brain of a parcellation, with what is to be told of it. `path` is what messages call the image.
pub(crate) fn brain_of(found: &Parcellation, path: &Path) -> Result<BrainMask, String> {
    let path = path.display();
    let mut warnings = vec![Warning::new(
        "brain_found",
        format!(
            "the image is not skull-stripped and there is no mask, so the brain was outlined by a network, whose outline is \
             some millimetres off in places: lesions at the edge may be missed or false; look at the outline on the page, \
             or give a mask with --mask: {path}"
        ),
    )];
    match &found.quality.verdict {
        Verdict::Good => {}
        Verdict::Doubtful(reasons) => warnings.push(Warning::new(
            "anatomy_doubtful",
            format!("{}; look at the brain's outline: {path}", reasons.join("; ")),
        )),
        Verdict::Refused(reasons) => return Err(reasons.join("; ")),
    }
    Ok(BrainMask { brain: dilate_mm(&found.brain, MARGIN_MM), warnings })
}

/// A warning of a brain found in some other way that is not the one that the network outlines. None where the network is
/// not sure of what it outlines.
pub(crate) fn compared(brain: &Mask, found: &Parcellation, path: &Path) -> Option<Warning> {
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

/// FNV-1a of the values: tells an image from the next one of the same grid.
fn checksum(image: &Volume<f32>) -> u64 {
    image.data().iter().fold(0xcbf2_9ce4_8422_2325, |sum, value| {
        (sum ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3)
    })
}

fn dice(a: &Mask, b: &Mask) -> f64 {
    let both = a.data().iter().zip(b.data()).filter(|(a, b)| **a && **b).count();
    2.0 * both as f64 / (a.count() + b.count()).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::Affine;

    #[test]
    fn noise_has_no_brain_and_no_regions() {
        let grid = Grid::new([40, 50, 40], Affine::from_spacing([4.0; 3], [0.0; 3])).unwrap();
        let mut state = 1_u32;
        let noise = Volume::from_fn(grid, |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32
        });
        let (anatomy, path) = (Anatomy::default(), Path::new("noise.nii"));
        assert!(anatomy.find(&noise, path).is_err());
        assert!(anatomy.regions(&noise).is_err());
        let found = anatomy.parcellation(&noise).unwrap();
        assert!(compared(&noise.map(|_| true), &found, path).is_none());
    }
}
