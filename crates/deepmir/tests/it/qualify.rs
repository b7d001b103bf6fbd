//! `deepmir qualify`.

use std::fs;
use std::path::{Path, PathBuf};

use deepmir_lesion::{LabelMap, LesionClass, lesions_of};
use deepmir_volume::components::Connectivity;

use crate::support::{random_model_of, refused, run, text};

/// A dataset of so many subjects whose lesions are listed as implants of different sizes.
fn implanted(folder: &Path, subjects: u32) -> PathBuf {
    let dataset = folder.join("implanted");
    for number in 1..=subjects {
        let subject = deepmir_testing::write_subject(&dataset, number);
        let (labels, _) = LabelMap::read(&subject.truth).unwrap();
        let mut table = String::from(
            "kind\tx_mm\ty_mm\tz_mm\tvolume_mm3\tchi_ppm\tsite\tsource_id\tdiameter_mm\tn_voxels\tchange\n",
        );
        let mut counts = [0, 0];
        for (n, lesion) in lesions_of(&labels, Connectivity::TwentySix).iter().enumerate() {
            let is_nhid = lesion.class == LesionClass::Nhid;
            let [x, y, z] = lesion.centre_mm;
            // The images do not know of it: three sizes and two sites, whatever was drawn.
            let size = [2.0, 4.0, 6.0][counts[usize::from(is_nhid)] % 3];
            counts[usize::from(is_nhid)] += 1;
            table += &format!(
                "{}\t{x:.2}\t{y:.2}\t{z:.2}\t{:.2}\t0.6\t{}\t{}\t{size}\t{}\timplant\n",
                lesion.class,
                lesion.volume_mm3,
                ["<b>lobar</b>", "deep"][n % 2],
                n + 1,
                lesion.voxels.len()
            );
        }
        let name = format!("{}_desc-sources_list.tsv", subject.id);
        fs::write(subject.truth.with_file_name(name), table).unwrap();
    }
    dataset
}

/// The rows of a table.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn what_is_found_of_implants_is_measured_once_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let data = implanted(folder.path(), 3);
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let model = random_model_of(folder.path(), "one", 1);
    let qualify = |model: &Path, out: &Path| {
        run(&[
            "qualify",
            text(&data),
            "--implanted",
            text(&data),
            "-o",
            text(out),
            "--model",
            text(model),
            "--resamples",
            "50",
        ])
    };
    let (code, out, told) = qualify(&model, &first);
    assert_eq!(code, 0, "{told}");
    assert!(out.contains("qualify.html") && out.contains("nine in ten"), "{out}");
    let implants = rows(&first.join("implants.tsv"));
    assert_eq!(implants.len() % 18, 0, "six lesions of three subjects for each set of inputs");
    assert!(!implants.is_empty());
    let cells = rows(&first.join("sensitivity.tsv"));
    let all: Vec<&Vec<String>> =
        cells.iter().filter(|row| row[2] == "all" && row[3] == "all" && row[5] == "all").collect();
    let counted: usize = all.iter().map(|row| row[7].parse::<usize>().unwrap()).sum();
    assert_eq!(counted, implants.len());
    let page = fs::read_to_string(first.join("qualify.html")).unwrap();
    for words in ["Sensitivity against diameter", "&lt;b&gt;lobar", "deepmir qualify", "<svg"] {
        assert!(page.contains(words), "{words}");
    }
    let plain = page.replace("http://www.w3.org/2000/svg", "");
    for odd in ["<b>lobar", "NaN", "http:", "https:", "<script"] {
        assert!(!plain.contains(odd), "{odd}");
    }
    let summary = fs::read_to_string(first.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!((&summary["scans"], &summary["units"]), (&3.into(), &3.into()));

    // Again: nothing is done, and the same comes out.
    let before = fs::read(first.join("implants.tsv")).unwrap();
    let (code, _, told) = qualify(&model, &first);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("6 scans were finished before"), "{told}");
    assert_eq!(fs::read(first.join("implants.tsv")).unwrap(), before);

    // A scan that cannot be read does not stop the others.
    let broken = data.join("sub-02/anat/sub-02_acq-swi_T2starw.nii.gz");
    fs::write(&broken, "no image").unwrap();
    let other = random_model_of(folder.path(), "other", 5);
    let (code, _, told) = qualify(&other, &second);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("some scans failed") && told.contains("sub-02: "), "{told}");
    let left: Vec<Vec<String>> = rows(&second.join("implants.tsv"));
    assert!(left.iter().all(|row| row[0] != "sub-02") && left.iter().any(|row| row[0] == "sub-03"));

    let both = folder.path().join("both");
    let (first, second) = (text(&first), text(&second));
    let (code, out, told) = run(&["qualify", first, second, "-o", text(&both)]);
    assert_eq!(code, 0, "{told}");
    assert!(out.contains("comparison.html"), "{out}");
    let page = fs::read_to_string(both.join("comparison.html")).unwrap();
    assert!(page.contains("The second against the first") && !page.contains("NaN"));
    let json = fs::read_to_string(both.join("comparison.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["groups"][0]["difference"]["counts"][0]["implants"], 6, "of two scans: pairs");
    refused(&["qualify", first, second, "-o", first], &["results of its own"]);
    refused(&["qualify", first, "-o", text(&both)], &["a second folder"]);
}

#[test]
fn what_cannot_be_measured_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("plain");
    deepmir_testing::write_coarse_subject(&data, 1);
    let (data, out) = (text(&data), folder.path().join("out"));
    let out = text(&out);
    refused(&["qualify", "--implanted", data, "-o", out], &["no scan", "table of implants"]);
    refused(&["qualify", data, "-o", out, "-q"], &["no scan could be implanted", "sub-01: "]);
    refused(
        &["qualify", "--implanted", data, "-o", out, "--participant-label", "07"],
        &["sub-07", "sub-01"],
    );
    refused(&["qualify", data, data, "-o", out], &["no finished qualification"]);
    refused(&["qualify", data, data, "--implanted", data, "-o", out], &["not both"]);
    refused(&["qualify", "--implanted", data, "-o", data], &["dataset itself"]);
    refused(
        &["qualify", "--implanted", data, "-o", out, "--inputs", "QSM"],
        &["cannot be given QSM", "needs SWI"],
    );
    refused(
        &["qualify", data, "--implanted", data, "-o", out, "--copies", "2"],
        &["cannot be used with"],
    );
    let (code, _, told) = run(&["qualify", "-o", out]);
    assert_eq!(code, 1);
    assert!(told.contains("BIDS|OUT"), "{told}");
    let (code, _, told) = run(&["qualify", "--implanted", data, "-o", out, "--inputs", "CT"]);
    assert_eq!(code, 1);
    assert!(told.contains("no modality"), "{told}");
}
