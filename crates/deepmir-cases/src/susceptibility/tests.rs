use super::*;
use deepmir_volume::{Affine, Grid};

/// A map with a spread of about 0.02 ppm, times a factor, zero at the brain's edge.
fn map(factor: f64) -> (Volume<f32>, Mask) {
    let grid = Grid::new([20; 3], Affine::from_spacing([2.0; 3], [0.0; 3])).unwrap();
    let brain = Volume::from_fn(grid, |[i, _, _]| i > 2);
    let chi = Volume::from_fn(grid, |[i, j, k]| {
        let noise = ((i * 7919 + j * 104_729 + k * 1_299_709) % 101) as f64 / 100.0 - 0.5;
        if i > 3 { (0.055 * noise * factor) as f32 } else { 0.0 }
    });
    (chi, brain)
}

fn refusal(factor: f64) -> String {
    let (mut chi, brain) = map(factor);
    check(&mut chi, &brain, Path::new("chi.nii")).unwrap_err().to_string()
}

#[test]
fn a_map_in_ppm_passes() {
    let (mut chi, brain) = map(1.0);
    let before = chi.clone();
    assert_eq!(check(&mut chi, &brain, Path::new("chi.nii")).unwrap(), []);
    assert_eq!(chi, before);
}

#[test]
fn a_map_in_ppb_is_told() {
    let told = refusal(1000.0);
    assert!(
        told.contains("spread is 20") && told.contains("ppb; divide by 1000: chi.nii"),
        "{told}"
    );
}

#[test]
fn maps_in_other_units_are_told() {
    for (factor, what) in [
        (127.7, "Hz"),
        (127.7 * std::f64::consts::TAU * 0.02, "Hz or rad"),
        (1e-6, "multiply by 1000000"),
        (4.0e5, "scaled"),
    ] {
        let told = refusal(factor);
        assert!(told.contains(what), "{factor}: {told}");
    }
}

#[test]
fn an_image_given_as_a_map_is_told() {
    let (chi, brain) = map(2000.0);
    for offset in [500.0, 100_000.0] {
        let mut image = chi.map(|&value| if value == 0.0 { 0.0 } else { value + offset });
        let told = check(&mut image, &brain, Path::new("swi.nii")).unwrap_err().to_string();
        assert!(told.contains("another image"), "{told}");
    }
    let mut shifted = map(1.0).0.map(|value| value + 1.0);
    let told = check(&mut shifted, &brain, Path::new("chi.nii")).unwrap_err().to_string();
    assert!(told.contains("without an offset"), "{told}");
    let mut blank = chi.map(|_| 0.0);
    let told = check(&mut blank, &brain, Path::new("chi.nii")).unwrap_err().to_string();
    assert!(told.contains("nearly all of the brain"), "{told}");
}

#[test]
fn a_map_in_ppb_by_its_sidecar_is_converted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub-01_Chimap.nii.gz");
    let say = |units: &str| {
        let text = format!("{{\"Units\": \"{units}\"}}");
        std::fs::write(folder.path().join("sub-01_Chimap.json"), text).unwrap();
    };
    let wanted = map(1.0).0;
    for (factor, units) in
        [(1000.0, "ppb"), (1000.0, "1e-9"), (1e-6, "dimensionless"), (1.0, "ppm")]
    {
        say(units);
        let (mut chi, brain) = map(factor);
        let warnings = check(&mut chi, &brain, &path).unwrap();
        let codes: Vec<_> = warnings.iter().map(|warning| warning.code.as_str()).collect();
        assert_eq!(codes, if factor == 1.0 { vec![] } else { vec!["chi_converted"] });
        let apart = chi.data().iter().zip(wanted.data()).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) < 1e-6, "{units}");
    }
    let told = |factor: f64| {
        let (mut chi, brain) = map(factor);
        check(&mut chi, &brain, &path).unwrap_err().to_string()
    };
    say("ppb");
    assert!(told(1.0).contains("correct Units in the sidecar"), "{}", told(1.0));
    say("ppm");
    assert!(told(1000.0).contains("ppb; divide by 1000"), "{}", told(1000.0));
    say("Hz");
    assert!(told(1.0).contains("\"Hz\""), "{}", told(1.0));
}
