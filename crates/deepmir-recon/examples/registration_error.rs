//! How far a registration is off, over random movements of a pair of images that are known to be
//! aligned.
//!
//! ```text
//! cargo run --release -p deepmir-recon --example registration_error -- FIXED MASK MOVING [COUNT]
//! ```
//!
//! The moving image is resampled to other voxels first (0.9 × 1.0 × 2.2 mm), so that the right answer
//! does not lay voxel on voxel; then its affine is moved by up to 15° and 15 mm.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use deepmir_recon::register::{RegistrationConfig, RigidTransform, register_rigid};
use deepmir_volume::{Grid, Interpolation, nifti, resample_to_spacing};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [fixed, mask, moving, rest @ ..] = arguments.as_slice() else {
        return Err("give FIXED, MASK and MOVING".into());
    };
    let count = rest.first().map_or(Ok(20), |text| text.parse::<usize>())?;
    let read = |path: &str| nifti::read(Path::new(path)).map(|image| image.volume);
    let (fixed, moving) = (read(fixed)?, read(moving)?);
    let mask = read(mask)?.map(|&value| value > 0.5);
    let moving = resample_to_spacing(&moving, [0.9, 1.0, 2.2], Interpolation::CubicBSpline)?;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut errors = Vec::new();
    for _ in 0..count {
        let truth = random_transform(&mut random);
        let affine = truth.affine().after(moving.grid().affine());
        let moved = moving.clone().with_grid(Grid::new(moving.shape(), affine)?)?;
        let begun = Instant::now();
        let found = register_rigid(&fixed, &mask, &moved, &RegistrationConfig::default())?;
        let seconds = begun.elapsed().as_secs_f64();
        let (mut sum, mut worst, mut points) = (0.0, 0.0_f64, 0.0);
        for index in (0..mask.data().len()).step_by(997).filter(|&index| mask.data()[index]) {
            let at = mask.grid().position_mm(mask.grid().voxel(index));
            let (a, b) = (found.transform.affine().apply(at), truth.affine().apply(at));
            let apart = (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum::<f64>().sqrt();
            (sum, worst, points) = (sum + apart, worst.max(apart), points + 1.0);
        }
        let mean = sum / points;
        println!(
            "{:5.1}° {:?} mm: mean error {mean:.3} mm, largest {worst:.3} mm; similarity {:.4}, \
             sharpness {:.2}, {seconds:.2} s",
            truth.angle_degrees(),
            truth.shift_mm.map(|shift| shift.round()),
            found.similarity,
            found.sharpness
        );
        errors.push((mean, worst));
    }
    errors.sort_by(|a, b| a.0.total_cmp(&b.0));
    let worst = errors.iter().map(|error| error.1).fold(0.0, f64::max);
    println!(
        "median of the mean errors {:.3} mm, largest anywhere {worst:.3} mm",
        errors[errors.len() / 2].0
    );
    Ok(())
}

/// An axis in any direction, up to 15°; a shift in any direction, up to 15 mm.
fn random_transform(random: &mut ChaCha8Rng) -> RigidTransform {
    let mut vector = |most: f64| {
        let direction: [f64; 3] = std::array::from_fn(|_| random.random_range(-1.0..1.0));
        let length = direction.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-6);
        let size = most * random.random_range(0.0..1.0);
        direction.map(|x| x / length * size)
    };
    RigidTransform {
        rotation_rad: vector(15_f64.to_radians()),
        shift_mm: vector(15.0),
        centre_mm: [0.0; 3],
    }
}
