//! A made-up head with known sources.

use std::f64::consts::TAU;

use deepmir_recon::GYROMAGNETIC_RATIO_HZ_PER_T;
use deepmir_recon::phase::wrapped;
use deepmir_recon::{Echo, GradientEchoScan};
use deepmir_volume::{Affine, Grid, Mask, Volume};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

pub const FIELD_STRENGTH_T: f64 = 3.0;

/// A grid whose middle is the origin.
pub fn grid(shape: [usize; 3], spacing_mm: [f64; 3]) -> Grid {
    let origin = std::array::from_fn(|axis| -spacing_mm[axis] * (shape[axis] as f64 - 1.0) / 2.0);
    Grid::new(shape, Affine::from_spacing(spacing_mm, origin)).unwrap()
}

pub fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum::<f64>().sqrt()
}

pub fn ball(grid: &Grid, centre_mm: [f64; 3], radius_mm: f64) -> Mask {
    Volume::from_fn(*grid, |voxel| distance(grid.position_mm(voxel), centre_mm) <= radius_mm)
}

/// A magnetic ball.
#[derive(Clone, Copy)]
pub struct Sphere {
    pub centre_mm: [f64; 3],
    pub radius_mm: f64,
    pub chi_ppm: f64,
}

impl Sphere {
    /// The field in ppm that it makes at a point, in closed form: χ/3·(a/r)³·(3cos²θ − 1) outside,
    /// nothing inside (with the sphere of Lorentz).
    pub fn field_ppm(&self, at_mm: [f64; 3], b0: [f64; 3]) -> f64 {
        let r = distance(at_mm, self.centre_mm);
        if r <= self.radius_mm {
            return 0.0;
        }
        let along: f64 =
            (0..3).map(|axis| (at_mm[axis] - self.centre_mm[axis]) / r * b0[axis]).sum();
        self.chi_ppm / 3.0 * (self.radius_mm / r).powi(3) * (3.0 * along * along - 1.0)
    }
}

pub fn field_of(grid: &Grid, spheres: &[Sphere], b0: [f64; 3]) -> Volume<f32> {
    Volume::from_fn(*grid, |voxel| {
        let at = grid.position_mm(voxel);
        spheres.iter().map(|sphere| sphere.field_ppm(at, b0)).sum::<f64>() as f32
    })
}

/// Echoes of a field, with an offset of the phase, noise, and a decay of 20 per second.
pub struct Signal<'a> {
    pub field_ppm: &'a Volume<f32>,
    pub magnitude: &'a Volume<f32>,
    pub echo_times_s: &'a [f64],
    pub noise: f64,
    pub offset_rad: fn([f64; 3]) -> f64,
    /// Added to even echoes.
    pub even_offset_rad: fn([f64; 3]) -> f64,
}

impl Signal<'_> {
    pub fn scan(&self) -> GradientEchoScan {
        let grid = *self.field_ppm.grid();
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut normal = move || {
            let (a, b): (f64, f64) = (random.random(), random.random());
            (-2.0 * (1.0 - a).ln()).sqrt() * (TAU * b).cos()
        };
        let echoes = self.echo_times_s.iter().enumerate().map(|(number, &time)| {
            let decay = (-20.0 * time).exp();
            let mut magnitude = Volume::filled(grid, 0.0);
            let mut phase_rad = Volume::filled(grid, 0.0);
            for index in 0..grid.len() {
                let at = grid.position_mm(grid.voxel(index));
                let hertz = f64::from(self.field_ppm.data()[index])
                    * GYROMAGNETIC_RATIO_HZ_PER_T
                    * FIELD_STRENGTH_T
                    * 1e-6;
                let mut angle = TAU * hertz * time + (self.offset_rad)(at);
                if number % 2 == 1 {
                    angle += (self.even_offset_rad)(at);
                }
                let size = f64::from(self.magnitude.data()[index]) * decay;
                let real = size * angle.cos() + self.noise * normal();
                let imaginary = size * angle.sin() + self.noise * normal();
                magnitude.data_mut()[index] = real.hypot(imaginary) as f32;
                phase_rad.data_mut()[index] = wrapped(imaginary.atan2(real) as f32);
            }
            Echo { name: format!("echo {}", number + 1), magnitude, phase_rad, echo_time_s: time }
        });
        GradientEchoScan::new(echoes.collect(), FIELD_STRENGTH_T, [0.0, 0.0, 1.0]).unwrap()
    }
}

pub fn no_offset(_: [f64; 3]) -> f64 {
    0.0
}

/// The same scan by a scanner whose phase falls where the field is higher.
pub fn inverted(scan: &GradientEchoScan) -> GradientEchoScan {
    let mut echoes = scan.echoes().to_vec();
    echoes.iter_mut().for_each(|echo| echo.phase_rad = echo.phase_rad.map(|&phase| -phase));
    GradientEchoScan::new(echoes, scan.field_strength_t(), scan.b0_direction()).unwrap()
}

/// A brain of 40 mm radius in a dark skull and a bright scalp, with a haemorrhage, a calcification
/// and an air cavity below the brain.
pub struct Head {
    pub grid: Grid,
    pub brain: Mask,
    pub magnitude: Volume<f32>,
    pub iron: Sphere,
    pub calcium: Sphere,
    pub air: Sphere,
}

impl Head {
    pub fn new() -> Self {
        let grid = grid([72, 76, 44], [1.5, 1.5, 2.5]);
        let air = Sphere { centre_mm: [0.0, 30.0, -42.0], radius_mm: 6.0, chi_ppm: 9.0 };
        let iron = Sphere { centre_mm: [15.0, 5.0, 5.0], radius_mm: 4.0, chi_ppm: 0.6 };
        let calcium = Sphere { centre_mm: [-15.0, -8.0, 5.0], radius_mm: 4.0, chi_ppm: -0.6 };
        let brain = ball(&grid, [0.0; 3], 40.0);
        let magnitude = Volume::from_fn(grid, |voxel| {
            let at = grid.position_mm(voxel);
            let r = distance(at, [0.0; 3]);
            if distance(at, air.centre_mm) <= air.radius_mm {
                0.0
            } else if r <= 40.0 {
                // Folds of two tissues.
                if (0.25 * at[0]).sin() * (0.3 * at[1]).cos() > 0.0 { 1.0 } else { 0.8 }
            } else if (46.0..51.0).contains(&r) {
                1.2
            } else {
                0.0
            }
        });
        Self { grid, brain, magnitude, iron, calcium, air }
    }

    pub fn field_ppm(&self) -> Volume<f32> {
        field_of(&self.grid, &[self.iron, self.calcium, self.air], [0.0, 0.0, 1.0])
    }

    pub fn scan(&self) -> GradientEchoScan {
        Signal {
            field_ppm: &self.field_ppm(),
            magnitude: &self.magnitude,
            echo_times_s: &[0.006, 0.012, 0.018, 0.024],
            noise: 0.01,
            offset_rad: |at| 0.6 + 0.02 * at[0] - 0.0005 * at[1] * at[1],
            even_offset_rad: no_offset,
        }
        .scan()
    }
}
