//! The phase that is there at time zero: coils, transmit field, read-out direction.

use deepmir_volume::{Mask, Volume, gaussian};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::edges::EdgeWeights;
use super::romeo::unwrap_romeo;
use super::turns::{Growth, add_turns, missing_turns};
use super::wrapped;
use crate::scan::{Echo, GradientEchoScan};

/// Which way the read-out gradient runs in successive echoes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readout {
    /// The same way in all.
    #[default]
    Monopolar,
    /// To and fro: even echoes carry another offset than odd ones. Told apart from three echoes on;
    /// with two, the difference stays in the field, where it is smooth.
    Bipolar,
}

/// How the offset is found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OffsetConfig {
    /// Which way the read-out runs.
    pub readout: Readout,
    /// Standard deviation of the Gaussian that smooths the offset, millimetres.
    pub smoothing_sigma_mm: f64,
}

impl Default for OffsetConfig {
    fn default() -> Self {
        Self { readout: Readout::Monopolar, smoothing_sigma_mm: 5.0 }
    }
}

/// Subtracts the offset from all echoes' phases inside `mask`, which become wrapped. A scan of one
/// echo stays as it is: its offset is smooth and goes with the background field.
///
/// MCPC-3D-S for combined coils (Eckstein et al., "Computationally efficient combination of
/// multi-channel phase data from multi-echo acquisitions", 2018): the phase between the first two
/// echoes, unwrapped, tells how far the first has come; what remains of the first echo's phase is
/// the offset, smoothed as a complex number. Echo times need not be even: the later echoes tell the
/// number of turns between the first two. Bipolar read-out: the second differences of the first
/// three echoes' phases show twice the step between odd and even echoes, taken off first.
pub fn remove_phase_offset(scan: &mut GradientEchoScan, mask: &Mask, config: &OffsetConfig) {
    let echoes = scan.echoes_mut();
    if echoes.len() < 2 {
        return;
    }
    let sigma_mm = config.smoothing_sigma_mm;
    if config.readout == Readout::Bipolar && echoes.len() > 2 {
        let step = bipolar_step(echoes, mask, sigma_mm);
        for echo in echoes.iter_mut().skip(1).step_by(2) {
            subtract(&mut echo.phase_rad, &step, -1.0);
        }
    }
    let offset = offset(echoes, mask, sigma_mm);
    for echo in echoes {
        subtract(&mut echo.phase_rad, &offset, 1.0);
    }
}

/// The phase of the first echo at time zero.
fn offset(echoes: &[Echo], mask: &Mask, sigma_mm: f64) -> Volume<f32> {
    let (first, second) = (&echoes[0], &echoes[1]);
    let mut between = phase_between(first, second, mask);
    let apart_s = second.echo_time_s - first.echo_time_s;
    let later: Vec<Growth> =
        echoes[2..].iter().map(|echo| Growth { echo, since: Some(first) }).collect();
    let turns = missing_turns(&between, apart_s, &later, mask);
    add_turns(&mut between, turns);
    let ratio = (first.echo_time_s / apart_s) as f32;
    let angle = |voxel: usize| first.phase_rad.data()[voxel] - ratio * between.data()[voxel];
    let weight = |voxel: usize| first.magnitude.data()[voxel] * second.magnitude.data()[voxel];
    let mut offset = smooth_angle(mask, sigma_mm, |voxel| (angle(voxel), weight(voxel)));
    // At the brain's edge the mean is one-sided and lags behind a sloping offset: what it left is
    // smoothed once more (Tukey's twicing).
    let left =
        smooth_angle(mask, sigma_mm, |voxel| (angle(voxel) - offset.data()[voxel], weight(voxel)));
    offset.data_mut().iter_mut().zip(left.data()).for_each(|(value, &left)| *value += left);
    offset
}

/// The growth of the phase from one echo to another, unwrapped in space.
fn phase_between(first: &Echo, second: &Echo, mask: &Mask) -> Volume<f32> {
    let mut between = first.phase_rad.clone();
    let later = second.phase_rad.data().par_iter();
    between.data_mut().par_iter_mut().zip(later).for_each(|(a, &b)| *a = wrapped(b - *a));
    let edges = EdgeWeights::new(&between, None, &second.magnitude);
    unwrap_romeo(&mut between, &edges, mask);
    between
}

/// Three times are even if the second is no further from the middle than this share of their span.
const EVEN: f64 = 0.005;

/// How far even echoes lag behind odd ones: half the phase of S₁·S₃·S̄₂², which the field does not
/// touch if the echoes are evenly spaced. If they are not, what it adds is known from the first and
/// third echo, which run the same way.
fn bipolar_step(echoes: &[Echo], mask: &Mask, sigma_mm: f64) -> Volume<f32> {
    let phase = |echo: usize| echoes[echo].phase_rad.data();
    let time_s = |echo: usize| echoes[echo].echo_time_s;
    let apart_s = time_s(2) - time_s(0);
    let excess = (time_s(0) + time_s(2) - 2.0 * time_s(1)) / apart_s;
    let field = (excess.abs() > 2.0 * EVEN).then(|| {
        let mut between = phase_between(&echoes[0], &echoes[2], mask);
        // Echoes two apart run the same way too.
        let later: Vec<Growth> = echoes[3..]
            .iter()
            .zip(&echoes[1..])
            .map(|(echo, since)| Growth { echo, since: Some(since) })
            .collect();
        let turns = missing_turns(&between, apart_s, &later, mask);
        add_turns(&mut between, turns);
        between
    });
    let of_field = |voxel: usize| field.as_ref().map_or(0.0, |field| field.data()[voxel]);
    let mut twice = smooth_angle(mask, sigma_mm, |voxel| {
        let angle = phase(0)[voxel] + phase(2)[voxel] - 2.0 * phase(1)[voxel];
        (angle - excess as f32 * of_field(voxel), echoes[1].magnitude.data()[voxel].powi(2))
    });
    // Half of it is known but for half turns: follow it through space before halving.
    let even = Volume::filled(*mask.grid(), 1.0);
    let edges = EdgeWeights::new(&twice, None, &even);
    unwrap_romeo(&mut twice, &edges, mask);
    twice.data_mut().iter_mut().for_each(|value| *value /= 2.0);
    twice
}

fn subtract(phase: &mut Volume<f32>, offset: &Volume<f32>, sign: f32) {
    let offsets = offset.data().par_iter();
    phase
        .data_mut()
        .par_iter_mut()
        .zip(offsets)
        .for_each(|(phase, &offset)| *phase = wrapped(*phase - sign * offset));
}

/// Smooths angles as weighted complex numbers over the mask; zero far from it.
fn smooth_angle(
    mask: &Mask,
    sigma_mm: f64,
    angle_and_weight: impl Fn(usize) -> (f32, f32) + Sync,
) -> Volume<f32> {
    let grid = *mask.grid();
    let part = |component: fn(f32) -> f32| {
        let mut volume = Volume::filled(grid, 0.0_f32);
        volume.data_mut().par_iter_mut().enumerate().for_each(|(voxel, value)| {
            if mask.data()[voxel] {
                let (angle, weight) = angle_and_weight(voxel);
                *value = weight * component(angle);
            }
        });
        gaussian::smooth(&volume, [sigma_mm; 3])
    };
    let (mut real, imaginary) = (part(f32::cos), part(f32::sin));
    real.data_mut().par_iter_mut().zip(imaginary.data()).for_each(|(a, &b)| *a = b.atan2(*a));
    real
}
