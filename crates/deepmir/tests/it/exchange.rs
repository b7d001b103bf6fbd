//! Images of other programs.

use std::path::Path;

use deepmir_testing::formats;
use deepmir_volume::nifti;

use crate::support::{random_model, run, text};

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
