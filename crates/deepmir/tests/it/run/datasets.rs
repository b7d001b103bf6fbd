//! Datasets as they are: linked, not fetched, with several images of a kind, under other names. What is not used is told,
//! and raw data stays as it is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use super::{Study, describe};
use crate::support::{deepmir, refused, run, text};

/// A study of empty images: enough to see what would be done.
fn listed(files: &[&str]) -> Study {
    let study = Study::new(0);
    for file in files {
        let path = study.data.join(format!("{file}.nii.gz"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    study
}

/// Every file below a folder with its contents.
fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = deepmir_testing::files_below(folder).into_iter();
    files.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

#[test]
fn raw_data_is_not_written_over() {
    let study = Study::new(1);
    let data = text(&study.data);
    let anat = study.data.join("sub-01/anat");
    for part in ["mag", "phase"] {
        let echo = anat.join(format!("sub-01_echo-1_part-{part}_MEGRE.nii.gz"));
        fs::copy(anat.join("sub-01_Chimap.nii.gz"), echo).unwrap();
    }
    let before = contents(&study.data);
    let itself = ["the dataset itself", "choose another folder", "data"];
    refused(&["run", data, data, "participant"], &itself);
    refused(&["run", data, data, "group"], &itself);
    refused(&["recon", data, data], &itself);
    let raw = ["says that it holds raw data"];
    let other = study.data.with_file_name("other");
    fs::create_dir(&other).unwrap();
    describe(&other);
    refused(&["run", data, text(&other), "participant"], &raw);
    refused(&["recon", data, text(&other)], &raw);
    refused(&["annotate", data, "--derivatives", text(&other), "--export", "x"], &raw);
    refused(&["phantom", data], &["of another dataset"]);
    // In the scan's own folder, by another way to it.
    let linked = study.data.with_file_name("linked");
    symlink(&anat, &linked).unwrap();
    let file = |name: &str| text(&anat.join(format!("sub-01_{name}.nii.gz"))).to_owned();
    let (mag, phase) = (file("echo-1_part-mag_MEGRE"), file("echo-1_part-phase_MEGRE"));
    // --overwrite is for results.
    let given = ["would write over a file", "choose another folder", "sub-01_"];
    let recon = ["recon", "--mag", &mag, "--phase", &phase, "--t2w", &file("T2w")];
    refused(&[&recon[..], &["--overwrite", "-o", text(&linked)]].concat(), &given);
    let recon = ["recon", "--mag", &mag, "--phase", &phase, "--overwrite", "-o", text(&anat)];
    refused(&recon, &given);
    let mask = anat.join("sub-01_acq-swi_seg-lesions_dseg.nii.gz");
    fs::copy(anat.join("sub-01_T2w.nii.gz"), &mask).unwrap();
    let (swi, out) = (file("acq-swi_T2starw"), text(&linked));
    let predict = ["predict", "--swi", &swi, "--mask", text(&mask), "--overwrite", "-o", out];
    refused(&predict, &given);
    fs::remove_file(mask).unwrap();
    let model = text(&study.model);
    refused(&["model", "copy", model, model], &["would write over a file"]);
    assert!(before == contents(&study.data));
    assert_eq!(contents(&other).len(), 1);
    assert!(!study.out.exists());
}

#[test]
fn an_annexed_file_that_was_not_fetched_fails_its_subject() {
    let study = Study::new(3);
    let annexed = "../../.git/annex/objects/aa/bb/MD5E-s1--x.nii.gz/MD5E-s1--x.nii.gz";
    let at = |name: &str| study.data.join(format!("{name}.nii.gz"));
    // A link to nowhere, and what is left of one where there are no links.
    for (name, is_link) in
        [("sub-01/anat/sub-01_T2w", true), ("sub-02/anat/sub-02_acq-swi_T2starw", false)]
    {
        fs::remove_file(at(name)).unwrap();
        if is_link {
            symlink(annexed, at(name)).unwrap();
        } else {
            fs::write(at(name), annexed).unwrap();
        }
    }
    let (code, out, told) = study.participants(&["--dry-run"]);
    assert_eq!(code, 3, "{told}");
    for (n, name) in ["sub-01_T2w.nii.gz", "sub-02_acq-swi_T2starw.nii.gz"].iter().enumerate() {
        let line = out.lines().nth(n).unwrap();
        let words = ["cannot be done", "its content is not here", "datalad get", name];
        assert!(words.iter().all(|word| line.contains(word)), "{out}");
    }
    assert!(out.contains("sub-03: find lesions"), "{out}");
}

#[test]
fn linked_folders_are_followed() {
    let study = Study::new(2);
    let real = study.data.with_file_name("real");
    fs::create_dir(&real).unwrap();
    fs::rename(study.data.join("sub-01/anat"), real.join("anat")).unwrap();
    symlink(real.join("anat"), study.data.join("sub-01/anat")).unwrap();
    // As a checkout without symbolic links has it.
    fs::rename(study.data.join("sub-02"), real.join("sub-02")).unwrap();
    fs::write(study.data.join("sub-02"), "../real/sub-02").unwrap();
    let (code, out, told) = study.participants(&["--dry-run"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(out.matches(": find lesions").count(), 2, "{out}");
}

#[test]
fn a_run_in_which_nothing_could_be_done_is_no_success() {
    let study = listed(&["sub-01/anat/sub-01_T2starw", "sub-02/anat/sub-02_echo-1_MEGRE"]);
    fs::create_dir_all(study.data.join("sub-03")).unwrap();
    fs::write(study.data.join("sub-03/scan 1.nii"), b"").unwrap();
    for more in [&["--dry-run"][..], &[]] {
        let (code, out, told) = study.participants(more);
        assert_eq!(code, 3, "{told}");
        let all = out + &told;
        for words in ["learned from SWI alone", "without phase", "scan 1.nii", "nothing c"] {
            assert!(all.contains(words), "no {words:?} in {all}");
        }
    }
    let (code, _, told) = study.group();
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("graded by nothing: skipped sub-01: no SWI"), "{told}");
    let table = fs::read_to_string(study.out.join("group/subjects.tsv")).unwrap();
    assert!(!table.contains("\tnone\t"), "{table}");
}

#[test]
fn which_of_several_t2w_is_the_same_to_recon_and_run() {
    let study = Study::new(1);
    let anat = study.data.join("sub-01/anat");
    fs::copy(anat.join("sub-01_T2w.nii.gz"), anat.join("sub-01_acq-cor_T2w.nii.gz")).unwrap();
    for part in ["mag", "phase"] {
        let echo = anat.join(format!("sub-01_echo-1_part-{part}_MEGRE.nii.gz"));
        fs::copy(anat.join("sub-01_Chimap.nii.gz"), echo).unwrap();
    }
    let two = "has two T2w images; choose one with --filter t2w=";
    let (code, out, told) = study.participants(&["--dry-run"]);
    assert!(code == 3 && out.contains(two), "{out}{told}");
    let (code, _, told) = run(&["recon", text(&study.data), text(&study.out)]);
    assert!(code == 3 && told.contains(two), "{told}");
    let filter = study.data.with_file_name("filter.json");
    fs::write(&filter, r#"{"t2w": {"acquisition": "cor"}}"#).unwrap();
    for more in [["--filter", "t2w=acq-none"], ["--bids-filter-file", text(&filter)]] {
        let (code, out, told) = study.participants(&[&more[..], &["--dry-run"]].concat());
        assert!(code == 0 && out.contains("T2w is on the SWI's grid"), "{out}{told}");
    }
    refused(&study.arguments(&["--filter", "t2w"]), &["--filter", "such as t2w=acq-cor"]);
}

#[test]
fn an_order_of_sessions_that_is_a_guess_is_told() {
    let study = Study::new(1);
    let subject = study.data.join("sub-01");
    for session in ["post", "pre"] {
        let anat = subject.join(format!("ses-{session}/anat"));
        fs::create_dir_all(&anat).unwrap();
        for entry in fs::read_dir(subject.join("anat")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let name = name.replace("sub-01_", &format!("sub-01_ses-{session}_"));
            fs::copy(&path, anat.join(name)).unwrap();
        }
    }
    fs::remove_dir_all(subject.join("anat")).unwrap();
    let (code, _, told) = study.participants(&[]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("is a guess, by the alphabet: ses-post, ses-pre"), "{told}");
    assert!(told.contains("--session-order"), "{told}");
    let (_, _, told) = study.participants(&["--session-order", "pre,post"]);
    assert!(!told.contains("guess"), "{told}");
    let table = "session_id\tacq_time\nses-pre\t2020-01-10T10:00:00\nses-post\t2022-01-10\n";
    fs::write(subject.join("sub-01_sessions.tsv"), table).unwrap();
    let (_, _, told) = study.participants(&[]);
    assert!(!told.contains("guess"), "{told}");
    let status = fs::read_to_string(study.out.join("status/sub-01.json")).unwrap();
    assert!(status.contains("2022-01-10"), "{status}");
}

#[test]
fn a_reader_that_stops_does_not_stop_the_work() {
    let study = Study::new(1);
    // Nobody reads what it says.
    let mut command = deepmir(&study.arguments(&["-v"]));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(study.out.join("sub-01/anat/sub-01_desc-lesions.tsv").exists());
    // A failure stays one.
    let mut command = deepmir(&["predict", "-o", "x"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(1));
    // An answer that cannot be written is none.
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    if let Ok(full) = full {
        let mut command = deepmir(&["model", "list"]);
        let output = command.stdout(Stdio::from(full)).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("standard output"), "{told}");
    }
}
