//! From echoes to maps, with the parts of the head that the anatomy network outlines.

use std::path::Path;
use std::sync::Arc;

use deepmir_anatomy::{Parcellation, Tissue, Verdict};
use deepmir_recon::brain::combined_magnitude;
use deepmir_recon::{
    GradientEchoScan, LEAST_FLUID_MM3, ReconError, Reconstruction, Reference, reconstruct,
};
use deepmir_volume::{Mask, Volume, Warning};

use crate::anatomy::{Anatomy, brain_of, compared};
use crate::recon::ReconSettings;

/// The maps of a scan. `mask` replaces the brain that is found in the echoes; if none is found there, the anatomy network
/// outlines it. `progress` is called with the name of each step. The warnings are among the maps'.
///
/// # Errors
/// As [`reconstruct`].
pub fn reconstruct_head(
    scan: &GradientEchoScan,
    mask: Option<&Mask>,
    settings: &ReconSettings,
    progress: &mut dyn FnMut(&str),
) -> Result<Reconstruction, ReconError> {
    let name = Path::new(&scan.echoes()[0].name);
    let chain = |mask: Option<&Mask>, progress: &mut dyn FnMut(&str)| {
        reconstruct(scan, mask, &settings.chain, |stage| progress(stage.name()))
    };
    // Before the chain, which needs as much memory as the network.
    let anatomy = (mask.is_none() || settings.reference == Reference::Fluid).then(|| {
        progress("outlining the brain");
        Anatomy::default().parcellation(&combined_magnitude(scan))
    });
    let mut warnings = Vec::new();
    let mut made = match chain(mask, progress) {
        Err(ReconError::EmptyMask { reason }) if mask.is_none() => {
            let found = anatomy.clone().unwrap_or_else(|| Err("no brain was outlined".to_owned()));
            let found = found.and_then(|found| brain_of(&found, name));
            let failed = |why: String| ReconError::EmptyMask { reason: format!("{reason}; {why}") };
            let found = found.map_err(failed)?;
            warnings.extend(found.warnings);
            chain(Some(&found.brain), progress)?
        }
        Err(error) => return Err(error),
        Ok(made) => {
            if let (None, Some(Ok(found))) = (mask, &anatomy) {
                warnings.extend(compared(&made.brain, found, name));
            }
            made
        }
    };
    made.warnings.splice(0..0, warnings);
    if let (Reference::Fluid, Some(anatomy)) = (settings.reference, anatomy) {
        let referred = ventricles(anatomy).and_then(|ventricles| {
            made.refer_to_fluid(scan, &ventricles, &settings.chain).map_err(|volume_mm3| {
                format!(
                    "{volume_mm3:.0} mm³ of fluid were found in them, {LEAST_FLUID_MM3} are needed"
                )
            })
        });
        if let Err(reason) = referred {
            made.warnings.push(no_fluid(&reason, name));
        }
    }
    Ok(made)
}

/// The ventricles, where the head's parts are recognised with certainty.
fn ventricles(anatomy: Result<Arc<Parcellation>, String>) -> Result<Mask, String> {
    let found = anatomy?;
    match &found.quality.verdict {
        Verdict::Good => Ok(of_tissue(&found.tissue, Tissue::Ventricle)),
        Verdict::Doubtful(reasons) | Verdict::Refused(reasons) => Err(reasons.join("; ")),
    }
}

fn of_tissue(tissues: &Volume<u8>, tissue: Tissue) -> Mask {
    tissues.map(|&number| number == tissue as u8)
}

fn no_fluid(reason: &str, path: &Path) -> Warning {
    let message = format!(
        "susceptibility is not zero in the fluid of the ventricles but at the brain's median ({reason}); use --reference \
         brain, or compare with other scans by hand: {}",
        path.display()
    );
    Warning::new("reference_not_fluid", message)
}
