//! What real datasets come with: each fault is named, and the good subjects are done.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use deepmir_volume::{Affine, Grid, Volume, nifti};

use super::{Study, leftovers};
use crate::support::{finished, run, text};

const SWI: &str = "acq-swi_T2starw";

struct Damaged<'a> {
    study: &'a Study,
    number: u32,
    expected: Vec<(String, &'static str, &'static str)>,
}

impl Damaged<'_> {
    /// A whole subject to damage: the path of one of its images.
    fn subject(
        &mut self,
        state: &'static str,
        word: &'static str,
    ) -> impl Fn(&str) -> PathBuf + use<> {
        self.number += 1;
        let id = format!("sub-{:02}", self.number);
        deepmir_testing::write_subject(&self.study.data, self.number);
        self.expected.push((id.clone(), state, word));
        let anat = self.study.data.join(&id).join("anat");
        move |suffix: &str| anat.join(format!("{id}_{suffix}.nii.gz"))
    }
}

fn filled(path: &Path, shape: [usize; 3], value: f32) {
    let grid = Grid::new(shape, Affine::from_spacing([0.75, 0.75, 1.5], [-24.0, -24.0, -18.0]));
    nifti::write(path, &Volume::filled(grid.unwrap(), value), None).unwrap();
}

fn cut(path: &Path, bytes: usize) {
    let whole = fs::read(path).unwrap();
    fs::write(path, &whole[..bytes.min(whole.len())]).unwrap();
}

#[test]
fn twenty_faults_are_named_and_the_good_are_done() {
    let study = Study::new(0);
    let mut damaged = Damaged { study: &study, number: 0, expected: Vec::new() };
    let d = &mut damaged;
    let _whole = d.subject("done", "");
    let of = d.subject("failed", "grid");
    filled(&of("Chimap"), [32, 32, 24], 0.1);
    let of = d.subject("failed", "Chimap.nii.gz");
    cut(&of("Chimap"), 2000);
    let of = d.subject("failed", "T2starw.nii.gz");
    cut(&of(SWI), 0);
    let of = d.subject("failed", "T2starw.nii.gz");
    fs::write(of(SWI), b"this is no image").unwrap();
    let of = d.subject("failed", "two SWI");
    fs::copy(of(SWI), of("swi")).unwrap();
    let of = d.subject("skipped", "no QSM");
    fs::remove_file(of("Chimap")).unwrap();
    let of = d.subject("failed", "its content is not here");
    fs::remove_file(of(SWI)).unwrap();
    symlink("/nowhere/at/all.nii.gz", of(SWI)).unwrap();
    let of = d.subject("failed", "different subjects");
    fs::copy(of(SWI), of(SWI).with_file_name("sub-99_swi.nii.gz")).unwrap();
    let of = d.subject("failed", "in every voxel");
    filled(&of(SWI), [64, 64, 24], 1.0);
    let of = d.subject("failed", "mask");
    filled(&of("desc-brain_mask"), [64, 64, 24], 0.0);
    let of = d.subject("failed", "Chimap.nii.gz");
    let mut volume = nifti::read(&of("Chimap")).unwrap().volume;
    volume.data_mut()[0] = f32::NAN;
    nifti::write(&of("Chimap"), &volume, None).unwrap();
    let of = d.subject("failed", "in every voxel");
    filled(&of(SWI), [64, 64, 24], 0.0);
    // Raw echoes: a part is missing; no JSON.
    let of = d.subject("failed", "one part only");
    fs::rename(of("Chimap"), of("echo-1_part-mag_MEGRE")).unwrap();
    let of = d.subject("failed", "part-mag_MEGRE");
    fs::rename(of("Chimap"), of("echo-1_part-phase_MEGRE")).unwrap();
    fs::copy(of(SWI), of("echo-1_part-mag_MEGRE")).unwrap();
    // A folder where the image should be.
    let of = d.subject("failed", "T2starw.nii.gz");
    fs::remove_file(of(SWI)).unwrap();
    fs::create_dir(of(SWI)).unwrap();
    // A header of sizes that overflow, uncompressed.
    let of = d.subject("failed", "T2starw.nii");
    let plain = of(SWI).with_extension("");
    let grid = Grid::new([4; 3], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
    nifti::write(&plain, &Volume::filled(grid, 1.0_f32), None).unwrap();
    fs::remove_file(of(SWI)).unwrap();
    let mut bytes = fs::read(&plain).unwrap();
    bytes[42..48].fill(0x7f);
    fs::write(&plain, bytes).unwrap();
    // A loop inside a good subject, and old and future clocks, do no harm.
    let of = d.subject("done", "");
    symlink("..", of(SWI).with_file_name("loop")).unwrap();
    let number = d.number;
    // Folders that are none.
    let mut odd = |name: &str, state: &'static str, word: &'static str| {
        damaged.expected.push((name.to_owned(), state, word));
        study.data.join(name)
    };
    symlink("sub-loop", odd("sub-loop", "failed", "sub-loop")).unwrap();
    symlink("/nowhere", odd("sub-nowhere", "failed", "sub-nowhere")).unwrap();
    fs::create_dir(odd("sub-empty", "skipped", "no images")).unwrap();
    // Letters of other alphabets are letters.
    let unicode = odd("sub-Zoë東", "done", "");
    let from = study.data.join("sub-01/anat");
    fs::create_dir_all(unicode.join("anat")).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
        let to = name.replace("sub-01", "sub-Zoë東");
        fs::copy(entry.unwrap().path(), unicode.join("anat").join(to)).unwrap();
    }
    assert!(number >= 18, "{number}");

    let (code, out, told) = study.participants(&[]);
    assert_eq!(code, 3, "{told}");
    let count = |state: &str| damaged.expected.iter().filter(|(_, s, _)| *s == state).count();
    let line =
        format!("{} done, {} skipped, {} failed", count("done"), count("skipped"), count("failed"));
    assert_eq!(out.trim(), line, "{told}");
    for (id, state, word) in &damaged.expected {
        let status = fs::read_to_string(study.out.join(format!("status/{id}.json")));
        let status: serde_json::Value = serde_json::from_str(&status.unwrap()).unwrap();
        assert_eq!(status["state"], *state, "{status:#}");
        if !word.is_empty() {
            assert!(told.contains(id), "{id} is not named in {told}");
            assert!(status.to_string().contains(word), "no {word:?} in {status:#}");
        }
        let table = study.out.join(format!("{id}/anat/{id}_desc-lesions.tsv"));
        assert_eq!(table.exists(), *state == "done", "{id}");
    }
    assert!(!told.contains("internal error") && !told.contains("panicked"), "{told}");
    assert!(leftovers(&study).is_empty(), "{:?}", leftovers(&study));
    // The page links to names of any alphabet.
    study.tables();
    let page = fs::read_to_string(study.out.join("group/index.html")).unwrap();
    assert!(page.contains("../sub-Zo%C3%AB%E6%9D%B1/anat/"), "no link");
}

#[test]
fn a_full_disk_is_told_for_each_subject_and_leaves_nothing_half() {
    let study = Study::new(2);
    // A file that may not grow beyond 8 KiB is a disk that is full.
    let arguments: Vec<String> =
        study.arguments(&[]).iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "trap '' XFSZ; ulimit -f 16; exec '{}' {}",
        assert_cmd::cargo::cargo_bin!("deepmir").display(),
        arguments.join(" ")
    );
    let (code, out, told) = finished(&Command::new("sh").args(["-c", &script]).output().unwrap());
    assert_eq!((code, out.trim()), (3, "0 done, 0 skipped, 2 failed"), "{told}");
    assert!(told.contains("sub-01: ") && told.contains("sub-02: "), "{told}");
    assert!(told.contains("cannot write"), "{told}");
    assert!(leftovers(&study).is_empty(), "{:?}", leftovers(&study));
    let (code, _, told) = study.participants(&[]);
    assert_eq!(code, 0, "{told}");
}

#[test]
#[expect(clippy::print_stderr, reason = "why nothing was tested")]
fn folders_without_permission_are_told() {
    use std::os::unix::fs::PermissionsExt;
    let study = Study::new(2);
    let anat = study.data.join("sub-01/anat");
    let allow = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(&anat, 0o000);
    if fs::read_dir(&anat).is_ok() {
        eprintln!("run as root, whom no folder is closed to: nothing to see here");
        return;
    }
    let (code, _, told) = study.participants(&[]);
    allow(&anat, 0o755);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("sub-01/anat"), "{told}");
    // An output folder that cannot be written to.
    let out = study.out.with_file_name("closed");
    fs::create_dir(&out).unwrap();
    allow(&out, 0o555);
    let model = ["--model", text(&study.model)];
    let (code, _, told) =
        run(&["run", text(&study.data), text(&out), "participant", model[0], model[1]]);
    allow(&out, 0o755);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("closed"), "{told}");
}
