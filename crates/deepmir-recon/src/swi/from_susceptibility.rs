//! Susceptibility-weighted images whose mask is made of a susceptibility map in place of the phase.

use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::SwiConfig;
use crate::brain::combined_magnitude;
use crate::scan::GradientEchoScan;

/// How susceptibility darkens the magnitude. What is diamagnetic stays as bright as it is. Unlike the
/// phase, susceptibility is high inside a source alone, whatever its shape and direction.
///
/// ```
/// use deepmir_recon::swi::SusceptibilityWeighting;
///
/// assert_eq!(SusceptibilityWeighting::TSWI.factor(0.225), 0.25);
/// assert_eq!(SusceptibilityWeighting::SMWI.factor(0.5), 0.0625);
/// assert_eq!(SusceptibilityWeighting::SMWI.factor(-0.5), 1.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SusceptibilityWeighting {
    /// True SWI (Liu et al., "Improved MR venography using quantitative susceptibility-weighted
    /// imaging", 2014), of the magnitude of the echo that the SWI is made of.
    Tswi {
        /// Susceptibility at which darkening begins, ppm.
        low_ppm: f64,
        /// Susceptibility from which on the mask is zero, ppm.
        high_ppm: f64,
        /// How often the mask is multiplied onto the magnitude.
        power: u8,
    },
    /// Susceptibility map-weighted imaging (Gho et al., "Susceptibility map-weighted imaging (SMWI)
    /// for neuroimaging", 2014) with the paramagnetic mask, of the root of the sum of all echoes'
    /// squared magnitudes.
    Smwi {
        /// Susceptibility from which on the mask is zero, ppm; darkening begins at zero.
        threshold_ppm: f64,
        /// How often the mask is multiplied onto the magnitude.
        power: u8,
    },
}

impl SusceptibilityWeighting {
    /// True SWI with its published settings.
    pub const TSWI: Self = Self::Tswi { low_ppm: 0.0, high_ppm: 0.45, power: 2 };
    /// SMWI with its published settings.
    pub const SMWI: Self = Self::Smwi { threshold_ppm: 1.0, power: 4 };

    /// What the magnitude is multiplied by at a susceptibility in ppm: 1 up to where darkening begins,
    /// falling linearly to 0, to the power of the settings.
    pub fn factor(self, chi_ppm: f32) -> f32 {
        let (low, high, power) = match self {
            Self::Tswi { low_ppm, high_ppm, power } => (low_ppm, high_ppm, power),
            Self::Smwi { threshold_ppm, power } => (0.0, threshold_ppm, power),
        };
        let share = (f64::from(chi_ppm) - low) / (high - low);
        (1.0 - share.max(0.0)).max(0.0).powi(i32::from(power)) as f32
    }
}

/// An image that was darkened by susceptibility.
#[derive(Clone, Debug)]
pub struct SwiFromSusceptibility {
    /// In the magnitude's unit, of the whole head.
    pub image: Volume<f32>,
    /// How it was made.
    pub weighting: SusceptibilityWeighting,
    /// Times of the echoes whose magnitude it shows, seconds.
    pub echo_times_s: Vec<f64>,
}

/// The magnitude of a scan, darkened by its susceptibility map (ppm) inside the mask `reliable` and as
/// it is outside, where susceptibility is not known. Map and mask are on the scan's grid. `None` if
/// `config` asks for no such image.
pub fn weighted_by_susceptibility(
    scan: &GradientEchoScan,
    chi_ppm: &Volume<f32>,
    reliable: &Mask,
    config: &SwiConfig,
) -> Option<SwiFromSusceptibility> {
    let weighting = config.from_susceptibility?;
    let times_s = scan.echo_times_s();
    let (mut image, echo_times_s) = match weighting {
        SusceptibilityWeighting::Tswi { .. } => {
            let echo = &scan.echoes()[config.echo_of(&times_s, scan.field_strength_t())];
            (echo.magnitude.clone(), vec![echo.echo_time_s])
        }
        SusceptibilityWeighting::Smwi { .. } => (combined_magnitude(scan), times_s),
    };
    let map = chi_ppm.data().par_iter().zip(reliable.data());
    image.data_mut().par_iter_mut().zip(map).for_each(|(value, (&chi_ppm, &reliable))| {
        if reliable {
            *value *= weighting.factor(chi_ppm);
        }
    });
    Some(SwiFromSusceptibility { image, weighting, echo_times_s })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Echo;
    use deepmir_volume::{Affine, Grid};

    #[test]
    fn masks_fall_from_one_to_zero_as_published() {
        for (weighting, chi_ppm, want) in [
            (SusceptibilityWeighting::TSWI, -9.0, 1.0),
            (SusceptibilityWeighting::TSWI, 0.0, 1.0),
            (SusceptibilityWeighting::TSWI, 0.09, 0.64),
            (SusceptibilityWeighting::TSWI, 0.36, 0.04),
            (SusceptibilityWeighting::TSWI, 0.45, 0.0),
            (SusceptibilityWeighting::TSWI, 3.0, 0.0),
            (SusceptibilityWeighting::SMWI, -1.0, 1.0),
            (SusceptibilityWeighting::SMWI, 0.2, 0.4096),
            (SusceptibilityWeighting::SMWI, 0.9, 1e-4),
            (SusceptibilityWeighting::SMWI, 1.5, 0.0),
            (SusceptibilityWeighting::Tswi { low_ppm: -0.1, high_ppm: 0.1, power: 1 }, -0.05, 0.75),
            (SusceptibilityWeighting::Smwi { threshold_ppm: 0.5, power: 3 }, 0.25, 0.125),
        ] {
            let factor = weighting.factor(chi_ppm);
            assert!((factor - want).abs() < 1e-6, "{factor} at {chi_ppm} ppm by {weighting:?}");
        }
    }

    /// Three echoes of magnitudes 2, 3 and 6, whose squares sum to 49.
    #[test]
    fn tswi_shows_one_echo_and_smwi_all_and_both_the_magnitude_where_nothing_is_known() {
        let grid = Grid::new([3, 2, 2], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let echo = |magnitude: f32, echo_time_s: f64| Echo {
            name: String::new(),
            magnitude: Volume::filled(grid, magnitude),
            phase_rad: Volume::from_fn(grid, |[i, ..]| i as f32),
            echo_time_s,
        };
        let echoes = vec![echo(2.0, 0.01), echo(3.0, 0.02), echo(6.0, 0.03)];
        let scan = GradientEchoScan::new(echoes, 3.0, [0.0, 0.0, 1.0]).unwrap();
        // Diamagnetic, strongly paramagnetic, and the same outside the mask.
        let chi = Volume::from_fn(grid, |[i, ..]| if i == 0 { -0.2 } else { 0.3 });
        let reliable = Volume::from_fn(grid, |[i, ..]| i < 2);
        let row = |weighting: Option<SusceptibilityWeighting>| {
            let config = SwiConfig { from_susceptibility: weighting, ..Default::default() };
            let made = weighted_by_susceptibility(&scan, &chi, &reliable, &config)?;
            assert_eq!(Some(made.weighting), weighting);
            Some(([0, 1, 2].map(|i| made.image[[i, 1, 1]]), made.echo_times_s))
        };
        assert!(row(None).is_none());
        let close = |got: [f32; 3], want: [f32; 3]| {
            assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-5), "{got:?}");
        };
        let (tswi, times_s) = row(Some(SusceptibilityWeighting::TSWI)).unwrap();
        close(tswi, [3.0, 3.0 / 9.0, 3.0]);
        assert_eq!(times_s, [0.02]);
        let (smwi, times_s) = row(Some(SusceptibilityWeighting::SMWI)).unwrap();
        close(smwi, [7.0, 7.0 * 0.7_f32.powi(4), 7.0]);
        assert_eq!(times_s, [0.01, 0.02, 0.03]);
    }
}
