//! `deepmir compare`.

use std::fs;
use std::path::{Path, PathBuf};

use deepmir_volume::nifti;

use crate::support::{refused, run, text};

/// Two visits of one head on coarse voxels, with the shipped model's images.
fn visits(folder: &Path, seed: &str) -> PathBuf {
    let config = folder.join("coarse.toml");
    fs::write(
        &config,
        "[phantom.scan]\nvoxel_mm = [1.5, 1.5, 2.0]\nmatrix = [112, 136, 80]\nfine_voxel_mm = 1.0\n\
         echo_times_s = [0.006, 0.012, 0.018, 0.024]\n\
         [phantom.sessions]\nnew_microbleeds = [4, 4]\n\
         [phantom.lesions.microbleeds]\ncount = [6, 6]\nmedian_diameter_mm = 5.0\nlog_spread = 0.2\n\
         diameter_mm = [4.0, 8.0]\nchi_ppm = [1.0, 2.0]\n",
    )
    .unwrap();
    let out = folder.join(format!("heads-{seed}"));
    let (code, _, told) =
        run(&["phantom", text(&out), "--sessions", "2", "--seed", seed, "--config", text(&config)]);
    assert_eq!(code, 0, "{told}");
    out
}

fn image(heads: &Path, session: u8, suffix: &str) -> String {
    let name = format!("sub-01/ses-{session}/anat/sub-01_ses-{session}_{suffix}.nii.gz");
    heads.join(name).to_str().unwrap().to_owned()
}

fn cell<'a>(line: &'a str, header: &str, name: &str) -> &'a str {
    let place = header.split('\t').position(|column| column == name).unwrap();
    line.split('\t').nth(place).unwrap()
}

#[test]
fn two_visits_are_read_together() {
    let folder = tempfile::tempdir().unwrap();
    let heads = visits(folder.path(), "5");
    let [before, after] = [1, 2].map(|session| image(&heads, session, "acq-swi_T2starw"));
    let [chi_before, chi_after] = [1, 2].map(|session| image(&heads, session, "Chimap"));
    let out = folder.path().join("out");
    let command = [
        "compare",
        "--baseline",
        &before,
        "--baseline-qsm",
        &chi_before,
        "--followup",
        &after,
        "--followup-qsm",
        &chi_after,
        "--baseline-date",
        "2024-05-01",
        "--followup-date",
        "2026-05-01",
        "-o",
        text(&out),
    ];
    let (code, stdout, told) = run(&command);
    assert_eq!(code, 0, "{told}");
    assert!(stdout.starts_with("comparable\n"), "{stdout}");

    // Counts of new ones in the table, the sidecar and on the terminal are one.
    let table = fs::read_to_string(out.join("sub-01_ses-2_desc-visits.tsv")).unwrap();
    let (header, rows) = table.split_once('\n').unwrap();
    let of = |change: &str| {
        let is = |row: &&str| {
            cell(row, header, "change") == change && cell(row, header, "class") == "CMB"
        };
        rows.lines().filter(is).count()
    };
    assert!(stdout.contains(&format!("CMB: {} new, {} gone", of("new"), of("gone"))), "{stdout}");
    // Four were added: coarse voxels may hide one, and no more are called.
    assert!((3..=4).contains(&of("new")), "{table}");
    assert!(of("stable") + of("grown") >= 3, "{table}");
    let sidecar: serde_json::Value = serde_json::from_str(
        &fs::read_to_string(out.join("sub-01_ses-2_desc-visits.json")).unwrap(),
    )
    .unwrap();
    assert_eq!(sidecar["Changes"]["CMB"]["Counts"]["new"], of("new"));
    assert_eq!(sidecar["ARIAH"]["NewMicrohaemorrhages"], of("new"));
    assert_eq!(sidecar["ARIAH"]["MicrohaemorrhageSeverity"], "mild");
    assert_eq!(sidecar["Comparability"]["SameProtocol"], true);

    // The maps have the table's numbers, each on its own scan's grid; a new lesion is in the second alone.
    let maps = ["space-baseline_seg-visits", "seg-visits"].map(|kind| {
        nifti::read_integers(&out.join(format!("sub-01_ses-2_acq-swi_{kind}_dseg.nii.gz"))).unwrap()
    });
    for (map, scan) in maps.iter().zip([&before, &after]) {
        let scan = nifti::read(Path::new(scan)).unwrap();
        assert_eq!(map.header.spatial(), scan.header.spatial());
    }
    for row in rows.lines() {
        let number: i32 = cell(row, header, "lesion").parse().unwrap();
        let there = maps.each_ref().map(|map| map.volume.data().contains(&number));
        let want = match cell(row, header, "change") {
            "new" => [false, true],
            "gone" => [true, false],
            _ => [true, true],
        };
        assert_eq!(there, want, "{row}");
    }
    let page = fs::read_to_string(out.join("sub-01_ses-2_desc-visits_report.html")).unwrap();
    assert!(
        page.contains("The scans are comparable") && page.contains("In 2.0 years"),
        "no verdict"
    );

    // A reader can open it; nothing has been signed.
    let signed = folder.path().join("signed");
    let export = ["annotate", "--visits", text(&out), "--export", text(&signed)];
    refused(&export, &["no reading has been signed"]);

    // What `predict` left of each visit will do, as long as its images are there. The other way round what was new is
    // gone. An image that one visit lacks is left out of both, and that is said.
    for (session, images) in
        [(1, &["--swi", &before, "--qsm", &chi_before][..]), (2, &["--swi", &after])]
    {
        let results = folder.path().join(format!("results-{session}"));
        let command = [&["predict", "-o", text(&results)], images].concat();
        let (code, _, told) = run(&command);
        assert_eq!(code, 0, "{told}");
    }
    let results = ["results-2", "results-1"].map(|name| folder.path().join(name));
    let back = folder.path().join("back");
    let command = [
        "compare",
        "--baseline",
        text(&results[0]),
        "--followup",
        text(&results[1]),
        "-o",
        text(&back),
    ];
    let (code, stdout, told) = run(&command);
    assert_eq!(code, 0, "{told}");
    assert!(stdout.starts_with("comparable with caution\n"), "{stdout}");
    assert!(stdout.contains("QSM: the follow-up alone has one, and it is not used"), "{stdout}");
    let gone = |count: u8| stdout.contains(&format!("CMB: 0 new, {count} gone"));
    assert!(gone(3) || gone(4), "{stdout}");
    fs::rename(&before, format!("{before}.moved")).unwrap();
    refused(
        &command,
        &["acq-swi_T2starw.nii.gz", "not there any more", "give the images themselves"],
    );
}

#[test]
fn visits_that_cannot_be_compared_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let subject = deepmir_testing::write_subject(folder.path(), 1);
    let copy = folder.path().join("copy.nii.gz");
    fs::copy(&subject.swi, &copy).unwrap();
    let out = folder.path().join("out");
    let compare = |more: &[&str], words: &[&str]| {
        let common = ["compare", "--baseline", text(&subject.swi), "-o", text(&out)];
        refused(&[&common[..], more].concat(), words);
        assert!(!out.exists(), "nothing is written");
    };
    compare(&["--followup", text(&copy)], &["same image", "copy.nii.gz"]);
    let dates = ["--baseline-date", "2026-01-02", "--followup-date", "2025-01-02"];
    let other = deepmir_testing::write_subject(folder.path(), 2);
    let swapped = [&["--followup", text(&other.swi)][..], &dates].concat();
    compare(&swapped, &["was made before the baseline", "2025-01-02", "exchange them"]);
    compare(&["--followup", "nowhere.nii.gz"], &["nowhere.nii.gz"]);
    compare(
        &["--followup", text(&other.swi), "--followup-date", "02/01/2025"],
        &["02/01/2025", "YYYY-MM-DD"],
    );
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    compare(&["--followup", text(&empty)], &["no results of `deepmir predict`", "empty"]);
}
