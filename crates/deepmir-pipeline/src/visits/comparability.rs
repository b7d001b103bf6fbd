//! Whether two scans show lesions alike, so that what is seen in one alone is a change of the brain and not of the
//! scan.

use deepmir_cases::{Contrast, Modality};
use deepmir_model::training_range::Measure;
use deepmir_recon::register::BothWays;
use serde::{Deserialize, Serialize};

use crate::predict::quality::Quality;

/// From this disagreement of both directions on, or below this agreement of the brains, a registration should be checked.
const DISAGREEMENT_MM: f64 = 1.0;
const BRAIN_AGREEMENT: f64 = 0.94;

/// The verdict on a pair of scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// Acquired alike: a change is one of the brain.
    #[serde(rename = "comparable")]
    Comparable,
    /// With differences that can make a lesion appear or vanish; they are named.
    #[serde(rename = "comparable with caution")]
    WithCaution,
    /// Acquired so differently that new lesions cannot be told from lesions that were not visible before.
    #[serde(rename = "not comparable")]
    NotComparable,
}

impl Verdict {
    /// In words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Comparable => "comparable",
            Self::WithCaution => "comparable with caution",
            Self::NotComparable => "not comparable",
        }
    }
}

/// The verdict with its reasons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Comparability {
    /// The verdict: the worst of the reasons.
    pub verdict: Verdict,
    /// What differs, in sentences.
    pub reasons: Vec<String>,
    /// Whether voxels, echo time and field strength are the same, as far as is known.
    pub same_protocol: bool,
}

/// From which ratio of the larger to the smaller on a measure asks for caution, and makes scans not comparable.
/// Blooming grows with field strength and echo time; thick slices hide small microbleeds (Greenberg et al. 2009,
/// Nandigam et al. 2009). The limits are conventions of this program.
const LIMITS: [(Measure, &str, &str, [f64; 2]); 4] = [
    (Measure::FieldStrengthT, "field strength", "T", [1.05, 1.3]),
    (Measure::EchoTimeMs, "echo time", "ms", [1.25, 2.0]),
    (Measure::SliceMm, "slice thickness", "mm", [1.3, 2.5]),
    (Measure::InPlaneMm, "voxel size in plane", "mm", [1.25, 2.0]),
];
/// Ratios below this are the same protocol.
const SAME: f64 = 1.05;

impl Comparability {
    /// Compares how two scans were acquired. `left_out` are images that only one visit has.
    pub(super) fn of(
        qualities: [&Quality; 2],
        left_out: &[(Modality, usize)],
        found: &BothWays,
        brain_agreement: f64,
    ) -> Self {
        let mut reasons: Vec<(Verdict, String)> = Vec::new();
        let mut same_protocol = true;
        if let [Some(one), Some(other)] = qualities.map(|quality| quality.contrast)
            && one != other
        {
            same_protocol = false;
            let [one, other] = [one, other].map(Contrast::in_words);
            let reason = format!("the baseline is read in a {one}, the follow-up in a {other}");
            reasons.push((Verdict::WithCaution, reason));
        }
        for (measure, words, unit, [caution, not]) in LIMITS {
            let values =
                qualities.map(|quality| Some(quality.training_range.measures.get(&measure)?.value));
            let [Some(one), Some(other)] = values else { continue };
            let ratio = (one / other).max(other / one);
            same_protocol &= ratio < SAME;
            let verdict = if ratio >= not {
                Verdict::NotComparable
            } else if ratio >= caution {
                Verdict::WithCaution
            } else {
                continue;
            };
            reasons.push((verdict, format!("{words}: {one:.2} and {other:.2} {unit}")));
        }
        for &(modality, visit) in left_out {
            let which = ["baseline", "follow-up"][visit];
            let reason = format!("{modality}: the {which} alone has one, and it is not used");
            reasons.push((Verdict::WithCaution, reason));
        }
        if found.disagreement_mm > DISAGREEMENT_MM {
            let reason = format!(
                "registration: the two directions lie {:.1} mm apart; look at the checkerboard",
                found.disagreement_mm
            );
            reasons.push((Verdict::WithCaution, reason));
        }
        if brain_agreement < BRAIN_AGREEMENT {
            let reason = format!(
                "the brains overlap with a Dice coefficient of {brain_agreement:.2}: are the outlines alike, and is it one \
                 person?"
            );
            reasons.push((Verdict::WithCaution, reason));
        }
        let verdict = reasons.iter().map(|(verdict, _)| *verdict).max();
        Self {
            verdict: verdict.unwrap_or(Verdict::Comparable),
            reasons: reasons.into_iter().map(|(_, reason)| reason).collect(),
            same_protocol,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::range::Compared;
    use deepmir_recon::register::RigidTransform;

    fn scan(measures: &[(Measure, f64)], contrast: Contrast) -> Quality {
        let mut quality = Quality { contrast: Some(contrast), ..Quality::default() };
        for &(measure, value) in measures {
            let compared = Compared { value, range: None, distance: None };
            quality.training_range.measures.insert(measure, compared);
        }
        quality
    }

    fn aligned() -> BothWays {
        let still = [0.0; 3];
        BothWays {
            transform: RigidTransform { rotation_rad: still, shift_mm: still, centre_mm: still },
            disagreement_mm: 0.1,
            similarity: 1.3,
            overlap: 1.0,
        }
    }

    #[test]
    fn what_differs_is_named_and_the_worst_of_it_is_the_verdict() {
        let usual = [
            (Measure::FieldStrengthT, 3.0),
            (Measure::EchoTimeMs, 20.0),
            (Measure::SliceMm, 1.5),
            (Measure::InPlaneMm, 0.75),
        ];
        let first = scan(&usual, Contrast::Swi);
        let verdict = |second: &Quality, left_out: &[(Modality, usize)], agreement: f64| {
            Comparability::of([&first, second], left_out, &aligned(), agreement)
        };
        let same = verdict(&first, &[], 0.99);
        assert_eq!((same.verdict, same.reasons.len()), (Verdict::Comparable, 0));
        assert!(same.same_protocol);

        let mut other = usual;
        other[1].1 = 30.0;
        let longer = verdict(&scan(&other, Contrast::Swi), &[], 0.99);
        assert_eq!(longer.verdict, Verdict::WithCaution);
        assert_eq!(longer.reasons, ["echo time: 20.00 and 30.00 ms"]);
        assert!(!longer.same_protocol);

        other[0].1 = 1.5;
        let weaker = verdict(&scan(&other, Contrast::T2StarMagnitude), &[(Modality::Qsm, 1)], 0.9);
        assert_eq!((weaker.verdict, weaker.reasons.len()), (Verdict::NotComparable, 5));

        // What is not known is no difference.
        let unknown = verdict(&scan(&usual[2..], Contrast::Swi), &[], 0.99);
        assert_eq!(unknown.verdict, Verdict::Comparable);
    }
}
