//! Susceptibility as the sum of what is paramagnetic (iron) and what is diamagnetic (myelin, calcium).

use deepmir_volume::{Mask, Volume};
use serde::{Deserialize, Serialize};

/// How susceptibility is separated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeparationConfig {
    /// R2′ = R2* − R2 that one ppm of either kind makes at 3 T, hertz; it grows with the field strength.
    pub r2_prime_hz_per_ppm: f64,
    /// The share of R2* that is taken for R2, 0 to 1.
    pub r2_share: f64,
}

impl SeparationConfig {
    /// R2′ per second of an R2* per second.
    pub fn r2_prime_per_s(&self, r2_star_per_s: f32) -> f32 {
        (1.0 - self.r2_share) as f32 * r2_star_per_s
    }

    /// R2′ in hertz that one ppm makes at a field strength in tesla.
    pub fn hz_per_ppm_at(&self, field_strength_t: f64) -> f64 {
        self.r2_prime_hz_per_ppm * field_strength_t / 3.0
    }
}

/// The two parts of susceptibility, ppm, zero outside the mask.
#[derive(Clone, Debug)]
pub struct SeparatedSusceptibility {
    /// Of what is paramagnetic, 0 or more.
    pub positive_ppm: Volume<f32>,
    /// Of what is diamagnetic, 0 or less.
    pub negative_ppm: Volume<f32>,
    /// How they were told apart.
    pub config: SeparationConfig,
}

/// χ⁺ ≥ 0 ≥ χ⁻ of one voxel that fit χ = χ⁺ + χ⁻ and R2′ = D·(χ⁺ − χ⁻) by least squares, both in ppm: the voxelwise
/// form of χ-separation (Shin et al., "χ-separation: Magnetic susceptibility source separation toward iron and myelin
/// mapping in the brain", 2021). `r2_prime_ppm` is R2′ / D. The squares add up to 2(χ⁺ − p)² + 2(χ⁻ − n)² with the
/// unconstrained solution p, n, so that either part is clamped by itself.
///
/// ```
/// use deepmir_recon::separation::parts;
///
/// assert_eq!(parts(0.25, 0.75), (0.5, -0.25));
/// assert_eq!(parts(0.5, 0.25), (0.375, 0.0));
/// ```
pub fn parts(chi_ppm: f32, r2_prime_ppm: f32) -> (f32, f32) {
    (0.5 * (chi_ppm + r2_prime_ppm).max(0.0), 0.5 * (chi_ppm - r2_prime_ppm).min(0.0))
}

/// As a reconstruction is set: `None` unless it is to be separated and R2* is known.
pub(crate) fn separated(
    chi_ppm: &Volume<f32>,
    r2_star_per_s: Option<&Volume<f32>>,
    mask: &Mask,
    config: Option<SeparationConfig>,
    field_strength_t: f64,
) -> Option<SeparatedSusceptibility> {
    Some(separate(chi_ppm, r2_star_per_s?, mask, config?, field_strength_t))
}

/// Separates a susceptibility map (ppm) by an R2* map (per second) of the same grid inside a mask of that grid.
pub fn separate(
    chi_ppm: &Volume<f32>,
    r2_star_per_s: &Volume<f32>,
    mask: &Mask,
    config: SeparationConfig,
    field_strength_t: f64,
) -> SeparatedSusceptibility {
    let hz_per_ppm = config.hz_per_ppm_at(field_strength_t) as f32;
    let mut positive_ppm = Volume::filled(*chi_ppm.grid(), 0.0);
    let mut negative_ppm = positive_ppm.clone();
    let to = positive_ppm.data_mut().iter_mut().zip(negative_ppm.data_mut());
    let from = chi_ppm.data().iter().zip(r2_star_per_s.data()).zip(mask.data());
    for ((positive, negative), ((&chi, &rate), &inside)) in to.zip(from) {
        if inside {
            (*positive, *negative) = parts(chi, config.r2_prime_per_s(rate) / hz_per_ppm);
        }
    }
    SeparatedSusceptibility { positive_ppm, negative_ppm, config }
}
