//! Whether a map of susceptibility is in ppm, and its conversion where its sidecar names another unit.

use std::path::Path;

use deepmir_volume::{Mask, Volume, Warning, statistics};

use crate::{CaseError, bids};

/// Median absolute deviation to standard deviation, of a normal distribution.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// Spread of susceptibility over a brain in ppm that a map can have. Simulated and real heads have 0.015 to 0.04; strong
/// noise or strong smoothing make it several times as large or as small. Hertz at 1.5 T begin at 1, radians at about 0.4.
const POSSIBLE_PPM: std::ops::RangeInclusive<f64> = 0.001..=0.3;
/// The same for maps in other units, of which these ranges are typical.
const PPB: std::ops::Range<f64> = 10.0..300.0;
const HERTZ: std::ops::Range<f64> = 0.3..10.0;
const ABSOLUTE: std::ops::Range<f64> = 1e-9..3e-7;
/// Maps from background removal are 0 at the brain's edge, not in most of it.
const LEAST_COVERED: f64 = 0.2;
const USUALLY_COVERED: f64 = 0.5;
/// Susceptibility has both signs; resampled magnitude has hardly a negative voxel.
const LEAST_NEGATIVE: f64 = 0.01;

/// Brings a map of susceptibility to ppm if the sidecar beside `path` says that it is in other units, and checks that it
/// is in ppm.
///
/// # Errors
/// A map that cannot be one of susceptibility in ppm.
pub(crate) fn check(
    chi: &mut Volume<f32>,
    brain: &Mask,
    path: &Path,
) -> Result<Vec<Warning>, CaseError> {
    let refused = |reason: String| CaseError::Image { path: path.to_owned(), reason };
    let mut warnings = Vec::new();
    let unit = units(path);
    let factor = match unit.as_deref().map(factor_of) {
        None | Some(Some(1.0)) => 1.0,
        Some(Some(factor)) => factor,
        Some(None) => {
            let unit = unit.unwrap_or_default();
            return Err(refused(format!(
                "susceptibility must be in ppm, and the map's sidecar says that its Units are {unit:?}; give the map of \
                 susceptibility, or correct the sidecar"
            )));
        }
    };
    let stored = Measured::of(chi, brain).ok_or_else(|| {
        refused(
            "the map of susceptibility is 0 in nearly all of the brain; make it again".to_owned(),
        )
    })?;
    let spread = stored.spread * factor;
    if !POSSIBLE_PPM.contains(&spread) {
        return Err(refused(explain(&stored, factor, unit.as_deref())));
    }
    if stored.negative < LEAST_NEGATIVE {
        return Err(refused(
            "susceptibility is positive and negative, and this map has no negative values; give the map in ppm, as it was \
             reconstructed, without an offset"
                .to_owned(),
        ));
    }
    if stored.covered < USUALLY_COVERED {
        let message = format!(
            "the map of susceptibility covers only {:.0} % of the brain, elsewhere it is 0: {}",
            100.0 * stored.covered,
            path.display()
        );
        warnings.push(Warning::new("chi_coverage", message));
    }
    if factor != 1.0 {
        chi.data_mut().iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
        let message = format!(
            "the map of susceptibility is in {}, as its sidecar says, and was converted to ppm: {}",
            unit.unwrap_or_default(),
            path.display()
        );
        warnings.push(Warning::new("chi_converted", message));
    }
    Ok(warnings)
}

/// What a map shows in the brain.
struct Measured {
    /// Robust standard deviation of the voxels that are not zero, in the map's unit.
    spread: f64,
    /// Share of the brain that is not zero.
    covered: f64,
    /// Share of those that is negative.
    negative: f64,
}

impl Measured {
    /// `None` for a map that says nothing.
    fn of(chi: &Volume<f32>, brain: &Mask) -> Option<Self> {
        let voxels = chi.data().iter().zip(brain.data());
        let mut values: Vec<f32> = voxels
            .filter(|&(&value, &inside)| inside && value != 0.0)
            .map(|(&value, _)| value)
            .collect();
        let covered = values.len() as f64 / brain.count().max(1) as f64;
        if covered < LEAST_COVERED {
            return None;
        }
        let negative = values.iter().filter(|&&value| value < 0.0).count() as f64;
        let negative = negative / values.len() as f64;
        let median = statistics::median(&mut values)?;
        values.iter_mut().for_each(|value| *value = (*value - median).abs());
        let spread = MAD_TO_DEVIATION * f64::from(statistics::median(&mut values)?);
        Some(Self { spread, covered, negative })
    }
}

/// Why a map is not in ppm, and what to do.
fn explain(stored: &Measured, factor: f64, unit: Option<&str>) -> String {
    let spread = stored.spread * factor;
    let spread = if (0.01..1e4).contains(&spread) {
        format!("{}", (spread * 100.0).round() / 100.0)
    } else {
        format!("{spread:.1e}")
    };
    let begin = format!("susceptibility must be in ppm; this map's spread is {spread} ppm");
    if let Some(unit) = unit.filter(|_| POSSIBLE_PPM.contains(&stored.spread)) {
        return format!(
            "{begin} if it is in {unit}, as its sidecar says, and fits ppm; correct Units in the sidecar"
        );
    }
    if unit.is_some() && factor != 1.0 {
        return format!(
            "{begin} if it is in {}, as its sidecar says; see what it is",
            unit.unwrap_or_default()
        );
    }
    let guess = if stored.negative < LEAST_NEGATIVE {
        "and nothing in it is negative, so it is probably another image, or was scaled for display; give the map of susceptibility in ppm"
    } else if PPB.contains(&stored.spread) {
        "so it is probably in ppb; divide by 1000"
    } else if HERTZ.contains(&stored.spread) {
        "so it is probably a field in Hz or rad, or was scaled; give the map of susceptibility in ppm"
    } else if ABSOLUTE.contains(&stored.spread) {
        "so it is probably without a unit; multiply by 1000000"
    } else {
        "so it was probably scaled when it was stored; give the map of susceptibility in ppm"
    };
    format!("{begin}, {guess}")
}

/// `Units` of an image's sidecars.
fn units(image: &Path) -> Option<String> {
    let fields = bids::sidecar_fields(image);
    let unit = fields.get("Units")?.as_str()?.trim();
    // What says nothing.
    let says_nothing = ["", "n/a", "na", "unknown", "arbitrary", "a.u.", "au"];
    (!says_nothing.contains(&unit.to_lowercase().as_str())).then(|| unit.to_owned())
}

/// What a value in a unit is to be multiplied by to be in ppm; `None` for a unit of something else. Of an unknown word
/// nothing follows.
fn factor_of(unit: &str) -> Option<f64> {
    let unit: String = unit
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || *letter == '-')
        .collect();
    let has = |words: &[&str]| words.iter().any(|word| unit.contains(word));
    if has(&["ppm", "million", "1e-6", "10-6"]) {
        Some(1.0)
    } else if has(&["ppb", "billion", "1e-9", "10-9"]) {
        Some(1e-3)
    } else if ["1", "si", "dimensionless", "unitless"].contains(&unit.as_str()) {
        Some(1e6)
    } else if has(&["hz", "hertz", "rad", "tesla"])
        || ["t", "nt", "s", "ms", "s-1"].contains(&unit.as_str())
    {
        None
    } else {
        Some(1.0)
    }
}

#[cfg(test)]
mod tests;
