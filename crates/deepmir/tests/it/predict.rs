//! `deepmir predict`.

use std::fs;

use deepmir_cases::Modality;
use deepmir_lesion::table;
use deepmir_model::Bundle;
use deepmir_volume::{Orientation, Volume, nifti};

use crate::support::{deepmir, finished, random_model, refused, run, text};

#[test]
fn one_subject_gets_its_files_on_its_own_grid() {
    let folder = tempfile::tempdir().unwrap();
    let subject = deepmir_testing::write_subject(folder.path(), 1);
    let model = random_model(folder.path());
    let out = folder.path().join("new/out");
    let (code, stdout, told) = run(&[
        "predict",
        "--swi",
        text(&subject.swi),
        "--qsm",
        text(&subject.qsm),
        "--t2w",
        text(&subject.t2w),
        "--model",
        text(&model),
        "-o",
        text(&out),
    ]);
    assert_eq!(code, 0, "{told}");
    assert!(stdout.starts_with("sub-01: ") && stdout.contains("CMB"), "{stdout}");
    assert!(told.contains("not a medical device"), "{told}");

    let mut names: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "sub-01_acq-swi_seg-instances_dseg.nii.gz",
            "sub-01_acq-swi_seg-instances_dseg.tsv",
            "sub-01_acq-swi_seg-lesions_dseg.json",
            "sub-01_acq-swi_seg-lesions_dseg.nii.gz",
            "sub-01_acq-swi_seg-lesions_dseg.tsv",
            "sub-01_acq-swi_seg-lesions_label-CMB_probseg.nii.gz",
            "sub-01_acq-swi_seg-lesions_label-NHID_probseg.nii.gz",
            "sub-01_desc-lesions.tsv",
            "sub-01_desc-lesions_large.nii.gz",
            "sub-01_desc-lesions_large.tsv",
            "sub-01_desc-lesions_mosaic.png",
            "sub-01_desc-lesions_qc.json",
            "sub-01_desc-lesions_report.html",
        ]
    );
    let swi = nifti::read(&subject.swi).unwrap();
    let labels = nifti::read_integers(&out.join(&names[3])).unwrap();
    assert_eq!(labels.header.spatial(), swi.header.spatial());
    let rows = table::read(&out.join(&names[7])).unwrap();
    let voxels: usize = rows.iter().map(|row| row.n_voxels).sum();
    assert_eq!(voxels, labels.volume.data().iter().filter(|&&label| label > 0).count());
    let sidecar: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(out.join(&names[2])).unwrap()).unwrap();
    assert_eq!(sidecar["Model"], "random");
    let counts = &sidecar["Counts"];
    let cmb = rows.iter().filter(|row| row.class == deepmir_lesion::LesionClass::Cmb).count();
    assert_eq!(counts["cmb_count"], cmb);
    // This model has no candidate classifier, and the scan no parcellation.
    assert!(rows.iter().all(|row| row.certainty.is_none() && row.mars_region.is_none()));
    assert!(counts["cmb_mars_insula"].is_null() && counts["boston2_strictly_lobar_cmb"].is_null());
    assert_eq!(sidecar["Sources"].as_array().unwrap().len(), 3);
    assert_eq!(sidecar["SourcesSHA256"][0].as_str().unwrap().len(), 64);
}

#[test]
fn points_for_other_viewers_are_where_the_lesions_are() {
    let folder = tempfile::tempdir().unwrap();
    let subject = deepmir_testing::write_subject(folder.path(), 1);
    let (model, out) = (random_model(folder.path()), folder.path().join("out"));
    let images = ["--swi", text(&subject.swi), "--qsm", text(&subject.qsm)];
    let others = ["--t2w", text(&subject.t2w), "--model", text(&model), "-o", text(&out)];
    let (code, _, told) =
        run(&[&["predict"], &images[..], &others[..], &["--viewer-files"]].concat());
    assert_eq!(code, 0, "{told}");

    for ending in ["_itksnap.label", "_slicer.ctbl", "_freesurfer.txt"] {
        let path = out.join(format!("sub-01_desc-lesions{ending}"));
        let table = fs::read_to_string(path).unwrap();
        assert!(table.contains("microbleed") && table.contains("213"), "{table}");
    }
    let points = fs::read_to_string(out.join("sub-01_desc-lesions.mrk.json")).unwrap();
    let points: serde_json::Value = serde_json::from_str(&points).unwrap();
    let points = points["markups"][0]["controlPoints"].as_array().unwrap();
    let rows = table::read(&out.join("sub-01_desc-lesions.tsv")).unwrap();
    assert_eq!(points.len(), rows.len());
    for (point, row) in points.iter().zip(&rows) {
        assert_eq!(point["label"], format!("{} {}", row.lesion_id, row.class));
        let [left, posterior, superior] =
            [0, 1, 2].map(|axis: usize| point["position"][axis].as_f64().unwrap());
        let ras = [-left, -posterior, superior];
        for (point, table) in ras.into_iter().zip([row.x_mm, row.y_mm, row.z_mm]) {
            assert!((point - table).abs() < 0.01, "{point} {table}");
        }
    }
}

#[test]
fn a_magnitude_is_named_and_a_model_that_learned_from_none_warns() {
    let folder = tempfile::tempdir().unwrap();
    let subject = deepmir_testing::write_subject(folder.path(), 1);
    let model = random_model(folder.path());
    let taken = |option: &str, out: &str| {
        let out = folder.path().join(out);
        let (image, model) = (text(&subject.swi), text(&model));
        let others = ["--qsm", text(&subject.qsm), "--t2w", text(&subject.t2w)];
        let arguments = ["predict", option, image, "--model", model, "-o", text(&out)];
        let (code, _, told) = run(&[&arguments[..], &others].concat());
        assert_eq!(code, 0, "{told}");
        let sheet = fs::read_to_string(out.join("sub-01_desc-lesions_qc.json")).unwrap();
        let sheet: serde_json::Value = serde_json::from_str(&sheet).unwrap();
        (told, sheet["Contrast"].as_str().unwrap().to_owned())
    };
    let (told, contrast) = taken("--t2star", "magnitude");
    assert!(told.contains("random did not learn from such"), "{told}");
    assert_eq!(contrast, "T2starw");
    let (told, contrast) = taken("--swi", "swi");
    assert!(!told.contains("did not learn from such"), "{told}");
    assert_eq!(contrast, "SWI");
}

#[test]
fn the_orientation_of_the_files_changes_nothing_in_the_head() {
    let folder = tempfile::tempdir().unwrap();
    let subject = deepmir_testing::write_subject(folder.path(), 2);
    let model = random_model(folder.path());
    let predict = |images: [&std::path::Path; 3], out: &str| {
        let out = folder.path().join(out);
        let [swi, qsm, t2w] = images.map(text);
        let (code, _, told) = run(&[
            "predict",
            "--swi",
            swi,
            "--qsm",
            qsm,
            "--t2w",
            t2w,
            "--model",
            text(&model),
            "-o",
            text(&out),
        ]);
        assert_eq!(code, 0, "{told}");
        out
    };
    let upright = predict([&subject.swi, &subject.qsm, &subject.t2w], "upright");

    // The same head in an orientation with all axes moved and turned.
    let lip = Orientation::all().find(|orientation| orientation.codes() == "ILP").unwrap();
    let turned: Vec<_> = [&subject.swi, &subject.qsm, &subject.t2w]
        .iter()
        .enumerate()
        .map(|(n, path)| {
            let volume = lip.from_ras(&nifti::read(path).unwrap().volume);
            let path = folder.path().join(format!("turned-{n}.nii"));
            nifti::write(&path, &volume, None).unwrap();
            path
        })
        .collect();
    let turned = predict([&turned[0], &turned[1], &turned[2]], "turned");
    let read = |path: std::path::PathBuf| nifti::read_integers(&path).unwrap().volume;
    let upright = read(upright.join("sub-02_acq-swi_seg-lesions_dseg.nii.gz"));
    let turned = read(turned.join("turned-0_seg-lesions_dseg.nii.gz"));
    assert_eq!(Orientation::of(turned.grid().affine()).codes(), "ILP");
    assert_eq!(lip.to_ras(&turned).data(), upright.data());
}

#[test]
fn options_from_a_file_give_way_to_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let subject = deepmir_testing::write_subject(folder.path(), 1);
    let model = random_model(folder.path());
    let config = folder.path().join("predict.toml");
    let lines = format!(
        "swi = {:?}\nqsm = {:?}\nt2w = {:?}\nmodel = {:?}\noutput = {:?}\nflips = true\nquiet = true\n",
        text(&subject.swi),
        text(&subject.qsm),
        text(&subject.t2w),
        text(&model),
        text(&folder.path().join("from-file")),
    );
    fs::write(&config, lines).unwrap();
    let wins = folder.path().join("wins");
    let output =
        deepmir(&["predict", "--config", text(&config), "-o", text(&wins)]).output().unwrap();
    let (code, _, told) = finished(&output);
    assert_eq!((code, told.as_str()), (0, ""));
    assert!(wins.is_dir() && !folder.path().join("from-file").exists());
    let sidecar = fs::read_to_string(wins.join("sub-01_acq-swi_seg-lesions_dseg.json")).unwrap();
    assert!(sidecar.contains("\"Flips\": true"), "{sidecar}");

    fs::write(&config, "colour = \"red\"\n").unwrap();
    let (code, _, told) = run(&["predict", "--config", text(&config), "-o", text(&wins)]);
    assert_eq!(code, 1);
    assert!(told.contains("no option colour") && told.contains("predict.toml"), "{told}");
}

#[test]
fn a_mask_wins_over_zeros_and_threads_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let subject = deepmir_testing::write_subject(folder.path(), 3);
    let model = random_model(folder.path());
    let swi = nifti::read(&subject.swi).unwrap();
    let half =
        Volume::from_fn(*swi.volume.grid(), |voxel| voxel[0] < 32 && swi.volume[voxel] != 0.0);
    let mask = folder.path().join("mask.nii.gz");
    nifti::write(&mask, &half, None).unwrap();
    let mut maps = Vec::new();
    for threads in ["1", "2"] {
        let out = folder.path().join(threads);
        let (code, _, told) = run(&[
            "predict",
            "--swi",
            text(&subject.swi),
            "--qsm",
            text(&subject.qsm),
            "--t2w",
            text(&subject.t2w),
            "--mask",
            text(&mask),
            "--model",
            text(&model),
            "-o",
            text(&out),
            "--threads",
            threads,
        ]);
        assert_eq!(code, 0, "{told}");
        let map =
            nifti::read(&out.join("sub-03_acq-swi_seg-lesions_label-CMB_probseg.nii.gz")).unwrap();
        assert!((0..64).all(|j| (32..64).all(|i| map.volume[[i, j, 12]] == 0.0)));
        maps.push(map.volume);
    }
    assert_eq!(maps[0], maps[1]);
}

#[test]
fn a_model_goes_without_what_it_calls_optional_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let subject = deepmir_testing::write_subject(folder.path(), 1);
    let mut bundle = Bundle::read(&random_model(folder.path())).unwrap();
    bundle.settings.plan.optional = vec![Modality::Qsm, Modality::T2w];
    let model = folder.path().join("content.deepmir");
    bundle.write(&model).unwrap();
    let (code, listed, told) = run(&["model", "info", text(&model)]);
    assert!(code == 0 && listed.contains(r#"optional = ["QSM", "T2w"]"#), "{told}");
    let out = folder.path().join("out");
    let (code, stdout, told) =
        run(&["predict", "--swi", text(&subject.swi), "--model", text(&model), "-o", text(&out)]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("runs without QSM") && told.contains("runs without T2w"), "{told}");
    assert!(stdout.starts_with("sub-01: "), "{stdout}");
    let page = fs::read_to_string(out.join("sub-01_desc-lesions_report.html")).unwrap();
    assert!(page.contains("from SWI. Images were"), "the methods name what was given");
    // SWI is what it needs.
    refused(
        &[
            "predict",
            "--t2w",
            text(&subject.t2w),
            "--model",
            text(&model),
            "-o",
            text(&folder.path().join("t2w")),
        ],
        &["sub-01 has no SWI"],
    );
}

#[test]
fn what_the_quality_sheet_warns_of_reaches_the_terminal_and_the_page_and_is_an_error_if_strict() {
    let folder = tempfile::tempdir().unwrap();
    // Its head is that of a doll.
    let subject = deepmir_testing::write_subject(folder.path(), 1);
    let model = random_model(folder.path());
    let out = folder.path().join("out");
    let [swi, qsm, t2w] = [&subject.swi, &subject.qsm, &subject.t2w].map(|path| text(path));
    let images = ["--swi", swi, "--qsm", qsm, "--t2w", t2w];
    let words = [&["predict"], &images[..], &["--model", text(&model), "-o", text(&out)]].concat();
    let strict = [&words[..], &["--strict"]].concat();
    refused(&strict, &["with --strict a warning is an error", "the brain measures"]);
    assert!(!out.exists());

    let (code, _, told) = run(&words);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("warning: the brain measures"), "{told}");
    let read = |ending: &str| {
        let there = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
        let path = there.into_iter().find(|path| path.to_string_lossy().ends_with(ending)).unwrap();
        fs::read_to_string(path).unwrap()
    };
    let sheet: serde_json::Value = serde_json::from_str(&read("_qc.json")).unwrap();
    assert_eq!(sheet["Warnings"][0]["Code"], "brain_volume");
    let page = read("_report.html");
    let [warning, lesions] =
        ["the brain measures", "<h2>Lesions"].map(|what| page.find(what).unwrap());
    assert!(warning < lesions, "at the page's head");
}

#[test]
fn a_haemorrhage_is_told_and_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let subject = deepmir_testing::write_subject(folder.path(), 3);
    // A ball of 13 mm, dark and paramagnetic, as a bleed.
    let bleed = |path: &std::path::Path, value: f32| {
        let mut image = nifti::read(path).unwrap().volume;
        let grid = *image.grid();
        for index in 0..grid.len() {
            let place = grid.position_mm(grid.voxel(index));
            if place.iter().map(|mm| mm * mm).sum::<f64>() <= 6.5 * 6.5 {
                image.data_mut()[index] = value;
            }
        }
        nifti::write(path, &image, None).unwrap();
    };
    bleed(&subject.swi, 0.15);
    bleed(&subject.qsm, 0.5);
    let model = random_model(folder.path());
    let out = folder.path().join("out");
    let images = [text(&subject.swi), text(&subject.qsm), text(&subject.t2w)];
    let [swi, qsm, t2w] = images;
    let (code, _, told) = run(&[
        "predict",
        "--swi",
        swi,
        "--qsm",
        qsm,
        "--t2w",
        t2w,
        "--model",
        text(&model),
        "-o",
        text(&out),
    ]);
    assert_eq!(code, 0, "{told}");
    let large = fs::read_to_string(out.join("sub-03_desc-lesions_large.tsv")).unwrap();
    let bleeds: Vec<&str> = large.lines().filter(|line| line.contains("\tmacrobleed\t")).collect();
    assert_eq!(bleeds.len(), 1, "{large}");
    let column = large.lines().next().unwrap().split('\t').position(|name| name == "diameter_mm");
    let diameter: f64 = bleeds[0].split('\t').nth(column.unwrap()).unwrap().parse().unwrap();
    assert!((11.5..14.0).contains(&diameter), "{large}");
    let sheet = fs::read_to_string(out.join("sub-03_desc-lesions_qc.json")).unwrap();
    assert!(sheet.contains("\"macrobleed\"") && sheet.contains("not counted"), "{sheet}");
    let page = fs::read_to_string(out.join("sub-03_desc-lesions_report.html")).unwrap();
    assert!(page.contains("Large findings"));
}
