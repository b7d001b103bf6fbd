//! One run, and the next ones.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use super::{Study, leftovers};
use crate::support::{COARSE, random_model_of, refused, run, text};

#[test]
fn a_run_is_not_done_again_and_a_changed_model_or_image_is() {
    let study = Study::new(3);
    let (code, out, told) = study.participants(&["--jobs", "2"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(out.trim(), "3 done, 0 skipped, 0 failed");
    assert!(leftovers(&study).is_empty(), "{:?}", leftovers(&study));
    let anat = study.out.join("sub-02/anat");
    let table = anat.join("sub-02_desc-lesions.tsv");
    for name in ["sub-02_desc-lesions_report.html", "sub-02_desc-lesions_qc.json"] {
        assert!(anat.join(name).exists(), "{name}");
    }
    let time = |path: &std::path::Path| fs::metadata(path).unwrap().modified().unwrap();
    let before = (time(&table), time(&study.out.join("status/sub-02.json")), study.results());

    let started = Instant::now();
    let (code, out, told) = study.participants(&[]);
    assert_eq!((code, out.trim()), (0, "3 done, 0 skipped, 0 failed"), "{told}");
    assert!(started.elapsed() < Duration::from_secs(5));
    let after = (time(&table), time(&study.out.join("status/sub-02.json")), study.results());
    assert!(before == after, "a second run touched something");

    // One image changes: its subject alone is done again.
    deepmir_testing::write_subject(&study.data.join("other"), 9);
    let other = study.data.join("other/sub-09/anat/sub-09_Chimap.nii.gz");
    fs::copy(other, study.data.join("sub-02/anat/sub-02_Chimap.nii.gz")).unwrap();
    let (code, _, told) = study.participants(&[]);
    assert_eq!(code, 0, "{told}");
    assert!(is_news(&told, "sub-02") && !is_news(&told, "sub-01"), "{told}");
    // A file that is gone is made again.
    fs::remove_file(&table).unwrap();
    let (_, _, told) = study.participants(&[]);
    assert!(table.exists() && told.contains("sub-02: "), "{told}");
    // Another setting: all are predicted again.
    let (code, _, told) = study.participants(&["--flips"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("sub-01: ") && told.contains("sub-03: "), "{told}");
    let (_, _, told) = study.participants(&["--flips", "--force"]);
    assert!(told.contains("sub-01: "), "{told}");
}

#[test]
fn a_file_of_another_time_but_the_same_content_is_the_same() {
    let study = Study::new(1);
    let swi = study.data.join("sub-01/anat/sub-01_acq-swi_T2starw.nii.gz");
    // A clock that was never set.
    let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let set =
        |time| fs::File::options().write(true).open(&swi).unwrap().set_modified(time).unwrap();
    set(past);
    assert_eq!(study.participants(&[]).0, 0);
    set(SystemTime::now() + Duration::from_secs(86_400 * 365));
    let (code, _, told) = study.participants(&[]);
    assert_eq!(code, 0, "{told}");
    assert!(!is_news(&told, "sub-01"), "{told}");
}

#[test]
fn a_dry_run_tells_what_and_why_and_does_nothing() {
    let study = Study::new(2);
    fs::remove_file(study.data.join("sub-02/anat/sub-02_T2w.nii.gz")).unwrap();
    let (code, out, told) = study.participants(&["--dry-run"]);
    assert_eq!(code, 0, "{told}");
    assert!(
        out.contains("sub-01: find lesions") && out.contains("T2w is on the SWI's grid"),
        "{out}"
    );
    assert!(out.contains("sub-02: skip: no T2w for random"), "{out}");
    assert!(!study.out.exists());
    let (code, out, _) = study.participants(&["--participant-label", "sub-02"]);
    assert_eq!((code, out.trim()), (3, "0 done, 1 skipped, 0 failed"));
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_done() {
    let study = Study::new(1);
    refused(&study.arguments(&["--participant-label", "07"]), &["no sub-07", "data"]);
    refused(&study.arguments(&["--mem-gb", "0"]), &["--mem-gb"]);
    refused(&study.arguments(&["--model", "nonesuch"]), &["nonesuch"]);
    fs::remove_file(study.data.join("dataset_description.json")).unwrap();
    refused(&study.arguments(&[]), &["dataset_description.json", "--skip-bids-validation"]);
    assert!(!study.out.exists());
    fs::write(&study.out, b"a file").unwrap();
    refused(&study.arguments(&["--skip-bids-validation", "-q"]), &["cannot write", "out"]);
    let elsewhere = study.out.with_file_name("elsewhere");
    refused(&["run", text(&study.data), text(&elsewhere), "group"], &["participant level"]);
    let more = ["run", text(&study.data), text(&elsewhere), "group", "--dry-run"];
    refused(&more, &["--dry-run"]);
}

#[test]
fn memory_is_a_bound() {
    let study = Study::new(1);
    let (code, _, told) = study.participants(&["--mem-gb", "0.01"]);
    assert_eq!(code, 3);
    assert!(told.contains("sub-01") && told.contains("--mem-gb"), "{told}");
    assert_eq!(study.participants(&["--mem-gb", "1"]).0, 0);
}

#[test]
fn raw_echoes_are_reconstructed_once_whatever_the_model() {
    let study = Study::new(0);
    fs::remove_dir_all(&study.data).unwrap();
    let config = study.model.with_file_name("coarse.toml");
    fs::write(&config, COARSE).unwrap();
    let (code, _, told) =
        run(&["phantom", text(&study.data), "--raw", "--seed", "3", "--config", text(&config)]);
    assert_eq!(code, 0, "{told}");
    let anat = study.data.join("sub-01/anat");
    fs::remove_file(anat.join("sub-01_acq-swi_T2starw.nii.gz")).unwrap();
    fs::remove_file(anat.join("sub-01_Chimap.nii.gz")).unwrap();
    let (code, out, told) = study.participants(&["--dry-run"]);
    assert_eq!(code, 0, "{told}");
    assert!(out.contains("no SWI, QSM: reconstruct 3 echoes; T2w: align"), "{out}");
    let (code, _, told) = study.participants(&[]);
    assert_eq!(code, 0, "{told}");
    let map = study.out.join("sub-01/anat/sub-01_Chimap.nii.gz");
    let made = fs::metadata(&map).unwrap().modified().unwrap();
    let aligned = study.out.join("sub-01/anat/sub-01_T2w.nii.gz");
    let aligned_at = fs::metadata(&aligned).unwrap().modified().unwrap();
    let other = random_model_of(study.model.parent().unwrap(), "other", 2);
    let arguments = ["run", text(&study.data), text(&study.out), "participant"];
    let (code, _, told) = run(&[&arguments[..], &["--model", text(&other)]].concat());
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("sub-01: "), "{told}");
    assert_eq!(fs::metadata(&map).unwrap().modified().unwrap(), made);
    assert_eq!(fs::metadata(&aligned).unwrap().modified().unwrap(), aligned_at);
    let sheet = study.out.join("sub-01/anat/sub-01_acq-swi_seg-lesions_dseg.json");
    assert!(fs::read_to_string(sheet).unwrap().contains("other"));
    let sheet = fs::read_to_string(study.out.join("sub-01/anat/sub-01_desc-lesions_qc.json"));
    assert!(sheet.unwrap().contains("RegistrationSimilarity"));
}

/// Whether lesions were looked for in a subject. Warnings are told every time.
fn is_news(told: &str, subject: &str) -> bool {
    told.lines().any(|line| line.starts_with(&format!("{subject}: ")))
}
