//! Headers that mislead: refused with the remedy, or read with a warning.

use std::fs;
use std::path::{Path, PathBuf};

use deepmir_testing::{MadeUpSubject, write_subject, write_with_header};
use deepmir_volume::nifti;

use crate::support::{random_model, refused, run, text};

const METRES: (usize, &[u8]) = (123, &[1]);
/// `qform_code` and `sform_code`.
const NO_FORMS: (usize, &[u8]) = (252, &[0; 4]);

struct Scene {
    folder: tempfile::TempDir,
    subject: MadeUpSubject,
    model: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let subject = write_subject(&folder.path().join("bids"), 1);
        let model = random_model(folder.path());
        Self { folder, subject, model }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A copy of an image with other bytes in its header.
    fn altered(&self, image: &Path, changes: &[(usize, &[u8])]) -> PathBuf {
        let path = self.path(&format!("{}.nii", nifti::stem(image)));
        write_with_header(image, &path, changes);
        path
    }

    /// Arguments to predict in three images, with `more`.
    fn predict<'a>(
        &'a self,
        images: [&'a Path; 3],
        out: &'a Path,
        more: &[&'a str],
    ) -> Vec<&'a str> {
        let [swi, qsm, t2w] = images.map(text);
        let arguments = ["predict", "--swi", swi, "--qsm", qsm, "--t2w", t2w, "-o", text(out)];
        [&arguments[..], &["--model", text(&self.model)], more].concat()
    }
}

#[test]
fn voxels_of_metres_are_refused_and_fail_one_subject_of_a_run_alone() {
    let scene = Scene::new();
    let bids = scene.path("bids");
    let second = write_subject(&bids, 2);
    write_subject(&bids, 3);
    let metres = second.swi.with_file_name("sub-02_acq-swi_T2starw.nii");
    write_with_header(&second.swi, &metres, &[METRES]);
    fs::remove_file(&second.swi).unwrap();

    let words =
        ["voxels of 750 × 750 × 1500 mm cannot be a head's; xyzt_units says metres", "sub-02"];
    let out = scene.path("out");
    refused(&scene.predict([&metres, &second.qsm, &second.t2w], &out, &[]), &words);
    let copy = scene.path("pred.nii");
    fs::copy(&metres, &copy).unwrap();
    let evaluate = ["evaluate", "--truth", text(&metres), "--pred", text(&copy)];
    refused(&[&evaluate[..], &["-o", text(&out)]].concat(), &words);
    let (code, _, told) = run(&[
        "run",
        text(&bids),
        text(&out),
        "participant",
        "--model",
        text(&scene.model),
        "--jobs",
        "1",
    ]);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains(words[0]), "{told}");
    for (subject, state) in [("sub-01", "done"), ("sub-02", "failed"), ("sub-03", "done")] {
        let status = fs::read_to_string(out.join(format!("status/{subject}.json"))).unwrap();
        assert!(status.contains(&format!("\"state\": \"{state}\"")), "{status}");
        assert!(!out.join(format!("status/{subject}.lock")).exists());
    }
}

#[test]
fn a_side_that_is_a_guess_is_told_on_the_terminal_and_in_the_sheet() {
    let scene = Scene::new();
    let subject = &scene.subject;
    let images = [&subject.swi, &subject.qsm, &subject.t2w];
    let [swi, qsm, t2w] = images.map(|path| scene.altered(path, &[NO_FORMS]));
    let out = scene.path("out");
    let (code, _, told) = run(&scene.predict([&swi, &qsm, &t2w], &out, &[]));
    assert_eq!(code, 0, "{told}");
    let words = "neither sform nor qform: which side is left is a guess";
    assert_eq!(told.matches(words).count(), 1, "{told}");
    assert!(
        ["T2starw.nii", "Chimap.nii", "T2w.nii"].iter().all(|name| told.contains(name)),
        "{told}"
    );
    let mut written = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let sheet = written.find(|path| text(path).ends_with("_qc.json")).unwrap();
    assert!(fs::read_to_string(sheet).unwrap().contains("side_unknown"));
    let strict = scene.path("strict");
    refused(&scene.predict([&swi, &qsm, &t2w], &strict, &["--strict"]), &[words]);
    // Beside images that have them, one without is on another grid.
    let words = ["do not share a grid", "the second has neither sform nor qform"];
    refused(&scene.predict([&subject.swi, &qsm, &subject.t2w], &out, &[]), &words);
}

#[test]
fn an_image_that_says_nothing_in_the_brain_is_refused() {
    let scene = Scene::new();
    let subject = &scene.subject;
    let out = scene.path("out");
    let flat = scene.path("flat.nii.gz");
    for (place, name, value, share) in
        [(0, "SWI", 700.0, "700 in all"), (1, "QSM", 0.0, "0 in all"), (2, "T2w", 0.0, "0 in all")]
    {
        let mut images = [&subject.swi, &subject.qsm, &subject.t2w].map(PathBuf::as_path);
        let swi = nifti::read(&subject.swi).unwrap();
        let brain = swi.volume.map(|&inside| if inside > 0.0 { value } else { 0.0 });
        nifti::write(&flat, &brain, Some(&swi.header)).unwrap();
        images[place] = &flat;
        let words = format!("the {name} has the value {share} of the brain");
        refused(&scene.predict(images, &out, &[]), &[&words, "flat.nii.gz"]);
    }
}

#[cfg(unix)]
#[test]
fn a_file_whose_content_is_not_here_is_told_by_name() {
    let scene = Scene::new();
    let subject = &scene.subject;
    let link = scene.path("sub-01_acq-swi_T2starw.nii.gz");
    std::os::unix::fs::symlink("../.git/annex/objects/Wz/0k/MD5E-s6--0c.nii.gz", &link).unwrap();
    let words = ["its content is not here (a link to nowhere)", "`datalad get`", "T2starw.nii.gz"];
    refused(&scene.predict([&link, &subject.qsm, &subject.t2w], &scene.path("out"), &[]), &words);
}

#[test]
fn a_mirrored_image_is_not_to_be_resampled() {
    let scene = Scene::new();
    let subject = &scene.subject;
    let left: Vec<u8> = [-0.75_f32, 0.0, 0.0, -24.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let mirrored = scene.altered(&subject.qsm, &[(280, &left), (252, &[0; 2])]);
    let words = ["mirror images of each other, RAS and LAS", "copy its geometry", "Chimap.nii"];
    refused(
        &scene.predict([&subject.swi, &mirrored, &subject.t2w], &scene.path("out"), &[]),
        &words,
    );
}
