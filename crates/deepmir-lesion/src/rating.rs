//! What rating scales say of a single lesion: how sure it is, and how large.

use serde::{Deserialize, Serialize};

/// From this probability of being a lesion on, a lesion is [`Certainty::Definite`].
///
/// Of what the shipped model detects in thirty simulated scans (`docs/results/model.md`), a third are lesions below
/// this probability and 98 % from it on. It does not change which lesions are found.
pub const DEFINITE_PROBABILITY: f32 = 0.7;

/// A microbleed is no larger (Greenberg et al., Lancet Neurol 8:165, 2009).
pub const LARGEST_MICROBLEED_MM: f64 = 10.0;
/// The smaller of the two sizes of BOMBS end below this.
const SMALL_MICROBLEED_MM: f64 = 5.0;

/// How sure a lesion is (MARS: definite, possible; BOMBS: certain, uncertain).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Every criterion of the protocol is met.
    #[default]
    Definite,
    /// A mimic could not be excluded.
    Possible,
}

impl Certainty {
    /// That of a calibrated probability of being a lesion: definite from [`DEFINITE_PROBABILITY`] on.
    pub fn of_probability(probability: f32) -> Self {
        if probability >= DEFINITE_PROBABILITY { Self::Definite } else { Self::Possible }
    }

    /// The less sure of two.
    #[must_use]
    pub fn or_less(self, other: Self) -> Self {
        if other == Self::Possible { other } else { self }
    }

    /// As tables have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Definite => "definite",
            Self::Possible => "possible",
        }
    }
}

/// The size of a microbleed on the Brain Observer MicroBleed Scale (Cordonnier et al., Stroke 40:94, 2009).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BombsSize {
    /// Below 5 mm.
    #[serde(rename = "<5")]
    Below5,
    /// From 5 to 10 mm.
    #[serde(rename = "5-10")]
    From5To10,
}

impl BombsSize {
    /// Of a diameter in millimetres; `None` above 10 mm, where nothing is a microbleed.
    pub fn of(diameter_mm: f64) -> Option<Self> {
        if diameter_mm < SMALL_MICROBLEED_MM {
            Some(Self::Below5)
        } else {
            (diameter_mm <= LARGEST_MICROBLEED_MM).then_some(Self::From5To10)
        }
    }

    /// As tables have it, in millimetres.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Below5 => "<5",
            Self::From5To10 => "5-10",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_end_where_the_scale_ends_them() {
        let names = [0.1, 4.99, 5.0, 10.0, 10.01].map(|mm| BombsSize::of(mm).map(BombsSize::name));
        assert_eq!(names, [Some("<5"), Some("<5"), Some("5-10"), Some("5-10"), None]);
        assert_eq!(BombsSize::of(f64::NAN), None);
    }

    #[test]
    fn a_lesion_is_definite_from_the_threshold_on_and_two_readers_are_as_sure_as_the_less_sure() {
        let of = Certainty::of_probability;
        assert_eq!(
            [of(DEFINITE_PROBABILITY), of(0.69)],
            [Certainty::Definite, Certainty::Possible]
        );
        assert_eq!(Certainty::Definite.or_less(Certainty::Possible), Certainty::Possible);
        assert_eq!(Certainty::Possible.or_less(Certainty::Definite), Certainty::Possible);
        assert_eq!(Certainty::Definite.or_less(Certainty::Definite), Certainty::Definite);
    }
}
