//! The contract of BIDS Apps: command lines as users of fMRIPrep, QSIPrep and MRIQC write them.

use std::fs;
use std::path::Path;

use super::Study;
use crate::support::{COARSE, deepmir, finished, refused, run, text};

/// The subjects that a dry run would process.
fn chosen(study: &Study, more: &[&str]) -> Vec<String> {
    let (code, out, told) = study.participants(&[more, &["--dry-run"]].concat());
    assert_eq!(code, 0, "{told}");
    out.lines().filter_map(|line| Some(line.split_once(": find lesions")?.0.to_owned())).collect()
}

/// Moves a subject's images into a session.
fn into_session(data: &Path, subject: &str, session: &str) {
    let (from, to) =
        (data.join(subject).join("anat"), data.join(subject).join(session).join("anat"));
    fs::create_dir_all(&to).unwrap();
    for entry in fs::read_dir(&from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let name = name.replacen(subject, &format!("{subject}_{session}"), 1);
        fs::rename(&path, to.join(name)).unwrap();
    }
    fs::remove_dir(&from).unwrap();
}

#[test]
fn labels_are_taken_in_every_spelling() {
    let study = Study::new(3);
    let (both, two) = (["sub-01", "sub-02"], ["sub-02"]);
    for words in [
        &["--participant-label", "01", "sub-02"][..],
        &["--participant-label", "01", "--participant-label", "sub-02", "01"],
        &["--participant_label", "sub-01,02"],
        &["--participant_label=01", "--participant-labels=02"],
    ] {
        assert_eq!(chosen(&study, words), both, "{words:?}");
    }
    into_session(&study.data, "sub-02", "ses-a");
    into_session(&study.data, "sub-03", "ses-b");
    for words in [&["--session-label", "a"][..], &["--session_label", "ses-a"], &["--session-id=a"]]
    {
        let scans = chosen(&study, words);
        assert_eq!(scans, [format!("{}_ses-a", two[0])], "{words:?}");
    }
    let (code, _, told) = study.participants(&["--dry-run", "--session-label", "c"]);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("there is no ses-c; similar: ses-a, ses-b"), "{told}");
}

#[test]
fn unknown_subjects_are_named_with_those_near_them() {
    let study = Study::new(3);
    let words = ["--participant-label", "2", "sub-01"];
    refused(&study.arguments(&words), &["there is no sub-2; similar: sub-02", "data"]);
    let words = ["--participant-label", "control7"];
    refused(&study.arguments(&words), &["no sub-control7; there are sub-01, sub-02, sub-03"]);
    let data = text(&study.data);
    let unfit = ["annotate", data, "--participant-label", "9", "--export", "x"];
    refused(&unfit, &["there is no sub-9; similar: ", data]);
    assert!(!study.out.exists());
}

#[test]
fn a_command_line_of_fmriprep_runs_without_a_temporary_folder() {
    let study = Study::new(2);
    let work = study.out.with_file_name("work");
    let arguments = study.arguments(&[
        "--participant_label",
        "01",
        "sub-02",
        "--skip_bids_validation",
        "--nthreads",
        "2",
        "--omp-nthreads",
        "1",
        "--mem_mb",
        "8000",
        "-w",
        text(&work),
        "-v",
    ]);
    let output = deepmir(&arguments).env("TMPDIR", "/nonexistent").output().unwrap();
    let (code, out, told) = finished(&output);
    assert_eq!((code, out.trim()), (0, "2 done, 0 skipped, 0 failed"), "{told}");
    assert!(told.contains("2 subjects, up to 2 at once in 8.0 GB"), "{told}");
    // Nothing had to be reconstructed.
    assert_eq!(fs::read_dir(&work).unwrap().count(), 0);
    // The group level takes the same resources.
    let group =
        ["run", text(&study.data), text(&study.out), "group", "-w", text(&work), "--mem=8G"];
    let (code, _, told) = run(&group);
    assert_eq!(code, 0, "{told}");
}

#[test]
fn the_smaller_of_jobs_and_threads_counts_and_is_told() {
    let study = Study::new(1);
    let told = |more: &[&str]| study.participants(&[more, &["--force"]].concat()).2;
    let words = told(&["--jobs", "8", "--n-cpus", "2"]);
    assert!(words.contains("--jobs 8 is more than 2 threads allow"), "{words}");
    let words = told(&["--jobs", "1", "--n-cpus", "2"]);
    assert!(!words.contains("--jobs"), "{words}");
    let words = told(&["--jobs", "2", "--n-cpus", "2", "--omp-nthreads", "2"]);
    assert!(words.contains("with 2 for each subject: 1 at once"), "{words}");
}

#[test]
fn memory_bounds_the_subjects_at_once_and_says_so() {
    let study = Study::new(3);
    // Each needs a little more than 0.6 GB: the program with its model, and the parcellation of a head.
    let (code, out, told) = study.participants(&["--jobs", "3", "--mem", "800M"]);
    assert_eq!((code, out.trim()), (0, "3 done, 0 skipped, 0 failed"), "{told}");
    let waiting = "memory allows fewer subjects at once than threads: sub-0";
    assert_eq!(told.matches(waiting).count(), 1, "{told}");
    let (code, out, told) = study.participants(&["--dry-run", "--mem-gb", "0.04"]);
    assert_eq!(code, 3, "{told}");
    assert!(out.contains("sub-01: cannot be done in 0.0 GB of memory (0.6 GB)"), "{out}");
}

#[test]
fn intermediate_maps_go_to_the_work_folder_and_can_be_removed() {
    let study = Study::new(0);
    fs::remove_dir_all(&study.data).unwrap();
    let config = study.model.with_file_name("coarse.toml");
    fs::write(&config, COARSE).unwrap();
    let (code, _, told) =
        run(&["phantom", text(&study.data), "--raw", "--seed", "3", "--config", text(&config)]);
    assert_eq!(code, 0, "{told}");
    fs::remove_file(study.data.join("sub-01/anat/sub-01_Chimap.nii.gz")).unwrap();
    let work = study.out.with_file_name("work");
    let field = "sub-01/anat/sub-01_desc-local_fieldmap.nii.gz";
    let map = study.out.join("sub-01/anat/sub-01_Chimap.nii.gz");
    let with_work = ["-w", text(&work)];

    assert_eq!(study.participants(&[]).0, 0);
    assert!(study.out.join(field).exists() && !work.exists());
    let (code, _, told) = study.participants(&[&with_work[..], &["--force"]].concat());
    assert_eq!(code, 0, "{told}");
    assert!(work.join(field).exists() && !study.out.join(field).exists());
    assert_eq!(fs::read_dir(work.join("sub-01/anat")).unwrap().count(), 6);
    // What a later run needs is in OUT.
    fs::remove_dir_all(&work).unwrap();
    let made = fs::metadata(&map).unwrap().modified().unwrap();
    for more in [&[][..], &with_work] {
        let (code, _, told) = study.participants(more);
        assert_eq!(code, 0, "{told}");
        assert_eq!(fs::metadata(&map).unwrap().modified().unwrap(), made);
    }
}

#[test]
fn a_work_folder_that_cannot_be_is_refused_first() {
    let study = Study::new(1);
    let inside = study.data.join("work");
    refused(&study.arguments(&["-w", text(&inside)]), &["in the BIDS dataset", "data/work"]);
    refused(&study.arguments(&["-w", text(&study.out)]), &["is OUT itself"]);
    let file = study.out.with_file_name("file");
    fs::write(&file, b"").unwrap();
    refused(&study.arguments(&["-q", "-w", text(&file)]), &["cannot write to the work folder"]);
    assert!(!inside.exists() && !study.out.exists());
}

#[test]
fn options_without_a_meaning_are_refused_with_the_reason() {
    let study = Study::new(1);
    for (words, reason) in [
        (&["--fs-license-file", "x"][..], "`deepmir run` has no --fs-license-file; leave it out"),
        (&["--fs_license_file=x"], "FreeSurfer"),
        (&["--output-spaces", "MNI152NLin2009cAsym"], "grid of each scan's own images"),
        (&["--task-id", "x"], "--session-label"),
        (&["--notrack"], "sends nothing"),
        (&["--stop_on_first_crash"], "exit status 3"),
        (&["--mem", "16"], "write --mem 16G or --mem 16M"),
        (&["--mem-gb", "0"], "greater than 0"),
        (&["--n-cpus", "0"], "0"),
    ] {
        refused(&study.arguments(words), &[reason]);
    }
    let (_, _, told) = run(&["train", "data", "--notrack"]);
    assert!(!told.contains("deepmir run"), "{told}");
    assert_eq!(chosen(&study, &["--skip-bids-validator"]), ["sub-01"]);
    let (code, out, _) = run(&["run", "--version"]);
    assert_eq!((code, out.as_str()), (0, concat!("deepmir-run ", env!("CARGO_PKG_VERSION"), "\n")));
}
