use std::f64::consts::TAU;

use deepmir_recon::accuracy::dice;
use deepmir_recon::brain::{BrainConfig, find_brain};
use deepmir_recon::{Echo, GradientEchoScan};
use deepmir_volume::{Mask, Volume};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::common::{ball, distance, grid};

/// Millimetres: of the brain, of the fluid below it, of the skull's inside and outside, and of the head.
const BRAIN: f64 = 36.0;
const SKULL: [f64; 2] = [42.0, 46.0];
const HEAD: f64 = 51.0;

/// Signal at echo time zero and decay per second at a place: a brain with a ventricle and a sulcus,
/// fluid all around in the lower half and a thin layer above, skull, scalp.
fn signal(at: [f64; 3], fluid: [f64; 2]) -> [f64; 2] {
    let r = distance(at, [0.0; 3]);
    let ventricle = distance(at, [0.0, 6.0, 0.0]) < 8.0;
    let sulcus = at[0].abs() < 2.0 && at[2] > 18.0;
    let tissue = if (0.25 * at[1]).sin() > 0.0 { 1.0 } else { 0.85 };
    let inner = if at[2] < 0.0 { SKULL[0] } else { BRAIN + 1.0 };
    match r {
        r if r < BRAIN && !ventricle && !sulcus => [tissue, 20.0],
        r if r < inner => fluid,
        r if r > inner + SKULL[1] - SKULL[0] && r < HEAD => [1.2, 30.0],
        _ => [0.0, 0.0],
    }
}

fn scan(fluid: [f64; 2], echo_times_s: &[f64]) -> (GradientEchoScan, Mask) {
    let grid = grid([76, 80, 46], [1.5, 1.5, 2.5]);
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut noise = || 0.03 * (random.random::<f64>() + random.random::<f64>() - 1.0);
    let echoes = echo_times_s.iter().map(|&time| {
        let mut magnitude = Volume::filled(grid, 0.0);
        let mut phase_rad = Volume::filled(grid, 0.0);
        for index in 0..grid.len() {
            let at = grid.position_mm(grid.voxel(index));
            let [size, rate] = signal(at, fluid);
            let (size, angle) = (size * (-rate * time).exp(), TAU * 0.1 * at[0] * time);
            let (real, imaginary) = (size * angle.cos() + noise(), size * angle.sin() + noise());
            magnitude.data_mut()[index] = real.hypot(imaginary) as f32;
            phase_rad.data_mut()[index] = imaginary.atan2(real) as f32;
        }
        Echo { name: format!("echo at {time} s"), magnitude, phase_rad, echo_time_s: time }
    });
    let scan = GradientEchoScan::new(echoes.collect(), 3.0, [0.0, 0.0, 1.0]).unwrap();
    (scan, ball(&grid, [0.0; 3], BRAIN))
}

/// Fluid in cisterns is told by its darkness at echo time zero, or by its slow decay; sulci and
/// ventricles are the brain's.
#[test]
fn cisterns_are_left_out_and_ventricles_stay() {
    let config = BrainConfig::default();
    let (dark, slow) = ([0.55, 20.0], [1.0, 3.0]);
    let many: &[f64] = &[0.006, 0.012, 0.018, 0.024];
    for (fluid, echo_times_s) in [(dark, many), (slow, many), (dark, &many[1..2])] {
        let (scan, brain) = scan(fluid, echo_times_s);
        let (found, warning) = find_brain(&scan, &config).unwrap();
        assert_eq!(warning, None);
        let overlap = dice(&found, &brain);
        assert!(overlap > 0.96, "Dice {overlap} for {fluid:?}, {} echoes", echo_times_s.len());
        let at = |mm: [f64; 3]| {
            let voxel = scan.grid().affine().inverse().apply(mm).map(|x| x.round() as usize);
            found[voxel]
        };
        assert!(at([0.0, 6.0, 0.0]) && at([0.0, 0.0, 24.0]), "{fluid:?}");
        assert!(!at([0.0, 0.0, -39.0]), "{fluid:?}");
    }
}

/// One echo without contrast says nothing of fluid; the brain is still found.
#[test]
fn without_contrast_the_fluid_stays() {
    let (scan, brain) = scan([0.92, 20.0], &[0.012]);
    let (found, _) = find_brain(&scan, &BrainConfig::default()).unwrap();
    let overlap = dice(&found, &brain);
    assert!((0.7..0.96).contains(&overlap), "Dice {overlap}");
}

/// A head as large as an adult's: brain, dark skull, scalp; its phase is noise where `spoilt` says.
fn adult(brain: bool, spoilt: fn([f64; 3]) -> bool) -> (GradientEchoScan, Mask) {
    let grid = grid([46, 56, 50], [4.0, 4.0, 4.0]);
    let within = |at: [f64; 3], half_axes: [f64; 3]| {
        (0..3).map(|axis| (at[axis] / half_axes[axis]).powi(2)).sum::<f64>() < 1.0
    };
    let in_brain = |voxel| within(grid.position_mm(voxel), [62.0, 80.0, 66.0]);
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let magnitude = Volume::from_fn(grid, |voxel| {
        let at = grid.position_mm(voxel);
        let skull = !within(at, [66.0, 84.0, 70.0]) && within(at, [74.0, 92.0, 78.0]);
        if within(at, [84.0, 102.0, 90.0]) && !(brain && skull) { 1.0 } else { 0.02 }
    });
    let phase_rad = Volume::from_fn(grid, |voxel| {
        let at = grid.position_mm(voxel);
        if magnitude[voxel] < 0.5 || spoilt(at) {
            random.random_range(-3.1..3.1)
        } else {
            0.01 * at[0] as f32
        }
    });
    let echo = Echo { name: "phase.nii".to_owned(), magnitude, phase_rad, echo_time_s: 0.03 };
    let scan = GradientEchoScan::new(vec![echo], 3.0, [0.0, 0.0, 1.0]).unwrap();
    (scan, Volume::from_fn(grid, in_brain))
}

/// As in a real scan of one echo, of whose brain 423 ml were left.
#[test]
fn a_brain_mask_that_collapsed_is_found_another_way_and_told() {
    let config = BrainConfig::default();
    let (scan, brain) = adult(true, |_| false);
    let (found, warning) = find_brain(&scan, &config).unwrap();
    assert!(dice(&found, &brain) > 0.93 && warning.is_none(), "{warning:?}");
    for spoilt in [|at: [f64; 3]| at[1] < 25.0, |at: [f64; 3]| at[0] > -5.0, |_| true] {
        let (scan, brain) = adult(true, spoilt);
        let (found, warning) = find_brain(&scan, &config).unwrap();
        assert!(dice(&found, &brain) > 0.9, "Dice {}", dice(&found, &brain));
        let warning = warning.unwrap();
        assert_eq!(warning.code, "brain_mask_fallback");
        assert!(warning.message.contains("the magnitude alone"), "{warning}");
        assert!(warning.message.contains("phase.nii"), "{warning}");
    }
}

#[test]
fn a_head_without_a_plausible_brain_is_refused() {
    let (scan, _) = adult(false, |_| false);
    let message = find_brain(&scan, &BrainConfig::default()).unwrap_err().to_string();
    assert!(
        message.contains("more than a brain") && message.contains("give a brain mask"),
        "{message}"
    );
}
