//! When a scan was made.

use std::fmt;
use std::path::Path;

use chrono::NaiveDate;
use deepmir_cases::bids::sidecar_fields;

use crate::PipelineError;

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(NaiveDate);

impl Day {
    /// From `YYYY-MM-DD`; what follows, such as a time, is left out.
    ///
    /// # Errors
    /// A text that is no day.
    pub fn parse(text: &str) -> Result<Self, PipelineError> {
        let day = text.get(..10).and_then(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok());
        let rest = text.get(10..).unwrap_or_default();
        let fits = rest.is_empty() || rest.starts_with(['T', ' ']);
        day.filter(|_| fits).map(Self).ok_or_else(|| PipelineError::Visits {
            reason: format!("{text:?} is no day: give YYYY-MM-DD"),
        })
    }

    /// `AcquisitionDateTime` of an image's sidecar, if it says so.
    pub fn of_image(image: &Path) -> Option<Self> {
        let fields = sidecar_fields(image);
        Self::parse(fields.get("AcquisitionDateTime")?.as_str()?).ok()
    }

    /// Years to another day; negative before it.
    pub fn years_to(self, other: Self) -> f64 {
        (other.0 - self.0).num_days() as f64 / 365.25
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_counted() {
        let before = Day::parse("2024-02-28").unwrap();
        let after = Day::parse("2026-03-01T10:15:00").unwrap();
        assert!((before.years_to(after) - 732.0 / 365.25).abs() < 1e-12);
        assert!(after > before);
        assert_eq!(after.to_string(), "2026-03-01");
        for wrong in ["2024-02-30", "28.02.2024", "", "2024-02-281"] {
            assert!(Day::parse(wrong).unwrap_err().to_string().contains("YYYY-MM-DD"), "{wrong}");
        }
    }
}
