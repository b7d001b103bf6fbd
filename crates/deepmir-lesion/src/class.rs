//! The two classes of lesion.

use serde::{Deserialize, Serialize};

/// The class of a lesion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LesionClass {
    /// Cerebral microbleed.
    #[serde(rename = "CMB")]
    Cmb,
    /// Non-hemorrhage iron deposit of the basal ganglia.
    #[serde(rename = "NHID")]
    Nhid,
}

impl LesionClass {
    /// Both, in the order of their labels.
    pub const ALL: [Self; 2] = [Self::Cmb, Self::Nhid];

    /// The label map's value: 1 for CMB, 2 for NHID.
    pub fn label(self) -> u8 {
        match self {
            Self::Cmb => 1,
            Self::Nhid => 2,
        }
    }

    /// The class of a label map's value; `None` for 0 (background) and values without a meaning.
    pub fn from_label(label: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.label() == label)
    }

    /// `CMB` or `NHID`, as in tables and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cmb => "CMB",
            Self::Nhid => "NHID",
        }
    }

    /// The full name, for label tables and reports.
    pub fn full_name(self) -> &'static str {
        match self {
            Self::Cmb => "cerebral microbleed",
            Self::Nhid => "non-hemorrhage iron deposit",
        }
    }
}

impl std::fmt::Display for LesionClass {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

impl std::str::FromStr for LesionClass {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|class| class.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("{text:?} is no lesion class; there are CMB and NHID"))
    }
}
