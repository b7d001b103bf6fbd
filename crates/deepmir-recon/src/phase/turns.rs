//! Whole turns that an unwrapped phase lacks everywhere.

use std::f64::consts::TAU;

use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;

use crate::scan::Echo;

/// Whole turns tried on either side; at 3 T and 10 ms three turns are 2.3 ppm.
const MOST_TURNS: i32 = 3;
/// How far from a whole number a ratio of times must be to tell turns apart.
const LEAST_FRACTION: f64 = 0.03;
/// By how much the other phases must agree better than with no turn, as a share of full agreement.
const LEAST_GAIN: f64 = 0.02;

/// A phase that grows with the field over a known time: that of an echo, or its part since another.
#[derive(Clone, Copy)]
pub(super) struct Growth<'a> {
    pub(super) echo: &'a Echo,
    pub(super) since: Option<&'a Echo>,
}

impl Growth<'_> {
    fn time_s(&self) -> f64 {
        self.echo.echo_time_s - self.since.map_or(0.0, |since| since.echo_time_s)
    }

    fn phase(&self, voxel: usize) -> f32 {
        let before = self.since.map_or(0.0, |since| since.phase_rad.data()[voxel]);
        self.echo.phase_rad.data()[voxel] - before
    }
}

/// How many turns `phase`, which grew in `time_s` and was unwrapped in space, lacks everywhere.
///
/// Unwrapping takes the voxel that it begins at to lie between −π and π. Where the field is further
/// from the scanner's frequency, wrapped growths over other times do not fit, unless these are
/// multiples of `time_s`. Such times tell nothing, and need not: the field is then off by a
/// constant, which goes with the background.
pub(super) fn missing_turns(
    phase: &Volume<f32>,
    time_s: f64,
    others: &[Growth],
    mask: &Mask,
) -> i32 {
    let mut fits = Vec::new();
    for other in others {
        let ratio = other.time_s() / time_s;
        if (ratio - ratio.round()).abs() > LEAST_FRACTION {
            fits.push((ratio, fit(phase, ratio, other, mask)));
        }
    }
    // A turn more turns each fit as a whole.
    let agreement = |turns: i32| -> f64 {
        let angle = |ratio: f64| TAU * f64::from(turns) * ratio;
        fits.iter()
            .map(|(ratio, fit)| {
                fit.real * angle(*ratio).cos() + fit.imaginary * angle(*ratio).sin()
            })
            .sum()
    };
    let full: f64 = fits.iter().map(|(_, fit)| fit.weight).sum();
    let least = agreement(0) + LEAST_GAIN * full;
    (-MOST_TURNS..=MOST_TURNS)
        .map(|turns| (turns, agreement(turns)))
        .filter(|(_, agreement)| *agreement > least)
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map_or(0, |(turns, _)| turns)
}

/// Adds whole turns to a phase, everywhere.
pub(super) fn add_turns(phase: &mut Volume<f32>, turns: i32) {
    if turns != 0 {
        let angle = (TAU * f64::from(turns)) as f32;
        phase.data_mut().par_iter_mut().for_each(|phase| *phase += angle);
    }
}

/// The sum of w·exp(i·left) over the mask, and that of w = |S|², `left` being what a prediction
/// leaves of a phase.
#[derive(Clone, Copy, Default)]
struct Fit {
    real: f64,
    imaginary: f64,
    weight: f64,
}

fn fit(phase: &Volume<f32>, ratio: f64, other: &Growth, mask: &Mask) -> Fit {
    let [nx, ny, _] = mask.shape();
    let of_slice = |(slice, inside): (usize, &[bool])| {
        let mut sum = Fit::default();
        for (place, _) in inside.iter().enumerate().filter(|(_, inside)| **inside) {
            let voxel = slice * nx * ny + place;
            let weight = f64::from(other.echo.magnitude.data()[voxel].powi(2));
            let left = f64::from(other.phase(voxel)) - ratio * f64::from(phase.data()[voxel]);
            sum.real += weight * left.cos();
            sum.imaginary += weight * left.sin();
            sum.weight += weight;
        }
        sum
    };
    // Slices are summed in order, so that the number of threads does not matter.
    let slices: Vec<Fit> = mask.data().par_chunks(nx * ny).enumerate().map(of_slice).collect();
    slices.iter().fold(Fit::default(), |a, b| Fit {
        real: a.real + b.real,
        imaginary: a.imaginary + b.imaginary,
        weight: a.weight + b.weight,
    })
}
