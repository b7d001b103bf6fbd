//! Results to look at: what is shown is what the program wrote, and nothing is written.

use std::path::{Path, PathBuf};

use deepmir_annotate::case::LoadedCase;
use deepmir_annotate::{Dataset, ImageKind};
use deepmir_cases::sha256;
use deepmir_lesion::{
    Certainty, LabelMap, LesionRow, MarsRegion, MeasuredImages, lesions_of, table,
};
use deepmir_testing::{files_below, write_subject};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Volume, nifti};
use serde_json::{Value, json};

use crate::candidates::write_predicted;
use crate::http::ask;
use crate::support::Server;

/// Adds to results of sub-01 what `deepmir predict` writes beside label map and candidates; the rows of its table.
pub fn write_results(data: &Path) -> (PathBuf, Vec<LesionRow>) {
    let folder = write_predicted(data);
    let of = |name: &str| folder.join(format!("sub-01_{name}"));
    let (labels, header) = LabelMap::read(&of("acq-swi_seg-lesions_dseg.nii.gz")).unwrap();
    let lesions = lesions_of(&labels, Connectivity::TwentySix);
    let nothing = MeasuredImages { swi: None, qsm_ppm: None, t2w: None, brain: None, places: None };
    let mut rows = nothing.measure(&labels, &lesions);
    // The table's own words, which nobody could measure again.
    rows[0].mars_region = Some(MarsRegion::Insula);
    rows[0].certainty = Some(Certainty::Possible);
    rows[0].chi_mean_ppm = Some(0.321);
    let mut numbers = Volume::filled(*header.grid(), 0_u16);
    for (lesion, row) in lesions.iter().zip(&rows) {
        lesion.voxels.iter().for_each(|&voxel| numbers.data_mut()[voxel] = row.lesion_id as u16);
    }
    nifti::write(&of("acq-swi_seg-instances_dseg.nii.gz"), &numbers, Some(&header)).unwrap();
    let cells: Vec<Vec<String>> =
        (0..rows.len()).map(|n| vec![format!("{:.4}", 0.9 - 0.1 * n as f64)]).collect();
    table::write_with(&of("desc-lesions.tsv"), &rows, &[table::PROBABILITY], &cells).unwrap();
    let anat = data.join("sub-01/anat");
    let images = [("SWI", "acq-swi_T2starw"), ("QSM", "Chimap"), ("T2w", "T2w")]
        .map(|(kind, name)| (kind, anat.join(format!("sub-01_{name}.nii.gz"))));
    let sums: Vec<String> = images.iter().map(|(_, path)| sha256(path).unwrap()).collect();
    let sidecar = json!({
        "Images": images.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "Mask": null,
        "SourcesSHA256": sums,
        "Model": "made-up",
    });
    std::fs::write(of("acq-swi_seg-lesions_dseg.json"), sidecar.to_string()).unwrap();
    (folder, rows)
}

fn opened(folder: &Path) -> Result<Dataset, String> {
    Dataset::from_results(&[folder.to_owned()], &[], &[]).map_err(|error| error.to_string())
}

fn loaded(folder: &Path) -> Result<LoadedCase, String> {
    LoadedCase::read(&opened(folder)?.cases[0]).map_err(|error| error.to_string())
}

#[test]
fn results_are_shown_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let (results, rows) = write_results(folder.path());
    let case = loaded(&results).unwrap();
    assert_eq!(case.images.iter().filter(|image| image.kind != ImageKind::MinIp).count(), 3);
    assert_eq!(case.files.result.as_ref().unwrap().model, "made-up");
    let found = case.result.unwrap();
    assert_eq!(found.lesions.len(), rows.len());
    for (lesion, row) in found.lesions.iter().zip(&rows) {
        assert_eq!((usize::from(lesion.id), lesion.said.class), (row.lesion_id, row.class));
        assert_eq!(found.layer.voxels_of_lesions()[&lesion.id].len(), row.n_voxels);
        assert_eq!(found.layer.lesion_at(case.grid.index(lesion.voxel) as u32), Some(lesion.id));
    }
    let first = &found.lesions[0];
    assert_eq!(first.said.region, Some(MarsRegion::Insula));
    assert_eq!(first.said.certainty, Certainty::Possible);
    assert_eq!((first.measures.chi_mean_ppm, first.probability), (Some(0.321), Some(0.9)));
    // What was not called, however improbable, the most probable first.
    let rejected: Vec<Option<f64>> = found.rejected.iter().map(|one| one.probability).collect();
    assert_eq!(rejected, [Some(0.4), Some(0.05)]);
}

#[test]
fn the_server_shows_results_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (results, rows) = write_results(folder.path());
    let before = files_below(folder.path());
    let server = Server::start(folder.path(), Some("viewer"));
    let get = |path: &str| {
        let answer = ask(server.port(), server.token(), "GET", path, None);
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap_or_default())
    };
    assert_eq!(get("/api/session").1["results"], true);
    let (_, list) = get("/api/raters/viewer/cases");
    assert_eq!((&list[0]["id"], &list[0]["status"]), (&json!("sub-01"), &json!("found")));
    assert_eq!(
        list[0]["lesions"].as_array().unwrap().iter().filter_map(Value::as_u64).sum::<u64>()
            as usize,
        rows.len()
    );
    let (status, layer) = get("/api/layers/sub-01/viewer/results");
    assert_eq!(status, 200, "{layer}");
    assert_eq!(layer["lesions"][0]["probability"], 0.9);
    assert_eq!(layer["candidates"].as_array().unwrap().len(), 2);
    assert_eq!(get("/api/layers/sub-01/viewer/own").0, 422);
    let operation = json!({ "revision": 0, "operation": { "type": "delete", "lesion": 1 } });
    for path in ["results/operations", "own/operations", "results/done"] {
        let path = format!("/api/layers/sub-01/viewer/{path}");
        let answer = ask(server.port(), server.token(), "POST", &path, Some(operation.clone()));
        assert_eq!(answer.status, 404, "{path}");
    }
    drop(server);
    assert_eq!(files_below(folder.path()), before, "{}", results.display());
}

#[test]
fn results_that_cannot_be_shown_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (results, _) = write_results(folder.path());
    let of = |name: &str| results.join(format!("sub-01_{name}"));
    let refused = |change: &dyn Fn(), words: &[&str]| {
        change();
        let message = loaded(&results).unwrap_err();
        words.iter().for_each(|word| assert!(message.contains(word), "no {word:?} in {message}"));
        write_results(folder.path());
    };
    let sidecar = of("acq-swi_seg-lesions_dseg.json");
    refused(
        &|| std::fs::write(&sidecar, "{}").unwrap(),
        &["do not name their images", "dseg.json"],
    );
    refused(&|| std::fs::write(&sidecar, "[").unwrap(), &["dseg.json"]);
    refused(&|| std::fs::remove_file(of("desc-lesions.tsv")).unwrap(), &["missing", "lesions.tsv"]);
    refused(
        &|| {
            let text = std::fs::read_to_string(of("desc-lesions.tsv")).unwrap();
            let short: Vec<&str> = text.lines().take(2).collect();
            std::fs::write(of("desc-lesions.tsv"), short.join("\n")).unwrap();
        },
        &["other lesions", "instances_dseg.nii.gz"],
    );
    let swi = folder.path().join("sub-01/anat/sub-01_acq-swi_T2starw.nii.gz");
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let changed = write_subject(&other, 2).swi;
    let overwrite = || assert!(std::fs::copy(&changed, &swi).unwrap() > 0);
    refused(&overwrite, &["has changed", "T2starw"]);
    refused(&|| std::fs::remove_file(&swi).unwrap(), &["not there any more", "T2starw"]);
    assert!(opened(&folder.path().join("sub-01")).unwrap_err().contains("no results"));
    let twice = [results.clone(), results];
    let message = Dataset::from_results(&twice, &[], &[]).unwrap_err().to_string();
    assert!(message.contains("two results are of sub-01"), "{message}");
}
