//! Microbleeds in a small image made up by formulas, found by the shipped model.

use std::path::Path;

use deepmir_cases::Modality;
use deepmir_cases::cohort::single_case;
use deepmir_model::shipped;
use deepmir_pipeline::predict::Predictor;
use deepmir_volume::{Affine, Grid, Volume, nifti};

use crate::cli::Common;

/// Centres of the microbleeds, in RAS millimetres.
const PLACES: [[f64; 3]; 5] = [
    [-24.0, 12.0, 4.0],
    [25.0, 15.0, 2.0],
    [-20.0, -22.0, 8.0],
    [22.0, -24.0, -6.0],
    [4.0, 30.0, 10.0],
];
/// What is found where everything works: all of them, and nothing elsewhere.
pub const EXPECTED: [usize; 2] = [PLACES.len(), 0];
/// Networks are sure of a candidate from this probability on.
const SURE: f32 = 0.9;
const RADIUS_MM: f64 = 2.0;
/// Semi-axes of the brain.
const BRAIN_MM: [f64; 3] = [40.0, 48.0, 30.0];
/// A detection belongs to a microbleed that is so near.
const NEAR_MM: f64 = 2.0;

/// What the networks are sure of: how many of the microbleeds, each at its place, and how many elsewhere. Whether the
/// candidate classifier takes them for real is another matter, as nothing else about this head is.
///
/// # Errors
/// If images cannot be written and read, or the model cannot be run.
pub fn found(common: &Common) -> anyhow::Result<[usize; 2]> {
    let folder = tempfile::tempdir()?;
    let images = write(folder.path())?;
    let files = single_case(images.into_iter().collect(), None)?;
    let model =
        shipped::by_name("default").ok_or_else(|| anyhow::anyhow!("there is no model"))??;
    let mut predictor = Predictor::new(model, common.device)?;
    let prediction = predictor.predict(&files, &mut |_, _| {})?;
    let sure = prediction.candidates.iter().filter(|one| one.peak_probability >= SURE);
    let centres: Vec<[f64; 3]> = sure.map(|candidate| candidate.lesion.centre_mm).collect();
    let near = |a: &[f64; 3], b: &[f64; 3]| {
        let apart = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        apart.sqrt() < NEAR_MM
    };
    let there = PLACES.iter().filter(|place| centres.iter().any(|centre| near(centre, place)));
    let elsewhere = centres.iter().filter(|centre| !PLACES.iter().any(|place| near(centre, place)));
    Ok([there.count(), elsewhere.count()])
}

/// Tissue with a little noise, zero outside the brain; in a ball the values of a microbleed.
fn write(folder: &Path) -> anyhow::Result<[(Modality, std::path::PathBuf); 3]> {
    let affine = Affine::from_spacing([0.9, 0.9, 1.5], [-45.0, -52.0, -33.0]);
    let grid = Grid::new([100, 116, 44], affine)?;
    let within = |at: [f64; 3], centre: [f64; 3], axes: [f64; 3]| {
        (0..3).map(|n| ((at[n] - centre[n]) / axes[n]).powi(2)).sum::<f64>() < 1.0
    };
    let image = |tissue: f32, bleed: f32, spread: f32| {
        // A linear congruential generator: the same on every machine.
        let mut state = 1_u32;
        Volume::from_fn(grid, |voxel| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
            let at = grid.position_mm(voxel);
            if !within(at, [0.0; 3], BRAIN_MM) {
                return 0.0;
            }
            let is_bleed = PLACES.iter().any(|&place| within(at, place, [RADIUS_MM; 3]));
            (if is_bleed { bleed } else { tissue }) + spread * noise
        })
    };
    let images = [
        (Modality::Swi, "self-test_swi.nii.gz", image(1.0, 0.15, 0.12)),
        (Modality::Qsm, "self-test_Chimap.nii.gz", image(0.0, 0.9, 0.04)),
        (Modality::T2w, "self-test_T2w.nii.gz", image(0.6, 0.35, 0.08)),
    ];
    let mut written = Vec::new();
    for (modality, name, image) in images {
        let path = folder.join(name);
        nifti::write(&path, &image, None)?;
        written.push((modality, path));
    }
    written.try_into().map_err(|_| anyhow::anyhow!("three images were not written"))
}
