use deepmir_recon::output::{OutputContext, OutputNames, write_reconstruction};
use deepmir_recon::separation::{R2, SeparationConfig, separate};
use deepmir_recon::swi::{SusceptibilityWeighting, weighted_by_susceptibility};
use deepmir_recon::{
    GradientEchoScan, LEAST_FLUID_MM3, ReconConfig, Reconstruction, Reference, reconstruct,
};
use deepmir_volume::{Mask, Volume, nifti, statistics};
use serde_json::Value;

use crate::common::{Head, Signal, Sphere, ball, distance, field_of, no_offset};

const FLUID: Sphere = Sphere { centre_mm: [0.0, 5.0, 0.0], radius_mm: 11.0, chi_ppm: -0.15 };

/// A head whose middle is fluid of −0.15 ppm against the tissue around it, which hardly decays.
fn scan(head: &Head) -> GradientEchoScan {
    let field_ppm = field_of(&head.grid, &[FLUID, head.air], [0.0, 0.0, 1.0]);
    let signal = Signal {
        field_ppm: &field_ppm,
        magnitude: &head.magnitude,
        echo_times_s: &[0.006, 0.012, 0.018, 0.024],
        noise: 0.002,
        offset_rad: no_offset,
        even_offset_rad: no_offset,
    };
    let scan = signal.scan();
    let mut echoes = scan.echoes().to_vec();
    for echo in &mut echoes {
        let gain = (18.0 * echo.echo_time_s).exp() as f32;
        for index in 0..head.grid.len() {
            let at = head.grid.position_mm(head.grid.voxel(index));
            if distance(at, FLUID.centre_mm) <= FLUID.radius_mm {
                echo.magnitude.data_mut()[index] *= gain;
            }
        }
    }
    GradientEchoScan::new(echoes, scan.field_strength_t(), scan.b0_direction()).unwrap()
}

fn median(map: &Volume<f32>, mask: &Mask) -> f32 {
    let inside = map.data().iter().zip(mask.data()).filter(|(_, inside)| **inside);
    statistics::median(&mut inside.map(|(&value, _)| value).collect::<Vec<f32>>()).unwrap()
}

fn chi_sidecar(made: &Reconstruction, scan: &GradientEchoScan) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first.nii");
    nifti::write(&first, &scan.echoes()[0].magnitude, None).unwrap();
    let header = nifti::read_header(&first).unwrap();
    let names = OutputNames { folder: folder.path(), stem: "sub-01" };
    let context = OutputContext { header: &header, field_strength_t: 3.0, sources: &[] };
    write_reconstruction(made, &names, &context).unwrap();
    let text = std::fs::read_to_string(folder.path().join("sub-01_Chimap.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn fluid_is_zero_and_tissue_lies_above_it_by_what_is_known() {
    let head = Head::new();
    let scan = scan(&head);
    let mut config = ReconConfig::default();
    config.swi.from_susceptibility = Some(SusceptibilityWeighting::TSWI);
    config.separation = Some(SeparationConfig { r2_prime_hz_per_ppm: 137.0, r2_share: Some(0.6) });
    let by_brain = reconstruct(&scan, Some(&head.brain), &config, |_| ()).unwrap();
    assert_eq!(chi_sidecar(&by_brain, &scan)["ZeroReference"]["Region"], "brain");
    // Half of what is given is tissue, which decays faster.
    let outline = ball(&head.grid, FLUID.centre_mm, 15.0);
    let mut made = by_brain.clone();
    made.refer_to_fluid(&scan, &outline, &config).unwrap();

    let fluid = ball(&head.grid, FLUID.centre_mm, FLUID.radius_mm - 2.0);
    assert!(median(&made.chi_ppm, &fluid).abs() < 0.01, "{}", median(&made.chi_ppm, &fluid));
    let brain = median(&made.chi_ppm, &made.reliable);
    assert!((0.10..0.17).contains(&brain), "{brain} ppm for 0.15");
    assert!((made.zero.brain_median_ppm - brain).abs() < 1e-6);
    // A constant inside, nothing outside.
    for index in 0..head.grid.len() {
        let apart = made.chi_ppm.data()[index] - by_brain.chi_ppm.data()[index];
        let want = if made.reliable.data()[index] { brain } else { 0.0 };
        assert!((apart - want).abs() < 1e-5, "{apart} for {want}");
    }
    let tswi = weighted_by_susceptibility(&scan, &made.chi_ppm, &made.reliable, &config.swi);
    let images = [tswi, made.swi_from_susceptibility.clone()].map(|image| image.unwrap().image);
    assert_eq!(images[0], images[1]);
    let (rate, separation) = (made.r2_star_per_s.as_ref().unwrap(), config.separation.unwrap());
    let hz_per_ppm = separation.hz_per_ppm_at(scan.field_strength_t());
    let want = separate(&made.chi_ppm, rate, R2::Share(0.6), &made.reliable, hz_per_ppm);
    assert_eq!(made.separated.as_ref().unwrap().positive_ppm, want[0]);
    let sidecar = &chi_sidecar(&made, &scan)["ZeroReference"];
    assert_eq!(sidecar["Region"], "fluid");
    let volume_mm3 = sidecar["VolumeMm3"].as_f64().unwrap();
    assert!((4000.0..7000.0).contains(&volume_mm3), "{volume_mm3}");
    assert!((sidecar["BrainMedianPpm"].as_f64().unwrap() - f64::from(brain)).abs() < 1e-6);
}

#[test]
fn too_little_fluid_changes_nothing() {
    let head = Head::new();
    let scan = scan(&head);
    let config = ReconConfig::default();
    let by_brain = reconstruct(&scan, Some(&head.brain), &config, |_| ()).unwrap();
    // Small, or of tissue.
    for (centre_mm, radius_mm) in [(FLUID.centre_mm, 5.0), ([0.0, -24.0, 0.0], 9.0)] {
        let mut made = by_brain.clone();
        let outline = ball(&head.grid, centre_mm, radius_mm);
        let volume_mm3 = made.refer_to_fluid(&scan, &outline, &config).unwrap_err();
        assert!(volume_mm3 < LEAST_FLUID_MM3, "{volume_mm3}");
        assert_eq!(made.chi_ppm, by_brain.chi_ppm);
        assert_eq!(made.zero.region, Reference::Brain);
    }
}
