//! The page in a browser, on files of every orientation; what it leaves is compared with the truth
//! voxel by voxel. Needs node, playwright-core and Chromium, which `cargo xtask test` provides.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use deepmir_annotate::{Store, export};
use deepmir_lesion::{LabelMap, Lesion, LesionClass, lesions_of, table};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Orientation, nifti};
use serde_json::{Value, json};

use crate::http::ask;
use crate::results::write_results;
use crate::support::{Layout, Server, open, write_as};
use crate::visits::{sheet, write_visits};

/// Starts a scenario, unless there is no browser to play it in.
fn play(name: &str, url: &str, given: &Value) -> Option<Child> {
    let (Some(_), Some(_)) =
        (std::env::var_os("DEEPMIR_BROWSER"), std::env::var_os("DEEPMIR_CHROMIUM"))
    else {
        let mut told = std::io::stderr();
        writeln!(told, "not tested: no browser; `cargo xtask test` sets one up (DEEPMIR_BROWSER, DEEPMIR_CHROMIUM)").unwrap();
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/scenario.mjs");
    let child = Command::new("node")
        .arg(script)
        .args([name, url, &given.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    Some(child)
}

/// Plays a scenario to its end; what it said.
fn played(name: &str, url: &str, given: &Value) -> Option<String> {
    let output = play(name, url, given)?.wait_with_output().unwrap();
    assert!(output.status.success(), "{name} failed; its words are above");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// A made-up subject's true lesions, in its own file's voxels and, for the page, in RAS order.
struct Truth {
    labels: LabelMap,
    orientation: Orientation,
    swi: PathBuf,
}

impl Truth {
    fn of(dataset: &Path, number: u32) -> Self {
        let id = format!("sub-{number:02}");
        let path = format!("derivatives/truth/{id}/anat/{id}_acq-swi_seg-lesions_dseg.nii.gz");
        let (labels, header) = LabelMap::read(&dataset.join(path)).unwrap();
        Self {
            orientation: Orientation::of(header.grid().affine()),
            labels,
            swi: dataset.join(format!("{id}/anat/{id}_acq-swi_T2starw.nii.gz")),
        }
    }

    fn lesion(&self, class: LesionClass) -> Lesion {
        let all = lesions_of(&self.labels, Connectivity::TwentySix);
        all.into_iter().find(|lesion| lesion.class == class).unwrap()
    }

    /// The place nearest to a point in RAS order.
    fn voxel_at(&self, place_mm: [f64; 3]) -> [usize; 3] {
        let ras = self.orientation.grid_to_ras(self.labels.grid());
        ras.affine().inverse().apply(place_mm).map(|at| at.round() as usize)
    }

    /// A place in tissue, away from every lesion.
    fn free(&self) -> [usize; 3] {
        let ras = self.orientation.grid_to_ras(self.labels.grid()).shape();
        [ras[0] / 2, ras[1] / 2, ras[2] / 2 + 5]
    }

    /// For scenarios: the middle of a CMB, of an NHID and of a free place.
    fn places(&self) -> Value {
        let [cmb, nhid] = LesionClass::ALL.map(|class| self.voxel_at(self.lesion(class).centre_mm));
        json!({ "cmb": cmb, "nhid": nhid, "disc": self.free() })
    }

    /// Positions in the file of an axial disc around the free place.
    fn disc(&self, radius_mm: f64) -> Vec<usize> {
        let ras = self.orientation.grid_to_ras(self.labels.grid());
        let centre = self.free();
        let (sizes, file) = (ras.voxel_sizes_mm(), self.labels.grid());
        let inside = |voxel: [usize; 3]| {
            let apart = |axis: usize| (voxel[axis] as f64 - centre[axis] as f64) * sizes[axis];
            voxel[2] == centre[2] && apart(0).powi(2) + apart(1).powi(2) <= radius_mm * radius_mm
        };
        let voxels = (0..ras.len()).map(|index| ras.voxel(index)).filter(|&voxel| inside(voxel));
        let mut disc: Vec<usize> = voxels
            .map(|voxel| {
                let at = file.affine().inverse().apply(ras.position_mm(voxel));
                file.index(at.map(|at| at.round() as usize))
            })
            .collect();
        disc.sort_unstable();
        disc
    }
}

/// A rater's label map once it holds so many voxels.
fn written(dataset: &Path, desc: &str, truth: &Truth, expected: &LabelMap) {
    let name = nifti::stem(&truth.swi)
        .replace("_T2starw", &format!("_seg-lesions_desc-{desc}_dseg.nii.gz"));
    let id = name.split('_').next().unwrap();
    let path = dataset.join("derivatives/annotate").join(id).join("anat").join(&name);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok((labels, header)) = LabelMap::read(&path)
            && (&labels == expected || Instant::now() > deadline)
        {
            let pairs = labels.volume().data().iter().zip(expected.volume().data());
            let different: Vec<(usize, u8, u8)> = pairs
                .enumerate()
                .filter(|(_, (found, right))| found != right)
                .map(|(index, (&found, &right))| (index, found, right))
                .collect();
            assert_eq!(different, [], "(voxel, found, expected): {}", path.display());
            let image = nifti::read_header(&truth.swi).unwrap();
            assert_eq!(
                header.spatial(),
                image.spatial(),
                "the geometry is the image's own, to the bit"
            );
            return;
        }
        assert!(Instant::now() < deadline, "no {}", path.display());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn drawn_as(layout: Layout) {
    let folder = tempfile::tempdir().unwrap();
    write_as(folder.path(), 1, layout);
    let truth = Truth::of(folder.path(), 1);
    let server = Server::start(folder.path(), Some("anna"));
    if played("draw", &server.url, &truth.places()).is_none() {
        return;
    }
    let mut expected = LabelMap::empty(*truth.labels.grid());
    for class in LesionClass::ALL {
        expected.paint(&truth.lesion(class).voxels, class);
    }
    expected.paint(&truth.disc(1.5), LesionClass::Cmb);
    written(folder.path(), "anna", &truth, &expected);
    let table_path = folder
        .path()
        .join("derivatives/annotate/sub-01/anat/sub-01_acq-swi_seg-lesions_desc-anna_lesions.tsv");
    assert_eq!(table::read(&table_path).unwrap().len(), 3);
    let text = std::fs::read_to_string(&table_path).unwrap();
    let row = text.lines().find(|line| line.ends_with("drawn\t1\tnear a vein ?")).unwrap();
    assert!(row.contains("\tpossible\tdeep\tthalamus\tn/a\t"), "{text}");
}

#[test]
fn drawn_on_ras() {
    drawn_as(Layout::Codes("RAS"));
}

#[test]
fn drawn_on_las() {
    drawn_as(Layout::Codes("LAS"));
}

#[test]
fn drawn_on_lps() {
    drawn_as(Layout::Codes("LPS"));
}

#[test]
fn drawn_on_permuted_axes() {
    drawn_as(Layout::Codes("PIR"));
}

#[test]
fn drawn_on_an_oblique_grid() {
    drawn_as(Layout::Oblique);
}

#[test]
fn everything_can_be_done_with_keys() {
    let folder = tempfile::tempdir().unwrap();
    write_as(folder.path(), 1, Layout::Codes("LAS"));
    write_as(folder.path(), 2, Layout::Codes("LAS"));
    let truth = Truth::of(folder.path(), 1);
    let server = Server::start(folder.path(), Some("anna"));
    if played("keyboard", &server.url, &truth.places()).is_none() {
        return;
    }
    // A disc of 3 mm, its middle of 1.5 mm erased and filled again.
    let mut expected = LabelMap::empty(*truth.labels.grid());
    expected.paint(&truth.lesion(LesionClass::Cmb).voxels, LesionClass::Cmb);
    expected.paint(&truth.disc(3.0), LesionClass::Nhid);
    written(folder.path(), "anna", &truth, &expected);
}

#[test]
fn regions_are_shown_proposed_and_taken() {
    let folder = tempfile::tempdir().unwrap();
    write_as(folder.path(), 1, Layout::Codes("LPS"));
    let truth = Truth::of(folder.path(), 1);
    let server = Server::start(folder.path(), Some("anna"));
    played("regions", &server.url, &truth.places());
}

#[test]
fn candidates_are_reviewed_after_the_own_pass() {
    let folder = tempfile::tempdir().unwrap();
    write_as(folder.path(), 1, Layout::Codes("RAS"));
    let truth = Truth::of(folder.path(), 1);
    let server = Server::start(folder.path(), Some("anna"));
    let Some(said) = played("review", &server.url, &truth.places()) else { return };
    let number: usize = said.trim().rsplit(':').next().unwrap().parse().unwrap();
    let all = lesions_of(&truth.labels, Connectivity::TwentySix);
    let mut expected = LabelMap::empty(*truth.labels.grid());
    let mut own = expected.clone();
    for (n, lesion) in all.iter().enumerate().filter(|(n, _)| n + 1 != number) {
        // The rater's own mark of the first CMB, the model's of the others.
        if n == 0 {
            own.paint(&lesion.voxels, lesion.class);
        }
        expected.paint(&lesion.voxels, lesion.class);
    }
    written(folder.path(), "annaReview", &truth, &expected);
    written(folder.path(), "anna", &truth, &own);
}

#[test]
fn two_visits_are_read_and_signed() {
    let folder = tempfile::tempdir().unwrap();
    let results = write_visits(folder.path());
    let server = Server::start(folder.path(), Some("anna"));
    if played("visits", &server.url, &json!({})).is_none() {
        return;
    }
    let signed = sheet(&results, "signed");
    assert_eq!(signed["Reader"]["Name"], "Dr. Anna");
    assert_eq!(signed["Reading"]["Grade"], "severe");
}

#[test]
fn results_are_shown_in_the_browser() {
    let folder = tempfile::tempdir().unwrap();
    write_results(folder.path());
    let server = Server::start(folder.path(), Some("viewer"));
    played("results", &server.url, &json!({}));
}

#[test]
fn two_raters_are_settled_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    write_as(folder.path(), 1, Layout::Codes("LPS"));
    let truth = Truth::of(folder.path(), 1);
    let server = Server::start(folder.path(), None);
    let (port, token) = (server.port(), server.token().to_owned());
    let ras = truth.orientation.grid_to_ras(truth.labels.grid());
    // Both mark a cube, both another as different classes, and only anna a third.
    let cube = |at: [usize; 3]| {
        let row = |j: usize, k: usize| json!([ras.index([at[0], at[1] + j, at[2] + k]), 3]);
        json!([row(0, 0), row(1, 0), row(0, 1), row(1, 1)])
    };
    for (rater, marks) in [
        ("anna", vec![([20, 20, 8], "CMB"), ([30, 30, 10], "CMB"), ([40, 40, 12], "CMB")]),
        ("ben", vec![([21, 20, 8], "CMB"), ([30, 30, 10], "NHID")]),
    ] {
        let layer = format!("/api/layers/sub-01/{rater}/own");
        ask(port, &token, "GET", &layer, None);
        for (revision, (at, class)) in marks.iter().enumerate() {
            let operation =
                json!({ "type": "paint", "runs": cube(*at), "class": class, "lesion": null });
            let body = json!({ "revision": revision, "operation": operation });
            assert_eq!(
                ask(port, &token, "POST", &format!("{layer}/operations"), Some(body)).status,
                200
            );
        }
        let body = json!({ "revision": marks.len(), "done": true });
        assert_eq!(ask(port, &token, "POST", &format!("{layer}/done"), Some(body)).status, 200);
    }
    drop(server);
    let server = Server::start(folder.path(), Some("chris"));
    if played("adjudicate", &server.url, &json!({})).is_none() {
        return;
    }
    let mut expected = deepmir_volume::Volume::filled(ras, 0_u8);
    let mut paint = |at: [usize; 3], length: usize, class: LesionClass| {
        for (i, j, k) in (0..length * 4).map(|n| (n % length, n / length % 2, n / length / 2)) {
            expected[[at[0] + i, at[1] + j, at[2] + k]] = class.label();
        }
    };
    paint([20, 20, 8], 4, LesionClass::Cmb);
    paint([30, 30, 10], 3, LesionClass::Nhid);
    let native = truth.orientation.from_ras(&expected).map(|&value| i32::from(value));
    written(
        folder.path(),
        "adjudicated",
        &truth,
        &LabelMap::from_integers(&native, Path::new("")).unwrap(),
    );
}

#[test]
fn two_windows_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write_as(folder.path(), 1, Layout::Codes("RAS"));
    let truth = Truth::of(folder.path(), 1);
    let server = Server::start(folder.path(), Some("anna"));
    played("conflict", &server.url, &truth.places());
}

#[test]
fn a_killed_server_loses_at_most_the_last_stroke() {
    let folder = tempfile::tempdir().unwrap();
    write_as(folder.path(), 1, Layout::Codes("RAS"));
    let truth = Truth::of(folder.path(), 1);
    let mut server = Server::start(folder.path(), Some("anna"));
    let Some(mut child) = play("kill", &server.url, &truth.places()) else { return };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut input = child.stdin.take().unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "drawn");
    server.kill();
    writeln!(input, "killed").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "told");
    let again = Server::start(folder.path(), Some("anna"));
    writeln!(input, "{}", again.url).unwrap();
    assert!(child.wait().unwrap().success());
    // The label map of what was saved before the kill was written by the second server.
    let store = Store::open(&folder.path().join("derivatives/annotate")).unwrap();
    let dataset = open(folder.path());
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(export::write_pending(&dataset, &store).unwrap(), 0, "nothing was left to write");
}
