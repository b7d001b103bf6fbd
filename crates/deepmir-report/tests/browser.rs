//! The pages in a browser: keys, filters and print, no complaint and no request. Needs node, playwright-core and
//! Chromium, which `cargo xtask test` provides.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use deepmir_lesion::{LabelMap, LesionClass, MeasuredImages, lesions_of};
use deepmir_report::{NearMiss, Paint, Pane, Shown, SubjectReport, Window};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Affine, Grid, Mask, Volume};

const OUTSIDE: &str = "<b class=injected>&";

fn subject() -> String {
    let affine = Affine::from_spacing([1.0; 3], [-20.0, -20.0, -20.0]);
    let grid = Grid::new([40, 40, 40], affine).unwrap();
    let brain: Mask = Volume::from_fn(grid, |voxel| {
        grid.position_mm(voxel).iter().map(|x| x * x).sum::<f64>() < 300.0
    });
    let swi = brain.map(|&inside| if inside { 0.5 } else { 0.0 });
    let mut labels = LabelMap::empty(grid);
    labels.paint(&[grid.index([10, 20, 10]), grid.index([11, 20, 10])], LesionClass::Cmb);
    labels.paint(&[grid.index([25, 22, 14])], LesionClass::Cmb);
    let lesions = lesions_of(&labels, Connectivity::TwentySix);
    let images = MeasuredImages { swi: Some(&swi), brain: Some(&brain), ..Default::default() };
    let rows = images.measure(&labels, &lesions);
    let window = Window { low: 0.0, high: 1.0 };
    let pane = |name: &str, paint| Pane { name: name.to_owned(), volume: &swi, paint };
    let report = SubjectReport {
        id: OUTSIDE.to_owned(),
        images: vec![Shown { name: "SWI".to_owned(), volume: &swi, window }],
        panes: vec![pane("SWI", Paint::Grey(window)), pane("QSM", Paint::Diverging(0.3))],
        lesions: lesions.iter().collect(),
        brain: &brain,
        mars: None,
        rows: &rows,
        lesion_probabilities: vec![0.9, 0.8],
        reasons: vec![OUTSIDE.to_owned(); 2],
        near_misses: vec![NearMiss {
            lesion: &lesions[0],
            row: rows[0].clone(),
            probability: 0.3,
            reason: "Not called.".to_owned(),
        }],
        count_intervals: BTreeMap::new(),
        large_findings: 0,
        truth: None,
        tables: Vec::new(),
        checks: Vec::new(),
        warnings: vec![OUTSIDE.to_owned()],
        quality: Vec::new(),
        methods: String::new(),
        provenance: Vec::new(),
    };
    report.html().unwrap()
}

#[test]
fn pages_in_the_browser() {
    let (Some(_), Some(_)) =
        (std::env::var_os("DEEPMIR_BROWSER"), std::env::var_os("DEEPMIR_CHROMIUM"))
    else {
        let mut told = std::io::stderr();
        writeln!(told, "not tested: no browser; `cargo xtask test` sets one up (DEEPMIR_BROWSER, DEEPMIR_CHROMIUM)").unwrap();
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("subject.html");
    std::fs::write(&page, subject()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/pages.mjs");
    let status = Command::new("node").arg(script).arg(&page).status().unwrap();
    assert!(status.success(), "what went wrong is above");
}
