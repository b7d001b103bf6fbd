//! Makers of scanners.

/// Whose habits a file follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Maker {
    Siemens,
    Ge,
    Philips,
    Canon,
    UnitedImaging,
    Bruker,
    Other,
}

impl Maker {
    /// From the attribute Manufacturer.
    pub fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        let has = |word: &str| name.contains(word);
        match () {
            () if has("siemens") => Self::Siemens,
            () if has("ge medical") || has("ge healthcare") || name == "ge" => Self::Ge,
            () if has("philips") => Self::Philips,
            () if has("canon") || has("toshiba") => Self::Canon,
            () if has("uih") || has("united imaging") => Self::UnitedImaging,
            () if has("bruker") => Self::Bruker,
            () => Self::Other,
        }
    }
}
