//! The candidate thresholds that are tried.

use crate::DetectError;

const TRIED: [f32; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/// A candidate threshold that validation subjects were tried at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CandidateThreshold(usize);

impl CandidateThreshold {
    /// All of them, ascending.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + Clone {
        (0..TRIED.len()).map(Self)
    }

    /// The threshold of a rule.
    ///
    /// # Errors
    /// If it is none of those that are tried.
    pub fn find(threshold: f32) -> Result<Self, DetectError> {
        let found = Self::all().find(|tried| (tried.value() - threshold).abs() < 1e-6);
        found.ok_or_else(|| DetectError::UntriedThreshold { threshold, tried: TRIED.to_vec() })
    }

    /// The probability.
    pub fn value(self) -> f32 {
        TRIED[self.0]
    }

    pub(super) fn index(self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_that_was_not_tried_is_an_error_and_not_all_or_none() {
        for tried in CandidateThreshold::all() {
            assert_eq!(CandidateThreshold::find(tried.value()).unwrap(), tried);
        }
        let message = CandidateThreshold::find(0.45).unwrap_err().to_string();
        assert!(message.contains("0.45") && message.contains("0.95"), "{message}");
    }
}
