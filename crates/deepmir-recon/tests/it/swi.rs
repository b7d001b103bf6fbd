//! Susceptibility-weighted images: what is dark, how far, and by which sign.

use std::f64::consts::PI;

use deepmir_recon::output::{OutputContext, OutputNames, write_reconstruction, writes};
use deepmir_recon::swi::{
    SusceptibilityWeighting, SwiConfig, susceptibility_weighted, weighted_by_susceptibility,
};
use deepmir_recon::{GYROMAGNETIC_RATIO_HZ_PER_T, GradientEchoScan, ReconConfig, reconstruct};
use deepmir_volume::{Volume, Warning, nifti};
use serde_json::{Value, json};

use crate::common::{FIELD_STRENGTH_T, Head, Signal, grid, inverted};

const ECHO_TIME_S: f64 = 0.02;
const VEIN_RADIUS_MM: f64 = 3.1;
const VEIN_PPM: f64 = 0.3;

/// One echo, without noise, of a vein along the main field and through the middle of the grid, which
/// reaches 24 mm to each side. The receiver adds a phase that varies slowly.
fn vein(spacing_mm: [f64; 3]) -> GradientEchoScan {
    let shape = [48.0, 48.0, 8.0];
    let shape = std::array::from_fn(|n| (shape[n] / spacing_mm[n]).round() as usize + 1);
    let grid = grid(shape, spacing_mm);
    // A long cylinder along the field raises it inside by a third of its susceptibility, and outside
    // not at all.
    let field_ppm = Volume::from_fn(grid, |voxel| {
        let [x, y, _] = grid.position_mm(voxel);
        if x.hypot(y) < VEIN_RADIUS_MM { (VEIN_PPM / 3.0) as f32 } else { 0.0 }
    });
    let signal = Signal {
        field_ppm: &field_ppm,
        magnitude: &Volume::filled(grid, 100.0),
        echo_times_s: &[ECHO_TIME_S],
        noise: 0.0,
        offset_rad: |[x, y, _]| 0.4 + 0.02 * x - 0.03 * y,
        even_offset_rad: |_| 0.0,
    };
    signal.scan()
}

/// What the SWI's magnitude was multiplied by.
fn factors(scan: &GradientEchoScan) -> Volume<f32> {
    let magnitude = &scan.echoes()[0].magnitude;
    let mut swi = susceptibility_weighted(scan, &SwiConfig::default());
    swi.data_mut().iter_mut().zip(magnitude.data()).for_each(|(value, full)| *value /= full);
    swi
}

/// The factor in the axis of the vein: of the Gaussian around it, the disc of the vein takes up
/// 1 − exp(−r²/2σ²).
fn factor_in_the_axis() -> f64 {
    let config = SwiConfig::default();
    let hertz = VEIN_PPM / 3.0 * 1e-6 * GYROMAGNETIC_RATIO_HZ_PER_T * FIELD_STRENGTH_T;
    let angle = 2.0 * PI * hertz * ECHO_TIME_S;
    let share = 1.0 - (-(VEIN_RADIUS_MM / config.high_pass_sigma_mm).powi(2) / 2.0).exp();
    let around = (share * angle.sin()).atan2(1.0 - share + share * angle.cos());
    (1.0 - (angle - around) / PI).powi(i32::from(config.mask_power))
}

#[test]
fn a_vein_is_as_dark_as_the_window_in_millimetres_makes_it_on_voxels_of_any_size() {
    let want = factor_in_the_axis();
    assert!((0.2..0.7).contains(&want), "{want}");
    let coarse = factors(&vein([1.0, 1.0, 2.0]));
    for spacing_mm in [[1.0, 1.0, 2.0], [0.5, 0.5, 2.0], [1.0, 0.5, 4.0], [0.25, 0.5, 1.0]] {
        let fine = factors(&vein(spacing_mm));
        let to_voxel = fine.grid().affine().inverse();
        let at = |mm: [f64; 3]| fine[to_voxel.apply(mm).map(|index| index.round() as usize)];
        let centre = f64::from(at([0.0; 3]));
        assert!((centre - want).abs() < 0.03, "{centre} for {want} on {spacing_mm:?}");
        for (index, &other) in coarse.data().iter().enumerate() {
            let mm = coarse.grid().position_mm(coarse.grid().voxel(index));
            let r = mm[0].hypot(mm[1]);
            // Voxels that the vein's wall runs through differ.
            if mm[2] == 0.0 && r < 14.0 && (r - VEIN_RADIUS_MM).abs() > 0.75 {
                assert!((at(mm) - other).abs() < 0.05, "{} {other} {mm:?} {spacing_mm:?}", at(mm));
            }
        }
    }
}

#[test]
fn an_inverted_phase_darkens_the_tissue_around_a_vein_and_not_the_vein() {
    let scan = vein([0.5, 0.5, 2.0]);
    let (right, wrong) = (factors(&scan), factors(&inverted(&scan)));
    let [x, y, z] = right.shape().map(|length| length / 2);
    for (voxel, in_vein) in [([x, y, z], true), ([x + 3, y - 2, z], true), ([x + 8, y, z], false)] {
        let (dark, bright) = if in_vein { (&right, &wrong) } else { (&wrong, &right) };
        assert!(dark[voxel] < 0.85, "{} at {voxel:?}", dark[voxel]);
        assert!(bright[voxel] > 0.999, "{} at {voxel:?}", bright[voxel]);
    }
}

#[test]
fn an_image_from_susceptibility_is_the_magnitude_times_the_mask() {
    let head = Head::new();
    let scan = head.scan();
    let made = |from_susceptibility| {
        let mut config = ReconConfig::default();
        config.swi.from_susceptibility = from_susceptibility;
        reconstruct(&scan, Some(&head.brain), &config, |_| ()).unwrap()
    };
    let plain = made(None);
    assert!(plain.swi_from_susceptibility.is_none());
    let with = made(Some(SusceptibilityWeighting::TSWI));
    assert_eq!(with.swi, plain.swi);
    assert_eq!(with.chi_ppm, plain.chi_ppm);
    let tswi = with.swi_from_susceptibility.unwrap();
    // Of 6, 12, 18 and 24 ms, the nearest to 20 ms at 3 T.
    assert_eq!(tswi.echo_times_s, [0.018]);
    let magnitude = &scan.echoes()[2].magnitude;
    for index in 0..head.grid.len() {
        let (chi, full) = (with.chi_ppm.data()[index], magnitude.data()[index]);
        let mask = (1.0 - (chi / 0.45).clamp(0.0, 1.0)).powi(2);
        let want = if with.reliable.data()[index] { full * mask } else { full };
        assert!((tswi.image.data()[index] - want).abs() <= 1e-5 * full);
    }
    let smwi = made(Some(SusceptibilityWeighting::SMWI)).swi_from_susceptibility.unwrap();
    assert_eq!(smwi.echo_times_s, [0.006, 0.012, 0.018, 0.024]);
    // Iron is dark in its middle, where an SWI shows its poles; calcium is not.
    for (image, full) in
        [(&tswi.image, magnitude), (&smwi.image, &deepmir_recon::brain::combined_magnitude(&scan))]
    {
        let at = |position: [f64; 3]| {
            let voxel = head.grid.affine().inverse().apply(position).map(|i| i.round() as usize);
            image[voxel] / full[voxel]
        };
        assert!(at(head.iron.centre_mm) < 0.3, "{}", at(head.iron.centre_mm));
        assert!(at(head.calcium.centre_mm) > 0.999, "{}", at(head.calcium.centre_mm));
    }
}

#[test]
fn an_image_from_susceptibility_is_written_with_its_settings() {
    let head = Head::new();
    let scan = head.scan();
    let mut made = reconstruct(&scan, Some(&head.brain), &ReconConfig::default(), |_| ()).unwrap();
    made.warnings = vec![Warning::new("phase_sign", "inverted")];
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    nifti::write(&path("first.nii"), &scan.echoes()[0].magnitude, None).unwrap();
    let header = nifti::read_header(&path("first.nii")).unwrap();
    let names = OutputNames { folder: folder.path(), stem: "sub-01" };
    let context = OutputContext { header: &header, field_strength_t: 3.0, sources: &[] };
    for (name, weighting, settings, echo_time) in [
        (
            "tSWI",
            SusceptibilityWeighting::TSWI,
            json!({ "method": "tswi", "low_ppm": 0.0, "high_ppm": 0.45, "power": 2 }),
            json!(0.018),
        ),
        (
            "SMWI",
            SusceptibilityWeighting::SMWI,
            json!({ "method": "smwi", "threshold_ppm": 1.0, "power": 4 }),
            json!([0.006, 0.012, 0.018, 0.024]),
        ),
    ] {
        let config = SwiConfig { from_susceptibility: Some(weighting), ..Default::default() };
        made.swi_from_susceptibility =
            weighted_by_susceptibility(&scan, &made.chi_ppm, &made.reliable, &config);
        let image = format!("sub-01_{name}.nii.gz");
        assert!(writes("sub-01", false, &image));
        let paths = write_reconstruction(&made, &names, &context).unwrap();
        assert_eq!(paths.len(), 10);
        assert!(paths.contains(&path(&image)));
        let written = nifti::read(&path(&image)).unwrap().volume;
        assert_eq!(written.data(), made.swi_from_susceptibility.as_ref().unwrap().image.data());
        let text = std::fs::read_to_string(path(&format!("sub-01_{name}.json"))).unwrap();
        let sidecar: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(sidecar["SusceptibilityWeighting"], settings);
        assert_eq!(sidecar["EchoTime"], echo_time);
        assert_eq!(sidecar["SkullStripped"], json!(false));
        assert_eq!(sidecar["Warnings"][0]["Code"], json!("phase_sign"));
    }
    // Nothing of an earlier run with other settings stays.
    assert!(!path("sub-01_tSWI.nii.gz").exists() && !path("sub-01_tSWI.json").exists());
    made.swi_from_susceptibility = None;
    made.r2_star_per_s = None;
    let paths = write_reconstruction(&made, &names, &context).unwrap();
    assert!(paths.iter().all(|path| path.exists()));
    for name in ["SMWI", "R2starmap"] {
        for kind in ["nii.gz", "json"] {
            assert!(!path(&format!("sub-01_{name}.{kind}")).exists(), "{name}.{kind}");
        }
    }
}
