//! The rate R2* at which the magnitude decays over echoes.

use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::scan::Echo;

/// How the decay is fitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum R2StarFit {
    /// Auto-regression on linear operations (Pei et al. 2015) for three or more evenly spaced echoes,
    /// else the logarithmic fit.
    #[default]
    Arlo,
    /// Straight line through the logarithm, weighted by squared magnitude.
    LogLinear,
}

/// Rates above this are not told apart, per second.
pub const LARGEST_R2_STAR_PER_S: f32 = 1000.0;

/// R2* per second inside the mask, zero outside; `None` for a single echo.
pub fn fit_r2_star(echoes: &[Echo], mask: &Mask, fit: R2StarFit) -> Option<Volume<f32>> {
    let times: Vec<f64> = echoes.iter().map(|echo| echo.echo_time_s).collect();
    let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let &step = steps.first()?;
    let even = steps.iter().all(|other| (other / step - 1.0).abs() < 0.01);
    let arlo_fits = fit == R2StarFit::Arlo && even && times.len() >= 3;
    let times: Vec<f32> = times.into_iter().map(|time| time as f32).collect();
    let mut rate = Volume::filled(*mask.grid(), 0.0_f32);
    rate.data_mut().par_iter_mut().enumerate().for_each_init(
        || vec![0.0; times.len()],
        |signal, (voxel, rate)| {
            if mask.data()[voxel] {
                for (to, echo) in signal.iter_mut().zip(echoes) {
                    *to = echo.magnitude.data()[voxel];
                }
                let fitted =
                    if arlo_fits { arlo(signal, step as f32) } else { log_linear(signal, &times) };
                *rate = fitted.clamp(0.0, LARGEST_R2_STAR_PER_S);
            }
        },
    );
    Some(rate)
}

/// The integral over three echoes (Simpson's rule) of an exponential is its rate's inverse times its
/// fall over them; the rate is fitted over all such triples.
fn arlo(signal: &[f32], step: f32) -> f32 {
    let third = step / 3.0;
    let (mut areas, mut mixed, mut falls) = (0.0, 0.0, 0.0);
    for triple in signal.windows(3) {
        let area = third * (triple[0] + 4.0 * triple[1] + triple[2]);
        let fall = triple[0] - triple[2];
        areas += area * area;
        mixed += area * fall;
        falls += fall * fall;
    }
    let above = mixed + third * falls;
    let below = areas + third * mixed;
    if below > 0.0 { above / below } else { 0.0 }
}

fn log_linear(signal: &[f32], times: &[f32]) -> f32 {
    let (mut weights, mut t, mut tt, mut y, mut ty) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (&signal, &time) in signal.iter().zip(times) {
        if signal > 0.0 {
            let weight = signal * signal;
            let log = signal.ln();
            weights += weight;
            t += weight * time;
            tt += weight * time * time;
            y += weight * log;
            ty += weight * time * log;
        }
    }
    let spread = weights * tt - t * t;
    if spread > 1e-6 * weights * tt { -(weights * ty - t * y) / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_decays_give_their_rate() {
        for rate in [5.0_f32, 20.0, 60.0] {
            let times = [0.004, 0.009, 0.014, 0.019, 0.024, 0.029];
            let signal: Vec<f32> = times.iter().map(|time| 80.0 * (-rate * time).exp()).collect();
            let (by_arlo, by_log) = (arlo(&signal, 0.005), log_linear(&signal, &times));
            assert!((by_arlo / rate - 1.0).abs() < 0.01, "{by_arlo} for {rate}");
            assert!((by_log / rate - 1.0).abs() < 1e-3, "{by_log} for {rate}");
        }
        assert_eq!(arlo(&[0.0; 5], 0.005), 0.0);
        assert_eq!(log_linear(&[0.0; 3], &[0.004, 0.008, 0.012]), 0.0);
    }
}
