//! False positives and misses, each with what may have led to it.

use std::collections::HashMap;

use deepmir_lesion::{Candidate, LabelMap, Lesion, LesionClass, LesionRow, Region};
use deepmir_volume::Grid;

use crate::results::scan::{OfClass, Paired};
use crate::results::strata::Mimics;

/// A lesion that was found and is none, or is one and was not found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mistake {
    /// Whether it was found and is none; missed otherwise.
    pub is_false: bool,
    /// What it was called, or is.
    pub class: LesionClass,
    /// Its centre, RAS+ millimetres.
    pub place_mm: [f64; 3],
    /// Its volume.
    pub volume_mm3: f64,
    /// Where it lies.
    pub region: Option<Region>,
    /// The highest probability that the network gave it; none where it saw nothing.
    pub peak: Option<f32>,
    /// Mean susceptibility, where a map is there.
    pub chi_mean_ppm: Option<f64>,
    /// What it is (of false ones) or was taken for (of missed ones).
    pub cause: String,
}

/// What else is known of a scan.
pub(crate) struct Around<'a> {
    pub truth: &'a LabelMap,
    pub candidates: &'a [Candidate],
    /// The candidate that each voxel belongs to.
    pub owners: HashMap<usize, usize>,
    pub mimics: &'a Mimics,
    pub grid: Grid,
}

impl Around<'_> {
    fn peak(&self, lesion: &Lesion) -> Option<&Candidate> {
        let touched = lesion.voxels.iter().filter_map(|voxel| self.owners.get(voxel));
        // Candidates come in falling order of their peaks.
        touched.min().map(|&n| &self.candidates[n])
    }
}

/// Those found of one class that no true one matches.
pub(crate) fn false_positives(
    found: &OfClass<'_>,
    paired: &Paired,
    around: &Around<'_>,
) -> Vec<Mistake> {
    let alone = found.iter().zip(&paired.found).filter(|(_, paired)| !**paired);
    let mistakes = alone.map(|((lesion, row), _)| Mistake {
        is_false: true,
        cause: cause_of_false(lesion, row, around),
        ..mistake(lesion, row, around)
    });
    mistakes.collect()
}

/// Those of one class that none found matches.
pub(crate) fn missed(truth: &OfClass<'_>, paired: &Paired, around: &Around<'_>) -> Vec<Mistake> {
    let alone = truth.iter().zip(&paired.truth).filter(|(_, paired)| !**paired);
    let mistakes = alone.map(|((lesion, row), _)| Mistake {
        cause: match around.peak(lesion) {
            Some(candidate) if candidate.lesion.class != lesion.class => {
                format!("looks like {} to the network", candidate.lesion.class)
            }
            Some(_) => "below the threshold".to_owned(),
            None => "not seen at all".to_owned(),
        },
        ..mistake(lesion, row, around)
    });
    mistakes.collect()
}

fn mistake(lesion: &Lesion, row: &LesionRow, around: &Around<'_>) -> Mistake {
    Mistake {
        is_false: false,
        class: lesion.class,
        place_mm: lesion.centre_mm,
        volume_mm3: lesion.volume_mm3,
        region: row.region,
        peak: around.peak(lesion).map(|candidate| candidate.peak_probability),
        chi_mean_ppm: row.chi_mean_ppm,
        cause: String::new(),
    }
}

fn cause_of_false(lesion: &Lesion, row: &LesionRow, around: &Around<'_>) -> String {
    let true_class = |other: bool| {
        lesion.voxels.iter().find_map(|&voxel| {
            around.truth.class_at(voxel).filter(|class| (*class != lesion.class) == other)
        })
    };
    if let Some(class) = true_class(true) {
        return format!("a true {class}");
    }
    if true_class(false).is_some() {
        return "part of a lesion already counted".to_owned();
    }
    if let Some(kind) = around.mimics.at(lesion, &around.grid) {
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

/// Elongated, as a piece of vessel is; judged by shape alone.
pub(crate) const VESSEL_LIKE: &str = "vessel-like shape";
