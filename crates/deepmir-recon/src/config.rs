//! All settings of a reconstruction.

use serde::{Deserialize, Serialize};

use crate::ReconError;
use crate::background::BackgroundRemoval;
use crate::brain::BrainConfig;
use crate::inversion::Inversion;
use crate::phase::OffsetConfig;
use crate::r2star::R2StarFit;
use crate::reliability::ReliabilityConfig;
use crate::separation::SeparationConfig;
use crate::swi::{SusceptibilityWeighting, SwiConfig};

/// How the phase is unwrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unwrapping {
    /// Exactly, along the most trusted path (see [`crate::phase::unwrap_romeo`]).
    #[default]
    Romeo,
    /// By least squares (see [`crate::phase::unwrap_laplacian`]).
    Laplacian,
}

/// How the field is fitted over echoes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldFitMethod {
    /// A weighted line through the unwrapped phases (see [`crate::phase::fit_field`]).
    Line,
    /// The line, then complex signals (see [`crate::phase::refine_field`]). Needs exact unwrapping.
    Complex,
    /// The line, without late echoes where they do not lie on it to half of `reliability.residual_rad` (see
    /// [`crate::phase::leave_out_late_echoes`]).
    #[default]
    Early,
}

/// All settings; the defaults are those of the documentation's figures.
///
/// ```
/// use deepmir_recon::{ReconConfig, Unwrapping};
///
/// let mut config = ReconConfig { unwrapping: Unwrapping::Laplacian, ..Default::default() };
/// assert!(config.validate().is_ok());
/// config.swi.slab_mm = -1.0;
/// let message = config.validate().err().map(|error| error.to_string());
/// assert!(message.is_some_and(|message| message.contains("swi.slab_mm")));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReconConfig {
    /// Brain mask, where none is given.
    pub brain: BrainConfig,
    /// Phase offset.
    pub offset: OffsetConfig,
    /// Unwrapping.
    pub unwrapping: Unwrapping,
    /// Field fit.
    pub field_fit: FieldFitMethod,
    /// Which voxels to trust.
    pub reliability: ReliabilityConfig,
    /// Background removal.
    pub background: BackgroundRemoval,
    /// Dipole inversion.
    pub inversion: Inversion,
    /// Susceptibility-weighted image.
    pub swi: SwiConfig,
    /// R2*.
    pub r2_star: R2StarFit,
    /// Maps of paramagnetic and diamagnetic susceptibility; by default there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separation: Option<SeparationConfig>,
}

impl ReconConfig {
    /// Checks every setting that the stages do not check themselves.
    ///
    /// # Errors
    /// [`ReconError::Setting`] for a length, time or fraction that cannot be, and for settings that
    /// do not go together.
    pub fn validate(&self) -> Result<(), ReconError> {
        if self.field_fit == FieldFitMethod::Complex && self.unwrapping == Unwrapping::Laplacian {
            return Err(ReconError::Setting {
                setting: "field_fit",
                value: "complex".to_owned(),
                remedy: "laplacian unwrapping changes the phases; unwrap with romeo, or fit a line",
            });
        }
        let lengths_mm = [
            ("brain.bridge_radius_mm", f64::from(self.brain.bridge_radius_mm)),
            ("brain.sulcus_radius_mm", f64::from(self.brain.sulcus_radius_mm)),
            ("offset.smoothing_sigma_mm", self.offset.smoothing_sigma_mm),
            ("reliability.edge_depth_mm", f64::from(self.reliability.edge_depth_mm)),
            ("reliability.pit_radius_mm", f64::from(self.reliability.pit_radius_mm)),
            ("reliability.rim_mm", f64::from(self.reliability.rim_mm)),
            ("swi.high_pass_sigma_mm", self.swi.high_pass_sigma_mm),
            ("swi.slab_mm", self.swi.slab_mm),
        ];
        for (setting, value) in lengths_mm {
            within(setting, value, 0.0, 100.0, "give millimetres from 0 to 100")?;
        }
        let pit_volume_mm3 = f64::from(self.reliability.pit_volume_mm3);
        let remedy = "give cubic millimetres from 0 to 100000";
        within("reliability.pit_volume_mm3", pit_volume_mm3, 0.0, 1e5, remedy)?;
        let fractions = [
            ("brain.signal_fraction", self.brain.signal_fraction),
            ("brain.phase_quality", self.brain.phase_quality),
            ("brain.fluid_signal", self.brain.fluid_signal),
            ("brain.fluid_decay", self.brain.fluid_decay),
            ("reliability.edge_weight", self.reliability.edge_weight),
            ("reliability.void_weight", self.reliability.void_weight),
        ];
        for (setting, value) in fractions {
            within(setting, f64::from(value), 0.0, 1.0, "give a number from 0 to 1")?;
        }
        let residual = f64::from(self.reliability.residual_rad);
        within(
            "reliability.residual_rad",
            residual,
            1e-3,
            100.0,
            "give radians from 0.001 to 100",
        )?;
        let echo_time_s = self.swi.echo_time_s.unwrap_or(0.0);
        within("swi.echo_time_s", echo_time_s, 0.0, 1.0, "give seconds from 0 to 1")?;
        self.separation.map_or(Ok(()), check_separation)?;
        self.swi.from_susceptibility.map_or(Ok(()), check_weighting)
    }
}

fn check_separation(separation: SeparationConfig) -> Result<(), ReconError> {
    let SeparationConfig { r2_prime_hz_per_ppm, r2_share } = separation;
    let remedy = "give hertz per ppm at 3 T from 10 to 1000 (137 after Shin et al. 2021)";
    within("separation.r2_prime_hz_per_ppm", r2_prime_hz_per_ppm, 10.0, 1000.0, remedy)?;
    let share = r2_share.unwrap_or(0.0);
    within("separation.r2_share", share, 0.0, 1.0, "give a number from 0 to 1")
}

fn check_weighting(weighting: SusceptibilityWeighting) -> Result<(), ReconError> {
    let power = match weighting {
        SusceptibilityWeighting::Tswi { low_ppm, high_ppm, power } => {
            let remedy = "give ppm from -1 to 10";
            within("swi.from_susceptibility.low_ppm", low_ppm, -1.0, 10.0, remedy)?;
            let remedy = "give ppm above low_ppm (by 0.001 or more) up to 20";
            within("swi.from_susceptibility.high_ppm", high_ppm, low_ppm + 1e-3, 20.0, remedy)?;
            power
        }
        SusceptibilityWeighting::Smwi { threshold_ppm, power } => {
            let remedy = "give ppm from 0.001 to 20";
            within("swi.from_susceptibility.threshold_ppm", threshold_ppm, 1e-3, 20.0, remedy)?;
            power
        }
    };
    let remedy = "give a whole number from 1 to 255";
    within("swi.from_susceptibility.power", f64::from(power), 1.0, 255.0, remedy)
}

fn within(
    setting: &'static str,
    value: f64,
    least: f64,
    most: f64,
    remedy: &'static str,
) -> Result<(), ReconError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ReconError::Setting { setting, value: value.to_string(), remedy })
}
