//! From files to a dataset: what is written, what is not, and what is refused.

#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod support;

use std::path::Path;

use deepmir_cases::bids::scans;
use deepmir_dicom::{DicomError, Labels, Survey};
use support::{copy, files, fixture, labels, set_text, survey, text_of};

fn names(folder: &Path) -> Vec<String> {
    let name = |path: &std::path::PathBuf| {
        path.strip_prefix(folder).unwrap().to_string_lossy().replace('\\', "/")
    };
    files(folder).iter().map(name).collect()
}

#[test]
fn nothing_that_names_a_person_is_written_or_told() {
    let out = tempfile::tempdir().unwrap();
    let cases = ["siemens", "ge", "philips", "archive"].map(fixture);
    let survey = Survey::read(&cases, &labels(), &|_, _| {}).unwrap();
    let summary = survey.write(out.path(), false, &[], &|_, _| {}).unwrap();
    assert_eq!((summary.subjects.len(), summary.failures.len()), (4, 0));
    let mut text = format!("{:?} {summary:?}", survey.lines());
    for path in files(out.path()) {
        text += &path.to_string_lossy();
        let bytes = std::fs::read(&path).unwrap();
        if path.extension().is_none_or(|ending| ending != "gz") {
            text += &String::from_utf8(bytes).unwrap();
        }
    }
    // Names, identifiers, dates, UIDs and free text of the fixtures.
    let words =
        ["Secret", "SECRET", "Doe", "1950", "20260105", "2026-01-05", "1.2.826", "Mag_Images"];
    for word in words {
        assert!(!text.contains(word), "{word} is in the dataset");
    }
    assert!(text.contains("\"EchoTime\": 0.02"));
}

#[test]
fn dates_are_kept_where_they_are_asked_for() {
    let out = tempfile::tempdir().unwrap();
    survey("siemens").write(out.path(), true, &[], &|_, _| {}).unwrap();
    let swi = files(out.path()).into_iter().find(|path| path.ends_with_name("T2starw.json"));
    let text = std::fs::read_to_string(swi.unwrap()).unwrap();
    assert!(text.contains("\"AcquisitionDateTime\": \"2026-01-05T10:20:00.5\""), "{text}");
}

trait EndsWithName {
    fn ends_with_name(&self, end: &str) -> bool;
}

impl EndsWithName for std::path::PathBuf {
    fn ends_with_name(&self, end: &str) -> bool {
        self.to_string_lossy().ends_with(end)
    }
}

#[test]
fn the_dataset_is_one_that_scans_are_found_in() {
    let out = tempfile::tempdir().unwrap();
    survey("siemens").write(out.path(), false, &[], &|_, _| {}).unwrap();
    let found = scans(out.path()).unwrap();
    assert_eq!(found.len(), 1);
    let files = names(out.path());
    for end in [
        "_acq-swi_T2starw.nii.gz",
        "_echo-1_part-mag_MEGRE.nii.gz",
        "_echo-1_part-phase_MEGRE.json",
        "_T2w.nii.gz",
        "_desc-import.tsv",
    ] {
        assert_eq!(files.iter().filter(|name| name.ends_with(end)).count(), 1, "{end}: {files:?}");
    }
    assert!(!files.iter().any(|name| name.contains("partial")));
    let participants = std::fs::read_to_string(out.path().join("participants.tsv")).unwrap();
    assert_eq!(participants.lines().count(), 2);
}

#[test]
fn a_table_names_subjects_and_a_patient_without_a_row_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("subjects.tsv");
    std::fs::write(&table, "patient_id\tparticipant_id\nSECRET3\tsub-p3\n").unwrap();
    let labels = Labels::read_table(&table).unwrap();
    let cases = ["philips", "archive"].map(fixture);
    let survey = Survey::read(&cases, &labels, &|_, _| {}).unwrap();
    assert_eq!(survey.unknown_patients, 1);
    let out = folder.path().join("out");
    let summary = survey.write(&out, false, &[], &|_, _| {}).unwrap();
    assert_eq!(summary.subjects, ["p3"]);
    assert!(out.join("sub-p3/anat/sub-p3_echo-2_part-phase_MEGRE.nii.gz").is_file());
}

#[test]
fn a_subject_that_is_there_and_a_foreign_dataset_are_not_written_over() {
    let out = tempfile::tempdir().unwrap();
    let survey = survey("philips");
    survey.write(out.path(), false, &[], &|_, _| {}).unwrap();
    let again = survey.write(out.path(), false, &[], &|_, _| {}).unwrap_err();
    assert!(matches!(again, DicomError::SubjectExists { .. }), "{again}");
    let foreign = tempfile::tempdir().unwrap();
    std::fs::create_dir(foreign.path().join("sub-01")).unwrap();
    let told = survey.write(foreign.path(), false, &[], &|_, _| {}).unwrap_err().to_string();
    assert!(told.contains("another dataset"), "{told}");
    assert_eq!(names(foreign.path()), Vec::<String>::new());
}

#[test]
fn a_missing_slice_is_named_and_the_other_series_are_written() {
    let source = copy("siemens");
    std::fs::remove_file(source.path().join("08-003")).unwrap();
    let survey = Survey::read(&[source.path().to_owned()], &labels(), &|_, _| {}).unwrap();
    let line = survey.lines().into_iter().find(|line| line.series == Some(8)).unwrap();
    assert_eq!(line.taken_for, "failed");
    assert!(line.why.contains("1 slice is missing between images 2 and 4"), "{}", line.why);
    let out = tempfile::tempdir().unwrap();
    let summary = survey.write(out.path(), false, &[], &|_, _| {}).unwrap();
    assert_eq!((summary.images, summary.failures.len()), (3, 1));
    let told = summary.failures[0].to_string();
    assert!(told.contains("series 8") && told.contains("08-00"), "{told}");
}

#[test]
fn patients_that_are_mixed_in_a_folder_become_subjects_of_their_own() {
    // The same series number, protocol and geometry; file names that alternate.
    let source = copy("archive");
    for path in files(source.path()) {
        let other = path.with_extension("b");
        std::fs::copy(&path, &other).unwrap();
        for (tag, end) in [([8, 0x18], ".9"), ([0x20, 0xd], ".9"), ([0x20, 0xe], ".9")] {
            let uid = text_of(&other, tag);
            set_text(&other, tag, &format!("{}{end}", uid.trim_end_matches('\0')));
        }
        set_text(&other, [0x10, 0x20], "SECRET9");
    }
    let survey = Survey::read(&[source.path().to_owned()], &labels(), &|_, _| {}).unwrap();
    let lines = survey.lines();
    assert_eq!((lines.len(), survey.copies), (4, 0));
    assert!(lines.iter().all(|line| line.slices == 6 && line.is_taken() && line.session.is_none()));
    let out = tempfile::tempdir().unwrap();
    let summary = survey.write(out.path(), false, &[], &|_, _| {}).unwrap();
    assert_eq!((summary.subjects.len(), summary.images, summary.failures.len()), (2, 4, 0));
}

#[test]
fn two_series_of_one_number_and_name_stay_apart() {
    let source = copy("siemens");
    for slice in 1..=6 {
        let path = source.path().join(format!("08-00{slice}"));
        let other = source.path().join(format!("08-00{slice}b"));
        std::fs::copy(&path, &other).unwrap();
        for tag in [[8, 0x18], [0x20, 0xe]] {
            let uid = text_of(&other, tag);
            set_text(&other, tag, &format!("{}.9", uid.trim_end_matches('\0')));
        }
    }
    let survey = Survey::read(&[source.path().to_owned()], &labels(), &|_, _| {}).unwrap();
    let lines = survey.lines();
    let of_number = lines.iter().filter(|line| line.series == Some(8));
    let files: Vec<&str> = of_number.filter_map(|line| line.file.as_deref()).collect();
    assert_eq!(files.len(), 2);
    for (file, run) in files.iter().zip(["run-1", "run-2"]) {
        assert!(file.contains("acq-swi") && file.contains(run), "{files:?}");
    }
    assert!(lines.iter().all(|line| line.slices == 6));
}

#[test]
fn copies_of_a_file_count_once_and_what_is_no_dicom_is_passed_over() {
    let source = copy("archive");
    std::fs::copy(source.path().join("02-001"), source.path().join("copy")).unwrap();
    std::fs::write(source.path().join("notes.txt"), "no image").unwrap();
    std::fs::write(source.path().join("empty"), "").unwrap();
    let survey = Survey::read(&[source.path().to_owned()], &labels(), &|_, _| {}).unwrap();
    assert_eq!((survey.copies, survey.passed_over["no DICOM file"]), (1, 2));
    assert!(survey.lines().iter().all(|line| line.slices == 6 && line.is_taken()));
}

/// Files of which each part is read by code of its own, and a sound one of the series: one slice is no volume.
const DAMAGED: [[&str; 2]; 12] = [
    ["philips/IM_0001", "philips/IM_0001"],
    ["archive/02-001", "archive/02-002"],
    ["ge/04-001", "ge/04-002"],
    ["siemens/09-002", "siemens/09-003"],
    ["compressed/01-j2k-1", "compressed/01-j2k-2"],
    ["compressed/02-j2k-signed-1", "compressed/02-j2k-signed-2"],
    ["compressed/03-j2k-byte-1", "compressed/03-j2k-byte-2"],
    ["compressed/04-j2k-lossy-1", "compressed/04-j2k-lossy-2"],
    ["compressed/05-jls-1", "compressed/05-jls-2"],
    ["compressed/08-jls-near-1", "compressed/08-jls-near-2"],
    ["compressed/09-jls-parameters-1", "compressed/09-jls-parameters-2"],
    ["compressed/10-jpeg-byte-1", "compressed/10-jpeg-byte-2"],
];

/// Reads all of a damaged file, whatever comes of it.
fn read_all(path: &Path, sound: &str) {
    let given = [path.to_owned(), fixture(sound)];
    let Ok(survey) = Survey::read(&given, &labels(), &|_, _| {}) else { return };
    for line in 0..survey.lines().len() {
        let _ = survey.voxels(line).map_err(|error| error.to_string());
    }
}

#[test]
fn a_file_cut_anywhere_is_told_and_never_a_panic() {
    let source = tempfile::tempdir().unwrap();
    let path = source.path().join("cut");
    for [whole, sound] in DAMAGED {
        let bytes = std::fs::read(fixture(whole)).unwrap();
        let step = (bytes.len() / 40).max(1);
        for end in (0..bytes.len()).step_by(step) {
            std::fs::write(&path, &bytes[..end]).unwrap();
            read_all(&path, sound);
        }
    }
}

#[test]
fn bytes_that_are_changed_never_make_it_panic_or_take_much_memory() {
    let source = tempfile::tempdir().unwrap();
    let path = source.path().join("changed");
    let mut state = 1_u64;
    for [whole, sound] in DAMAGED {
        let bytes = std::fs::read(fixture(whole)).unwrap();
        for _ in 0..60 {
            let mut bytes = bytes.clone();
            for _ in 0..4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let place = 132 + (state >> 33) as usize % (bytes.len() - 132);
                bytes[place] = (state >> 56) as u8;
            }
            std::fs::write(&path, &bytes).unwrap();
            read_all(&path, sound);
        }
    }
}

#[test]
fn a_folder_without_mr_images_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "text").unwrap();
    let read = Survey::read(&[folder.path().to_owned()], &labels(), &|_, _| {});
    let Err(error) = read else { panic!("an image") };
    assert!(error.to_string().contains("no MR image among 1 files"), "{error}");
}
