use std::path::Path;

use deepmir_recon::register::{
    BiasConfig, RegistrationConfig, RigidTransform, correct_bias, register_rigid,
    resample_registered,
};
use deepmir_volume::{Affine, Grid, Volume, nifti, statistics};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;

use crate::common::{ball, distance, grid};

/// Tissue at a place: an ellipsoid with folds and two off-centre cavities; 0 is outside.
fn tissue(at: [f64; 3]) -> usize {
    let [x, y, z] = at;
    if (x / 46.0).powi(2) + (y / 56.0).powi(2) + (z / 40.0).powi(2) > 1.0 {
        0
    } else if distance(at, [8.0, 12.0, 6.0]) < 9.0 || distance(at, [-10.0, -14.0, -2.0]) < 7.0 {
        1
    } else if (0.16 * x).sin() + (0.13 * y + 0.4).sin() + (0.19 * z).cos() > 0.4 {
        2
    } else {
        3
    }
}

/// An image with `values` for the tissues, of the head moved by `to_head` (image to head).
fn image(grid: Grid, to_head: &Affine, values: [f32; 4]) -> Volume<f32> {
    let raw = Volume::from_fn(grid, |voxel| values[tissue(to_head.apply(grid.position_mm(voxel)))]);
    deepmir_volume::gaussian::smooth(&raw, [0.8, 0.8, 0.8])
}

#[test]
fn random_movements_are_found_within_half_a_millimetre() {
    let identity = Affine::from_spacing([1.0; 3], [0.0; 3]);
    let fixed_grid = grid([62, 74, 34], [1.8, 1.8, 2.8]);
    let fixed = image(fixed_grid, &identity, [0.0, 30.0, 100.0, 70.0]);
    let mask = Volume::from_fn(fixed_grid, |voxel| tissue(fixed_grid.position_mm(voxel)) > 0);
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut within = |most: f64| most * (2.0 * random.random::<f64>() - 1.0);
    for _ in 0..3 {
        let truth = RigidTransform {
            rotation_rad: [within(0.15), within(0.15), within(0.15)],
            shift_mm: [within(9.0), within(9.0), within(9.0)],
            centre_mm: [0.0; 3],
        };
        // The moving image is the head seen from moved coordinates, with another contrast.
        let to_head = truth.affine().inverse();
        let moving =
            image(grid([66, 70, 46], [1.7, 2.0, 2.2]), &to_head, [0.0, 200.0, 60.0, 110.0]);
        let found = register_rigid(&fixed, &mask, &moving, &RegistrationConfig::default()).unwrap();
        let (a, b) = (found.transform.affine(), truth.affine());
        let corners = (0..8).map(|n| {
            let at = std::array::from_fn(|axis| if n >> axis & 1 == 1 { 30.0 } else { -30.0 });
            distance(a.apply(at), b.apply(at))
        });
        let worst = corners.fold(0.0, f64::max);
        assert!(worst < 0.5, "{worst} mm off: {found:?}");
        assert!(found.overlap > 0.85 && found.sharpness > 1.5, "{found:?}");
        let aligned = resample_registered(&moving, &fixed_grid, &found.transform);
        let expected = image(fixed_grid, &identity, [0.0, 200.0, 60.0, 110.0]);
        let inner = ball(&fixed_grid, [0.0; 3], 30.0);
        let error = deepmir_recon::accuracy::map_error(&aligned, &expected, &inner).unwrap();
        assert!(error.correlation > 0.95, "{error:?}");
    }
}

/// Rows of matrices on RAS millimetres, from points of the fixed image to those of the moving one.
#[derive(Deserialize)]
struct Elastix {
    found: [[f64; 4]; 4],
    #[serde(rename = "true")]
    truth: [[f64; 4]; 4],
}

/// Echo and T2w of a simulated head at 3 mm, and what elastix 5.0.1 made of them (itself up to 1.75 mm off).
#[test]
fn elastix_finds_the_same_movement() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let read = |name: &str| nifti::read(&folder.join(name)).unwrap().volume;
    let (fixed, moving) = (read("elastix_fixed.nii.gz"), read("elastix_moving.nii.gz"));
    let mask = read("elastix_mask.nii.gz").map(|&value| value > 0.5);
    let text = std::fs::read_to_string(folder.join("elastix.json")).unwrap();
    let oracle: Elastix = serde_json::from_str(&text).unwrap();
    let found = register_rigid(&fixed, &mask, &moving, &RegistrationConfig::default()).unwrap();
    let apply = |rows: &[[f64; 4]; 4], at: [f64; 3]| -> [f64; 3] {
        std::array::from_fn(|n| {
            rows[n][3] + (0..3).map(|axis| rows[n][axis] * at[axis]).sum::<f64>()
        })
    };
    let (mut to_elastix, mut to_truth, mut theirs) = (0.0_f64, 0.0_f64, 0.0_f64);
    for index in (0..mask.data().len()).step_by(41).filter(|&index| mask.data()[index]) {
        let at = mask.grid().position_mm(mask.grid().voxel(index));
        let ours = found.transform.affine().apply(at);
        let (elastix, truth) = (apply(&oracle.found, at), apply(&oracle.truth, at));
        to_elastix = to_elastix.max(distance(ours, elastix));
        to_truth = to_truth.max(distance(ours, truth));
        theirs = theirs.max(distance(elastix, truth));
    }
    let figures =
        format!("largest: ours {to_truth:.3} mm off, elastix {theirs:.3}, apart {to_elastix:.3}");
    assert!(to_truth < 0.75 && to_elastix < 1.5, "{figures}");
}

#[test]
fn images_of_nothing_in_common_are_noticed() {
    let fixed_grid = grid([40, 40, 30], [2.0, 2.0, 3.0]);
    let identity = Affine::from_spacing([1.0; 3], [0.0; 3]);
    let fixed = image(fixed_grid, &identity, [0.0, 30.0, 100.0, 70.0]);
    let mask = ball(&fixed_grid, [0.0; 3], 35.0);
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let noise = Volume::from_fn(fixed_grid, |_| random.random::<f32>());
    let config = RegistrationConfig::default();
    let error = register_rigid(&fixed, &mask, &noise, &config).unwrap_err();
    assert!(error.to_string().contains("registration failed"), "{error}");
    let nothing = Volume::filled(fixed_grid, 0.0);
    assert!(register_rigid(&fixed, &mask, &nothing, &config).is_err());
    let empty = Volume::filled(fixed_grid, false);
    assert!(register_rigid(&fixed, &empty, &fixed, &config).is_err());
}

#[test]
fn a_smooth_bias_is_taken_off() {
    let grid = grid([48, 52, 30], [2.0, 2.0, 3.0]);
    let identity = Affine::from_spacing([1.0; 3], [0.0; 3]);
    let even = image(grid, &identity, [0.0, 30.0, 100.0, 70.0]);
    let mask = Volume::from_fn(grid, |voxel| tissue(grid.position_mm(voxel)) > 1);
    let mut uneven = even.clone();
    for (index, value) in uneven.data_mut().iter_mut().enumerate() {
        let [x, y, _] = grid.position_mm(grid.voxel(index));
        *value *= (0.006 * x - 0.004 * y).exp() as f32;
    }
    let spread = |image: &Volume<f32>| {
        let ratios = image.data().iter().zip(even.data()).zip(mask.data()).filter(|(_, m)| **m);
        let mut logs: Vec<f32> = ratios.map(|((a, b), _)| (a / b).ln()).collect();
        statistics::quantile(&mut logs, 0.95).unwrap()
            - statistics::quantile(&mut logs, 0.05).unwrap()
    };
    let corrected = correct_bias(&uneven, &mask, &BiasConfig::default());
    let (before, after) = (spread(&uneven), spread(&corrected));
    assert!(after < 0.5 * before, "log spread {before} before, {after} after");
}
