//! One truth: what every test of a prediction may ask.

use std::fs;
use std::path::{Path, PathBuf};

use deepmir_volume::nifti;

use crate::files_below;

const TABLE: &str = "_desc-lesions.tsv";

/// For every lesion table below a folder: the instance map, the label map, the page and the table of candidates beside
/// it show the same lesions. The numbers of CMB and NHID of each.
///
/// # Panics
/// If they do not, or if a file is missing.
#[track_caller]
pub fn assert_predictions_agree(folder: &Path) -> Vec<[usize; 2]> {
    let files = files_below(folder).into_iter();
    let tables = files.filter(|path| path.to_string_lossy().ends_with(TABLE));
    tables.map(|table| assert_prediction_agrees(&table)).collect()
}

#[track_caller]
fn assert_prediction_agrees(table: &Path) -> [usize; 2] {
    let rows = rows_of(table);
    let folder = table.parent().unwrap();
    let name = table.file_name().unwrap().to_str().unwrap();
    let scan = name.strip_suffix(TABLE).unwrap();
    let beside = |ending: &str| folder.join(format!("{scan}_desc-lesions{ending}"));
    let map = |ending: &str| -> PathBuf {
        let of_scan = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let rest = name.strip_prefix(scan).filter(|rest| rest.starts_with('_'));
            rest.is_some_and(|rest| rest.ends_with(ending) && !rest.starts_with("_run-"))
        };
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.into_iter().find(of_scan).ok_or_else(|| format!("no {ending} of {scan}")).unwrap()
    };
    let labels = nifti::read_integers(&map("_seg-lesions_dseg.nii.gz")).unwrap().volume;
    let instances = nifti::read_integers(&map("_seg-instances_dseg.nii.gz")).unwrap().volume;
    let number =
        |row: &[String], column: &str| row[place_of(table, column)].parse::<usize>().unwrap();
    let mut voxels = vec![0_usize; rows.len()];
    for (&label, &instance) in labels.data().iter().zip(instances.data()) {
        let class = match usize::try_from(instance).unwrap().checked_sub(1) {
            Some(place) => {
                voxels[place] += 1;
                rows[place][1].as_str()
            }
            None => "background",
        };
        let expected = match class {
            "CMB" => 1,
            "NHID" => 2,
            _ => 0,
        };
        assert_eq!(label, expected, "the label of lesion {instance} of {scan}");
    }
    for (n, row) in rows.iter().enumerate() {
        assert_eq!(number(row, "lesion_id"), n + 1, "rows are numbered in their order");
        assert_eq!(number(row, "n_voxels"), voxels[n], "voxels of lesion {} of {scan}", n + 1);
    }
    let names = rows_of(&map("_seg-instances_dseg.tsv"));
    assert_eq!(names.len(), rows.len(), "a name for each instance");
    let page = fs::read_to_string(beside("_report.html")).unwrap();
    let of = |class: &str| rows.iter().filter(|row| row[1] == class).count();
    for class in ["CMB", "NHID"] {
        let count = of(class);
        let shown = format!("<li class=\"{class}\"><b>{count}</b>");
        assert!(page.contains(&shown), "the page of {scan} does not count {count} {class}");
    }
    assert_eq!(page.matches("<section class=\"card\"").count(), rows.len(), "a card each");
    let candidates = beside("_candidates.tsv");
    if candidates.is_file() {
        let accepted = rows_of(&candidates);
        let accepted = accepted.iter().filter(|row| row.iter().any(|cell| cell == "yes"));
        assert_eq!(accepted.count(), rows.len(), "accepted candidates of {scan}");
    }
    ["CMB", "NHID"].map(of)
}

/// Where a table has a column.
fn place_of(table: &Path, column: &str) -> usize {
    let text = fs::read_to_string(table).unwrap();
    let heading = text.lines().next().unwrap();
    heading.split('\t').position(|name| name == column).unwrap()
}

/// The cells of a table without its heading.
fn rows_of(table: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(table).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}
