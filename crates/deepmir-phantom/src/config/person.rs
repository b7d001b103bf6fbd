//! Who lies in the scanner.

use serde::{Deserialize, Serialize};

use super::Range;

/// The person and their position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PersonConfig {
    /// Age in years: iron in the nuclei and, for the built-in anatomy, wide sulci and ventricles.
    pub age_years: Range,
    /// Atrophy beyond that of the age, for the built-in anatomy: 0 none, 1 severe.
    pub atrophy: Range,
    /// Standard deviation of the size along each axis, as a part of it.
    pub size_spread: f64,
    /// Root mean square of the elastic displacement in millimetres.
    pub elastic_mm: f64,
    /// Probability that left and right are exchanged.
    pub mirror_probability: f64,
    /// Largest rotation of the head about each axis in degrees.
    pub rotation_deg: f64,
    /// Largest shift of the head along each axis in millimetres.
    pub shift_mm: f64,
}

impl Default for PersonConfig {
    fn default() -> Self {
        Self {
            age_years: [45.0, 90.0],
            atrophy: [0.0, 0.6],
            size_spread: 0.03,
            elastic_mm: 1.5,
            mirror_probability: 0.5,
            rotation_deg: 5.0,
            shift_mm: 2.0,
        }
    }
}
