//! Susceptibility as the sum of what is paramagnetic (iron) and what is diamagnetic (myelin, calcium).

use deepmir_volume::{Mask, Volume, Warning, statistics};
use serde::{Deserialize, Serialize};

use crate::ReconError;
use crate::scan::{GradientEchoScan, MeasuredR2};

/// How susceptibility is separated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeparationConfig {
    /// R2′ = R2* − R2 that one ppm of either kind makes at 3 T, hertz; it grows with the field strength.
    pub r2_prime_hz_per_ppm: f64,
    /// The share of R2* that is taken for R2 where R2 was not measured, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r2_share: Option<f64>,
}

/// The relaxometric constant of Shin et al. 2021, and R2 as it was measured.
impl Default for SeparationConfig {
    fn default() -> Self {
        Self { r2_prime_hz_per_ppm: 137.0, r2_share: None }
    }
}

impl SeparationConfig {
    /// R2′ in hertz that one ppm makes at a field strength in tesla.
    pub fn hz_per_ppm_at(&self, field_strength_t: f64) -> f64 {
        self.r2_prime_hz_per_ppm * field_strength_t / 3.0
    }
}

/// Where R2 comes from.
#[derive(Clone, Copy, Debug)]
pub enum R2<'a> {
    /// A map of it, per second, on the grid of R2*.
    Measured(&'a Volume<f32>),
    /// A share of R2*, the same everywhere.
    Share(f64),
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
    /// The file of R2; `None` where it was taken for a share of R2*.
    pub r2_source: Option<String>,
    /// What was noticed: `r2_assumed`, `r2_missing`.
    pub warnings: Vec<Warning>,
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

/// Both parts of a susceptibility map (ppm) by an R2* map (per second) and R2, inside a mask; all have one grid. Where
/// R2 was measured as zero or is not a number, both are zero.
pub fn separate(
    chi_ppm: &Volume<f32>,
    r2_star_per_s: &Volume<f32>,
    r2: R2<'_>,
    mask: &Mask,
    hz_per_ppm: f64,
) -> [Volume<f32>; 2] {
    let hz_per_ppm = hz_per_ppm as f32;
    let mut positive_ppm = Volume::filled(*chi_ppm.grid(), 0.0);
    let mut negative_ppm = positive_ppm.clone();
    let to = positive_ppm.data_mut().iter_mut().zip(negative_ppm.data_mut());
    let from = chi_ppm.data().iter().zip(r2_star_per_s.data()).zip(mask.data());
    for (voxel, ((positive, negative), ((&chi, &rate), &inside))) in to.zip(from).enumerate() {
        let r2_per_s = match r2 {
            R2::Measured(map) => Some(map.data()[voxel]).filter(is_measured),
            R2::Share(share) => Some(share as f32 * rate),
        };
        if let (true, Some(r2_per_s)) = (inside, r2_per_s) {
            (*positive, *negative) = parts(chi, (rate - r2_per_s) / hz_per_ppm);
        }
    }
    [positive_ppm, negative_ppm]
}

fn is_measured(r2_per_s: &f32) -> bool {
    r2_per_s.is_finite() && *r2_per_s > 0.0
}

/// As a reconstruction is set, with a remark where R2 was assumed or is missing: `None` unless it is to be separated and
/// R2* is known.
pub(crate) fn separated(
    scan: &GradientEchoScan,
    chi_ppm: &Volume<f32>,
    r2_star_per_s: Option<&Volume<f32>>,
    mask: &Mask,
    config: Option<SeparationConfig>,
) -> Option<SeparatedSusceptibility> {
    let (rate, config) = (r2_star_per_s?, config?);
    let (r2, warning) = match (scan.r2(), config.r2_share) {
        (Some(measured), _) => (R2::Measured(&measured.per_s), missing(measured, mask)),
        (None, Some(share)) => (R2::Share(share), Some(assumed(share, scan))),
        (None, None) => return None,
    };
    let hz_per_ppm = config.hz_per_ppm_at(scan.field_strength_t());
    let [positive_ppm, negative_ppm] = separate(chi_ppm, rate, r2, mask, hz_per_ppm);
    Some(SeparatedSusceptibility {
        positive_ppm,
        negative_ppm,
        config,
        r2_source: scan.r2().map(|measured| measured.name.clone()),
        warnings: warning.into_iter().collect(),
    })
}

/// That a scan can be separated as it is set to be.
pub(crate) fn check(scan: &GradientEchoScan, config: &SeparationConfig) -> Result<(), ReconError> {
    let name = || scan.echoes()[0].name.clone();
    if scan.echoes().len() < 2 {
        return Err(ReconError::SeparationOfOneEcho { name: name() });
    }
    if scan.r2().is_none() && config.r2_share.is_none() {
        return Err(ReconError::SeparationWithoutR2 { name: name() });
    }
    Ok(())
}

/// What R2 per second of a brain can be, its median: 8 to 25 at 1.5 to 7 T. Milliseconds of T2, seconds, and rates per
/// millisecond lie outside.
const R2_OF_BRAIN_PER_S: [f32; 2] = [4.0, 40.0];

/// That R2 is what it is said to be.
pub(crate) fn check_r2(scan: &GradientEchoScan, brain: &Mask) -> Result<(), ReconError> {
    let Some(MeasuredR2 { name, per_s }) = scan.r2() else { return Ok(()) };
    let inside = per_s.data().iter().zip(brain.data()).filter(|(_, inside)| **inside);
    let mut values: Vec<f32> = inside.map(|(value, _)| *value).filter(is_measured).collect();
    let median = statistics::median(&mut values).unwrap_or(0.0);
    let [least, most] = R2_OF_BRAIN_PER_S;
    if (least..=most).contains(&median) {
        return Ok(());
    }
    Err(ReconError::R2Range { median, name: name.clone() })
}

/// The share of the mask without R2 from which on it is said.
const MISSING: f64 = 0.02;

fn missing(measured: &MeasuredR2, mask: &Mask) -> Option<Warning> {
    let there = measured.per_s.data().iter().zip(mask.data()).filter(|(_, inside)| **inside);
    let (mut without, mut all) = (0_usize, 0_usize);
    for (value, _) in there {
        all += 1;
        without += usize::from(!is_measured(value));
    }
    let share = without as f64 / all.max(1) as f64;
    (share >= MISSING).then(|| {
        let message = format!(
            "R2 is missing in {:.0} % of the brain, where paramagnetic and diamagnetic susceptibility are zero: {}",
            100.0 * share,
            measured.name
        );
        Warning::new("r2_missing", message)
    })
}

/// What is wrong with an assumed R2 goes to both parts, with opposite signs.
fn assumed(share: f64, scan: &GradientEchoScan) -> Warning {
    let message = format!(
        "R2 was not measured: it is taken for {share} of R2* everywhere, so paramagnetic and diamagnetic susceptibility are \
         too far from zero where the share is higher and too near where it is lower; do not compare tissues by them: {}",
        scan.echoes()[0].name
    );
    Warning::new("r2_assumed", message)
}
