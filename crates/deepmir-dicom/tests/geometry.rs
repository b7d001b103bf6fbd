//! Slices that make no volume are told by their numbers, and the other series go on.

#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod support;

use std::path::Path;

use deepmir_dicom::{Line, Survey};

use support::{copy, labels, set_text, text_of};

const IMAGE_TYPE: [u16; 2] = [0x0008, 0x0008];
const INSTANCE_UID: [u16; 2] = [0x0008, 0x0018];
const INSTANCE_NUMBER: [u16; 2] = [0x0020, 0x0013];
const POSITION: [u16; 2] = [0x0020, 0x0032];

/// What the SWI of the study is taken for; of the other series, all are taken as before.
fn swi(folder: &Path) -> Line {
    let survey = Survey::read(&[folder.to_owned()], &labels(), &|_, _| {}).unwrap();
    let lines = survey.lines();
    let others = lines.iter().filter(|line| line.series != Some(8));
    assert_eq!(others.filter(|line| line.is_taken()).count(), 3);
    lines.into_iter().find(|line| line.series == Some(8)).unwrap()
}

#[test]
fn a_mosaic_is_set_aside_with_what_to_do() {
    let study = copy("siemens");
    for slice in 1..=6 {
        let path = study.path().join(format!("08-00{slice}"));
        set_text(&path, IMAGE_TYPE, "ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC");
    }
    let line = swi(study.path());
    assert!(!line.is_taken() && !line.has_failed());
    assert!(line.why.contains("mosaic") && line.why.contains("export it"), "{}", line.why);
}

#[test]
fn two_images_at_one_place_are_named() {
    let study = copy("siemens");
    let (from, to) = (study.path().join("08-003"), study.path().join("08-007"));
    std::fs::copy(from, &to).unwrap();
    let uid = text_of(&to, INSTANCE_UID);
    set_text(&to, INSTANCE_UID, &format!("{}.9", uid.trim_end_matches('\0')));
    set_text(&to, INSTANCE_NUMBER, "7");
    let line = swi(study.path());
    assert!(line.has_failed());
    assert!(line.why.contains("two images at one place: 3 and 7"), "{}", line.why);
}

#[test]
fn uneven_spacing_is_told_in_millimetres() {
    let study = copy("siemens");
    let place = |slice: usize| -> Vec<f64> {
        let path = study.path().join(format!("08-00{slice}"));
        text_of(&path, POSITION).split('\\').map(|part| part.parse().unwrap()).collect()
    };
    let (two, three) = (place(2), place(3));
    let moved: Vec<String> =
        two.iter().zip(three).map(|(a, b)| format!("{:.4}", a + 0.7 * (b - a))).collect();
    set_text(&study.path().join("08-003"), POSITION, &moved.join("\\"));
    let line = swi(study.path());
    assert!(line.has_failed());
    let told = "slices are 2.000 mm apart, but 1.400 mm between images 2 and 3";
    assert!(line.why.contains(told), "{}", line.why);
}
