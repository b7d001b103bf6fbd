//! Made-up heads, and what is reconstructed from their echoes.

use std::fs;
use std::path::Path;

use deepmir_volume::{nifti, statistics};

use crate::support::{COARSE, run, text};

#[test]
fn a_phantom_is_made_resumed_and_reconstructed() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("coarse.toml");
    fs::write(&config, format!("{COARSE}[phantom.output]\ntrue_maps = true\n")).unwrap();
    let (heads, maps) = (folder.path().join("heads"), folder.path().join("maps"));
    let phantom = ["phantom", text(&heads), "--raw", "--seed", "3", "--config", text(&config)];
    let (code, out, told) = run(&phantom);
    assert_eq!(code, 0, "{told}");
    assert!(out.contains("heads"), "{out}");
    let anat = heads.join("sub-01/anat");
    for name in ["sub-01_acq-swi_T2starw", "sub-01_Chimap", "sub-01_T2w"] {
        assert!(anat.join(format!("{name}.nii.gz")).exists(), "{name}");
    }
    let (code, _, told) = run(&phantom);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("finished before"), "{told}");

    let (code, out, told) = run(&["recon", text(&heads), text(&maps)]);
    assert_eq!(code, 0, "{told}");
    assert!(out.contains("sub-01_Chimap.nii.gz"), "{out}");
    assert!(told.contains("phase: radians"), "{told}");
    let made = maps.join("sub-01/anat");
    let raw = nifti::read(&anat.join("sub-01_echo-1_part-mag_MEGRE.nii.gz")).unwrap().volume;
    for name in ["acq-swi_T2starw", "Chimap", "R2starmap", "desc-brain_mask", "T2w"] {
        let image = nifti::read(&made.join(format!("sub-01_{name}.nii.gz"))).unwrap().volume;
        assert!(image.grid().same_as(raw.grid()), "{name}");
    }
    assert!(maps.join("dataset_description.json").exists());
    fluid_is_zero(&heads, &made);

    // A scan that cannot be done does not keep the others from it.
    let broken = heads.join("sub-00/anat");
    fs::create_dir_all(&broken).unwrap();
    for part in ["mag", "phase"] {
        let name = format!("sub-00_echo-1_part-{part}_MEGRE.nii.gz");
        fs::write(broken.join(name), b"no image").unwrap();
    }
    let again = folder.path().join("again");
    let (code, _, told) = run(&["recon", text(&heads), text(&again)]);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("some scans failed\n  sub-00: "), "{told}");
    assert!(again.join("sub-01/anat/sub-01_Chimap.nii.gz").exists());
    fs::remove_dir_all(heads.join("sub-00")).unwrap();

    let (code, _, told) = run(&["recon", text(&maps), text(&folder.path().join("nothing"))]);
    assert_eq!(code, 1);
    assert!(told.contains("no raw echoes"), "{told}");
    let (code, _, told) = run(&["recon", text(&heads), text(&maps), "--participant-label", "07"]);
    assert_eq!(code, 1);
    assert!(told.contains("there is no sub-07"), "{told}");
}

/// Reconstructs phantoms with zero in the fluid, whose true susceptibility is 0.019 ppm, and another fit of the field than
/// in `made`.
fn fluid_is_zero(heads: &Path, made: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let maps = folder.path().join("maps");
    let choice = ["--reference", "fluid", "--field-fit", "line"];
    let (code, _, told) = run(&[&["recon", text(heads), text(&maps)], &choice[..]].concat());
    assert_eq!(code, 0, "{told}");
    let maps = maps.join("sub-01/anat");
    let map = |folder: &Path, name: &str| {
        nifti::read(&folder.join(format!("sub-01_{name}.nii.gz"))).unwrap().volume
    };
    let sidecar = fs::read_to_string(maps.join("sub-01_Chimap.json")).unwrap();
    let sidecar: serde_json::Value = serde_json::from_str(&sidecar).unwrap();
    assert_eq!(sidecar["ZeroReference"]["Region"], "fluid", "{told}");
    let truth = map(&heads.join("derivatives/truth/sub-01/anat"), "Chimap");
    let reliable = map(&maps, "desc-reliable_mask");
    let inside = truth.data().iter().zip(reliable.data()).filter(|(_, inside)| **inside > 0.5);
    let mut values: Vec<f32> = inside.map(|(&value, _)| value).collect();
    let above_fluid = statistics::median(&mut values).unwrap() - 0.019;
    let found = sidecar["ZeroReference"]["BrainMedianPpm"].as_f64().unwrap();
    assert!((found - f64::from(above_fluid)).abs() < 0.015, "{found} for {above_fluid}");
    let field = "desc-total_fieldmap";
    assert_ne!(map(&maps, field).data(), map(made, field).data());
}

#[test]
fn echoes_without_their_pair_or_folder_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let magnitude = folder.path().join("mag.nii.gz");
    let (code, _, told) = run(&["recon", "--mag", text(&magnitude), "-o", text(folder.path())]);
    assert_eq!(code, 1);
    assert!(told.contains("one of each for each echo"), "{told}");
    let (code, _, told) = run(&["recon"]);
    assert_eq!(code, 1);
    assert!(told.contains("give a BIDS dataset"), "{told}");
}
