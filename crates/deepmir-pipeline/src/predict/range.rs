//! How far a scan lies from those that the model learned from.

use std::collections::BTreeMap;

use deepmir_cases::{Case, CaseFiles};
use deepmir_detect::DetectionRule;
use deepmir_lesion::Candidate;
use deepmir_model::training_range::{FAR, Measure, disagreement, measures};
use deepmir_model::{ModelSettings, TrainingRange};
use deepmir_volume::Warning;
use serde::{Deserialize, Serialize};

/// A scan beside the model's range.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RangeComparison {
    /// The largest distance of a measure; `None` if the model does not say what it learned from.
    pub distance: Option<f64>,
    /// Each measure.
    pub measures: BTreeMap<Measure, Compared>,
}

/// One measure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Compared {
    /// What the scan has.
    pub value: f64,
    /// Lowest and highest value of the scans that the model learned from, where it says so.
    pub range: Option<[f64; 2]>,
    /// 0 within the range, else by how much of the nearer end the value lies beyond it.
    pub distance: Option<f64>,
}

impl RangeComparison {
    /// Measures a scan and compares it with a model's range.
    pub(super) fn of(
        settings: &ModelSettings,
        rule: &DetectionRule,
        case: &Case,
        files: Option<&CaseFiles>,
        candidates: &[Candidate],
    ) -> Self {
        let mut scan = measures(case, files);
        let share = disagreement(candidates, rule);
        scan.extend(share.map(|share| (Measure::Disagreement, share)));
        let none = TrainingRange::default();
        let range = settings.training_range.as_ref().unwrap_or(&none);
        let measures = scan.into_iter().map(|(measure, value)| {
            let distance = range.distance(measure, value);
            (measure, Compared { value, range: range.0.get(&measure).copied(), distance })
        });
        let measures: BTreeMap<Measure, Compared> = measures.collect();
        let distance = measures.values().filter_map(|compared| compared.distance).reduce(f64::max);
        Self { distance, measures }
    }

    /// A warning that names the measures that lie far outside.
    pub(super) fn warning(&self) -> Option<Warning> {
        let far: Vec<String> = self
            .measures
            .iter()
            .filter(|(_, compared)| compared.distance.is_some_and(|distance| distance > FAR))
            .map(|(measure, Compared { value, range, .. })| {
                let [low, high] = range.unwrap_or_default();
                format!("{} {} ({} to {})", words(*measure), short(*value), short(low), short(high))
            })
            .collect();
        (!far.is_empty()).then(|| {
            let message = format!(
                "the scan is unlike those that the model learned from, and its result may be wrong: {}; use a model that \
                 was trained or tuned on such scans",
                far.join(", ")
            );
            Warning::new("outside_training_range", message)
        })
    }
}

/// A measure in a message.
fn words(measure: Measure) -> &'static str {
    match measure {
        Measure::InPlaneMm => "voxel size in plane in mm",
        Measure::SliceMm => "slice thickness in mm",
        Measure::FieldStrengthT => "field strength in T",
        Measure::EchoTimeMs => "echo time in ms",
        Measure::SwiSnr => "signal to noise of the SWI",
        Measure::SwiHighest => "bright over middle values of the SWI",
        Measure::SwiLowest => "middle over dark values of the SWI",
        Measure::ChiDeviationPpm => "spread of susceptibility in ppm",
        Measure::T2wHighest => "bright over middle values of T2w",
        Measure::Disagreement => "disagreement of networks and candidate classifier (1 to 2)",
    }
}

/// A number with three significant digits.
fn short(value: f64) -> String {
    let digits = (2 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_far_outside_are_named_with_value_and_range() {
        let compared =
            |value, distance| Compared { value, range: Some([0.5, 1.0]), distance: Some(distance) };
        let mut comparison = RangeComparison::default();
        comparison.measures.insert(Measure::InPlaneMm, compared(1.1, 0.1));
        assert_eq!(comparison.warning(), None);
        comparison.measures.insert(Measure::SliceMm, compared(1.8, 0.8));
        let warning = comparison.warning().unwrap();
        assert_eq!(warning.code, "outside_training_range");
        assert!(warning.message.contains("slice thickness in mm 1.8 (0.5 to 1)"), "{warning}");
        assert!(!warning.message.contains("in plane"), "{warning}");
    }
}
