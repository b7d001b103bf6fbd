//! That the phases of all echoes grow the same way.

use rayon::prelude::*;

use crate::ReconError;
use crate::phase::wrapped;
use crate::scan::Echo;

/// Correlation of the phase gradients of two echoes below which one runs against the other. In the real and simulated scans
/// that this was measured on, 0.48 was the least of any two echoes.
const AGAINST: f64 = -0.3;
/// Gradients steeper than this, radians a voxel, may have wrapped.
const STEEPEST_RAD: f32 = 1.0;
/// Voxels darker than this part of an echo's mean signal are noise, whose gradients say nothing.
const SIGNAL: f32 = 1.0;

/// Refuses a scan in which one echo's phase falls where the others' grows, naming the one that stands alone.
pub(super) fn check(echoes: &[Echo]) -> Result<(), ReconError> {
    let pairs = (1..echoes.len()).map(|n| is_against(&echoes[0], &echoes[n]));
    let against_first: Vec<bool> = std::iter::once(false).chain(pairs).collect();
    let count = against_first.iter().filter(|&&against| against).count();
    if count == 0 {
        return Ok(());
    }
    // The smaller party is the odd one: the first echo, if most are against it.
    let odd = if 2 * count > echoes.len() {
        0
    } else {
        against_first.iter().position(|&against| against).unwrap_or(0)
    };
    Err(ReconError::EchoSign { name: echoes[odd].name.clone() })
}

fn is_against(one: &Echo, other: &Echo) -> bool {
    let mean = |echo: &Echo| {
        let data = echo.magnitude.data();
        (data.par_iter().map(|&value| f64::from(value)).sum::<f64>() / data.len() as f64) as f32
    };
    let levels = [SIGNAL * mean(one), SIGNAL * mean(other)];
    let shape = one.magnitude.shape();
    let strides = [1, shape[0], shape[0] * shape[1]];
    let mut sums = Sums::default();
    for stride in strides {
        let axis = (0..one.magnitude.data().len() - stride)
            .into_par_iter()
            .filter_map(|voxel| {
                let bright = |echo: &Echo, level: f32| {
                    let data = echo.magnitude.data();
                    data[voxel] > level && data[voxel + stride] > level
                };
                if !bright(one, levels[0]) || !bright(other, levels[1]) {
                    return None;
                }
                let step = |echo: &Echo| {
                    let data = echo.phase_rad.data();
                    wrapped(data[voxel + stride] - data[voxel])
                };
                let (a, b) = (step(one), step(other));
                let fine = a.abs() < STEEPEST_RAD && b.abs() < STEEPEST_RAD;
                fine.then_some((f64::from(a), f64::from(b)))
            })
            .fold(Sums::default, Sums::with)
            .reduce(Sums::default, Sums::join);
        // A ramp along an axis is the echo's place in the window that it was read in, not the field's.
        sums = sums.join(axis.centred());
    }
    sums.ab < AGAINST * (sums.aa * sums.bb).sqrt()
}

#[derive(Clone, Copy, Default)]
struct Sums {
    count: f64,
    a: f64,
    b: f64,
    aa: f64,
    bb: f64,
    ab: f64,
}

impl Sums {
    fn with(self, (a, b): (f64, f64)) -> Self {
        self.join(Self { count: 1.0, a, b, aa: a * a, bb: b * b, ab: a * b })
    }

    fn join(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            a: self.a + other.a,
            b: self.b + other.b,
            aa: self.aa + other.aa,
            bb: self.bb + other.bb,
            ab: self.ab + other.ab,
        }
    }

    /// Sums about the means.
    fn centred(self) -> Self {
        let count = self.count.max(1.0);
        let (a, b) = (self.a / count, self.b / count);
        Self {
            count: self.count,
            a: 0.0,
            b: 0.0,
            aa: self.aa - a * self.a,
            bb: self.bb - b * self.b,
            ab: self.ab - a * self.b,
        }
    }
}
