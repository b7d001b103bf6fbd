//! Series as makers write them: voxels and affine against dcm2niix (fixtures/make_fixtures.py), and what is taken for what.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a failing test says where"
)]

mod support;

use std::f64::consts::PI;

use deepmir_dicom::{Line, Survey};
use deepmir_volume::Orientation;
use serde_json::Value;
use support::{fixture, labels, survey};

fn expected(case: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all[case].as_array().unwrap().clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Compares every volume of a case; phase in `radians` of one of the converter's units.
fn agrees_with_dcm2niix(case: &str, radians: f64) -> usize {
    let survey = survey(case);
    let lines = survey.lines();
    let images = expected(case);
    for image in &images {
        let (series, time) = (image["series"].as_i64(), number(&image["echo_time_ms"]));
        let part = image["part"].as_str().unwrap();
        let is_it = |line: &Line| {
            line.series == series
                && line.echo_time_ms.is_some_and(|other| (other - time).abs() < 1e-3)
                && line.part.unwrap_or("mag") == part
        };
        let place = lines.iter().position(is_it).unwrap_or_else(|| panic!("{case}: no {image}"));
        let volume = survey.voxels(place).unwrap();
        // 3D acquisitions are stored in another order by dcm2niix: both are compared in RAS.
        let volume = Orientation::of(volume.grid().affine()).to_ras(&volume);
        let rows = volume.grid().affine().rows();
        for (row, want) in rows.iter().zip(image["affine"].as_array().unwrap()) {
            for (value, want) in row.iter().zip(want.as_array().unwrap()) {
                assert!((value - number(want)).abs() < 2e-5, "{case} {series:?}: {rows:?}");
            }
        }
        let shape: Vec<u64> = volume.shape().iter().map(|&side| side as u64).collect();
        assert_eq!(image["shape"], serde_json::json!(shape));
        let voxels = image["voxels"].as_array().unwrap();
        assert_eq!(voxels.len(), volume.data().len());
        for (value, want) in volume.data().iter().zip(voxels) {
            let want = number(want);
            let want = if part == "phase" { (want * radians).clamp(-PI, PI) } else { want };
            let tolerance = 2e-6 * want.abs().max(1.0);
            assert!(
                (f64::from(*value) - want).abs() <= tolerance,
                "{case} {series:?}: {value} {want}"
            );
        }
    }
    images.len()
}

#[test]
fn siemens_voxels_and_affines_equal_those_of_dcm2niix() {
    assert_eq!(agrees_with_dcm2niix("siemens", PI / 4096.0), 5);
}

#[test]
fn ge_voxels_and_affines_equal_those_of_dcm2niix() {
    assert_eq!(agrees_with_dcm2niix("ge", 1.0), 6);
}

#[test]
fn philips_voxels_and_affines_equal_those_of_dcm2niix() {
    assert_eq!(agrees_with_dcm2niix("philips", 1.0), 4);
}

#[test]
fn jpeg_lossless_voxels_and_affines_equal_those_of_dcm2niix() {
    assert_eq!(agrees_with_dcm2niix("archive", 1.0), 2);
}

/// Series number, what it is taken for, and its file.
fn decisions(case: &str) -> Vec<(i64, String, String)> {
    let decided = |line: &Line| {
        let file = line.file.clone().unwrap_or_default();
        let stem = file.split_once('_').map_or("", |(_, rest)| rest).to_owned();
        (line.series.unwrap(), line.taken_for.clone(), stem)
    };
    survey(case).lines().iter().map(decided).collect()
}

fn want(rows: &[(i64, &str, &str)]) -> Vec<(i64, String, String)> {
    rows.iter().map(|(n, what, file)| (*n, (*what).to_owned(), (*file).to_owned())).collect()
}

#[test]
fn a_siemens_swi_study_gives_echoes_swi_and_t2w() {
    assert_eq!(
        decisions("siemens"),
        want(&[
            (5, "mag of echo 1", "echo-1_part-mag_MEGRE"),
            (6, "phase of echo 1", "echo-1_part-phase_MEGRE"),
            (7, "set aside", ""),
            (8, "SWI", "acq-swi_T2starw"),
            (9, "T2w", "T2w"),
        ])
    );
    let lines = survey("siemens").lines();
    assert!(lines[2].why.contains("projection"), "{}", lines[2].why);
}

#[test]
fn real_and_imaginary_images_of_ge_are_told_by_a_private_number() {
    let decisions = decisions("ge");
    let files: Vec<&str> = decisions.iter().map(|(_, _, file)| file.as_str()).collect();
    assert_eq!(
        files,
        [
            "",
            "echo-1_part-real_MEGRE",
            "echo-1_part-imag_MEGRE",
            "",
            "echo-2_part-real_MEGRE",
            "echo-2_part-imag_MEGRE"
        ]
    );
}

#[test]
fn one_philips_object_gives_both_parts_of_both_echoes() {
    let decisions = decisions("philips");
    let files: Vec<&str> = decisions.iter().map(|(_, _, file)| file.as_str()).collect();
    assert_eq!(
        files,
        [
            "echo-1_part-mag_MEGRE",
            "echo-1_part-phase_MEGRE",
            "echo-2_part-mag_MEGRE",
            "echo-2_part-phase_MEGRE"
        ]
    );
}

#[test]
fn a_magnitude_of_long_echo_time_without_phase_is_t2_star_weighted() {
    assert_eq!(
        decisions("archive"),
        want(&[(2, "T2w", "T2w"), (3, "T2*-weighted magnitude", "T2starw")])
    );
}

/// Real files, where they are at hand.
#[test]
fn real_enhanced_files_are_read() {
    let folder = support::shared("real/dicom_enhanced");
    if !folder.is_dir() {
        eprintln!("skipped: no {}", folder.display());
        return;
    }
    let survey = Survey::read(&[folder], &labels(), &|_, _| {}).unwrap();
    let lines = survey.lines();
    assert_eq!(lines.len(), 3);
    for (n, line) in lines.iter().enumerate() {
        assert_eq!((line.slices, line.pixels), (33, [64, 64]));
        assert!(line.why.contains("field map"), "{}", line.why);
        assert!(survey.voxels(n).is_ok());
    }
}
