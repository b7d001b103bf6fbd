use deepmir_recon::input::{EchoParts, ReadOptions, ScanFiles};
use deepmir_recon::swi::SusceptibilityWeighting;
use deepmir_recon::{Echo, GradientEchoScan};
use deepmir_recon::{ReconConfig, ReconError, reconstruct};
use deepmir_volume::{Volume, nifti};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::common::{Signal, ball, grid, no_offset};

fn scan(shape: [usize; 3]) -> GradientEchoScan {
    let grid = grid(shape, [1.0, 1.0, 2.0]);
    let field =
        Volume::from_fn(grid, |[i, j, k]| 0.01 * i as f32 - 0.02 * j as f32 + 0.01 * k as f32);
    let magnitude = Volume::filled(grid, 1.0);
    Signal {
        field_ppm: &field,
        magnitude: &magnitude,
        echo_times_s: &[0.005, 0.01, 0.015],
        noise: 0.01,
        offset_rad: no_offset,
        even_offset_rad: no_offset,
    }
    .scan()
}

#[test]
fn odd_and_flat_shapes_go_through_or_say_why_not() {
    for shape in [[31, 17, 13], [40, 40, 1], [1, 30, 30], [2, 2, 2], [1, 1, 4], [64, 3, 5]] {
        let scan = scan(shape);
        let whole = Volume::filled(*scan.grid(), true);
        for mask in [None, Some(&whole)] {
            match reconstruct(&scan, mask, &ReconConfig::default(), |_| ()) {
                Ok(result) => {
                    assert!(result.chi_ppm.data().iter().all(|chi| chi.is_finite()), "{shape:?}");
                }
                Err(ReconError::EmptyMask { .. }) => {}
                Err(other) => panic!("{shape:?}: {other}"),
            }
        }
    }
}

#[test]
fn empty_and_foreign_masks_are_errors() {
    let scan = scan([20, 20, 12]);
    let empty = Volume::filled(*scan.grid(), false);
    let error = reconstruct(&scan, Some(&empty), &ReconConfig::default(), |_| ()).unwrap_err();
    assert!(error.to_string().contains("mask is empty"), "{error}");
    let foreign = ball(&grid([21, 20, 12], [1.0; 3]), [0.0; 3], 5.0);
    let error = reconstruct(&scan, Some(&foreign), &ReconConfig::default(), |_| ()).unwrap_err();
    assert!(error.to_string().contains("share a grid"), "{error}");
}

#[test]
fn broken_echoes_are_named() {
    let good = scan([12, 12, 8]);
    let with = |change: fn(&mut Echo)| {
        let mut echoes = good.echoes().to_vec();
        change(&mut echoes[1]);
        GradientEchoScan::new(echoes, 3.0, [0.0, 0.0, 1.0]).unwrap_err().to_string()
    };
    for (message, words) in [
        (with(|echo| echo.magnitude.data_mut().fill(0.0)), "zero everywhere"),
        (with(|echo| echo.phase_rad.data_mut().fill(1.0)), "no phase in it"),
        (with(|echo| echo.magnitude.data_mut()[5] = f32::NAN), "1 voxels are NaN"),
        (with(|echo| echo.phase_rad.data_mut()[5] = f32::INFINITY), "1 voxels are NaN"),
        (with(|echo| echo.magnitude.data_mut()[5] = -1.0), "not negative"),
        (with(|echo| echo.magnitude.data_mut()[5] = 1e30), "1e15"),
        (with(|echo| echo.echo_time_s = 0.003), "out of order"),
        (with(|echo| echo.echo_time_s = f64::NAN), "cannot be"),
        (with(|echo| echo.echo_time_s = 18.0), "in seconds"),
    ] {
        assert!(message.contains(words) && message.contains("echo 2"), "{message}");
    }
    let echoes = || good.echoes().to_vec();
    assert!(GradientEchoScan::new(Vec::new(), 3.0, [0.0, 0.0, 1.0]).is_err());
    assert!(GradientEchoScan::new(echoes(), 3000.0, [0.0, 0.0, 1.0]).is_err());
    assert!(GradientEchoScan::new(echoes(), 3.0, [0.0; 3]).is_err());
    assert!(GradientEchoScan::new(echoes(), 3.0, [f64::NAN, 0.0, 1.0]).is_err());
}

#[test]
fn settings_are_read_back_and_unknown_ones_refused() {
    let config = ReconConfig::default();
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<ReconConfig>(&text).unwrap(), config);
    assert_eq!(serde_json::from_str::<ReconConfig>("{}").unwrap(), config);
    assert!(serde_json::from_str::<ReconConfig>(r#"{"brian": {}}"#).is_err());
    for wrong in [
        r#"{"swi": {"high_pass_sigma_mm": 1e12}}"#,
        r#"{"swi": {"slab_mm": -1}}"#,
        r#"{"brain": {"signal_fraction": 7}}"#,
        r#"{"reliability": {"residual_rad": 0}}"#,
        &weighting(r#""tswi", "low_ppm": 0.5, "high_ppm": 0.5, "power": 2"#),
        &weighting(r#""tswi", "low_ppm": -7, "high_ppm": 0.5, "power": 2"#),
        &weighting(r#""tswi", "low_ppm": 0, "high_ppm": 0.45, "power": 0"#),
        &weighting(r#""smwi", "threshold_ppm": 0, "power": 4"#),
        &weighting(r#""smwi", "threshold_ppm": 1, "power": 0"#),
    ] {
        let config: ReconConfig = serde_json::from_str(wrong).unwrap();
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains("give "), "{message}");
    }
    for unreadable in [
        r#""swi", "power": 2"#,
        r#""tswi", "power": 2"#,
        r#""smwi", "threshold_ppm": 1, "power": 300"#,
        r#""smwi", "threshold_ppm": 1, "power": 4, "high_ppm": 0.45"#,
    ] {
        assert!(serde_json::from_str::<ReconConfig>(&weighting(unreadable)).is_err());
    }
    let text = weighting(r#""smwi", "threshold_ppm": 1, "power": 4"#);
    let config: ReconConfig = serde_json::from_str(&text).unwrap();
    assert_eq!(config.swi.from_susceptibility, Some(SusceptibilityWeighting::SMWI));
    assert_eq!(
        serde_json::to_string(&config.swi.from_susceptibility).unwrap(),
        r#"{"method":"smwi","threshold_ppm":1.0,"power":4}"#
    );
    assert!(config.validate().is_ok());
}

/// Settings of an image from susceptibility, from its method on.
fn weighting(method: &str) -> String {
    format!(r#"{{"swi": {{"from_susceptibility": {{"method": {method}}}}}}}"#)
}

/// Files with bytes changed, cut off or scrambled, and voxels of any value: an error or a result,
/// never a panic.
#[test]
fn forty_corrupt_inputs_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let good = scan([14, 13, 9]);
    let path = |name: &str| folder.path().join(name);
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut results = 0;
    for number in 0..40 {
        let mut echoes = Vec::new();
        for (index, echo) in good.echoes().iter().enumerate() {
            let (magnitude, phase) = (
                path(&format!("{number}_{index}_m.nii")),
                path(&format!("{number}_{index}_p.nii")),
            );
            let (mut m, mut p) = (echo.magnitude.clone(), echo.phase_rad.clone());
            if number % 4 == 0 {
                let at = random.random_range(0..m.data().len());
                m.data_mut()[at..].iter_mut().for_each(|v| *v = random.random::<f32>() * 1e30);
                p.data_mut().iter_mut().for_each(|v| *v = random.random_range(-3.1..3.1));
            }
            nifti::write(&magnitude, &m, None).unwrap();
            nifti::write(&phase, &p, None).unwrap();
            echoes.push(EchoParts::Polar { magnitude, phase });
        }
        let EchoParts::Polar { magnitude, phase } = &echoes[number % 3] else { continue };
        let broken = if number % 2 == 0 { magnitude } else { phase };
        let mut bytes = std::fs::read(broken).unwrap();
        match number % 4 {
            1 => bytes.truncate(random.random_range(0..bytes.len())),
            2 => (0..8).for_each(|_| bytes[random.random_range(0..352)] = random.random()),
            3 => {
                let at = random.random_range(352..bytes.len() - 400);
                bytes[at..at + 400].iter_mut().for_each(|byte| *byte = random.random());
            }
            _ => {}
        }
        std::fs::write(broken, bytes).unwrap();
        let files = ScanFiles {
            echoes,
            echo_times_s: vec![0.005, 0.01, 0.015],
            field_strength_t: Some(3.0),
            b0_direction: None,
        };
        let options = ReadOptions { non_finite_as_zero: number % 3 == 0, ..Default::default() };
        if let Ok(input) = files.read(&options)
            && let Ok(result) = reconstruct(&input.scan, None, &ReconConfig::default(), |_| ())
        {
            assert!(result.chi_ppm.data().iter().all(|chi| chi.is_finite()), "input {number}");
            assert!(result.swi.data().iter().all(|value| value.is_finite()), "input {number}");
            results += 1;
        }
    }
    assert!(results < 40);
}
