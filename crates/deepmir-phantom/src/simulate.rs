//! One session from head to images.

use deepmir_recon::fourier::Complex32;
use deepmir_volume::{Affine, Grid, Volume};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use crate::PhantomError;
use crate::config::{PhantomConfig, uniform};
use crate::geometry::{Geometry, rigid};
use crate::maps::{Maps, reconstruct};
use crate::paint::{Painting, paint};
use crate::physics::field::field_with_surroundings;
use crate::physics::gradient_echo::{FineTissue, echoes};
use crate::physics::motion::Sway;
use crate::physics::polynomial::Polynomial;
use crate::physics::receive::Receiver;
use crate::physics::spin_echo;
use crate::progress::Step;
use crate::random::{Purpose, stream};
use crate::shim::{shim, subtract};
use crate::structure::Structure;
use crate::subject::Subject;
use crate::tissue::TissueTable;
use crate::truth::{self, Truth};

/// The images of one session.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Grids and the main field's direction.
    pub geometry: Geometry,
    /// Magnitude of each echo, whole head.
    pub magnitude: Vec<Volume<f32>>,
    /// Phase of each echo in radians (−π to π), whole head.
    pub phase_rad: Vec<Volume<f32>>,
    /// T2w, whole head, on its own grid.
    pub t2w: Volume<f32>,
    /// SWI and QSM, if asked for.
    pub maps: Option<Maps>,
    /// What is true.
    pub truth: Truth,
    /// The numbers that were drawn for this session.
    pub drawn: Drawn,
}

/// Numbers drawn for one session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drawn {
    /// Age in years.
    pub age_years: f64,
    /// From the scanner's millimetres to the head's own: four rows of an affine.
    pub head_pose: [[f64; 4]; 4],
    /// From millimetres of the T2w image to those of the gradient-echo images.
    pub t2w_to_gradient_echo: [[f64; 4]; 4],
    /// The shim that was taken from the field, in ppm: coefficients of 1, x, y, z, x², y², z²,
    /// xy, yz, xz of places in units of 80 mm.
    pub shim_ppm: Polynomial,
    /// Phase at echo time zero in radians, likewise.
    pub phase_offset_rad: Polynomial,
    /// Standard deviation of the noise in each part of the complex signal.
    pub noise: f64,
}

/// Scans a session (from 0) of a subject.
///
/// `progress` is called at the beginning of every step.
///
/// # Errors
/// If the configuration is impossible or a volume does not fit in memory.
///
/// # Panics
/// If the subject has no such session.
pub fn simulate(
    subject: &Subject,
    config: &PhantomConfig,
    session: usize,
    progress: &mut dyn FnMut(Step),
) -> Result<Scan, PhantomError> {
    config.validate()?;
    let sources = &subject.sessions[session];
    let geometry = Geometry::new(&config.scan)?;
    let to_head = subject.pose(config, session);
    let tissues = subject.tissues(config, session);
    let mut generator = stream(subject.seed, Purpose::Receive, session as u32);
    let noise_seed: u64 = generator.random();

    progress(Step::Painting);
    let mut painting = paint(subject, config, &geometry, &tissues, &to_head, session);
    progress(Step::Field);
    let field = field_with_surroundings(
        &painting.chi_ppm,
        |grid| surroundings(subject, grid, &to_head, &tissues),
        geometry.b0_direction,
    )?;
    let mut field = field.crop(&geometry.fine_in_wide).with_grid(geometry.fine)?;
    let residual = config.scan.shim_residual_ppm;
    let shim =
        shim(&field, &painting, &geometry, &Polynomial::random(residual, residual, &mut generator));
    subtract(&mut field, &shim);

    progress(Step::Echoes);
    let scan = &config.scan;
    let mut images = echoes(
        FineTissue {
            shape: geometry.fine.shape(),
            amplitude: painting.amplitude.data(),
            r2star_hz: painting.r2star_hz.data(),
            field_ppm: field.data(),
        },
        scan.matrix,
        scan.field_strength_t,
        &scan.echo_times_s,
    );
    let receiver = Receiver {
        log_sensitivity: Polynomial::random(
            scan.coil_variation,
            scan.coil_variation,
            &mut generator,
        ),
        phase_offset_rad: Polynomial::random(
            scan.phase_offset_rad,
            scan.phase_offset_rad,
            &mut generator,
        ),
        noise: white_matter_signal(&painting, &geometry, scan.echo_times_s[0]) / scan.snr,
    };
    let sway = Sway {
        amplitude_voxels: scan.motion_mm / scan.voxel_mm[1],
        cycles: uniform([6.0, 25.0], &mut generator),
        start_rad: uniform([0.0, std::f64::consts::TAU], &mut generator),
    };
    for (echo, image) in images.iter_mut().enumerate() {
        if scan.motion_mm > 0.0 {
            sway.apply(image, scan.matrix);
        }
        receiver.receive(image, &geometry.scan, noise_seed, Purpose::Noise, echo as u32);
    }
    let magnitude = volumes(&images, &geometry, |value| value.norm())?;
    let phase_rad = volumes(&images, &geometry, |value| value.arg())?;
    drop(images);

    progress(Step::T2w);
    let (t2w, movement) =
        scan_t2w(config, &painting, &geometry, &receiver, noise_seed, &mut generator)?;
    painting.spin_echo = Volume::filled(geometry.scan, 0.0);

    progress(Step::Truth);
    let mask = truth::brain_mask(&painting, &geometry);
    let truth = truth::collect(&painting, &geometry, sources, &field, mask, &to_head);
    drop((painting, field));

    let mut made = None;
    if config.output.contents.has_maps() {
        progress(Step::Maps);
        made = Some(reconstruct(
            scan,
            &geometry,
            &magnitude,
            &phase_rad,
            &truth.brain_mask,
            &config.output.reconstruction,
        )?);
    }
    let years = config.sessions.interval_years * session as f64;
    let drawn = Drawn {
        age_years: subject.age_years + years,
        head_pose: to_head.rows(),
        t2w_to_gradient_echo: movement.rows(),
        shim_ppm: shim,
        phase_offset_rad: receiver.phase_offset_rad,
        noise: receiver.noise,
    };
    Ok(Scan { geometry, magnitude, phase_rad, t2w, maps: made, truth, drawn })
}

/// Susceptibility on a coarse wide grid: of the head far around the brain.
fn surroundings(
    subject: &Subject,
    grid: &Grid,
    to_head: &Affine,
    tissues: &TissueTable,
) -> Volume<f32> {
    let structures = subject.head.sample(grid, to_head);
    structures.map(|&structure| tissues.of(structure).chi_ppm() as f32)
}

/// Mean gradient-echo signal of white matter at an echo time.
fn white_matter_signal(painting: &Painting, geometry: &Geometry, echo_time_s: f64) -> f64 {
    mean_in_white_matter(painting, geometry, |index| {
        let decay = -f64::from(painting.r2star_hz.data()[index]) * echo_time_s;
        f64::from(painting.amplitude.data()[index]) * decay.exp()
    })
}

fn mean_in_white_matter(
    painting: &Painting,
    geometry: &Geometry,
    value: impl Fn(usize) -> f64,
) -> f64 {
    let start = geometry.fine_in_wide.start();
    let (mut sum, mut count) = (0.0, 0.0);
    for index in (0..geometry.fine.len()).step_by(7) {
        let voxel = geometry.fine.voxel(index);
        let wide = std::array::from_fn(|axis| start[axis] + voxel[axis]);
        if painting.structures[wide] == Structure::WhiteMatter {
            sum += value(index);
            count += 1.0;
        }
    }
    sum / f64::max(count, 1.0)
}

fn volumes(
    images: &[Vec<Complex32>],
    geometry: &Geometry,
    value: impl Fn(&Complex32) -> f32 + Sync,
) -> Result<Vec<Volume<f32>>, PhantomError> {
    images
        .iter()
        .map(|image| {
            let data = image.par_iter().map(&value).collect();
            Ok(Volume::new(geometry.scan, data)?)
        })
        .collect()
}

/// T2w on its own grid, the head having moved a little, and the movement.
fn scan_t2w(
    config: &PhantomConfig,
    painting: &Painting,
    geometry: &Geometry,
    receiver: &Receiver,
    noise_seed: u64,
    generator: &mut ChaCha8Rng,
) -> Result<(Volume<f32>, Affine), PhantomError> {
    let t2w = &config.t2w;
    let mut most = |most: f64| most * (2.0 * generator.random::<f64>() - 1.0);
    let angles = [0; 3].map(|_| most(t2w.rotation_deg));
    let movement = rigid(angles, [0; 3].map(|_| most(t2w.shift_mm)));
    let grid = match t2w.voxel_mm {
        Some(sizes) => geometry.scan.with_spacing(sizes)?,
        None => geometry.scan,
    };
    let finer = (0..3).any(|axis| grid.shape()[axis] > geometry.fine.shape()[axis]);
    if finer {
        return Err(PhantomError::Setting {
            name: "t2w.voxel_mm",
            value: format!("{:?}", t2w.voxel_mm.unwrap_or(config.scan.voxel_mm)),
            must_be: "no finer than scan.fine_voxel_mm",
        });
    }
    let mut image = spin_echo::image(&painting.spin_echo, &geometry.fine, &grid, &movement);
    let signal = mean_in_white_matter(painting, geometry, |index| {
        f64::from(painting.spin_echo.data()[index])
    });
    let receiver = Receiver { noise: signal / t2w.snr, ..*receiver };
    receiver.receive(&mut image, &grid, noise_seed, Purpose::T2wNoise, 0);
    let data = image.par_iter().map(|value| value.norm()).collect();
    Ok((Volume::new(grid, data)?, movement))
}
