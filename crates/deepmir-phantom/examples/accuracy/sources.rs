//! What becomes of each drawn source.

use std::fmt;

use deepmir_phantom::{Scan, SourceKind, SourceRecord};
use deepmir_recon::Reconstruction;
use deepmir_recon::accuracy::{KnownSource, source_strength_ppm_mm3};
use deepmir_volume::{Grid, Mask, statistics};

use super::figures::both;

/// Sources smaller than this are not counted.
const LEAST_DIAMETER_MM: f64 = 2.0;
/// Room around a source for its strength.
const MARGIN_MM: f64 = 1.5;

/// One source.
#[derive(Clone, Debug)]
struct Found {
    kind: &'static str,
    site: String,
    diameter_mm: f64,
    drawn_chi_ppm: f64,
    true_strength: f64,
    strength: f64,
    /// Part of the signal around it that the lesion has lost on SWI.
    swi_contrast: f64,
}

/// All sources of some scans.
#[derive(Clone, Debug, Default)]
pub struct SourceFigures {
    found: Vec<Found>,
    /// Sources that lie where no susceptibility is given.
    outside: usize,
}

impl SourceFigures {
    pub fn of(made: &Reconstruction, scan: &Scan) -> Self {
        let truth = &scan.truth;
        let inside = both(&made.reliable, &truth.brain_mask);
        let mut figures = Self::default();
        for source in &truth.sources {
            if source.diameter_mm < LEAST_DIAMETER_MM {
                continue;
            }
            let known = known(source);
            let strength = |chi| source_strength_ppm_mm3(chi, &inside, &known, MARGIN_MM);
            let pair = (strength(&truth.chi_ppm), strength(&made.chi_ppm));
            let (Some(true_strength), Some(strength)) = pair else {
                figures.outside += 1;
                continue;
            };
            figures.found.push(Found {
                kind: source.kind,
                site: source.site.clone(),
                diameter_mm: source.diameter_mm,
                drawn_chi_ppm: source.chi_ppm,
                true_strength,
                strength,
                swi_contrast: contrast(made, &known),
            });
        }
        figures
    }

    pub fn add(&mut self, other: Self) {
        self.found.extend(other.found);
        self.outside += other.outside;
    }

    pub fn summary(&self) -> String {
        let mut text = format!(
            "sources of at least {LEAST_DIAMETER_MM} mm: {}; where susceptibility is not given: {}\n",
            self.found.len() + self.outside,
            self.outside
        );
        for kind in [
            SourceKind::Microbleed,
            SourceKind::IronDeposit,
            SourceKind::Calcification,
            SourceKind::Cavernoma,
        ] {
            let some: Vec<&Found> =
                self.found.iter().filter(|found| found.kind == kind.name()).collect();
            let right = some.iter().filter(|found| found.sign_is_right()).count();
            let middle = |value: &dyn Fn(&Found) -> f64| {
                let mut values: Vec<f32> = some.iter().map(|found| value(found) as f32).collect();
                statistics::median(&mut values).unwrap_or(f32::NAN)
            };
            text += &format!(
                "{:14} {:3}: sign right for {right}; median of strength over truth {:.3}, of its \
                 error {:.1} %, of SWI contrast {:.2}\n",
                kind.name(),
                some.len(),
                middle(&|found| found.strength / found.true_strength),
                middle(&|found| 100.0 * (found.strength / found.true_strength - 1.0).abs()),
                middle(&|found| found.swi_contrast),
            );
        }
        text
    }
}

impl Found {
    fn sign_is_right(&self) -> bool {
        self.strength * self.drawn_chi_ppm > 0.0
    }
}

impl fmt::Display for SourceFigures {
    /// Those whose sign is wrong or strength off by half.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for found in &self.found {
            let ratio = found.strength / found.true_strength;
            if found.sign_is_right() && (ratio - 1.0).abs() < 0.5 {
                continue;
            }
            writeln!(
                f,
                "    {} ({}) of {:.1} mm, {:.2} ppm: strength {:.1} instead of {:.1} ppm·mm³",
                found.kind,
                found.site,
                found.diameter_mm,
                found.drawn_chi_ppm,
                found.strength,
                found.true_strength
            )?;
        }
        write!(f, "    {} sources, {} outside", self.found.len(), self.outside)
    }
}

fn known(source: &SourceRecord) -> KnownSource {
    KnownSource {
        centre_mm: [source.x_mm, source.y_mm, source.z_mm],
        volume_mm3: source.volume_mm3,
    }
}

/// One less the SWI's mean within the source's radius, over the median 1.5 to 4 mm outside it.
fn contrast(made: &Reconstruction, source: &KnownSource) -> f64 {
    let radius = (source.volume_mm3 * 0.75 / std::f64::consts::PI).cbrt();
    let grid = *made.swi.grid();
    let (mut ball, mut shell) = (Vec::new(), Vec::new());
    for_ball(&grid, source.centre_mm, radius + 4.0, |index, distance| {
        if !made.brain.data()[index] {
            return;
        }
        if distance <= radius {
            ball.push(made.swi.data()[index]);
        } else if distance > radius + 1.5 {
            shell.push(made.swi.data()[index]);
        }
    });
    let level = f64::from(statistics::median(&mut shell).unwrap_or(f32::NAN));
    let mean = ball.iter().map(|&value| f64::from(value)).sum::<f64>() / ball.len() as f64;
    1.0 - mean / level
}

/// Root mean square of the error, its mean taken off, 1.5 to 5 mm outside the calcifications.
pub fn streaks_ppm(made: &Reconstruction, scan: &Scan, inside: &Mask) -> f64 {
    let grid = scan.geometry.scan;
    let mut all = Vec::new();
    for source in &scan.truth.sources {
        if source.kind != SourceKind::Calcification.name() {
            continue;
        }
        let mut errors = Vec::new();
        let (radius, known) = (source.diameter_mm / 2.0, known(source));
        for_ball(&grid, known.centre_mm, radius + 5.0, |index, distance| {
            if distance > radius + 1.5 && inside.data()[index] {
                let error = made.chi_ppm.data()[index] - scan.truth.chi_ppm.data()[index];
                errors.push(f64::from(error));
            }
        });
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let square = errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>();
        if errors.len() > 100 {
            all.push((square / errors.len() as f64).sqrt());
        }
    }
    all.iter().sum::<f64>() / all.len() as f64
}

/// Calls with every voxel (and its distance) within `radius` millimetres of a place.
pub fn for_ball(grid: &Grid, centre_mm: [f64; 3], radius: f64, mut call: impl FnMut(usize, f64)) {
    let centre = grid.affine().inverse().apply(centre_mm);
    let sizes_mm = grid.voxel_sizes_mm();
    let span = |axis: usize| {
        let last = grid.shape()[axis] as f64 - 1.0;
        let reach = radius / sizes_mm[axis];
        let at = |voxel: f64| voxel.clamp(0.0, last) as usize;
        at((centre[axis] - reach).floor())..=at((centre[axis] + reach).ceil())
    };
    for k in span(2) {
        for j in span(1) {
            for i in span(0) {
                let at = grid.position_mm([i, j, k]);
                let square: f64 = (0..3).map(|axis| (at[axis] - centre_mm[axis]).powi(2)).sum();
                if square.sqrt() <= radius {
                    call(grid.index([i, j, k]), square.sqrt());
                }
            }
        }
    }
}
