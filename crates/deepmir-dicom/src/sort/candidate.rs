//! What a volume is by itself, and why.

use super::Stack;
use crate::header::{Maker, Part};

/// What a volume may be taken for.
#[derive(Clone, Debug, PartialEq)]
pub enum Candidate {
    /// A part of an echo, or a magnitude that stands alone.
    GradientEcho(Part),
    /// A susceptibility-weighted image.
    Swi,
    /// A magnitude that is called so: raw, if its series has a phase.
    CalledSwi,
    /// A T2-weighted image.
    T2w,
    /// A susceptibility map, and what its values are to be multiplied with to be ppm.
    Qsm(f64),
    /// None that is of use.
    Aside,
}

/// Fewer slices are a localizer.
const FEWEST_SLICES: usize = 5;
/// Echo time in milliseconds from which a spin echo is T2-weighted.
const T2_ECHO_MS: f64 = 50.0;

/// What a volume is, and why it is taken for it.
pub fn candidate(stack: &Stack) -> (Candidate, String) {
    let aside = |why: &str| (Candidate::Aside, why.to_owned());
    let words = Words::of(stack);
    if let Some(why) = words.no_image_of_its_own(stack) {
        return aside(&why);
    }
    // Raw echoes are called QSM too.
    let called_qsm = words.named("qsm") && words.has(&["DERIVED"]);
    if words.has(&["QSM", "CHI", "CHIMAP", "SUSCEPTIBILITY MAP"]) || called_qsm {
        return match ppm(stack) {
            Some(factor) => (Candidate::Qsm(factor), "a susceptibility map by its type".to_owned()),
            None => aside("a susceptibility map that does not say its unit (ppm or ppb)"),
        };
    }
    let part = stack.part();
    let is_magnitude = matches!(part, Some(Part::Magnitude) | None);
    if words.has(&["SWI", "SWAN", "SWI_FFE", "SUSCEPTIBILITY", "SUSCEPTIBILITY WEIGHTED"]) {
        return match part {
            Some(Part::Phase) => aside("a phase filtered for an SWI, which is no raw phase"),
            _ => (Candidate::Swi, format!("image type {}", words.told())),
        };
    }
    let header = stack.header();
    let sequence = |word: &str| header.sequence.iter().any(|said| said == word);
    if sequence("EP") {
        return aside("echo-planar");
    }
    let gradient = sequence("GR") || sequence("GRADIENT");
    let spin = sequence("SE") || sequence("SPIN");
    if header.inversion_time_ms.is_some() || sequence("IR") || words.named("flair") {
        return aside("inversion recovery, such as MPRAGE or FLAIR");
    }
    if spin && !gradient {
        let long = stack.echo_time_ms().is_some_and(|time| time >= T2_ECHO_MS);
        return match (is_magnitude, long) {
            (true, true) => {
                let time = stack.echo_time_ms().unwrap_or_default();
                (Candidate::T2w, format!("spin echo, echo time {time:.0} ms"))
            }
            (true, false) => aside("a spin echo of short echo time, which is not T2-weighted"),
            (false, _) => aside("no magnitude of a spin echo"),
        };
    }
    if !gradient && header.contrast.as_deref() == Some("T2") && is_magnitude {
        return (Candidate::T2w, "acquisition contrast T2".to_owned());
    }
    if !gradient {
        return aside("neither a gradient echo nor T2-weighted, by what its header says");
    }
    if header.sequence_name.starts_with("*fm") {
        return aside("a field map, whose phase is a difference of two");
    }
    if stack.echo_time_ms().is_none_or(|time| time <= 0.0) {
        return aside("a gradient echo that says no echo time");
    }
    // Other makers than Siemens have no word for it in the image type.
    let named = words.named("swi") || words.named("swan");
    if named && header.maker != Maker::Siemens && is_magnitude {
        return (Candidate::CalledSwi, "a gradient echo that is called SWI or SWAN".to_owned());
    }
    let part = part.unwrap_or(Part::Magnitude);
    (Candidate::GradientEcho(part), format!("gradient echo, {}", part.entity()))
}

/// The words of the image type and of the description.
struct Words<'a> {
    types: &'a [String],
    description: &'a str,
}

impl<'a> Words<'a> {
    fn of(stack: &'a Stack) -> Self {
        Self { types: stack.image_type(), description: &stack.header().description }
    }

    fn has(&self, words: &[&str]) -> bool {
        self.types.iter().any(|word| words.contains(&word.as_str()))
    }

    fn named(&self, word: &str) -> bool {
        self.description.contains(word)
    }

    /// The image type in words of the standard.
    fn told(&self) -> String {
        let plain = |word: &&String| {
            word.chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' || c == ' ')
        };
        self.types.iter().filter(plain).cloned().collect::<Vec<_>>().join("\\")
    }

    /// Why it is no image that was acquired, or of no use whatever its contrast.
    fn no_image_of_its_own(&self, stack: &Stack) -> Option<String> {
        let minimum = self.named("minip") || self.named("mip_") || self.named("mip images");
        let derived = self.has(&["DERIVED"]);
        let why = if self.has(&["MOSAIC"]) {
            "a Siemens mosaic: many slices in one plane; export it as single slices"
        } else if self.has(&["LOCALIZER", "SCOUT"]) || self.named("localizer") {
            "a localizer"
        } else if self.has(&[
            "MNIP",
            "MINIP",
            "MIP",
            "PROJECTION IMAGE",
            "MINIMUM",
            "MAX_IP",
            "MIN_IP",
        ]) || minimum
        {
            "a projection over several slices"
        } else if self.has(&["MPR", "REFORMATTED", "RESAMPLED", "CSA RESAMPLED", "CPR"]) {
            "a reformatted image"
        } else if self.has(&["PHASE DIFFERENCE", "PHASEDIFF", "FIELD_MAP", "B0", "B0 MAP", "PCA"]) {
            "a phase difference or field map"
        } else if self.has(&[
            "ADC",
            "TRACEW",
            "FA",
            "DIFFUSION",
            "CBF",
            "CBV",
            "MTT",
            "TTP",
            "PERFUSION",
        ]) {
            "a map of diffusion or perfusion"
        } else if self.has(&[
            "T1 MAP",
            "T2 MAP",
            "T2_STAR MAP",
            "T2STAR MAP",
            "R2 MAP",
            "R2_STAR MAP",
        ]) {
            "a map of relaxation"
        } else if derived && (self.named("filt_pha") || self.named("filtered phase")) {
            "a filtered phase, which is no raw phase"
        } else if stack.frames.len() < FEWEST_SLICES {
            return Some(format!("{} slices are too few", stack.frames.len()));
        } else {
            return None;
        };
        Some(why.to_owned())
    }
}

/// What the values of a susceptibility map are to be multiplied with; `None` if it does not say its unit.
fn ppm(stack: &Stack) -> Option<f64> {
    match stack.frames[0].scaling.unit.as_deref()?.to_lowercase().as_str() {
        "ppm" | "[ppm]" => Some(1.0),
        "ppb" | "[ppb]" => Some(1e-3),
        _ => None,
    }
}
