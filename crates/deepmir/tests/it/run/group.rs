//! The group level.

use std::fs;

use super::Study;
use crate::support::text;

#[test]
fn a_cohort_has_a_row_a_scan_a_row_a_lesion_and_a_page() {
    let study = Study::new(4);
    fs::remove_file(study.data.join("sub-03/anat/sub-03_T2w.nii.gz")).unwrap();
    fs::write(study.data.join("sub-04/anat/sub-04_Chimap.nii.gz"), b"no image").unwrap();
    assert_eq!(study.participants(&[]).0, 3);
    let (code, out, told) = study.group();
    assert_eq!(code, 0, "{told}");
    assert!(out.contains("2 scans in the tables, 2 without results"), "{out}");
    let read = |name: &str| fs::read_to_string(study.out.join("group").join(name)).unwrap();
    let subjects = read("subjects.tsv");
    let lines: Vec<Vec<&str>> = subjects.lines().map(|line| line.split('\t').collect()).collect();
    let column = |name: &str| lines[0].iter().position(|cell| *cell == name).unwrap();
    let cell = |row: usize, name: &str| lines[row][column(name)];
    assert_eq!(lines.len(), 5);
    assert_eq!([1, 2, 3, 4].map(|row| cell(row, "state")), ["done", "done", "skipped", "failed"]);
    assert!(cell(4, "reason").contains("sub-04_Chimap.nii.gz"));
    assert_eq!(cell(3, "cmb_count"), "n/a");
    let lesions = read("lesions.tsv");
    let of = |scan: &str, class: &str| {
        let rows = lesions.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        rows.filter(|row| row[0] == scan && row[3] == class).count()
    };
    for row in [1, 2] {
        assert_eq!(cell(row, "cmb_count"), of(cell(row, "scan_id"), "CMB").to_string());
        assert_eq!(cell(row, "nhid_count"), of(cell(row, "scan_id"), "NHID").to_string());
    }
    let page = read("index.html");
    assert!(page.contains("../sub-01/anat/sub-01_desc-lesions_report.html"));
    let plain = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!plain.contains("http://") && !plain.contains("https://"));
    assert_eq!((cell(1, "region_source"), cell(4, "region_source")), ("brain_box", "n/a"));
    assert_eq!([1, 2].map(|row| cell(row, "boston2_strictly_lobar_cmb")), ["n/a"; 2]);
    assert!(!lines[0].contains(&"cmb_grade") && !page.contains("cmb_grade"));
    let first = study.tables();
    assert!(first == study.tables(), "twice the same");
    assert!(!subjects.contains("-0.0000"), "{subjects}");
    // A subject that nobody has worked on is in no table, and that is said.
    deepmir_testing::write_subject(&study.data, 5);
    let (code, _, told) = study.group();
    assert_eq!(code, 0, "{told}");
    let unfinished = told.lines().find(|line| line.contains("no results yet")).unwrap();
    assert!(unfinished.contains("sub-05") && !unfinished.contains("sub-04"), "{told}");
}

#[test]
fn lesions_are_followed_over_sessions() {
    let study = Study::new(0);
    let made = study.data.with_file_name("made");
    let config = study.data.with_file_name("coarse.toml");
    fs::write(
        &config,
        "[phantom.scan]\nvoxel_mm = [2.5, 2.5, 2.5]\nmatrix = [72, 88, 72]\nfine_voxel_mm = 1.25\n\
         echo_times_s = [0.006, 0.012]\n",
    )
    .unwrap();
    let options = ["--sessions", "2", "--seed", "3", "--config", text(&config)];
    let (code, _, told) = crate::support::run(&[&["phantom", text(&made)][..], &options].concat());
    assert_eq!(code, 0, "{told}");
    let copy = |from: &str, to: &str| {
        let anat = study.data.join(format!("sub-01/ses-{to}/anat"));
        fs::create_dir_all(&anat).unwrap();
        for suffix in ["acq-swi_T2starw", "Chimap", "T2w"] {
            fs::copy(
                made.join(format!("sub-01/ses-{from}/anat/sub-01_ses-{from}_{suffix}.nii.gz")),
                anat.join(format!("sub-01_ses-{to}_{suffix}.nii.gz")),
            )
            .unwrap();
        }
    };
    copy("1", "a");
    copy("2", "b");
    // One session a run, as jobs of a cluster do it, and again: the other is kept.
    let table = study.out.join("sub-01/sub-01_desc-lesions_timeline.tsv");
    for (session, more) in [("a", "--resume"), ("b", "--resume"), ("a", "--force")] {
        assert_eq!(table.exists(), more == "--force");
        let (code, _, told) = study.participants(&["--session-label", session, more]);
        assert_eq!(code, 0, "{told}");
    }
    let changes = fs::read_to_string(&table).unwrap();
    let visits = study.out.join("sub-01/ses-b/anat/sub-01_ses-b_desc-visits.tsv");
    let visits = fs::read_to_string(visits).unwrap();
    assert_eq!(changes.lines().count(), visits.lines().count());
    for (row, of) in changes.lines().zip(visits.lines()).skip(1) {
        let [from, to, change] = [0, 1, 2].map(|column| row.split('\t').nth(column).unwrap());
        assert_eq!((from, to), ("sub-01_ses-a", "sub-01_ses-b"));
        assert_eq!(Some(change), of.split('\t').nth(2));
    }
    study.tables();
    let all = fs::read_to_string(study.out.join("group/timeline.tsv")).unwrap();
    assert_eq!(all.lines().count(), changes.lines().count());

    // A session whose image is that of another is not compared; the other pair is.
    copy("2", "c");
    let (code, _, told) = study.participants(&[]);
    assert_eq!(code, 0, "{told}");
    let told: Vec<&str> = told.lines().filter(|line| line.contains("not followed")).collect();
    assert!(
        told[0].contains("sub-01_ses-b to sub-01_ses-c") && told[0].contains("same image"),
        "{told:?}"
    );
    assert_eq!(fs::read_to_string(&table).unwrap(), changes);
}

/// The text under the heading of `docs/outputs.md` that names a table of this file name.
fn section_of<'a>(dictionary: &'a str, name: &str) -> &'a str {
    let named = |heading: &str| {
        heading.split('`').skip(1).step_by(2).any(|pattern| {
            let ending = pattern.rsplit(['*', '/']).next().unwrap();
            if pattern.starts_with('*') { name.ends_with(ending) } else { name == ending }
        })
    };
    let mut sections = dictionary.split("\n## ");
    let found = sections.find(|section| named(section.lines().next().unwrap()));
    assert!(found.is_some(), "docs/outputs.md has no section on {name}");
    found.unwrap_or_default()
}

#[test]
fn the_data_dictionary_has_every_column_of_every_table() {
    let dictionary = include_str!("../../../../../docs/outputs.md");
    let study = Study::new(1);
    assert_eq!(study.participants(&[]).0, 0);
    study.tables();
    let files = deepmir_testing::files_below(&study.out).into_iter();
    let tables: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|is| is == "tsv")).collect();
    assert!(tables.len() >= 7, "{tables:?}");
    for table in tables {
        let name = table.file_name().unwrap().to_str().unwrap();
        // The cohort's tables of lesions and changes have the columns of a scan's.
        let section = match name {
            "lesions.tsv" => section_of(dictionary, "x_desc-lesions.tsv"),
            "timeline.tsv" => section_of(dictionary, "x_timeline.tsv"),
            _ => section_of(dictionary, name),
        };
        let text = fs::read_to_string(&table).unwrap();
        for column in text.lines().next().unwrap().split('\t') {
            let row = |line: &str| {
                let first = line.strip_prefix("| ").and_then(|line| line.split(" |").next());
                first.is_some_and(|cell| cell.contains(&format!("`{column}`")))
            };
            assert!(section.lines().any(row), "docs/outputs.md says nothing of {column} of {name}");
        }
    }
}
