//! Two visits: what is proposed, what a reader makes of it, and the sheet that is signed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use deepmir_annotate::visits::sheet::export_signed;
use deepmir_annotate::{Dataset, Store};
use deepmir_cases::sha256;
use deepmir_lesion::{LabelMap, LesionClass, lesions_of};
use deepmir_testing::write_subject;
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Affine, Grid, Orientation, Volume, nifti};
use serde_json::{Value, json};

use crate::http::ask;
use crate::support::Server;

/// The head lies so much farther left at the baseline, in millimetres.
const SHIFT_MM: f64 = 4.0;
const NAME: &str = "sub-02_acq-swi_seg-visits_desc-anna";

/// Writes two made-up visits, sub-01 before and sub-02 after, and results of comparing them: of the true lesions at the
/// follow-up the first is new, the second is stable, and the third is gone; a place beside them is perhaps new.
pub fn write_visits(folder: &Path) -> PathBuf {
    let (before, after) = (write_subject(folder, 1), write_subject(folder, 2));
    let (labels, header) = LabelMap::read(&after.truth).unwrap();
    let lesions = lesions_of(&labels, Connectivity::TwentySix);
    let results = folder.join("change");
    std::fs::create_dir(&results).unwrap();
    // The follow-up's files run from right to left, the baseline's lie elsewhere.
    let las = Orientation::all().find(|orientation| orientation.codes() == "LAS").unwrap();
    for path in [&after.swi, &after.qsm, &after.t2w] {
        let volume = nifti::read(path).unwrap().volume;
        nifti::write(path, &las.from_ras(&volume), None).unwrap();
    }
    let moved = |grid: &Grid| {
        let shift = Affine::from_spacing([1.0; 3], [-SHIFT_MM, 0.0, 0.0]);
        Grid::new(grid.shape(), shift.after(grid.affine())).unwrap()
    };
    for path in [&before.swi, &before.qsm, &before.t2w] {
        let factor = if path == &before.qsm { 2.0 } else { 1.0 };
        let volume = nifti::read(path).unwrap().volume.map(|value| factor * value);
        let grid = moved(volume.grid());
        nifti::write(path, &volume.with_grid(grid).unwrap(), None).unwrap();
    }
    let mut maps = [0, 1].map(|_| Volume::filled(*header.grid(), 0_u16));
    let changes = ["new", "stable", "gone"];
    let mut table = "lesion\tclass\tchange\tprobability\tmars_region\tfollowup_x_mm\tfollowup_y_mm\tfollowup_z_mm\n"
        .to_owned();
    for (n, (lesion, change)) in lesions.iter().zip(changes).enumerate() {
        let number = n as u16 + 1;
        for (visit, map) in maps.iter_mut().enumerate() {
            if !matches!((visit, change), (0, "new") | (1, "gone")) {
                lesion.voxels.iter().for_each(|&voxel| map.data_mut()[voxel] = number);
            }
        }
        let [x, y, z] = lesion.centre_mm;
        table += &format!("{number}\tCMB\t{change}\t0.9\tthalamus\t{x}\t{y}\t{z}\n");
    }
    let [old, new] = maps;
    let grid = moved(old.grid());
    nifti::write(&results.join("before.nii.gz"), &old.with_grid(grid).unwrap(), None).unwrap();
    nifti::write(&results.join("after.nii.gz"), &las.from_ras(&new), None).unwrap();
    std::fs::write(results.join("sub-02_desc-visits.tsv"), table).unwrap();
    let [x, y, z] = lesions[3].centre_mm;
    let places = format!(
        "class\tchange\tbaseline_volume_mm3\tfollowup_volume_mm3\tfollowup_x_mm\tfollowup_y_mm\tfollowup_z_mm\t\
         gone_probability\tnew_probability\n\
         CMB\tnew\tn/a\t20\t0\t0\t0\t0.0\t0.9\n\
         CMB\tnone\tn/a\t20\t{x}\t{y}\t{z}\t0.01\t0.3\n\
         CMB\tnone\t20\t20\t{x}\t{y}\t{z}\t0.01\t0.02\n"
    );
    std::fs::write(results.join("sub-02_desc-visits_candidates.tsv"), places).unwrap();
    let visit = |id: &str, images: [(&str, &PathBuf); 3]| {
        let sources = images.map(|(modality, path)| {
            json!({ "Modality": modality, "Path": path, "SHA256": sha256(path).unwrap() })
        });
        json!({ "Scan": id, "Sources": sources, "Mask": null, "Contrast": "SWI" })
    };
    let images = |subject: &deepmir_testing::MadeUpSubject| {
        let paths = [subject.swi.clone(), subject.qsm.clone(), subject.t2w.clone()];
        visit(&subject.id, [("SWI", &paths[0]), ("QSM", &paths[1]), ("T2w", &paths[2])])
    };
    let rows = Affine::from_spacing([1.0; 3], [-SHIFT_MM, 0.0, 0.0]).rows();
    let sidecar = json!({
        "Baseline": images(&before),
        "Followup": images(&after),
        "Comparability": { "Verdict": "comparable", "Reasons": [] },
        "Registration": { "FollowupToBaseline": rows },
        "LabelMaps": ["before.nii.gz", "after.nii.gz"],
        "LargeFindings": [{ "Baseline": null, "Followup": {} }, { "Baseline": {}, "Followup": {} }],
        "ARIAH": { "NewMicrohaemorrhages": 1 },
        "Model": "made-up",
        "ModelId": "0",
    });
    std::fs::write(results.join("sub-02_desc-visits.json"), sidecar.to_string()).unwrap();
    results
}

fn opened(results: &Path) -> Result<Dataset, String> {
    Dataset::from_visits(&[results.to_owned()], &[], &[], None).map_err(|error| error.to_string())
}

struct Page {
    server: Server,
    revision: u64,
}

impl Page {
    fn start(folder: &Path) -> Self {
        Self { server: Server::start(folder, Some("anna")), revision: 0 }
    }

    fn ask(&mut self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let path = format!("/api/layers/sub-02/anna/{path}");
        let answer = ask(self.server.port(), self.server.token(), method, &path, body);
        let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if let Some(revision) = told["revision"].as_u64() {
            self.revision = revision;
        }
        (answer.status, told)
    }

    fn layer(&mut self) -> Value {
        let (status, layer) = self.ask("GET", "visits", None);
        assert_eq!(status, 200, "{layer}");
        layer
    }

    fn operate(&mut self, operation: Value) -> (u16, Value) {
        let body = json!({ "revision": self.revision, "operation": operation });
        self.ask("POST", "visits/operations", Some(body))
    }

    fn done(&mut self, done: bool) -> (u16, String) {
        let body = json!({ "revision": self.revision, "done": done });
        let (status, told) = self.ask("POST", "visits/done", Some(body));
        (status, told["error"].as_str().unwrap_or_default().to_owned())
    }
}

/// Waits until a sheet says what it should.
pub fn sheet(results: &Path, status: &str) -> Value {
    let path = results.join(format!("reading/sub-02/anat/{NAME}_ariah.json"));
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let told: Value = serde_json::from_str(&text).unwrap_or_default();
        if told["Status"] == status {
            return told;
        }
        assert!(Instant::now() < deadline, "no sheet that is {status}: {}", path.display());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_reading_is_signed_once_everything_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let results = write_visits(folder.path());
    let mut page = Page::start(folder.path());

    let layer = page.layer();
    let keys: Vec<(&str, &str)> = layer["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["key"].as_str().unwrap(), one["change"].as_str().unwrap()))
        .collect();
    let expected =
        [("lesion:1", "new"), ("lesion:3", "gone"), ("place:2", "new"), ("lesion:2", "stable")];
    assert_eq!(keys, expected);
    assert_eq!(layer["lesions"].as_array().unwrap().len(), 1, "what is stable is taken over");
    assert_eq!(layer["reading"]["BaselineMicrohaemorrhages"], 1);
    // The lesion that is gone is measured where it was: susceptibility is twice as high there at the baseline.
    let gone = &layer["candidates"][1];
    assert!(gone["chi_mean_ppm"].as_f64().unwrap() > 0.5, "{gone}");

    assert_eq!(page.ask("GET", "own", None).0, 422, "not without both visits");
    let (status, reason) = page.done(true);
    assert_eq!((status, reason.contains("3 still to be decided on")), (422, true), "{reason}");
    assert_eq!(page.operate(json!({ "type": "accept", "candidate": "lesion:1" })).0, 200);
    assert_eq!(page.operate(json!({ "type": "accept", "candidate": "lesion:3" })).0, 200);
    assert_eq!(page.operate(json!({ "type": "reject", "candidate": "place:2" })).0, 200);
    let (_, reason) = page.done(true);
    assert!(reason.contains("areas of superficial siderosis"), "{reason}");
    let say = |siderosis: u64, reader: &str| {
        json!({ "type": "findings", "findings": {
            "siderosis_areas": siderosis, "macrohaemorrhages": 0, "remark": "<b>=1+1", "reader": reader,
        } })
    };
    assert_eq!(page.operate(say(100, "")).0, 422, "nobody counts to 100");
    assert_eq!(page.operate(say(2, " ")).0, 200);
    let (_, reason) = page.done(true);
    assert!(reason.contains("sign with your name"), "{reason}");
    assert_eq!(page.operate(say(2, "Dr. <i>Anna</i>")).0, 200);
    // The new one has grown, thinks the reader; and takes that back.
    assert_eq!(page.operate(json!({ "type": "annotate", "lesion": 2, "change": "grown" })).0, 200);
    assert_eq!(page.layer()["reading"]["NewMicrohaemorrhages"], 0);
    let body = json!({ "revision": page.revision });
    assert_eq!(page.ask("POST", "visits/undo", Some(body)).0, 200);
    assert_eq!(page.layer()["reading"]["Grade"], "moderate");
    assert_eq!(page.done(true), (200, String::new()));

    let signed = sheet(&results, "signed");
    assert_eq!(signed["Reader"]["Name"], "Dr. <i>Anna</i>");
    assert!(signed["Reader"]["SignedAt"].as_str().unwrap().ends_with('Z'));
    let reading = &signed["Reading"];
    assert_eq!(
        (&reading["NewMicrohaemorrhages"], &reading["Grade"]),
        (&json!(1), &json!("moderate"))
    );
    assert_eq!(reading["Lesions"]["CMB"]["gone"], 1);
    assert_eq!(signed["Proposals"], json!({ "Accepted": 3, "Rejected": 1, "Added": 0 }));
    let of = |ending: &str| results.join(format!("reading/sub-02/anat/{NAME}_{ending}"));
    let html = std::fs::read_to_string(of("ariah.html")).unwrap();
    assert!(html.contains("Dr. &lt;i&gt;Anna&lt;&#x2f;i&gt;"), "escaped: {html}");
    // What is gone is in the table, not in the map of the follow-up.
    let (labels, header) = LabelMap::read(&of("dseg.nii.gz")).unwrap();
    assert_eq!(Orientation::of(header.grid().affine()).codes(), "LAS");
    assert_eq!(lesions_of(&labels, Connectivity::TwentySix).len(), 2);
    let table = std::fs::read_to_string(of("lesions.tsv")).unwrap();
    assert!(table.lines().next().unwrap().ends_with("\tcomment\tchange"), "{table}");
    assert!(
        ["new", "stable", "gone"].iter().all(|change| table.contains(&format!("\t{change}\n")))
    );

    assert_eq!(page.operate(json!({ "type": "delete", "lesion": 1 })).0, 422, "it is signed");
    let dataset = opened(&results).unwrap();
    let store = Store::open(&dataset.out).unwrap();
    let out = folder.path().join("signed");
    assert_eq!(export_signed(&dataset, &store, &out, &[]).unwrap().written, 1);
    let rows = std::fs::read_to_string(out.join("readings.tsv")).unwrap();
    let row = rows.lines().nth(1).unwrap();
    assert!(row.starts_with("sub-01\tsub-02\tanna\tDr. <i>Anna</i>\t"), "{row}");
    assert!(
        row.ends_with("\tcomparable\t2\t1\t0\tmild\t2\tmoderate\t0\tmoderate\t1\t<b>=1+1"),
        "{row}"
    );
    assert!(out.join(format!("sub-02/anat/{NAME}_ariah.html")).is_file());

    assert_eq!(page.done(false), (200, String::new()));
    sheet(&results, "not signed");
    assert!(export_signed(&dataset, &store, &out, &[]).is_err(), "a draft is not exported");
}

#[test]
fn a_mark_drawn_in_two_visits_is_new() {
    let folder = tempfile::tempdir().unwrap();
    write_visits(folder.path());
    let mut page = Page::start(folder.path());
    page.layer();
    let paint = json!({ "type": "paint", "runs": [[5, 3]], "class": "CMB", "lesion": null });
    assert_eq!(page.operate(paint).0, 200);
    let layer = page.layer();
    let drawn = &layer["lesions"][1];
    assert_eq!((&drawn["change"], &drawn["origin"]), (&json!("new"), &json!("drawn")));
    // In one visit nothing is new.
    let path = "/api/layers/sub-02/anna/own/operations";
    let body =
        json!({ "revision": 0, "operation": { "type": "annotate", "lesion": 1, "change": "new" } });
    assert_eq!(ask(page.server.port(), page.server.token(), "POST", path, Some(body)).status, 422);
}

#[test]
fn results_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let results = write_visits(folder.path());
    let sidecar = results.join("sub-02_desc-visits.json");
    assert_eq!(opened(&results).unwrap().cases.len(), 1);
    assert!(opened(&folder.path().join("sub-01")).unwrap_err().contains("no results of"));
    assert!(opened(&folder.path().join("nowhere")).unwrap_err().contains("nowhere"));

    let twice = results.join("again");
    std::fs::create_dir(&twice).unwrap();
    std::fs::copy(&sidecar, twice.join("sub-02_desc-visits.json")).unwrap();
    assert!(opened(&results).unwrap_err().contains("two results are of sub-02"));
    std::fs::remove_dir_all(&twice).unwrap();

    let dataset = opened(&results).unwrap();
    let swi = dataset.cases[0].visits.as_ref().unwrap().baseline[0].1.clone();
    let image = nifti::read(&swi).unwrap();
    nifti::write(&swi, &image.volume.map(|value| value + 1.0), None).unwrap();
    let error = deepmir_annotate::case::LoadedCase::read(&dataset.cases[0]).unwrap_err();
    assert!(error.to_string().contains("changed since these results were made"), "{error}");
    std::fs::remove_file(&swi).unwrap();
    assert!(opened(&results).unwrap_err().contains("not there any more"));

    for (text, words) in [("{", "EOF"), ("{}", "Baseline"), ("[]", "invalid length")] {
        std::fs::write(&sidecar, text).unwrap();
        let error = opened(&results).unwrap_err();
        assert!(error.contains("make them again") && error.contains(words), "{error}");
    }
}

#[test]
fn a_lesion_that_is_gone_lies_where_the_head_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let results = write_visits(folder.path());
    let dataset = opened(&results).unwrap();
    let case = deepmir_annotate::case::LoadedCase::read(&dataset.cases[0]).unwrap();
    let truth =
        folder.path().join("derivatives/truth/sub-02/anat/sub-02_acq-swi_seg-lesions_dseg.nii.gz");
    let (labels, _) = LabelMap::read(&truth).unwrap();
    let lesions = lesions_of(&labels, Connectivity::TwentySix);
    let proposals = &case.visits.as_ref().unwrap().proposals;
    assert_eq!(proposals.len(), 4);
    for (n, lesion) in (1..).zip(&lesions[..3]) {
        let key = format!("lesion:{n}");
        let proposal = proposals.iter().find(|proposal| proposal.key == key).unwrap();
        let mut voxels = proposal.voxels.clone();
        voxels.sort_unstable();
        assert_eq!(voxels, lesion.voxels, "{}", proposal.key);
        assert_eq!(proposal.said.class, LesionClass::Cmb);
    }
}
