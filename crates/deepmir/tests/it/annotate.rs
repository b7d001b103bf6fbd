//! `annotate` and `evaluate --raters` from the command line; the page itself is tested in its own crate.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use deepmir_annotate::Store;
use deepmir_annotate::layer::{AnnotationChange, CaseContext, Operation, apply};
use deepmir_annotate::store::{LayerKey, LayerState, Stage};
use deepmir_lesion::{LabelMap, LesionClass};
use deepmir_volume::{Affine, Grid};

use crate::support::{deepmir, refused, run, text};

fn dataset() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for number in [1, 2] {
        deepmir_testing::write_subject(folder.path(), number);
    }
    folder
}

#[test]
fn the_network_is_listened_to_only_by_who_says_so() {
    let folder = dataset();
    let arguments = ["annotate", text(folder.path()), "--rater", "anna", "--host", "0.0.0.0"];
    refused(&arguments, &["--host 0.0.0.0", "unencrypted", "--i-understand", "ssh -L"]);
    refused(&["annotate", text(folder.path()), "--host", "::"], &["--i-understand"]);
    assert!(!folder.path().join("derivatives/annotate").exists(), "nothing was begun");

    let mut server =
        deepmir(&arguments).arg("--i-understand").stdout(Stdio::piped()).spawn().unwrap();
    let first = BufReader::new(server.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    let token = first.split_once("/?token=").unwrap().1;
    assert!(first.starts_with("http://127.0.0.1:") && token.len() == 64, "{first}");
}

/// Says that a rater is done; to `differ`, the first CMB becomes an NHID and the last lesion goes before.
fn finish(derivatives: &Path, case: &str, rater: &str, differ: bool) {
    let store = Store::open(derivatives).unwrap();
    let key = LayerKey { case: case.to_owned(), rater: rater.to_owned(), stage: Stage::Own };
    let mut state = store.layer(&key).unwrap().unwrap();
    if differ {
        let first = state.layer.lesions.iter().find(|(_, said)| said.class == LesionClass::Cmb);
        let first = *first.unwrap().0;
        let last = *state.layer.lesions.keys().rfind(|&&lesion| lesion != first).unwrap();
        let change = AnnotationChange { class: Some(LesionClass::Nhid), ..Default::default() };
        let grid = Grid::new([64, 64, 24], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let around =
            CaseContext { grid: &grid, images: &|_| None, candidates: &[], two_visits: false };
        for operation in
            [Operation::Annotate { lesion: first, change }, Operation::Delete { lesion: last }]
        {
            let work =
                |state: &LayerState| apply(&state.layer, state.next_lesion, &operation, around);
            state = store.operate(&key, state.revision, &operation, work).unwrap();
        }
    }
    store.set_done(&key, state.revision, true).unwrap();
}

#[test]
fn marks_are_imported_compared_and_exported_for_training() {
    let folder = dataset();
    let (data, derivatives) = (text(folder.path()), folder.path().join("derivatives/annotate"));
    let truth = folder.path().join("derivatives/truth");
    for rater in ["anna", "ben"] {
        let (code, said, told) =
            run(&["annotate", data, "--rater", rater, "--import", text(&truth)]);
        assert_eq!(code, 0, "{told}");
        assert!(said.contains("2 label maps imported"), "{said}");
    }
    refused(&["annotate", data, "--rater", "anna", "--import", text(&truth)], &["already"]);
    let out = folder.path().join("agreement");
    let compare =
        ["evaluate", "--raters", text(&derivatives), "-o", text(&out), "--resamples", "50"];
    refused(&compare, &["no scan was finished by two raters"]);
    for case in ["sub-01", "sub-02"] {
        finish(&derivatives, case, "anna", false);
        finish(&derivatives, case, "ben", case == "sub-01");
    }
    // Nothing is compared that is older than what the raters did; an export brings it up to date.
    refused(&compare, &["older than the annotations", "sub-01", "deepmir annotate"]);
    let export = |to: &Path, more: &[&str]| {
        let arguments = [&["annotate", data, "--export", text(to)][..], more].concat();
        let (code, _, told) = run(&arguments);
        assert_eq!(code, 0, "{told}");
        let file = to.join("sub-01/anat/sub-01_acq-swi_seg-lesions_dseg.nii.gz");
        let (labels, _) = LabelMap::read(&file).unwrap();
        let count =
            |label: u8| labels.volume().data().iter().filter(|&&voxel| voxel == label).count();
        [count(1), count(2)]
    };
    let anna = export(&folder.path().join("anna"), &["--raters", "anna"]);
    let both = ["--raters", "anna,ben", "--combine"];
    let union = export(&folder.path().join("union"), &[&both[..], &["union"]].concat());
    let shared = export(&folder.path().join("shared"), &[&both[..], &["intersection"]].concat());
    // Of what ben calls otherwise, anna's class counts in a union and nothing in an intersection.
    assert_eq!(anna, union);
    assert!(shared[0] < anna[0] && shared[1] <= anna[1], "{shared:?} of {anna:?}");

    let (code, said, told) = run(&compare);
    assert_eq!(code, 0, "{told}");
    assert!(said.contains("kappa presence") && said.contains("agreement.html"), "{said}");
    let page = std::fs::read_to_string(out.join("agreement.html")).unwrap();
    assert!(page.contains("Each disagreement") && page.contains("not a medical device"));
    let rows = |name: &str| {
        let table = std::fs::read_to_string(out.join(name)).unwrap();
        table
            .lines()
            .map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    let differences = rows("disagreements.tsv");
    let classes: Vec<[&str; 2]> = differences[1..].iter().map(|row| [&*row[6], &*row[9]]).collect();
    assert!(differences[1..].iter().all(|row| row[0] == "sub-01"), "{differences:?}");
    assert!(
        classes.contains(&["CMB", "NHID"]) && classes.iter().any(|pair| pair[1] == "n/a"),
        "{classes:?}"
    );
    // By class and region, with an interval where there is something to compare.
    let agreement = rows("agreement.tsv");
    let of = |class: &str, region: &str| {
        agreement.iter().find(|row| row[2] == class && row[3] == region).cloned()
    };
    for class in ["CMB", "NHID"] {
        for region in ["all", "lobar", "deep", "infratentorial"] {
            assert!(of(class, region).is_some(), "{class} {region}");
        }
    }
    let cmb = of("CMB", "all").unwrap();
    assert!(cmb[10].contains('[') && cmb[11].contains('['), "{cmb:?}");
}
