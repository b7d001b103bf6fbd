//! Images and networks to and from other programs.

use std::fs;
use std::path::Path;

use deepmir_testing::formats;
use deepmir_volume::nifti;
use serde_json::Value;

use crate::support::{random_model, refused, run, text};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_model_is_exported_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let out = folder.path().join("new/onnx");
    let (code, told, log) = run(&["model", "export", text(&model), "-o", text(&out)]);
    assert_eq!(code, 0, "{log}");
    for name in ["unet.onnx", "plan.json", "run.py"] {
        assert!(out.join(name).is_file() && told.contains(name), "{told}");
    }
    let plan = json(&out.join("plan.json"));
    assert_eq!(plan["networks"], serde_json::json!(["unet.onnx"]));
    assert_eq!((&plan["size_multiple"], &plan["plan"]["classes"][1]), (&2.into(), &"NHID".into()));
    assert!(plan["detection"]["classes"]["CMB"]["detection_threshold"].is_number());
    refused(
        &["model", "export", text(&model), "-o", text(&out)],
        &["something here already", "onnx"],
    );
    let nowhere = folder.path().join("nowhere");
    refused(&["model", "export", "no-such-model", "-o", text(&nowhere)], &["no-such-model"]);
    assert!(!nowhere.exists());
    let entries = fs::read_dir(out.parent().unwrap()).unwrap().count();
    assert_eq!(entries, 1, "nothing is left beside it");
}

#[test]
fn images_of_other_programs_are_read_as_nifti_images_are() {
    let folder = tempfile::tempdir().unwrap();
    let subject = deepmir_testing::write_coarse_subject(folder.path(), 1);
    let model = random_model(folder.path());
    let image = |path: &Path| nifti::read(path).unwrap().volume;
    let to = |name: &str| folder.path().join(name);
    formats::write_nrrd(&to("sub-01_swi.nrrd"), &image(&subject.swi));
    formats::write_mgh(&to("sub-01_Chimap.mgh"), &image(&subject.qsm));
    formats::write_metaimage(&to("sub-01_T2w.mha"), &image(&subject.t2w));
    let predict = |swi: &Path, qsm: &Path, t2w: &Path, out: &str| {
        let images = ["--swi", text(swi), "--qsm", text(qsm), "--t2w", text(t2w)];
        let rest = ["--model", text(&model), "-o", out];
        let (code, _, log) = run(&[&["predict"], &images[..], &rest[..]].concat());
        assert_eq!(code, 0, "{log}");
    };
    let (ours, theirs) = (to("ours"), to("theirs"));
    predict(&subject.swi, &subject.qsm, &subject.t2w, text(&ours));
    predict(&to("sub-01_swi.nrrd"), &to("sub-01_Chimap.mgh"), &to("sub-01_T2w.mha"), text(&theirs));
    for class in ["CMB", "NHID"] {
        let map = |folder: &Path, stem: &str| {
            image(&folder.join(format!("{stem}_seg-lesions_label-{class}_probseg.nii.gz")))
        };
        let (one, other) = (map(&ours, "sub-01_acq-swi"), map(&theirs, "sub-01"));
        assert!(one.grid().same_as(other.grid()));
        for (one, other) in one.data().iter().zip(other.data()) {
            assert!((one - other).abs() < 1e-4, "{one} and {other}");
        }
    }
    // A label map is read so too.
    let truth = to("truth.nrrd");
    formats::write_nrrd(&truth, &image(&subject.truth));
    let labels = theirs.join("sub-01_seg-lesions_dseg.nii.gz");
    let out = to("evaluation");
    let (code, told, log) = run(&[
        "evaluate",
        "--truth",
        text(&truth),
        "--pred",
        text(&labels),
        "-o",
        text(&out),
        "--resamples",
        "20",
    ]);
    assert_eq!(code, 0, "{log}");
    assert!(told.contains("CMB"), "{told}");
}
