//! Brain masks from files: one reading for every command.
//!
//! Masks come as zeros and ones, as percent, as labels of a segmentation, as probabilities, resampled or smoothed. What is
//! inside is decided by [`values`]; [`hollows`] are filled, because a hollow is where tissue is dark, and that is where
//! microbleeds are; what then is no brain by its volume is refused.

mod hollows;
mod values;

use std::path::Path;

use deepmir_volume::nifti::{self, ReadOptions};
use deepmir_volume::{Mask, Volume, Warning};

use crate::{CaseError, brain};

/// A brain mask and what was noticed in it.
#[derive(Clone, Debug)]
pub struct BrainMask {
    /// The brain, hollows filled.
    pub brain: Mask,
    /// What was noticed.
    pub warnings: Vec<Warning>,
}

/// Reads a brain mask.
///
/// # Errors
/// An unreadable file, and as [`BrainMask::of`].
pub fn read_mask(path: &Path, options: &ReadOptions) -> Result<BrainMask, CaseError> {
    BrainMask::of(&nifti::read_with(path, options)?.volume, path)
}

impl BrainMask {
    /// The brain in a mask's values. `path` is what messages call it.
    ///
    /// # Errors
    /// Nothing inside; values that are no mask's, such as those of an image or a signed distance; inside and outside
    /// exchanged; a volume that no brain has.
    pub fn of(values: &Volume<f32>, path: &Path) -> Result<Self, CaseError> {
        let refused = |reason: String| CaseError::Mask { path: path.to_owned(), reason };
        let mut warnings = Vec::new();
        let (cut, noticed) = values::inside(values).map_err(refused)?;
        if cut.count() == 0 {
            return Err(CaseError::EmptyMask { path: path.to_owned() });
        }
        warnings.extend(
            noticed.map(|what| Warning::new("mask_values", format!("{what}: {}", path.display()))),
        );
        if hollows::is_inverted(&cut) {
            return Err(refused(
                "it is inverted, the brain is its hollow; exchange inside and outside".to_owned(),
            ));
        }
        let (brain, found) = hollows::fill(&cut);
        let ml = brain::millilitres(&brain);
        if !brain::BRAIN_ML.contains(&ml) {
            return Err(refused(format!("it measures {ml:.0} mL; draw or compute it again")));
        }
        if found.count > 0 {
            let message = format!(
                "the brain mask has {} hole{} ({:.2} mL), which {} filled, because masks have holes where lesions are dark: {}",
                found.count,
                if found.count == 1 { "" } else { "s" },
                found.millilitres,
                if found.count == 1 { "was" } else { "were" },
                path.display()
            );
            warnings.push(Warning::new("mask_holes", message));
        }
        warnings.extend(brain::in_pieces(&brain, path));
        Ok(Self { brain, warnings })
    }
}

#[cfg(test)]
mod tests;
