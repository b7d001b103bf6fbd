//! Lesions, mimics and veins.

use serde::{Deserialize, Serialize};

use super::Range;

/// How many of one kind, how large and how strong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountAndSize {
    /// How many, drawn evenly from the lowest to the highest, both included.
    pub count: [u32; 2],
    /// Median of the diameter of the ball of equal volume, in millimetres (log-normal).
    pub median_diameter_mm: f64,
    /// Standard deviation of the diameter's logarithm.
    pub log_spread: f64,
    /// Smallest and largest diameter in millimetres.
    pub diameter_mm: Range,
    /// Susceptibility added to that of the tissue, in ppm.
    pub chi_ppm: Range,
}

/// Lesions (microbleeds, iron deposits) and their mimics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LesionConfig {
    /// Probability that a subject has no lesion at all (mimics stay).
    pub lesion_free_probability: f64,
    /// Cerebral microbleeds. Naji et al. 2024 and Liu et al. 2012 for their susceptibility.
    pub microbleeds: CountAndSize,
    /// Shares of lobar, deep and infratentorial microbleeds.
    pub microbleed_regions: [f64; 3],
    /// Non-hemorrhage iron deposits of pallidum and putamen.
    pub iron_deposits: CountAndSize,
    /// Probability that an iron deposit has a partner on the other side.
    pub bilateral_probability: f64,
    /// Calcifications: basal ganglia, choroid plexus, pineal, falx, scattered.
    pub calcifications: CountAndSize,
    /// Clusters like cavernomas: several lobules with mixed susceptibility (`chi_ppm` is that of
    /// one lobule, the diameter that of the whole).
    pub cavernomas: CountAndSize,
    /// Pial vessels that turn through the slices, knotted or looped: round and dark on SWI,
    /// paramagnetic, and dark on T2-weighted images, where flowing blood gives no signal.
    pub vessel_loops: CountAndSize,
    /// Least distance between the surfaces of two drawn sources in millimetres.
    pub clearance_mm: f64,
}

impl Default for LesionConfig {
    fn default() -> Self {
        Self {
            lesion_free_probability: 0.1,
            microbleeds: CountAndSize {
                count: [1, 12],
                median_diameter_mm: 2.8,
                log_spread: 0.38,
                diameter_mm: [1.5, 9.0],
                chi_ppm: [0.3, 2.5],
            },
            microbleed_regions: [0.58, 0.24, 0.18],
            iron_deposits: CountAndSize {
                count: [0, 3],
                median_diameter_mm: 6.5,
                log_spread: 0.25,
                diameter_mm: [3.0, 12.0],
                chi_ppm: [0.35, 0.9],
            },
            bilateral_probability: 0.5,
            calcifications: CountAndSize {
                count: [1, 6],
                median_diameter_mm: 3.2,
                log_spread: 0.35,
                diameter_mm: [1.2, 7.0],
                chi_ppm: [-1.8, -0.3],
            },
            cavernomas: CountAndSize {
                count: [0, 1],
                median_diameter_mm: 11.0,
                log_spread: 0.2,
                diameter_mm: [7.0, 18.0],
                chi_ppm: [0.4, 1.4],
            },
            vessel_loops: CountAndSize {
                count: [0, 36],
                median_diameter_mm: 2.3,
                log_spread: 0.25,
                diameter_mm: [1.4, 4.0],
                chi_ppm: [0.3, 0.9],
            },
            clearance_mm: 4.0,
        }
    }
}

/// Veins that are drawn as tapering trees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VeinConfig {
    /// Cortical (pial) veins that run in the sulci to a sinus, both sides together.
    pub pial: [u32; 2],
    /// Medullary veins that cross the white matter to the ventricles, both sides together.
    pub medullary: [u32; 2],
    /// Radius of a pial vein where it begins and where it ends, in millimetres.
    pub pial_radius_mm: Range,
    /// Radius of a medullary vein where it begins and where it ends, in millimetres.
    pub medullary_radius_mm: Range,
}

impl Default for VeinConfig {
    fn default() -> Self {
        Self {
            pial: [26, 44],
            medullary: [50, 100],
            pial_radius_mm: [0.4, 1.2],
            medullary_radius_mm: [0.24, 0.5],
        }
    }
}

/// What happens to lesions from one session to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionConfig {
    /// Years between sessions.
    pub interval_years: f64,
    /// New microbleeds at every session after the first.
    pub new_microbleeds: [u32; 2],
    /// Probability that a microbleed or iron deposit has grown.
    pub growth_probability: f64,
    /// Factor of the diameter of one that has grown.
    pub growth_factor: Range,
    /// Probability that a microbleed is no longer there.
    pub vanishing_probability: f64,
    /// Probability that a session after the first has another protocol and reconstruction
    /// ([`PhantomConfig::of_session`](crate::PhantomConfig::of_session)).
    pub other_protocol_probability: f64,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            interval_years: 2.0,
            new_microbleeds: [0, 4],
            growth_probability: 0.15,
            growth_factor: [1.1, 1.5],
            vanishing_probability: 0.05,
            other_protocol_probability: 0.0,
        }
    }
}
