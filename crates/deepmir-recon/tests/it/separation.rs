//! Paramagnetic and diamagnetic susceptibility: in closed form, as a bounded least-squares solver finds them
//! (`fixtures/make_separation.py`), and as a reconstruction writes them.

use deepmir_recon::output::{OutputContext, OutputNames, write_reconstruction, writes};
use deepmir_recon::separation::{R2, SeparationConfig, parts, separate};
use deepmir_recon::{GradientEchoScan, MeasuredR2, ReconConfig, reconstruct};
use deepmir_volume::{Volume, nifti};
use serde_json::{Value, json};

use crate::common::{Head, ball, grid};

const SETTINGS: SeparationConfig =
    SeparationConfig { r2_prime_hz_per_ppm: 137.0, r2_share: Some(0.6) };

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
    let measured = Volume::from_fn(grid, |[i, j, k]| ((7 * i + 11 * j + 19 * k) % 23) as f32 * 3.0);
    let inside = Volume::from_fn(grid, |[i, j, k]| (i + j + k) % 5 != 0);
    let want: Value = serde_json::from_str(include_str!("../fixtures/separation.json")).unwrap();
    for (r2, case) in [(R2::Share(0.6), "share"), (R2::Measured(&measured), "measured")] {
        let [positive, negative] = separate(&chi, &rate, r2, &inside, SETTINGS.hz_per_ppm_at(7.0));
        for (map, name) in [(positive, "positive_ppm"), (negative, "negative_ppm")] {
            let want = want[case][name].as_array().unwrap();
            assert_eq!(want.len(), map.data().len());
            for (got, want) in map.data().iter().zip(want) {
                let error = f64::from(*got) - want.as_f64().unwrap();
                assert!(error.abs() < 1e-6, "{case} {name}: {got} {want}");
            }
        }
    }
}

#[test]
fn a_reconstruction_writes_both_parts_with_settings_and_a_warning() {
    let head = Head::new();
    let scan = head.scan();
    let config = ReconConfig { separation: Some(SETTINGS), ..Default::default() };
    let mut made = reconstruct(&scan, Some(&head.brain), &config, |_| ()).unwrap();
    let separated = made.separated.as_ref().unwrap();
    assert!(separated.warnings[0].to_string().contains("0.6 of R2*"));
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
    // It is the parts' alone.
    let text = std::fs::read_to_string(path("sub-01_Chimap.json")).unwrap();
    assert!(!text.contains("r2_assumed"), "{text}");
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
        (SeparationConfig { r2_share: Some(1.5), ..SETTINGS }, "separation.r2_share is 1.5"),
        (SeparationConfig { r2_share: Some(f64::NAN), ..SETTINGS }, "separation.r2_share is NaN"),
        (SeparationConfig { r2_prime_hz_per_ppm: 0.0, ..SETTINGS }, "hertz per ppm at 3 T"),
        (SeparationConfig::default(), "there is no map of R2"),
    ] {
        let message = refused(&scan, separation);
        assert!(message.contains(word), "{message}");
    }
    let with_a_share: ReconConfig =
        serde_json::from_str(r#"{"separation": {"r2_share": 0.6}}"#).unwrap();
    assert_eq!(with_a_share.separation, Some(SETTINGS));
    // R2 of another grid, and times or other units in its place.
    let r2 = |grid, value: f32| MeasuredR2 {
        name: "R2map.nii".to_owned(),
        per_s: Volume::filled(grid, value),
    };
    let other = scan.clone().with_r2(r2(grid([4; 3], [1.0; 3]), 14.0)).unwrap_err().to_string();
    assert!(other.contains("R2map.nii") && other.contains("resample"), "{other}");
    for wrong in [0.07, 70.0, 0.014, 0.0, f32::NAN] {
        let scan = scan.clone().with_r2(r2(head.grid, wrong)).unwrap();
        let message = refused(&scan, SeparationConfig::default());
        assert!(message.contains("give 1/T2") && message.contains("R2map.nii"), "{message}");
    }
    let without = serde_json::to_value(ReconConfig::default()).unwrap();
    assert!(without.get("separation").is_none());
}

#[test]
fn measured_r2_takes_the_place_of_a_share_and_what_lacks_it_is_said() {
    let head = Head::new();
    let half = Volume::from_fn(head.grid, |[i, ..]| if i.is_multiple_of(2) { 14.0 } else { 0.0 });
    let r2 = MeasuredR2 { name: "R2map.nii".to_owned(), per_s: half };
    let scan = head.scan().with_r2(r2).unwrap();
    // The share is for scans without a map.
    let config = ReconConfig { separation: Some(SETTINGS), ..Default::default() };
    let made = reconstruct(&scan, Some(&head.brain), &config, |_| ()).unwrap();
    let separated = made.separated.unwrap();
    assert_eq!(separated.r2_source.as_deref(), Some("R2map.nii"));
    let told = separated.warnings[0].to_string();
    assert!(separated.warnings.len() == 1 && told.contains("R2 is missing in 5"), "{told}");
    let hz_per_ppm = SETTINGS.hz_per_ppm_at(scan.field_strength_t()) as f32;
    let (chi, rate) = (&made.chi_ppm, made.r2_star_per_s.unwrap());
    for voxel in 0..chi.data().len() {
        let [positive, negative] =
            [&separated.positive_ppm, &separated.negative_ppm].map(|map| map.data()[voxel]);
        let has_r2 = head.grid.voxel(voxel)[0].is_multiple_of(2) && made.reliable.data()[voxel];
        let want = parts(chi.data()[voxel], (rate.data()[voxel] - 14.0) / hz_per_ppm);
        assert_eq!((positive, negative), if has_r2 { want } else { (0.0, 0.0) });
    }
}
