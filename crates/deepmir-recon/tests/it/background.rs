use deepmir_recon::background::{BackgroundInput, BackgroundRemoval, LocalField};
use deepmir_recon::{ReconError, background};
use deepmir_volume::{Mask, Volume};

use crate::common::{Sphere, ball, field_of, grid};

const B0: [f64; 3] = [0.0, 0.0, 1.0];

/// With signal inside the mask alone.
fn remove_background(
    total_field_ppm: &Volume<f32>,
    mask: &Mask,
    weights: &Volume<f32>,
    method: &BackgroundRemoval,
) -> Result<LocalField, ReconError> {
    let magnitude = mask.map(|&inside| f32::from(inside));
    let input =
        BackgroundInput { total_field_ppm, mask, weights, magnitude: &magnitude, b0_direction: B0 };
    background::remove_background(&input, method)
}

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
        (BackgroundRemoval::TFI, 0.1, 0.9),
    ] {
        let removed = remove_background(&background, &mask, &weights, &method).unwrap();
        let rest = root_mean_square(&removed.field_ppm, &removed.mask)
            / root_mean_square(&background, &removed.mask);
        assert!(rest < left, "{rest} of the background is left by {method:?}");

        let found = remove_background(&total, &mask, &weights, &method).unwrap();
        let error = deepmir_recon::accuracy::map_error(&found.field_ppm, &local, &found.mask);
        let correlation = error.unwrap().correlation;
        assert!(correlation > kept, "correlation {correlation} by {method:?}");
        assert!(found.mask.count() > mask.count() / 3);
        assert!(found.field_ppm.data().iter().zip(found.mask.data()).all(|(&v, &m)| m || v == 0.0));
    }
}

/// A shim of x² − y² + z²/2 is no field of sources, so it cannot be projected onto them.
#[test]
fn a_shim_of_second_order_does_not_stay() {
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
    for method in [BackgroundRemoval::PDF, BackgroundRemoval::TFI] {
        let found = remove_background(&total, &mask, &weights, &method).unwrap();
        let error = deepmir_recon::accuracy::map_error(&found.field_ppm, &local, &found.mask);
        assert!(error.is_some_and(|error| error.correlation > 0.9), "{method:?}: {error:?}");
    }
}

#[test]
fn a_mask_that_is_too_thin_is_an_error() {
    let grid = grid([20, 20, 20], [1.0; 3]);
    let mask = ball(&grid, [0.0; 3], 3.0);
    let field = Volume::filled(grid, 0.1);
    let method = BackgroundRemoval::Resharp { radius_mm: 8.0, tikhonov: 1e-3, iterations: 5 };
    let error = remove_background(&field, &mask, &field, &method).unwrap_err();
    assert!(error.to_string().contains("deep enough"), "{error}");
    let method = BackgroundRemoval::Resharp { radius_mm: f64::NAN, tikhonov: 1e-3, iterations: 5 };
    assert!(remove_background(&field, &mask, &field, &method).is_err());
}

/// Iron that touches the mask's edge keeps more of its field than by PDF, which explains it from outside.
#[test]
fn a_lesion_at_the_edge_stays_its_own() {
    let grid = grid([56, 56, 40], [1.0, 1.0, 1.5]);
    let mask = ball(&grid, [0.0; 3], 22.0);
    let lesion = Sphere { centre_mm: [0.0, 18.0, 4.0], radius_mm: 3.0, chi_ppm: 0.8 };
    let air = Sphere { centre_mm: [0.0, -30.0, -10.0], radius_mm: 7.0, chi_ppm: 9.0 };
    let local = field_of(&grid, &[lesion], B0);
    let mut total = local.clone();
    let background = field_of(&grid, &[air], B0);
    total.data_mut().iter_mut().zip(background.data()).for_each(|(value, &more)| *value += more);
    // Its field is not trusted, as a void's is not.
    let void = ball(&grid, lesion.centre_mm, lesion.radius_mm);
    let mut weights = mask.map(|&inside| f32::from(inside));
    weights.data_mut().iter_mut().zip(void.data()).for_each(|(weight, &void)| {
        if void {
            *weight *= 0.05;
        }
    });
    let near = ball(&grid, lesion.centre_mm, 9.0);
    let around = |found: &LocalField| {
        let voxels = near.data().iter().zip(void.data()).zip(found.mask.data());
        let kept: Vec<bool> =
            voxels.map(|((&near, &void), &inside)| near && !void && inside).collect();
        let kept = Volume::new(grid, kept).unwrap();
        deepmir_recon::accuracy::map_error(&found.field_ppm, &local, &kept).unwrap().nrmse_percent
    };
    let error = |method| around(&remove_background(&total, &mask, &weights, &method).unwrap());
    let (tfi, pdf) = (error(BackgroundRemoval::TFI), error(BackgroundRemoval::PDF));
    assert!(tfi < 0.8 * pdf && tfi < 40.0, "NRMSE around the lesion: {tfi} %, by PDF {pdf} %");
}
