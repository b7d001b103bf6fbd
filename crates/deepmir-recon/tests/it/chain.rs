use deepmir_recon::GradientEchoScan;
use deepmir_recon::accuracy::{KnownSource, dice, map_error, source_strength_ppm_mm3};
use deepmir_recon::background::BackgroundRemoval;
use deepmir_recon::inversion::Inversion;
use deepmir_recon::phase::{OffsetConfig, Readout};
use deepmir_recon::swi::{SwiConfig, minimum_intensity_projection, susceptibility_weighted};
use deepmir_recon::{
    FieldFitMethod, ReconConfig, ReconError, Reconstruction, Stage, Unwrapping, reconstruct,
};
use deepmir_volume::Volume;

use crate::common::{Head, Signal, Sphere, distance, field_of, inverted, no_offset};

fn strength(result: &Reconstruction, sphere: &Sphere) -> f64 {
    let volume_mm3 = 4.0 / 3.0 * std::f64::consts::PI * sphere.radius_mm.powi(3);
    let source = KnownSource { centre_mm: sphere.centre_mm, volume_mm3 };
    source_strength_ppm_mm3(&result.chi_ppm, &result.reliable, &source, 2.0).unwrap() / volume_mm3
}

#[test]
fn iron_comes_out_positive_and_calcium_negative_on_a_whole_head() {
    let head = Head::new();
    let mut stages = Vec::new();
    let result =
        reconstruct(&head.scan(), None, &ReconConfig::default(), |stage| stages.push(stage))
            .unwrap();
    assert_eq!(stages, Stage::ALL);
    assert_eq!(result.timings.len(), stages.len());
    let overlap = dice(&result.brain, &head.brain);
    assert!(overlap > 0.95, "Dice {overlap}");
    let field = head.field_ppm();
    let error = map_error(&result.total_field_ppm, &field, &result.reliable).unwrap();
    assert!(error.nrmse_percent < 10.0, "{error:?}");
    let (iron, calcium) = (strength(&result, &head.iron), strength(&result, &head.calcium));
    assert!((0.35..0.75).contains(&iron), "{iron} ppm for 0.6");
    assert!((-0.75..-0.35).contains(&calcium), "{calcium} ppm for -0.6");
    let rate = result.r2_star_per_s.unwrap();
    let inside = rate.data().iter().zip(result.reliable.data()).filter(|(_, m)| **m);
    let mut rates: Vec<f32> = inside.map(|(&rate, _)| rate).collect();
    let median = deepmir_volume::statistics::median(&mut rates).unwrap();
    assert!((median - 20.0).abs() < 1.0, "R2* {median}");
}

#[test]
fn every_method_tells_iron_from_calcium() {
    let head = Head::new();
    let scan = head.scan();
    for (background, inversion, unwrapping) in [
        (BackgroundRemoval::RESHARP, Inversion::THRESHOLDED_KERNEL, Unwrapping::Romeo),
        (BackgroundRemoval::PDF, Inversion::CLOSED_FORM_L2, Unwrapping::Romeo),
        (BackgroundRemoval::VSHARP, Inversion::CLOSED_FORM_L2, Unwrapping::Laplacian),
    ] {
        let config = ReconConfig { background, inversion, unwrapping, ..Default::default() };
        let result = reconstruct(&scan, Some(&head.brain), &config, |_| ()).unwrap();
        let (iron, calcium) = (strength(&result, &head.iron), strength(&result, &head.calcium));
        assert!(iron > 0.15 && calcium < -0.15, "{iron} and {calcium} by {config:?}");
    }
}

#[test]
fn complex_signals_tell_iron_from_calcium_and_need_exact_unwrapping() {
    let head = Head::new();
    let scan = head.scan();
    let made = |field_fit, unwrapping, scan: &GradientEchoScan| {
        let config = ReconConfig { field_fit, unwrapping, ..Default::default() };
        reconstruct(scan, Some(&head.brain), &config, |_| ())
    };
    let complex =
        |scan: &GradientEchoScan| made(FieldFitMethod::Complex, Unwrapping::Romeo, scan).unwrap();
    let result = complex(&scan);
    let (iron, calcium) = (strength(&result, &head.iron), strength(&result, &head.calcium));
    assert!(iron > 0.3 && calcium < -0.3, "{iron} and {calcium}");
    let error = map_error(&result.total_field_ppm, &head.field_ppm(), &result.reliable).unwrap();
    assert!(error.nrmse_percent < 10.0, "{error:?}");
    let refused = made(FieldFitMethod::Complex, Unwrapping::Laplacian, &scan);
    assert!(matches!(refused, Err(ReconError::Setting { setting: "field_fit", .. })));
    // A single echo leaves nothing to refine.
    let echoes = vec![scan.echoes()[2].clone()];
    let scan = GradientEchoScan::new(echoes, 3.0, scan.b0_direction()).unwrap();
    let line = made(FieldFitMethod::Line, Unwrapping::Romeo, &scan).unwrap();
    assert_eq!(complex(&scan).chi_ppm, line.chi_ppm);
}

#[test]
fn a_skull_stripped_scan_is_all_brain() {
    let mut head = Head::new();
    let outside = |index: &usize| !head.brain.data()[*index];
    let outside: Vec<usize> = (0..head.brain.data().len()).filter(outside).collect();
    outside.into_iter().for_each(|index| head.magnitude.data_mut()[index] = 0.0);
    let mut scan = head.scan();
    // Stripping leaves exact zeros.
    let mut echoes = scan.echoes().to_vec();
    for echo in &mut echoes {
        for (value, &inside) in echo.magnitude.data_mut().iter_mut().zip(head.brain.data()) {
            *value *= f32::from(inside);
        }
    }
    scan = GradientEchoScan::new(echoes, 3.0, scan.b0_direction()).unwrap();
    let result = reconstruct(&scan, None, &ReconConfig::default(), |_| ()).unwrap();
    assert!(dice(&result.brain, &head.brain) > 0.999);
}

/// Fluid around the brain carries the field to the brain's edge, which V-SHARP gives up; maps end at the
/// mask.
#[test]
fn the_cortex_is_kept_where_fluid_lies_outside_it() {
    let mut head = Head::new();
    for index in 0..head.grid.len() {
        let r = distance(head.grid.position_mm(head.grid.voxel(index)), [0.0; 3]);
        if r > 40.0 && r < 44.0 {
            head.magnitude.data_mut()[index] = 0.6;
        }
    }
    let scan = head.scan();
    let part = |rim_mm| {
        let background = BackgroundRemoval::VSHARP;
        let mut config = ReconConfig { background, ..Default::default() };
        config.reliability.rim_mm = rim_mm;
        let made = reconstruct(&scan, Some(&head.brain), &config, |_| ()).unwrap();
        let maps = [&made.total_field_ppm, &made.local_field_ppm, &made.chi_ppm, &made.quality];
        for index in (0..head.grid.len()).filter(|&index| !head.brain.data()[index]) {
            assert!(
                !made.reliable.data()[index] && maps.iter().all(|map| map.data()[index] == 0.0)
            );
        }
        assert!((strength(&made, &head.iron) / 0.6 - 1.0).abs() < 0.4);
        made.reliable.count() as f64 / head.brain.count() as f64
    };
    let (with, without) = (part(ReconConfig::default().reliability.rim_mm), part(0.0));
    assert!(with > 0.98 && without < 0.95, "{with} with the rim, {without} without");
}

/// Where there is no signal, and where there is noise alone, the phase outside the mask says nothing.
#[test]
fn nothing_without_signal_is_used_outside_the_mask() {
    let head = Head::new();
    let scan = head.scan();
    let made = |phase: f32| {
        let mut echoes = scan.echoes().to_vec();
        for echo in &mut echoes {
            let inside = head.brain.data().iter();
            let values = echo.magnitude.data_mut().iter_mut().zip(echo.phase_rad.data_mut());
            values.zip(inside).filter(|(_, inside)| !**inside).for_each(|((size, angle), _)| {
                *size = 0.0;
                *angle = phase;
            });
        }
        let scan = GradientEchoScan::new(echoes, 3.0, scan.b0_direction()).unwrap();
        reconstruct(&scan, Some(&head.brain), &ReconConfig::default(), |_| ()).unwrap()
    };
    let (one, other) = (made(0.5), made(-2.0));
    assert_eq!(one.chi_ppm, other.chi_ppm);
    assert_eq!(one.reliable, other.reliable);
    // The dark skull of the head as it is.
    let noisy = reconstruct(&scan, Some(&head.brain), &ReconConfig::default(), |_| ()).unwrap();
    assert!(noisy.reliable.count() <= one.reliable.count());
}

#[test]
fn a_single_echo_is_enough() {
    let head = Head::new();
    let scan = head.scan();
    let echoes = vec![scan.echoes()[2].clone()];
    let scan = GradientEchoScan::new(echoes, 3.0, scan.b0_direction()).unwrap();
    let result = reconstruct(&scan, Some(&head.brain), &ReconConfig::default(), |_| ()).unwrap();
    assert!(result.r2_star_per_s.is_none());
    assert!(strength(&result, &head.iron) > 0.3 && strength(&result, &head.calcium) < -0.3);
}

#[test]
fn paramagnetic_sources_are_dark_on_swi_and_the_projection_is_the_minimum() {
    let head = Head::new();
    let scan = head.scan();
    let config = SwiConfig::default();
    let swi = susceptibility_weighted(&scan, &config);
    let echo = &scan.echoes()[2];
    assert!(swi.data().iter().zip(echo.magnitude.data()).all(|(a, b)| a <= b));
    // North of an iron ball the field is raised, beside it lowered.
    let at = |position: [f64; 3]| {
        let index = head.grid.affine().inverse().apply(position).map(|i| i.round() as usize);
        swi[index] / echo.magnitude[index]
    };
    assert!(at([15.0, 5.0, 10.5]) < 0.8);
    assert!(at([21.0, 5.0, 5.0]) > 0.95);
    let projection = minimum_intensity_projection(&swi, 2, 7.5);
    let [nx, ny, nz] = swi.shape();
    let want = Volume::from_fn(head.grid, |[i, j, k]| {
        (k.saturating_sub(2)..(k + 3).min(nz)).map(|k| swi[[i, j, k]]).fold(f32::MAX, f32::min)
    });
    assert_eq!(projection.data()[..nx * ny], want.data()[..nx * ny]);
    assert_eq!(projection, want);
}

/// Twelve bleeds that are dark in the magnitude.
#[test]
fn a_phase_of_the_wrong_sign_is_told() {
    let mut head = Head::new();
    let bleeds: Vec<Sphere> = (0..12)
        .map(|n| {
            let (angle, level) = (f64::from(n) * 0.9, f64::from(n % 3) * 12.0 - 12.0);
            let centre_mm = [22.0 * angle.cos(), 22.0 * angle.sin(), level];
            Sphere { centre_mm, radius_mm: 4.0, chi_ppm: 0.4 }
        })
        .collect();
    for index in 0..head.grid.len() {
        let at = head.grid.position_mm(head.grid.voxel(index));
        if bleeds.iter().any(|bleed| distance(at, bleed.centre_mm) < bleed.radius_mm) {
            head.magnitude.data_mut()[index] *= 0.5;
        }
    }
    let signal = Signal {
        field_ppm: &field_of(&head.grid, &bleeds, [0.0, 0.0, 1.0]),
        magnitude: &head.magnitude,
        echo_times_s: &[0.01, 0.02],
        noise: 0.01,
        offset_rad: no_offset,
        even_offset_rad: no_offset,
    };
    let scan = signal.scan();
    let warnings = |scan: &GradientEchoScan| {
        let made = reconstruct(scan, Some(&head.brain), &ReconConfig::default(), |_| ()).unwrap();
        made.warnings
    };
    assert_eq!(warnings(&scan), []);
    let told = warnings(&inverted(&scan));
    let [warning] = &told[..] else { panic!("{told:?}") };
    assert_eq!(warning.code, "phase_sign");
    for words in ["--invert-phase", "SWI darkens what is diamagnetic", "echo 2"] {
        assert!(warning.message.contains(words), "{}", warning.message);
    }
}

#[test]
fn two_echoes_of_a_bipolar_readout_are_told() {
    let head = Head::new();
    let whole = head.scan();
    let told = |echoes: usize, readout| {
        let scan = GradientEchoScan::new(
            whole.echoes()[..echoes].to_vec(),
            whole.field_strength_t(),
            whole.b0_direction(),
        )
        .unwrap();
        let offset = OffsetConfig { readout, ..Default::default() };
        let config = ReconConfig { offset, ..Default::default() };
        let made = reconstruct(&scan, Some(&head.brain), &config, |_| ()).unwrap();
        made.warnings.iter().any(|warning| warning.code == "bipolar_two_echoes")
    };
    assert!(told(2, Readout::Bipolar));
    assert!(!told(3, Readout::Bipolar) && !told(2, Readout::Monopolar));
}
