//! The candidate thresholds among which an operating point is chosen.

use crate::DetectError;

const TRIED: [f32; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/// A candidate threshold at which validation subjects are evaluated.
///
/// ```
/// use deepmir_detect::operating_point::CandidateThreshold;
///
/// assert_eq!(CandidateThreshold::find(0.3)?.value(), 0.3);
/// assert!(CandidateThreshold::find(0.33).is_err());
/// # Ok::<(), deepmir_detect::DetectError>(())
/// ```
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
    /// [`DetectError::UntriedThreshold`] if it is not among [`CandidateThreshold::all`].
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
    fn an_unknown_threshold_is_an_error() {
        for tried in CandidateThreshold::all() {
            assert_eq!(CandidateThreshold::find(tried.value()).unwrap(), tried);
        }
        let message = CandidateThreshold::find(0.45).unwrap_err().to_string();
        assert!(message.contains("0.45") && message.contains("0.95"), "{message}");
    }
}
