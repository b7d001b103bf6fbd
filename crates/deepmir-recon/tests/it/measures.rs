//! Measures against a truth equal those of `fixtures/make_measures.py`, which uses numpy, scipy and scikit-image, on
//! maps made by the same formulas.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_recon::measures::{CompareMaps, MEANINGS, TissueLabels, measure};
use deepmir_volume::{Affine, Grid, Mask, Volume, nifti};

const SHAPE: [usize; 3] = [31, 29, 33];

struct Maps {
    chi: Volume<f32>,
    truth: Volume<f32>,
    brain: Mask,
    labels: Volume<i32>,
}

/// As in the script.
fn maps() -> Maps {
    let grid = Grid::new(SHAPE, Affine::from_spacing([1.0, 1.0, 1.5], [0.0; 3])).unwrap();
    let signed = |voxel: [usize; 3]| voxel.map(|n| n as i32);
    let calcified =
        |[i, j, k]: [i32; 3]| (i - 15).abs() < 2 && (j - 14).abs() < 3 && (k - 16).abs() < 2;
    let truth = |[i, j, k]: [i32; 3]| {
        let value = (3 * i * i + 5 * j * j + 7 * k * k + i * j + 2 * j * k) % 401 - 200;
        if calcified([i, j, k]) { value - 3000 } else { value }
    };
    Maps {
        chi: Volume::from_fn(grid, |voxel| {
            let [i, j, k] = signed(voxel);
            let value = 4 * truth([i, j, k]) + (29 * i + 31 * j + 37 * k) % 101;
            (f64::from(value) * 0.0001) as f32
        }),
        truth: Volume::from_fn(grid, |voxel| (f64::from(truth(signed(voxel))) * 0.0005) as f32),
        brain: Volume::from_fn(grid, |voxel| {
            let [i, j, k] = signed(voxel);
            4 * (i - 15).pow(2) + 5 * (j - 14).pow(2) + 3 * (k - 16).pow(2) < 760
        }),
        labels: Volume::from_fn(grid, |voxel| {
            let [i, j, k] = signed(voxel);
            if calcified([i, j, k]) { 16 } else { (i / 3 + 2 * (j / 4) + 5 * (k / 3)) % 12 }
        }),
    }
}

#[test]
fn every_measure_is_the_one_of_other_programs() {
    let expected: BTreeMap<String, f64> =
        serde_json::from_str(include_str!("../fixtures/measures.json")).unwrap();
    let Maps { chi, truth, brain, labels } = maps();
    let found = measure(&chi, &truth, &brain, Some(&TissueLabels::new(labels).unwrap()));
    assert_eq!(found.len(), expected.len());
    for measure in found {
        let name = format!("{} {}", measure.name, measure.region);
        let (got, want) = (measure.value.unwrap(), expected[&name]);
        assert!((got / want - 1.0).abs() < 1e-4, "{name}: {got} and {want}");
        assert!(MEANINGS.iter().any(|(known, _)| *known == measure.name), "{name}");
    }
}

#[test]
fn what_is_not_defined_has_no_value() {
    let Maps { chi, brain, labels, .. } = maps();
    let flat = chi.map(|_| 0.5);
    let value = |found: &[deepmir_recon::measures::Measure], name: &str| {
        found.iter().find(|measure| measure.name == name).unwrap().value
    };
    let found = measure(&chi, &flat, &brain, None);
    assert_eq!(value(&found, "nrmse"), None, "a truth that does not vary");
    assert!(value(&found, "rmse").is_some());
    // A single plane has no gradient across it, and no labels no calcification.
    let plane = Volume::from_fn(*chi.grid(), |[i, _, _]| i == 12);
    assert_eq!(value(&measure(&chi, &flat, &plane, None), "gradient_error"), None);
    let none = TissueLabels::new(labels.map(|_| 0)).unwrap();
    let found = measure(&chi, &chi, &brain, Some(&none));
    assert_eq!(value(&found, "moment_deviation"), None);
    assert!((value(&found, "xsim").unwrap() - 1.0).abs() < 1e-9);
    assert!(found.iter().all(|measure| measure.value.is_none_or(f64::is_finite)));
    let nowhere = measure(&chi, &chi, &brain.map(|_| false), Some(&none));
    assert!(nowhere.iter().all(|measure| measure.value.is_none()), "{nowhere:?}");
}

#[test]
fn files_are_measured_and_other_grids_and_labels_refused() {
    let Maps { chi, truth, brain, labels } = maps();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    nifti::write(&path("chi.nii"), &chi, None).unwrap();
    nifti::write(&path("truth.nii"), &truth, None).unwrap();
    nifti::write(&path("brain.nii"), &brain, None).unwrap();
    nifti::write(&path("labels.nii"), &labels.map(|label| *label as f32), None).unwrap();
    let mut files = CompareMaps {
        chi_map: path("chi.nii"),
        truth: path("truth.nii"),
        mask: Some(path("brain.nii")),
        labels: Some(path("labels.nii")),
        nan_to_zero: false,
    };
    files.check_grid(&path("chi.nii")).unwrap();
    let found = files.measure().unwrap();
    assert!(found.without_value > 0 && found.truth_is_zero > 0);
    let table = std::fs::read_to_string(found.write(folder.path(), "sub-01").unwrap()).unwrap();
    assert_eq!(table.lines().count(), found.measures.len() + 1);
    assert!(table.starts_with("measure\tregion\tvoxels\tvalue\tunit\nrmse\tbrain\t"), "{table}");
    let sidecar = std::fs::read_to_string(path("sub-01_desc-truth_measures.json")).unwrap();
    assert!(sidecar.contains("\"Levels\""), "{sidecar}");

    let told = |files: &CompareMaps| files.measure().unwrap_err().to_string();
    nifti::write(&path("labels.nii"), &labels.map(|label| (*label * 5) as f32), None).unwrap();
    let error = told(&files);
    assert!(
        error.contains("labels.nii") && error.contains("20") && error.contains("0 to 16"),
        "{error}"
    );
    files.labels = None;
    files.mask = None;
    assert_eq!(files.measure().unwrap().without_value, 0);
    let moved = Grid::new(SHAPE, Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
    nifti::write(&path("truth.nii"), &Volume::filled(moved, 0.1_f32), None).unwrap();
    let error = told(&files);
    assert!(error.contains("share a grid") && error.contains("truth.nii"), "{error}");
    assert!(files.check_grid(Path::new(&files.chi_map)).is_err());
    nifti::write(&path("chi.nii"), &chi.map(|_| 0.0), None).unwrap();
    nifti::write(&path("truth.nii"), &truth, None).unwrap();
    let error = told(&files);
    assert!(error.contains("zero in the whole mask") && error.contains("chi.nii"), "{error}");
}
