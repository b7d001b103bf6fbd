//! What becomes of lesions between two visits.

use serde::{Deserialize, Serialize};

/// What became of a lesion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It was not there before.
    New,
    /// It is not there any more.
    Gone,
    /// Larger by half or more, as far as can be told.
    Grown,
    /// Smaller by a third or more, likewise.
    Shrunk,
    /// About as it was.
    Stable,
}

impl Change {
    /// All of them, those that a reader looks at first in front.
    pub const ALL: [Self; 5] = [Self::New, Self::Gone, Self::Grown, Self::Shrunk, Self::Stable];

    /// As tables have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Grown => "grown",
            Self::Shrunk => "shrunk",
            Self::Stable => "stable",
        }
    }

    /// Whether the lesion is there at a visit: 0 the baseline, 1 the follow-up.
    pub const fn is_there(self, visit: usize) -> bool {
        !matches!((self, visit), (Self::New, 0) | (Self::Gone, 1))
    }
}

/// Severity of ARIA-H on imaging (Cogswell et al. 2022, AJNR 43:E19).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// None.
    None,
    /// 1 to 4 new microhaemorrhages, or one new area of superficial siderosis.
    Mild,
    /// 5 to 9, or two.
    Moderate,
    /// 10 or more, or three or more.
    Severe,
}

impl Severity {
    /// More microbleeds than this at the baseline kept patients out of the trials of lecanemab and donanemab (van Dyck
    /// et al. 2023, Sims et al. 2023).
    pub const MOST_AT_BASELINE: usize = 4;

    /// That of a number of new microhaemorrhages.
    pub const fn of_new(count: usize) -> Self {
        match count {
            0 => Self::None,
            1..=4 => Self::Mild,
            5..=9 => Self::Moderate,
            _ => Self::Severe,
        }
    }

    /// That of a number of new areas of superficial siderosis.
    pub const fn of_siderosis(areas: usize) -> Self {
        match areas {
            0 => Self::None,
            1 => Self::Mild,
            2 => Self::Moderate,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_rises_at_the_published_numbers() {
        let of_new = [0, 1, 4, 5, 9, 10].map(Severity::of_new);
        use Severity::{Mild, Moderate, None, Severe};
        assert_eq!(of_new, [None, Mild, Mild, Moderate, Moderate, Severe]);
        assert_eq!([0, 1, 2, 3].map(Severity::of_siderosis), [None, Mild, Moderate, Severe]);
    }
}
