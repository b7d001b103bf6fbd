//! The pages in a browser: keys, filters and print, no complaint and no request. Needs node, playwright-core and
//! Chromium, which `cargo xtask test` provides.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use deepmir_lesion::{LabelMap, LesionClass, MeasuredImages, lesions_of};
use deepmir_report::{
    CohortColumn, CohortPage, CohortRow, NearMiss, Noticed, Paint, Pane, Shown, SubjectReport,
    Window,
};
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
        parts: Vec::new(),
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

/// Scans of the cohort: as many as the largest studies have.
const SCANS: usize = 10_000;

fn cohort() -> String {
    let column = |name: &str, is_number, is_chosen| CohortColumn {
        name: name.to_owned(),
        label: name.replace('_', " "),
        meaning: format!("what {name} is"),
        is_number,
        is_chosen,
        ..CohortColumn::default()
    };
    let mut columns = vec![
        column("scan_id", false, true),
        column("state", false, true),
        column("reason", false, true),
        column("cmb_count", true, true),
        column("empty", false, true),
    ];
    columns.extend((0..55).map(|n| column(&format!("measure_{n}"), true, n < 5)));
    let row = |n: usize| {
        let failed = n % 1000 == 999;
        let mut cells = vec![
            if n == 0 { OUTSIDE.to_owned() } else { format!("sub-{n:05}") },
            if failed { "failed" } else { "done" }.to_owned(),
            if failed { "=HYPERLINK(\"x\")" } else { "n/a" }.to_owned(),
            if failed { "n/a".to_owned() } else { (n % 7).to_string() },
            "n/a".to_owned(),
        ];
        cells.extend((0..55).map(|m| format!("{:.3}", (n * 31 + m * 17) as f64 % 97.0 - 40.0)));
        CohortRow { cells, link: Some(format!("../sub-{n:05}/page.html")) }
    };
    let page = CohortPage {
        summary: format!("{SCANS} scans"),
        columns,
        rows: (0..SCANS).map(row).collect(),
        failed: vec![Noticed {
            scan: OUTSIDE.to_owned(),
            link: None,
            warnings: vec!["failed, no SWI".to_owned()],
        }],
        measures: vec![("microbleeds".to_owned(), vec![0.0, 1.0, 1.0, 4.0])],
        ..CohortPage::default()
    };
    page.html().unwrap()
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
    let pages = [("subject.html", subject()), ("cohort.html", cohort())].map(|(name, html)| {
        let path = folder.path().join(name);
        std::fs::write(&path, html).unwrap();
        path
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/pages.mjs");
    let status = Command::new("node").arg(script).args(&pages).status().unwrap();
    assert!(status.success(), "what went wrong is above");
}
