//! `deepmir anatomy` and `deepmir model train-anatomy`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use deepmir_anatomy::Tissue;
use deepmir_phantom::Head;
use deepmir_phantom::config::PersonConfig;
use deepmir_volume::{Affine, Grid, Volume, nifti, resample_labels};

use crate::support::{random_model, refused, run, text};

/// A grid of 3 mm whose axes run to the left, back and bottom, turned by 10° about the first.
fn oblique() -> Grid {
    let (sin, cos) = 10_f64.to_radians().sin_cos();
    let rows = [
        [-3.0, 0.0, 0.0, 84.0],
        [0.0, -3.0 * cos, 3.0 * sin, 85.0],
        [0.0, -3.0 * sin, -3.0 * cos, 105.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    Grid::new([57, 66, 62], Affine::from_rows(rows).unwrap()).unwrap()
}

/// FreeSurfer's numbers of a built-in head on that grid. It takes seconds to make and is made once.
fn labels() -> &'static Volume<i32> {
    static LABELS: OnceLock<Volume<i32>> = OnceLock::new();
    LABELS.get_or_init(|| {
        let labels = Head::built_in(0.5, &PersonConfig::default(), 3).unwrap().label_map();
        resample_labels(&labels, &oblique(), 0)
    })
}

/// Writes an image of it: bright white matter, grey cortex and nuclei, dark fluid.
fn write_head(path: &Path) {
    let image = labels().map(|&number| match Tissue::from_freesurfer(number).unwrap().0 {
        Tissue::Background => 0.0,
        Tissue::Outside => 0.4,
        Tissue::SulcalFluid | Tissue::Ventricle => 0.15,
        Tissue::WhiteMatter | Tissue::CerebellarWhiteMatter | Tissue::Brainstem => 1.0,
        _ => 0.6_f32,
    });
    nifti::write(path, &image, None).unwrap();
}

/// Settings of a training that takes seconds.
const TINY: &str = "\
[training]
widths = [4, 8]
[training.synthesis]
shape = [16, 16, 16]
";

fn write_text_file(folder: &Path) -> PathBuf {
    let path = folder.join("text.nii.gz");
    fs::write(&path, "not an image, a text\n".repeat(30)).unwrap();
    path
}

#[test]
fn a_head_is_parcellated_on_its_own_grid_and_a_text_beside_it_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let head = folder.path().join("sub-01_T1w.nii.gz");
    write_head(&head);
    let bad = write_text_file(folder.path());
    let out = folder.path().join("out");
    let (code, said, told) = run(&["anatomy", text(&head), text(&bad), "-o", text(&out)]);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("not a NIfTI file") && told.contains("text.nii.gz"), "{told}");
    assert!(said.contains("sub-01_T1w: brain ") && said.contains("desc-anatomy.png"), "{said}");
    let path = |ending: &str| out.join(format!("sub-01_T1w_desc-{ending}"));
    assert_eq!(fs::read_dir(&out).unwrap().count(), 6);

    let header = nifti::read(&head).unwrap();
    let labels = nifti::read_integers(&path("anatomy_dseg.nii.gz")).unwrap().volume;
    let brain = nifti::read_integers(&path("brain_mask.nii.gz")).unwrap().volume;
    for grid in [labels.grid(), brain.grid()] {
        assert_eq!(grid.shape(), header.volume.shape());
        assert_eq!(grid.affine().rows(), header.volume.grid().affine().rows());
    }
    // Left is left, and the mask holds the brain.
    let mean_x_mm = |number: i32| {
        let voxels = (0..labels.grid().len()).filter(|&index| labels.data()[index] == number);
        let xs: Vec<f64> =
            voxels.map(|index| labels.grid().position_mm(labels.grid().voxel(index))[0]).collect();
        xs.iter().sum::<f64>() / xs.len() as f64
    };
    assert!(mean_x_mm(2) < -10.0 && mean_x_mm(41) > 10.0);
    let white_outside = labels.data().iter().zip(brain.data()).filter(|&(l, b)| *l == 2 && *b == 0);
    assert_eq!(white_outside.count(), 0);

    let json = fs::read_to_string(path("anatomy.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(["good", "doubtful"].contains(&json["Verdict"].as_str().unwrap()), "{json}");
    let brain_ml = json["BrainVolumeMl"].as_f64().unwrap();
    assert!((800.0..1800.0).contains(&brain_ml), "{brain_ml}");
    assert!(json["IntracranialVolumeMl"].as_f64().unwrap() > brain_ml);
    assert_eq!(json["Sources"][0], text(&head));
    let row = fs::read_to_string(path("anatomy_volumes.tsv")).unwrap();
    assert!(row.starts_with("image\tintracranial_ml\tbrain_ml\t"), "{row}");
    assert!(row.contains("\tright_caudate_ml\t") && row.contains("\nsub-01_T1w\t"), "{row}");
    let table = fs::read_to_string(path("anatomy_dseg.tsv")).unwrap();
    assert!(table.contains("\n41\tright cerebral white matter\tright\t"), "{table}");
    assert!(fs::read(path("anatomy.png")).unwrap().starts_with(b"\x89PNG"));

    // Another image of that name.
    let other = folder.path().join("other/sub-01_T1w.nii.gz");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    nifti::write(&other, &header.volume.map(|value| 2.0 * value), None).unwrap();
    let again = ["anatomy", text(&other), "-o", text(&out)];
    refused(&again, &["made from other inputs", "--overwrite", "sub-01_T1w_desc-anatomy.json"]);
}

#[test]
fn a_whole_head_without_a_mask_is_searched_where_the_network_outlines_the_brain() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (swi, qsm, out) = (path("sub-01_swi.nii.gz"), path("sub-01_Chimap.nii.gz"), path("out"));
    write_head(&swi);
    let is_brain = |number: i32| Tissue::from_freesurfer(number).unwrap().0.is_brain();
    let chi_ppm = labels().map(|&n| if is_brain(n) { 0.01 * (n % 7 - 3) as f32 } else { 0.0 });
    nifti::write(&qsm, &chi_ppm, None).unwrap();
    let model = random_model(folder.path());
    let images = ["--swi", text(&swi), "--qsm", text(&qsm), "--t2w", text(&swi)];
    let rest = ["--model", text(&model), "-o", text(&out)];
    let (code, _, told) = run(&[&["predict"], &images[..], &rest[..]].concat());
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("outlined by a network") && told.contains("sub-01_swi"), "{told}");

    let mask = nifti::read_integers(&out.join("sub-01_desc-brain_mask.nii.gz")).unwrap();
    assert!(mask.volume.grid().same_as(labels().grid()));
    let pairs = || labels().data().iter().zip(mask.volume.data());
    let (mut both, mut either) = (0, 0);
    for (&number, &inside) in pairs() {
        both += 2 * usize::from(is_brain(number) && inside > 0);
        either += usize::from(is_brain(number)) + usize::from(inside > 0);
    }
    // The mask has the fluid of sulci and a margin, too.
    assert!(both as f64 > 0.8 * either as f64, "{both} of {either}");

    let sheet = fs::read_to_string(out.join("sub-01_desc-lesions_qc.json")).unwrap();
    let sheet: serde_json::Value = serde_json::from_str(&sheet).unwrap();
    let codes: Vec<&str> = sheet["Warnings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|warning| warning["Code"].as_str().or(warning["code"].as_str()))
        .collect();
    assert!(codes.contains(&"brain_found"), "{sheet}");
    assert_eq!(sheet["RegionSource"], "parcellation", "{sheet}");
    let page = fs::read_to_string(out.join("sub-01_desc-lesions_report.html")).unwrap();
    assert!(page.contains("regions of MARS as a network outlines them"));
}

#[test]
fn what_is_no_image_and_what_would_collide_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let bad = write_text_file(folder.path());
    refused(&["anatomy", text(&bad), "-o", text(&out)], &["not a NIfTI file", "text.nii.gz"]);
    let absent = folder.path().join("absent.nii");
    let both = ["anatomy", text(&bad), text(&absent), "-o", text(&out)];
    let (code, _, told) = run(&both);
    assert_eq!(code, 1, "{told}");
    let words = ["error: all images failed", "text.nii.gz", "absent.nii"];
    assert!(words.iter().all(|word| told.contains(word)), "{told}");
    let twin = folder.path().join("other/text.nii");
    let twins = ["anatomy", text(&bad), text(&twin), "-o", text(&out)];
    refused(&twins, &["two images are called text", "other"]);
    let weights = ["anatomy", text(&absent), "--weights", text(&bad), "-o", text(&out)];
    refused(&weights, &["train-anatomy", "text.nii.gz"]);
    let mask = folder.path().join("text_desc-brain_mask.nii.gz");
    fs::write(&mask, "").unwrap();
    let over = ["anatomy", text(&bad), text(&mask), "-o", text(folder.path())];
    refused(&over, &["text_desc-brain_mask.nii.gz"]);
    assert!(!out.exists());
}

#[test]
fn a_training_goes_on_and_its_weights_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (config, out) = (folder.path().join("tiny.toml"), folder.path().join("training"));
    fs::write(&config, TINY).unwrap();
    let heads = folder.path().join("heads");
    fs::create_dir(&heads).unwrap();
    nifti::write(&heads.join("head_dseg.nii.gz"), labels(), None).unwrap();
    let train = |steps: &str| {
        let files = ["--config", text(&config), "--heads", text(&heads), "-o", text(&out)];
        run(&[&["model", "train-anatomy"], &files[..], &["--steps", steps]].concat())
    };
    let steps_done = || -> Vec<String> {
        let table = fs::read_to_string(out.join("progress.tsv")).unwrap();
        table.lines().filter_map(|row| Some(row.split('\t').next()?.to_owned())).collect()
    };
    let (code, said, told) = train("2");
    assert_eq!(code, 0, "{told}");
    assert!(said.contains("anatomy.safetensors"), "{said}");
    assert_eq!(steps_done(), ["step", "2"]);
    let first = fs::read(out.join("anatomy.safetensors")).unwrap();
    let (code, _, told) = train("3");
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("resuming after step 2"), "{told}");
    assert_eq!(steps_done(), ["step", "2", "3"]);
    let weights = out.join("anatomy.safetensors");
    assert!(fs::read(&weights).unwrap() != first);

    // Other settings are another training.
    fs::write(&config, TINY.replace("widths", "learning_rate = 1e-4\nwidths")).unwrap();
    let (code, _, told) = train("3");
    assert!(code == 1 && told.contains("begun with other settings"), "{told}");
    assert!(told.contains("training.toml"), "{told}");
    refused(&["model", "train-anatomy", "-o", text(&out)], &["no head to train on", "--built-in"]);

    let (code, _, told) =
        run(&["model", "train-anatomy", "--built-in", "1", "-o", text(&out), "--steps", "3"]);
    assert!(code == 1 && told.contains("begun with other heads"), "{told}");

    // Whatever such weights find, the file beside it says whose they were.
    let image = folder.path().join("image.nii");
    let grid = Grid::new([20, 24, 20], Affine::from_spacing([8.0; 3], [-80.0; 3])).unwrap();
    nifti::write(&image, &Volume::from_fn(grid, |[i, j, k]| (i + j + k) as f32), None).unwrap();
    let found = folder.path().join("found");
    let parcellate = ["anatomy", text(&image), "--weights", text(&weights), "-o", text(&found)];
    let (_, _, told) = run(&parcellate);
    let json = fs::read_to_string(found.join("image_desc-anatomy.json"));
    let json = json.unwrap_or_else(|error| panic!("{error}: {told}"));
    assert!(json.contains("anatomy.safetensors") && json.contains("WeightsSHA256"), "{json}");
}

#[test]
fn heads_of_the_built_in_anatomy_need_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let (config, out) = (folder.path().join("tiny.toml"), folder.path().join("training"));
    fs::write(&config, format!("built-in = 1\nsteps = 1\n{TINY}")).unwrap();
    let files = ["--config", text(&config), "-o", text(&out)];
    let (code, said, told) = run(&[&["model", "train-anatomy"], &files[..]].concat());
    assert_eq!(code, 0, "{told}");
    assert!(said.contains("anatomy.safetensors"), "{said}");
    let settings = fs::read_to_string(out.join("training.toml")).unwrap();
    assert!(settings.contains("built-in = 1") && settings.contains("steps = 1"), "{settings}");
}
