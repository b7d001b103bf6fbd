//! The sheet of ARIA-H, as far as a program can fill it in.

use deepmir_lesion::{Change, LesionClass, Severity};
use serde::Serialize;

use super::Comparison;

/// What a reader signs or corrects. Superficial siderosis and macrohaemorrhages are the reader's to fill in; the grade
/// is the worse of the first two, as the published scale has none for macrohaemorrhages.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AriaSheet {
    /// Microbleeds at the baseline.
    pub baseline_microhaemorrhages: usize,
    /// Whether they are more than 4.
    pub baseline_above_four: bool,
    /// New microbleeds.
    pub new_microhaemorrhages: usize,
    /// An interval of their number at 90 %.
    pub new_interval: [usize; 2],
    /// The severity of that number.
    pub microhaemorrhage_severity: Severity,
    /// Severities at both ends of the interval.
    pub severity_interval: [Severity; 2],
    /// For the reader.
    pub superficial_siderosis: Option<String>,
    /// For the reader; findings of the follow-up longer than 10 mm are listed for a look.
    pub macrohaemorrhage: Option<String>,
    /// Findings of the follow-up that are too large for a microbleed.
    pub large_findings: usize,
    /// Whose judgement this is.
    pub status: &'static str,
}

impl AriaSheet {
    /// The program's proposal.
    pub fn of(comparison: &Comparison) -> Self {
        let cmb = LesionClass::Cmb;
        let count = |change| comparison.count(cmb, change);
        let new = count(Change::New);
        let baseline: usize =
            Change::ALL.into_iter().filter(|change| change.is_there(0)).map(count).sum();
        let interval = comparison.new_count(cmb);
        let ends = [interval.low, interval.high];
        Self {
            baseline_microhaemorrhages: baseline,
            baseline_above_four: baseline > Severity::MOST_AT_BASELINE,
            new_microhaemorrhages: new,
            new_interval: ends,
            microhaemorrhage_severity: Severity::of_new(new),
            severity_interval: ends.map(Severity::of_new),
            superficial_siderosis: None,
            macrohaemorrhage: None,
            large_findings: comparison.visits[1].prediction.large.len(),
            status: "proposed by a program, not signed by a reader",
        }
    }
}
