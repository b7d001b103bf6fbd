//! Broken and contradicting input to `predict`: a clear message, exit code 1, nothing left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use deepmir_volume::{Affine, Grid, Volume, nifti};

use crate::support::{finished, random_model, refused, run, text};

struct Scene {
    folder: tempfile::TempDir,
    subject: deepmir_testing::MadeUpSubject,
    model: PathBuf,
    out: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let subject = deepmir_testing::write_subject(folder.path(), 1);
        let model = random_model(folder.path());
        let out = folder.path().join("out");
        Self { folder, subject, model, out }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Predicts with another SWI, QSM and more arguments, and sees that it is refused with `words`.
    #[track_caller]
    fn refused(&self, swi: &Path, qsm: &Path, more: &[&str], words: &[&str]) {
        let arguments = [
            &["predict", "--swi", text(swi), "--qsm", text(qsm), "--t2w", text(&self.subject.t2w)]
                [..],
            &["--model", text(&self.model), "-o", text(&self.out)],
            more,
        ];
        refused(&arguments.concat(), words);
        let left = fs::read_dir(&self.out).map(|entries| entries.count()).unwrap_or(0);
        assert_eq!(left, 0, "something was left behind");
    }

    #[track_caller]
    fn refused_swi(&self, swi: &Path, words: &[&str]) {
        self.refused(swi, &self.subject.qsm, &[], words);
    }
}

#[test]
fn a_missing_modality_and_a_missing_file() {
    let scene = Scene::new();
    let out = text(&scene.out).to_owned();
    let swi = text(&scene.subject.swi).to_owned();
    refused(
        &["predict", "--swi", &swi, "--model", text(&scene.model), "-o", &out],
        &["sub-01 has no QSM", "choose a model that does without"],
    );
    refused(&["predict", "--model", text(&scene.model), "-o", &out], &["give at least one image"]);
    scene.refused_swi(
        &scene.path("absent.nii.gz"),
        &["there is no such file in the folder", "absent.nii.gz"],
    );
}

#[test]
fn another_grid_names_both_files_shapes_and_the_remedy() {
    let scene = Scene::new();
    let qsm = nifti::read(&scene.subject.qsm).unwrap().volume;
    let affine = Affine::from_spacing([0.75, 0.75, 1.5], [-23.0, -24.0, -18.0]);
    let moved = qsm.clone().with_grid(Grid::new(qsm.shape(), affine).unwrap()).unwrap();
    let path = scene.path("moved.nii.gz");
    nifti::write(&path, &moved, None).unwrap();
    let words = ["T2starw.nii.gz", "moved.nii.gz", "64 × 64 × 24", "1.33 voxels apart", "resample"];
    scene.refused(&scene.subject.swi, &path, &[], &words);
}

#[test]
fn nan_voxels_are_counted_or_read_as_zero() {
    let scene = Scene::new();
    let mut swi = nifti::read(&scene.subject.swi).unwrap().volume;
    swi[[30, 30, 12]] = f32::NAN;
    swi[[31, 30, 12]] = f32::INFINITY;
    let path = scene.path("sub-01_swi.nii.gz");
    nifti::write(&path, &swi, None).unwrap();
    scene.refused_swi(&path, &["2 of 98304 voxels", "--nan-to-zero", "sub-01_swi.nii.gz"]);
    let (code, _, told) = run(&[
        "predict",
        "--swi",
        text(&path),
        "--qsm",
        text(&scene.subject.qsm),
        "--t2w",
        text(&scene.subject.t2w),
        "--model",
        text(&scene.model),
        "-o",
        text(&scene.out),
        "--nan-to-zero",
    ]);
    assert_eq!(code, 0, "{told}");
}

#[test]
fn files_that_are_broken_or_something_else() {
    let scene = Scene::new();
    let good = fs::read(&scene.subject.swi).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = scene.path(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    scene.refused_swi(&write("cut.nii.gz", &good[..good.len() / 2]), &["ends early", "cut.nii.gz"]);
    scene.refused_swi(
        &write("text.nii.gz", b"not an image, a text\n".repeat(30).as_slice()),
        &["not a NIfTI file", "text.nii.gz"],
    );
    scene.refused_swi(&write("empty.nii", b""), &["0 bytes", "empty.nii"]);
    scene.refused_swi(scene.folder.path(), &["folder"]);
    let plain = scene.path("plain.nii");
    let swi = nifti::read(&scene.subject.swi).unwrap().volume;
    nifti::write(&plain, &swi, None).unwrap();
    let mut header = fs::read(&plain).unwrap();
    let altered = |name: &str, at: usize, value: i16, header: &mut Vec<u8>| {
        let kept = header.clone();
        header[at..at + 2].copy_from_slice(&value.to_le_bytes());
        let path = write(name, header);
        *header = kept;
        path
    };
    scene.refused_swi(
        &altered("flat.nii", 44, 0, &mut header),
        &["an axis has no voxels", "flat.nii"],
    );
    // A bomb is refused for its grid before it is read, and for its length where all images agree.
    let bomb = altered("bomb.nii", 46, 600, &mut header);
    scene.refused_swi(&bomb, &["do not share a grid", "bomb.nii"]);
    let copy = scene.path("bomb-too.nii");
    fs::copy(&bomb, &copy).unwrap();
    refused(
        &["evaluate", "--truth", text(&bomb), "--pred", text(&copy), "-o", text(&scene.out)],
        &["ends early", "bomb.nii"],
    );
    scene.refused_swi(&altered("complex.nii", 70, 32, &mut header), &["complex", "complex.nii"]);
    header[40..50].copy_from_slice(&[4, 0, 64, 0, 64, 0, 24, 0, 2, 0]);
    scene.refused_swi(&write("series.nii", &header), &["a series of 2 volumes", "series.nii"]);
}

#[test]
fn masks_that_are_empty_needed_or_elsewhere() {
    let scene = Scene::new();
    let swi = nifti::read(&scene.subject.swi).unwrap().volume;
    let empty = scene.path("empty.nii.gz");
    nifti::write(&empty, &Volume::filled(*swi.grid(), 0_u8), None).unwrap();
    scene.refused(
        &scene.subject.swi,
        &scene.subject.qsm,
        &["--mask", text(&empty)],
        &["mask is empty", "empty.nii.gz"],
    );
    let whole_head = scene.path("head.nii.gz");
    nifti::write(&whole_head, &swi.map(|&value| value + 0.1), None).unwrap();
    scene.refused_swi(&whole_head, &["a brain mask is needed", "--mask", "head.nii.gz"]);
    let small = scene.path("small.nii.gz");
    let grid = Grid::new([32, 64, 24], *swi.grid().affine()).unwrap();
    nifti::write(&small, &Volume::filled(grid, 1_u8), None).unwrap();
    scene.refused(
        &scene.subject.swi,
        &scene.subject.qsm,
        &["--mask", text(&small)],
        &["different shapes", "small.nii.gz"],
    );
}

#[test]
fn a_place_that_cannot_be_written_to() {
    let scene = Scene::new();
    let file = scene.path("file");
    fs::write(&file, b"").unwrap();
    let arguments = [
        "predict",
        "--swi",
        text(&scene.subject.swi),
        "--qsm",
        text(&scene.subject.qsm),
        "--t2w",
        text(&scene.subject.t2w),
        "--model",
        text(&scene.model),
        "-o",
    ];
    let inside = file.join("out");
    refused(&[&arguments[..], &[text(&inside)]].concat(), &["cannot write", "file"]);
}

/// A limit on file sizes makes writes fail in the middle as a full disk does, without needing one.
#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_in_the_middle_leaves_nothing_half_written() {
    let scene = Scene::new();
    let program = assert_cmd::cargo::cargo_bin!("deepmir");
    let predict = format!(
        "trap '' XFSZ; ulimit -f 2; exec {:?} predict --swi {:?} --qsm {:?} --t2w {:?} --model {:?} -o {:?}",
        program, scene.subject.swi, scene.subject.qsm, scene.subject.t2w, scene.model, scene.out
    );
    let (code, _, told) = finished(&Command::new("sh").args(["-c", &predict]).output().unwrap());
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("cannot write") && told.contains("sub-01"), "{told}");
    for entry in fs::read_dir(&scene.out).unwrap() {
        let path = entry.unwrap().path();
        assert!(!text(&path).ends_with(".tmp"), "{}", path.display());
        if nifti::is_nifti_name(&path) {
            nifti::read(&path).unwrap();
        }
    }
}
