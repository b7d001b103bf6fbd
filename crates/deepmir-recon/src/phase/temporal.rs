//! Unwrapping over echoes.

use std::f32::consts::TAU;

use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;

use super::turns::{Growth, add_turns, missing_turns};
use crate::scan::Echo;

/// Unwraps the later echoes by the earlier ones: each is brought within half a turn of the straight
/// line through zero that the unwrapped echoes before it describe, weighted by squared magnitude and
/// time. The first echo's phase must be unwrapped and without offset; whole turns that it lacks
/// everywhere are added if the other echoes tell them.
///
/// Returns the unwrapped phases of all echoes; outside the mask they are zero.
pub fn unwrap_in_time(
    echoes: &[Echo],
    mut first_unwrapped: Volume<f32>,
    mask: &Mask,
) -> Vec<Volume<f32>> {
    let Some(first) = echoes.first() else {
        return Vec::new();
    };
    let later: Vec<Growth> = echoes[1..].iter().map(|echo| Growth { echo, since: None }).collect();
    let turns = missing_turns(&first_unwrapped, first.echo_time_s, &later, mask);
    add_turns(&mut first_unwrapped, turns);
    let inside = mask.data();
    let mut unwrapped = vec![first_unwrapped];
    // Sums of w·t·φ and w·t² over the echoes so far.
    let mut sums: Vec<[f32; 2]> = vec![[0.0; 2]; inside.len()];
    add_echo(&mut sums, first, unwrapped[0].data());
    for echo in &echoes[1..] {
        let mut phase = echo.phase_rad.clone();
        let time = echo.echo_time_s as f32;
        phase.data_mut().par_iter_mut().zip(&sums).for_each(|(phase, &[moment, square])| {
            if square > 0.0 {
                let expected = moment / square * time;
                *phase += TAU * ((expected - *phase) / TAU).round();
            }
        });
        add_echo(&mut sums, echo, phase.data());
        unwrapped.push(phase);
    }
    for phase in &mut unwrapped {
        phase.data_mut().iter_mut().zip(inside).for_each(|(value, &inside)| {
            if !inside {
                *value = 0.0;
            }
        });
    }
    unwrapped
}

fn add_echo(sums: &mut [[f32; 2]], echo: &Echo, phase: &[f32]) {
    let time = echo.echo_time_s as f32;
    let values = echo.magnitude.data().par_iter().zip(phase);
    sums.par_iter_mut().zip(values).for_each(|([moment, square], (&magnitude, &phase))| {
        let weight = magnitude * magnitude * time;
        *moment += weight * phase;
        *square += weight * time;
    });
}
