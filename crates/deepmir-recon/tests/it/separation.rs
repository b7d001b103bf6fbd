//! Paramagnetic and diamagnetic susceptibility: in closed form, as a bounded least-squares solver finds them
//! (`fixtures/make_separation.py`), and as a reconstruction writes them.

use deepmir_recon::output::{OutputContext, OutputNames, write_reconstruction, writes};
use deepmir_recon::separation::{SeparationConfig, parts, separate};
use deepmir_recon::{GradientEchoScan, ReconConfig, reconstruct};
use deepmir_volume::{Volume, nifti};
use serde_json::{Value, json};

use crate::common::{Head, ball, grid};

const SETTINGS: SeparationConfig = SeparationConfig { r2_prime_hz_per_ppm: 137.0, r2_share: 0.6 };

#[test]
fn what_two_sources_make_gives_both_back() {
    for (positive, negative) in [(0.0, 0.0), (0.05, -0.03), (0.7, 0.0), (0.0, -0.4)] {
        let (found, lost) = parts(positive + negative, positive - negative);
        assert!((found - positive).abs() < 1e-7 && (lost - negative).abs() < 1e-7);
    }
    // A rate too low for the susceptibility, or below R2 by noise: neither part changes its sign.
    assert_eq!(parts(0.5, 0.25), (0.375, 0.0));
    assert_eq!(parts(-0.5, 0.25), (0.0, -0.375));
    assert_eq!(parts(0.0, -1.0), (0.0, 0.0));
}

#[test]
fn a_bounded_least_squares_solver_finds_the_same() {
    let grid = grid([5, 6, 7], [1.0; 3]);
    let chi = |[i, j, k]: [usize; 3]| (31 * i + 17 * j + 23 * k) % 41;
    let chi = Volume::from_fn(grid, |voxel| (chi(voxel) as f32 - 20.0) * 0.01);
    let rate = Volume::from_fn(grid, |[i, j, k]| ((13 * i + 29 * j + 7 * k) % 37) as f32 * 4.0);
    let inside = Volume::from_fn(grid, |[i, j, k]| (i + j + k) % 5 != 0);
    let made = separate(&chi, &rate, &inside, SETTINGS, 7.0);
    let want: Value = serde_json::from_str(include_str!("../fixtures/separation.json")).unwrap();
    for (map, name) in [(made.positive_ppm, "positive_ppm"), (made.negative_ppm, "negative_ppm")] {
        let want = want[name].as_array().unwrap();
        assert_eq!(want.len(), map.data().len());
        for (got, want) in map.data().iter().zip(want) {
            assert!(
                (f64::from(*got) - want.as_f64().unwrap()).abs() < 1e-6,
                "{name}: {got} {want}"
            );
        }
    }
}

#[test]
fn a_reconstruction_writes_both_parts_with_settings_and_a_warning() {
    let head = Head::new();
    let scan = head.scan();
    let config = ReconConfig { separation: Some(SETTINGS), ..Default::default() };
    let mut made = reconstruct(&scan, Some(&head.brain), &config, |_| ()).unwrap();
    assert!(made.warnings.iter().any(|warning| warning.to_string().contains("0.6 of R2*")));
    let separated = made.separated.as_ref().unwrap();
    let total = |sphere: &crate::common::Sphere, map: &Volume<f32>| {
        let inside = ball(&head.grid, sphere.centre_mm, sphere.radius_mm);
        let values = map.data().iter().zip(inside.data()).filter(|(_, inside)| **inside);
        values.map(|(value, _)| *value).sum::<f32>()
    };
    let (positive, negative) = (&separated.positive_ppm, &separated.negative_ppm);
    assert!(total(&head.iron, positive) > -2.0 * total(&head.iron, negative));
    assert!(-total(&head.calcium, negative) > 2.0 * total(&head.calcium, positive));

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    nifti::write(&path("first.nii"), &scan.echoes()[0].magnitude, None).unwrap();
    let header = nifti::read_header(&path("first.nii")).unwrap();
    let names = OutputNames { folder: folder.path(), stem: "sub-01" };
    let context = OutputContext { header: &header, field_strength_t: 3.0, sources: &[] };
    write_reconstruction(&made, &names, &context).unwrap();
    for (name, map) in [("paramagneticmap", positive), ("diamagneticmap", negative)] {
        let image = format!("sub-01_{name}.nii.gz");
        assert!(writes("sub-01", false, &image));
        assert_eq!(nifti::read(&path(&image)).unwrap().volume.data(), map.data());
        let text = std::fs::read_to_string(path(&format!("sub-01_{name}.json"))).unwrap();
        let sidecar: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(sidecar["Units"], "ppm");
        assert_eq!(sidecar["Separation"]["R2Share"], json!(0.6));
        assert_eq!(sidecar["Separation"]["R2PrimeHzPerPpm"], json!(137.0));
        assert_eq!(sidecar["ZeroReference"]["Region"], "brain");
        assert_eq!(sidecar["Warnings"][0]["Code"], "r2_assumed");
    }
    // Nothing of an earlier run with other settings stays.
    made.separated = None;
    write_reconstruction(&made, &names, &context).unwrap();
    assert!(!path("sub-01_diamagneticmap.nii.gz").exists());
}

#[test]
fn what_cannot_be_separated_is_refused_with_words() {
    let head = Head::new();
    let scan = head.scan();
    let first = scan.echoes()[..1].to_vec();
    let one = GradientEchoScan::new(first, scan.field_strength_t(), scan.b0_direction()).unwrap();
    let refused = |scan: &GradientEchoScan, separation| {
        let config = ReconConfig { separation: Some(separation), ..Default::default() };
        reconstruct(scan, Some(&head.brain), &config, |_| ()).unwrap_err().to_string()
    };
    let message = refused(&one, SETTINGS);
    assert!(message.contains("two echoes or more"), "{message}");
    for (separation, word) in [
        (SeparationConfig { r2_share: 1.5, ..SETTINGS }, "separation.r2_share is 1.5"),
        (SeparationConfig { r2_share: f64::NAN, ..SETTINGS }, "separation.r2_share is NaN"),
        (SeparationConfig { r2_prime_hz_per_ppm: 0.0, ..SETTINGS }, "hertz per ppm at 3 T"),
    ] {
        let message = refused(&scan, separation);
        assert!(message.contains(word), "{message}");
    }
    let incomplete = r#"{"separation": {"r2_share": 0.6}}"#;
    assert!(serde_json::from_str::<ReconConfig>(incomplete).is_err());
    let without = serde_json::to_value(ReconConfig::default()).unwrap();
    assert!(without.get("separation").is_none());
}
