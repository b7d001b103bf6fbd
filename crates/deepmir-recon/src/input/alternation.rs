//! Slices that are half a turn off: scanners that leave out the last shift of the Fourier transform store complex images
//! whose sign alternates along an axis.

use std::f32::consts::PI;

use deepmir_volume::{Volume, Warning};
use rayon::prelude::*;

use crate::phase::wrapped;
use crate::scan::Echo;

/// Likeness of neighbouring slices (see [`likeness`]) below which one of them is half a turn off. In the real and simulated
/// scans that this was measured on, whole heads and a crop, 0.25 was the least of any two slices with signal; −0.94 were
/// the lowest of alternating ones.
const INVERTED: f32 = -0.4;
/// Slices with less of the strongest slice's signal say nothing.
const SIGNAL: f32 = 0.1;
/// Where at least this part of the neighbours is half a turn apart, the sign alternates.
const ALTERNATES: f64 = 0.8;
/// Where this part is, some slices were inverted; less may be a steep field in thick slices.
const SOME: f64 = 0.1;

/// Turns every second slice of an echo back where the sign alternates along an axis, and says so. Where only some slices are
/// inverted, that is told.
pub(super) fn undo(echoes: &mut [Echo]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut turned = vec![false; echoes.len()];
    for axis in 0..3 {
        let parts: Vec<f64> = echoes.iter().map(|echo| inverted_part(echo, axis)).collect();
        let alternating: Vec<usize> =
            (0..echoes.len()).filter(|&n| parts[n] >= ALTERNATES).collect();
        for &n in &alternating {
            turn_every_second(&mut echoes[n].phase_rad, axis);
            turned[n] = true;
        }
        if let Some(&first) = alternating.first() {
            let message = format!(
                "the sign of the complex image alternates from slice to slice along voxel axis {} in {} of {} echoes, as some \
                 scanners store it; it was undone: {}",
                ["i", "j", "k"][axis],
                alternating.len(),
                echoes.len(),
                echoes[first].name,
            );
            warnings.push(Warning::new("slices_alternate", message));
        }
        let partly = (0..echoes.len()).find(|&n| (SOME..ALTERNATES).contains(&parts[n]));
        if let Some(n) = partly {
            let message = format!(
                "{:.0} % of the neighbouring slices along voxel axis {} are half a turn apart: some slices may be inverted, \
                 and field and susceptibility wrong; convert the scan again: {}",
                100.0 * parts[n],
                ["i", "j", "k"][axis],
                echoes[n].name,
            );
            warnings.push(Warning::new("slices_inverted", message));
        }
    }
    if turned.contains(&false) {
        // Where only some echoes alternate, which slices of them are the right ones is not told by the echo alone.
        for n in 2..echoes.len() {
            if turned[n] && against_the_earlier(&echoes[..=n]) {
                turn(&mut echoes[n].phase_rad);
            }
        }
    }
    warnings
}

/// The part of the neighbouring slices with signal that are half a turn apart.
fn inverted_part(echo: &Echo, axis: usize) -> f64 {
    let pairs = likeness(echo, axis);
    let strongest = pairs.iter().map(|pair| pair.signal).fold(0.0, f32::max);
    let told = pairs.iter().filter(|pair| pair.signal > SIGNAL * strongest);
    let (count, inverted) = told.fold((0, 0), |(count, inverted), pair| {
        (count + 1_u32, inverted + u32::from(pair.alike < INVERTED * pair.signal))
    });
    // Of very few slices, chance has a word.
    if count < 4 { 0.0 } else { f64::from(inverted) / f64::from(count) }
}

/// Two neighbouring slices.
#[derive(Clone, Copy, Default)]
struct Likeness {
    /// Sum of the products of both signals.
    signal: f32,
    /// The same times the cosine of the phase between them.
    alike: f32,
}

/// The likeness of each slice across `axis` and the next, in every second row and column.
fn likeness(echo: &Echo, axis: usize) -> Vec<Likeness> {
    let shape = echo.magnitude.shape();
    let strides = [1, shape[0], shape[0] * shape[1]];
    let (one, other) = ((axis + 1) % 3, (axis + 2) % 3);
    let (magnitude, phase) = (echo.magnitude.data(), echo.phase_rad.data());
    (1..shape[axis])
        .into_par_iter()
        .map(|slice| {
            let mut sum = Likeness::default();
            for b in (0..shape[other]).step_by(2) {
                for a in (0..shape[one]).step_by(2) {
                    let here = slice * strides[axis] + a * strides[one] + b * strides[other];
                    let before = here - strides[axis];
                    let signal = magnitude[here] * magnitude[before];
                    sum.signal += signal;
                    sum.alike += signal * (phase[here] - phase[before]).cos();
                }
            }
            sum
        })
        .collect()
}

fn turn_every_second(phase: &mut Volume<f32>, axis: usize) {
    let shape = phase.shape();
    let stride = [1, shape[0], shape[0] * shape[1]][axis];
    phase.data_mut().par_iter_mut().enumerate().for_each(|(voxel, phase)| {
        if voxel / stride % shape[axis] % 2 == 1 {
            *phase = wrapped(*phase + PI);
        }
    });
}

fn turn(phase: &mut Volume<f32>) {
    phase.data_mut().par_iter_mut().for_each(|phase| *phase = wrapped(*phase + PI));
}

/// Whether the last echo is half a turn from where the first two lead to.
fn against_the_earlier(echoes: &[Echo]) -> bool {
    let [first, second, .., last] = echoes else { return false };
    let times = [first.echo_time_s, second.echo_time_s, last.echo_time_s];
    let ratio = ((times[2] - times[0]) / (times[1] - times[0])) as f32;
    let data = [first, second, last].map(|echo| echo.phase_rad.data());
    let weights = last.magnitude.data();
    let sum: f64 = (0..weights.len())
        .into_par_iter()
        .map(|voxel| {
            let step = wrapped(data[1][voxel] - data[0][voxel]);
            // Larger steps may have wrapped.
            if step.abs() > 1.0 {
                return 0.0;
            }
            let expected = data[0][voxel] + ratio * step;
            f64::from(weights[voxel]) * f64::from((data[2][voxel] - expected).cos())
        })
        .sum();
    sum < 0.0
}
