//! What `--help` says, kept as snapshots so that a change of it is seen.

use crate::support::{deepmir, finished, run};

#[test]
fn every_verb_explains_itself() {
    let verbs = [
        "demo", "predict", "recon", "run", "phantom", "train", "evaluate", "study", "annotate",
        "model",
    ];
    for verb in [&[][..]].into_iter().chain(verbs.each_ref().map(std::slice::from_ref)) {
        let output = deepmir(verb).arg("--help").env("COLUMNS", "100").output().unwrap();
        let (code, out, _) = finished(&output);
        assert_eq!(code, 0);
        insta::assert_snapshot!(format!("help {}", verb.join(" ")).trim().replace(' ', "_"), out);
    }
}

#[test]
fn the_version_is_answered_and_wrong_usage_is_the_users() {
    let (code, out, _) = run(&["--version"]);
    assert_eq!((code, out.as_str()), (0, concat!("deepmir ", env!("CARGO_PKG_VERSION"), "\n")));
    for wrong in [&["predicct"][..], &["predict", "--swii", "x"], &["predict"], &[]] {
        let (code, out, told) = run(wrong);
        assert_eq!((code, out.as_str()), (1, ""), "{told}");
    }
    let (_, _, told) =
        run(&["evaluate", "--truth", "a", "--pred", "b", "-o", "c", "--match", "dice"]);
    assert!(told.contains("overlap, centre:MM or iou:T"), "{told}");
}
