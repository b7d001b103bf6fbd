use deepmir_recon::background::{BackgroundRemoval, remove_background};
use deepmir_volume::{Mask, Volume};

use crate::common::{Sphere, ball, field_of, grid};

const B0: [f64; 3] = [0.0, 0.0, 1.0];

fn root_mean_square(volume: &Volume<f32>, mask: &Mask) -> f64 {
    let inside = volume.data().iter().zip(mask.data()).filter(|(_, inside)| **inside);
    let squares: Vec<f64> = inside.map(|(&value, _)| f64::from(value).powi(2)).collect();
    (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
}

#[test]
fn outside_sources_vanish_and_inside_sources_stay() {
    let grid = grid([56, 56, 40], [1.0, 1.0, 1.5]);
    let mask = ball(&grid, [0.0; 3], 22.0);
    let air = Sphere { centre_mm: [0.0, 20.0, -25.0], radius_mm: 6.0, chi_ppm: 9.0 };
    let magnet = Sphere { centre_mm: [300.0, 0.0, 400.0], radius_mm: 200.0, chi_ppm: 9.0 };
    let iron = Sphere { centre_mm: [4.0, 3.0, 2.0], radius_mm: 4.0, chi_ppm: 0.5 };
    let background = field_of(&grid, &[air, magnet], B0);
    let local = field_of(&grid, &[iron], B0);
    let mut total = background.clone();
    total.data_mut().iter_mut().zip(local.data()).for_each(|(value, &own)| *value += own);
    let weights = mask.map(|&inside| f32::from(inside));
    for (method, left, kept) in [
        (BackgroundRemoval::VSHARP, 0.05, 0.9),
        (BackgroundRemoval::Resharp { radius_mm: 4.0, tikhonov: 1e-3, iterations: 40 }, 0.05, 0.9),
        (BackgroundRemoval::PDF, 0.1, 0.9),
    ] {
        let removed = remove_background(&background, &mask, &weights, B0, &method).unwrap();
        let rest = root_mean_square(&removed.field_ppm, &removed.mask)
            / root_mean_square(&background, &removed.mask);
        assert!(rest < left, "{rest} of the background is left by {method:?}");

        let found = remove_background(&total, &mask, &weights, B0, &method).unwrap();
        let error = deepmir_recon::accuracy::map_error(&found.field_ppm, &local, &found.mask);
        let correlation = error.unwrap().correlation;
        assert!(correlation > kept, "correlation {correlation} by {method:?}");
        assert!(found.mask.count() > mask.count() / 3);
        assert!(found.field_ppm.data().iter().zip(found.mask.data()).all(|(&v, &m)| m || v == 0.0));
    }
}

/// A shim of x² − y² + z²/2 is no field of sources, so it cannot be projected onto them.
#[test]
fn a_shim_of_second_order_does_not_stay_after_pdf() {
    let grid = grid([56, 56, 40], [1.0, 1.0, 1.5]);
    let mask = ball(&grid, [0.0; 3], 22.0);
    let iron = Sphere { centre_mm: [4.0, 3.0, 2.0], radius_mm: 4.0, chi_ppm: 0.5 };
    let local = field_of(&grid, &[iron], B0);
    let mut total = local.clone();
    for index in 0..grid.len() {
        let [x, y, z] = grid.position_mm(grid.voxel(index)).map(|mm| (mm / 22.0) as f32);
        total.data_mut()[index] += 0.2 * (x * x - y * y + 0.5 * z * z) + 0.1;
    }
    let weights = mask.map(|&inside| f32::from(inside));
    let found = remove_background(&total, &mask, &weights, B0, &BackgroundRemoval::PDF).unwrap();
    let error = deepmir_recon::accuracy::map_error(&found.field_ppm, &local, &found.mask).unwrap();
    assert!(error.correlation > 0.9, "{error:?}");
}

#[test]
fn a_mask_that_is_too_thin_is_an_error() {
    let grid = grid([20, 20, 20], [1.0; 3]);
    let mask = ball(&grid, [0.0; 3], 3.0);
    let field = Volume::filled(grid, 0.1);
    let method = BackgroundRemoval::Resharp { radius_mm: 8.0, tikhonov: 1e-3, iterations: 5 };
    let error = remove_background(&field, &mask, &field, B0, &method).unwrap_err();
    assert!(error.to_string().contains("deep enough"), "{error}");
    let method = BackgroundRemoval::Resharp { radius_mm: f64::NAN, tikhonov: 1e-3, iterations: 5 };
    assert!(remove_background(&field, &mask, &field, B0, &method).is_err());
}
