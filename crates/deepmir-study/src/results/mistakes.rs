//! False positives and misses, each with its probable cause.

use std::collections::HashMap;

use deepmir_lesion::{Candidate, LabelMap, Lesion, LesionClass, LesionRow, Region};
use deepmir_volume::Grid;

use crate::results::paired::{OfClass, Paired};
use crate::results::strata::Mimics;

/// A false positive or a missed lesion.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mistake {
    /// Whether it is a false positive; otherwise a missed lesion.
    pub is_false: bool,
    /// Its predicted class, or the true one of a missed lesion.
    pub class: LesionClass,
    /// Its centre, RAS+ millimetres.
    pub place_mm: [f64; 3],
    /// Its volume.
    pub volume_mm3: f64,
    /// Where it lies.
    pub region: Option<Region>,
    /// The highest probability of the candidate there; none without a candidate.
    pub peak: Option<f32>,
    /// Mean susceptibility, where a map is there.
    pub chi_mean_ppm: Option<f64>,
    /// What a false positive lies on, or why a lesion was missed.
    pub cause: String,
}

/// A scan's truth, candidates and mimics.
pub(crate) struct ScanContext<'a> {
    pub truth: &'a LabelMap,
    pub candidates: &'a [Candidate],
    /// The candidate that each voxel belongs to.
    pub owners: HashMap<usize, usize>,
    pub mimics: &'a Mimics,
    pub grid: Grid,
}

impl ScanContext<'_> {
    fn peak(&self, lesion: &Lesion) -> Option<&Candidate> {
        let touched = lesion.voxels.iter().filter_map(|voxel| self.owners.get(voxel));
        // Candidates come in falling order of their peaks.
        touched.min().map(|&n| &self.candidates[n])
    }
}

/// Predicted lesions of one class without a true match.
pub(crate) fn false_positives(
    found: &OfClass<'_>,
    paired: &Paired,
    context: &ScanContext<'_>,
) -> Vec<Mistake> {
    let alone = found.iter().zip(&paired.found).filter(|(_, paired)| !**paired);
    let mistakes = alone.map(|((lesion, row), _)| Mistake {
        is_false: true,
        cause: cause_of_false(lesion, row, context),
        ..mistake(lesion, row, context)
    });
    mistakes.collect()
}

/// True lesions of one class without a predicted match.
pub(crate) fn missed(
    truth: &OfClass<'_>,
    paired: &Paired,
    context: &ScanContext<'_>,
) -> Vec<Mistake> {
    let alone = truth.iter().zip(&paired.truth).filter(|(_, paired)| !**paired);
    let mistakes = alone.map(|((lesion, row), _)| Mistake {
        cause: match context.peak(lesion) {
            Some(candidate) if candidate.lesion.class != lesion.class => {
                format!("looks like {} to the network", candidate.lesion.class)
            }
            Some(_) => "below the threshold".to_owned(),
            None => "not seen at all".to_owned(),
        },
        ..mistake(lesion, row, context)
    });
    mistakes.collect()
}

fn mistake(lesion: &Lesion, row: &LesionRow, context: &ScanContext<'_>) -> Mistake {
    Mistake {
        is_false: false,
        class: lesion.class,
        place_mm: lesion.centre_mm,
        volume_mm3: lesion.volume_mm3,
        region: row.region,
        peak: context.peak(lesion).map(|candidate| candidate.peak_probability),
        chi_mean_ppm: row.chi_mean_ppm,
        cause: String::new(),
    }
}

fn cause_of_false(lesion: &Lesion, row: &LesionRow, context: &ScanContext<'_>) -> String {
    let true_class = |other: bool| {
        lesion.voxels.iter().find_map(|&voxel| {
            context.truth.class_at(voxel).filter(|class| (*class != lesion.class) == other)
        })
    };
    if let Some(class) = true_class(true) {
        return format!("a true {class}");
    }
    if true_class(false).is_some() {
        return "part of a lesion already counted".to_owned();
    }
    if let Some(kind) = context.mimics.at(lesion, &context.grid) {
        return kind.to_owned();
    }
    let noted = |flag: &str| row.note.as_ref().is_some_and(|note| note.contains(flag));
    let cause = if noted("linear") {
        VESSEL_LIKE
    } else if noted("diamagnetic") {
        "diamagnetic"
    } else if noted("touches_mask_edge") {
        "edge of the brain"
    } else {
        "something else"
    };
    cause.to_owned()
}

/// Elongated like a segment of a vessel, by shape alone.
pub(crate) const VESSEL_LIKE: &str = "vessel-like shape";
