//! The sheet of ARIA-H, as far as a program can fill it in.

use deepmir_lesion::LesionClass;
use serde::{Deserialize, Serialize};

use super::{Change, Comparison};

/// More microbleeds than this at the baseline kept patients out of the trials of lecanemab and donanemab (van Dyck et
/// al. 2023, Sims et al. 2023).
const MOST_AT_BASELINE: usize = 4;

/// Severity of new microhaemorrhages on imaging: mild up to 4, moderate 5 to 9, severe from 10 (Cogswell et al. 2022,
/// AJNR 43:E19).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// None.
    None,
    /// 1 to 4.
    Mild,
    /// 5 to 9.
    Moderate,
    /// 10 or more.
    Severe,
}

impl Severity {
    /// That of a number of new microhaemorrhages.
    pub const fn of_new(count: usize) -> Self {
        match count {
            0 => Self::None,
            1..=4 => Self::Mild,
            5..=9 => Self::Moderate,
            _ => Self::Severe,
        }
    }

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mild => "mild",
            Self::Moderate => "moderate",
            Self::Severe => "severe",
        }
    }
}

/// What a reader signs or corrects. Superficial siderosis and macrohaemorrhages are the reader's to fill in; the grade
/// is the worst of the three.
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
            baseline_above_four: baseline > MOST_AT_BASELINE,
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
