//! Segmentations of others become label maps on the images that they were drawn on.

#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod support;

use std::path::{Path, PathBuf};

use deepmir_dicom::{SegmentClasses, Survey};
use deepmir_lesion::{LabelMap, LesionClass};

use support::{files, fixture, labels};

fn classes() -> SegmentClasses {
    let mut classes = SegmentClasses::default();
    classes.add("microbleeds", Some(LesionClass::Cmb));
    classes
}

fn read(given: &[PathBuf]) -> Survey {
    Survey::read(given, &labels(), &|_, _| {}).unwrap()
}

/// The voxels of each class: column, row from the top, slice.
fn voxels(labels: &LabelMap, class: LesionClass) -> Vec<[usize; 3]> {
    let grid = labels.grid();
    let rows = grid.shape()[1];
    let inside = (0..grid.len()).filter(|&at| labels.class_at(at) == Some(class));
    let mut all: Vec<[usize; 3]> =
        inside.map(|at| grid.voxel(at)).map(|[i, j, k]| [i, rows - 1 - j, k]).collect();
    all.sort_unstable();
    all
}

fn label_map(folder: &Path) -> LabelMap {
    let all = files(&folder.join("derivatives/dicom"));
    let map = all.into_iter().find(|path| path.to_string_lossy().ends_with("_dseg.nii.gz"));
    LabelMap::read(&map.unwrap()).unwrap().0
}

#[test]
fn those_of_highdicom_and_dcmqi_have_their_voxels() {
    for name in ["highdicom", "dcmqi"] {
        let survey = read(&[fixture("siemens"), fixture(&format!("segments/{name}.dcm"))]);
        let (maps, faults) = survey.label_maps(&classes());
        assert!(faults.is_empty(), "{faults:?}");
        assert!(maps[0].name.ends_with("_acq-swi_seg-lesions_dseg"), "{}", maps[0].name);
        let out = tempfile::tempdir().unwrap();
        let summary = survey.write(out.path(), false, &maps, &|_, _| {}).unwrap();
        assert_eq!(summary.label_maps, 1);
        let found = label_map(out.path());
        let cmb = voxels(&found, LesionClass::Cmb);
        assert_eq!(cmb, [[2, 3, 1], [2, 3, 2], [3, 3, 1], [9, 0, 5]], "{name}");
        assert_eq!(voxels(&found, LesionClass::Nhid), [[5, 4, 3], [5, 5, 3]], "{name}");
    }
}

#[test]
fn a_segment_that_says_nothing_and_images_that_are_not_there_are_told() {
    let seg = fixture("segments/highdicom.dcm");
    let told = |survey: &Survey, classes: &SegmentClasses| {
        let (maps, faults) = survey.label_maps(classes);
        assert!(maps.is_empty());
        faults[0].to_string()
    };
    let survey = read(&[fixture("siemens"), seg.clone()]);
    let unknown = told(&survey, &SegmentClasses::default());
    assert!(unknown.contains("--segments") && unknown.contains("highdicom.dcm"), "{unknown}");
    let others = told(&read(&[fixture("ge"), seg.clone()]), &classes());
    assert!(others.contains("drawn on"), "{others}");
    // Of two segmentations of a scan, one is made.
    let survey = read(&[fixture("siemens"), seg, fixture("segments/dcmqi.dcm")]);
    let (maps, faults) = survey.label_maps(&classes());
    assert_eq!((maps.len(), faults.len()), (1, 1));
    assert!(faults[0].to_string().contains("another segmentation"), "{}", faults[0]);
}

#[test]
fn fractions_are_refused() {
    let survey = read(&[fixture("siemens"), fixture("segments/fractional.dcm")]);
    let told = survey.damaged[0].to_string();
    assert!(told.contains("fractions") && told.contains("fractional.dcm"), "{told}");
}

#[test]
fn a_damaged_one_is_told_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.dcm");
    let whole = std::fs::read(fixture("segments/dcmqi.dcm")).unwrap();
    let image = fixture("siemens");
    let images: Vec<PathBuf> =
        files(&image).into_iter().filter(|path| path.to_string_lossy().contains("/08-")).collect();
    let mut state = 1_u64;
    for n in 0..150 {
        let mut bytes = whole.clone();
        if n % 3 == 0 {
            bytes.truncate(132 + (bytes.len() - 132) * n / 150);
        }
        for _ in 0..4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let place = 132 + (state >> 33) as usize % (bytes.len() - 131);
            if let Some(byte) = bytes.get_mut(place) {
                *byte = (state >> 56) as u8;
            }
        }
        std::fs::write(&path, &bytes).unwrap();
        let given: Vec<PathBuf> = images.iter().chain([&path]).cloned().collect();
        let (maps, faults) = read(&given).label_maps(&classes());
        assert!(maps.len() + faults.len() <= 1);
    }
}
