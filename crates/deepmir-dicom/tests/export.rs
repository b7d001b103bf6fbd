//! Results become objects of the study that they came from.

#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod support;

use std::path::{Path, PathBuf};

use deepmir_dicom::{DicomError, ExportOptions, Exported, SegmentClasses, Survey, export};
use deepmir_lesion::{LabelMap, Lesion, LesionClass, LesionRow, MarsRegion, Side, numbered, table};
use deepmir_volume::{Volume, nifti};

use support::{copy, files, fixture, labels, pack, survey};

/// Where a lesion is, and of what class.
const LESIONS: [(LesionClass, [usize; 3]); 3] =
    [(LesionClass::Cmb, [2, 3, 1]), (LesionClass::Cmb, [7, 5, 4]), (LesionClass::Nhid, [4, 4, 2])];

fn row(number: usize, lesion: &Lesion) -> LesionRow {
    LesionRow {
        lesion_id: number,
        class: lesion.class,
        certainty: None,
        region: None,
        mars_region: Some(MarsRegion::Frontal),
        lobe: None,
        side: Some(Side::Left),
        x_mm: lesion.centre_mm[0],
        y_mm: lesion.centre_mm[1],
        z_mm: lesion.centre_mm[2],
        volume_mm3: lesion.volume_mm3,
        diameter_mm: lesion.diameter_mm(),
        bombs_size: None,
        n_voxels: lesion.voxels.len(),
        mean_probability: None,
        max_probability: None,
        chi_mean_ppm: Some(0.5),
        chi_total_ppm_mm3: None,
        swi_contrast: None,
        t2w_contrast: None,
        sphericity: 1.0,
        note: None,
    }
}

/// Results on the import of a series, as `predict` writes them. Returns the image that they are of.
fn results(case: &str, series: i64, out: &Path) -> PathBuf {
    let dataset = out.join("dataset");
    let survey = survey(case);
    survey.write(&dataset, false, &[], &|_, _| {}).unwrap();
    let line = survey.lines().into_iter().find(|line| line.series == Some(series)).unwrap();
    let image = dataset.join(format!("sub-{}", line.subject.unwrap()));
    let image = image.join(format!("{}.nii.gz", line.file.unwrap()));
    let grid = *nifti::read(&image).unwrap().volume.grid();
    let lesion = |(class, [i, j, k]): (LesionClass, [usize; 3])| {
        let voxels =
            vec![grid.index([i, j, k]), grid.index([i + 1, j, k]), grid.index([i, j, k + 1])];
        Lesion::new(class, voxels, &grid)
    };
    let lesions = LESIONS.map(lesion);
    let mut labels = Volume::filled(grid, 0_u8);
    for lesion in &lesions {
        lesion.voxels.iter().for_each(|&at| labels.data_mut()[at] = lesion.class.label());
    }
    let folder = out.join("results");
    std::fs::create_dir_all(&folder).unwrap();
    let stem = |seg: &str| folder.join(format!("sub-01_seg-{seg}_dseg"));
    nifti::write(&stem("lesions").with_extension("nii.gz"), &labels, None).unwrap();
    let numbers = numbered(&lesions, &grid);
    nifti::write(&stem("instances").with_extension("nii.gz"), &numbers, None).unwrap();
    let rows: Vec<LesionRow> = (1..).zip(&lesions).map(|(n, lesion)| row(n, lesion)).collect();
    let cells = [["0.9"], ["0.8"], ["0.7"]].map(|cells| cells.map(str::to_owned).to_vec());
    let path = folder.join("sub-01_desc-lesions.tsv");
    table::write_with(&path, &rows, &[table::PROBABILITY], &cells).unwrap();
    // A map in ppm on the same grid.
    let ramp =
        Volume::from_fn(grid, |[i, j, k]| (i as f32 - 4.0) / 10.0 + (j + 8 * k) as f32 / 500.0);
    nifti::write(&folder.join("sub-01_Chimap.nii.gz"), &ramp, None).unwrap();
    let told = format!(
        "{{\"Images\": {{\"QSM\": \"sub-01_Chimap.nii.gz\"}}, \"Sources\": [{image:?}], \"Model\": \"m\", \"ModelId\": \"1\", \"GeneratedBy\": {{\"Version\": \"0\"}}}}"
    );
    std::fs::write(stem("lesions").with_extension("json"), told).unwrap();
    image
}

fn exported(folder: &Path, dicom: &[PathBuf], out: &str) -> Result<Vec<Exported>, DicomError> {
    let options = ExportOptions::default();
    export(&[folder.join("results")], dicom, &folder.join(out), options, &|_, _| {})
}

/// What an export says is wrong.
fn refused(folder: &Path, dicom: &[PathBuf]) -> String {
    let told = exported(folder, dicom, "refused").unwrap_err().to_string();
    assert!(!folder.join("refused").exists(), "something was written");
    told
}

#[test]
fn the_series_is_found_and_the_same_input_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    results("siemens", 8, folder.path());
    let first = exported(folder.path(), &[fixture("siemens")], "one").unwrap();
    assert_eq!((first[0].series, first[0].lesions, first[0].confirmed), (Some(8), 3, true));
    assert_eq!(first[0].files.len(), 2);
    let zipped = folder.path().join("study.zip");
    pack(&zipped, "siemens", &[]);
    let again = exported(folder.path(), &[zipped], "two").unwrap();
    for (one, two) in first[0].files.iter().zip(&again[0].files) {
        assert_eq!(std::fs::read(one).unwrap(), std::fs::read(two).unwrap());
    }
}

#[test]
fn a_segmentation_is_imported_as_the_label_map_that_it_was_made_of() {
    for (case, series, instances) in [("siemens", 8, false), ("philips", 3, true)] {
        let folder = tempfile::tempdir().unwrap();
        results(case, series, folder.path());
        let options = ExportOptions { instances, ..ExportOptions::default() };
        let from = [folder.path().join("results")];
        let out = folder.path().join("out");
        let done = export(&from, &[fixture(case)], &out, options, &|_, _| {}).unwrap();
        let given = [fixture(case), done[0].files[0].clone()];
        let survey = Survey::read(&given, &labels(), &|_, _| {}).unwrap();
        let (maps, faults) = survey.label_maps(&SegmentClasses::default());
        assert!(faults.is_empty(), "{faults:?}");
        let back = folder.path().join("back");
        survey.write(&back, false, &maps, &|_, _| {}).unwrap();
        let found = back.join(format!("{}.nii.gz", maps[0].name));
        let drawn = folder.path().join("results/sub-01_seg-lesions_dseg.nii.gz");
        let [found, drawn] = [found, drawn].map(|path| LabelMap::read(&path).unwrap().0);
        assert!(found.grid().same_as(drawn.grid()));
        assert_eq!(found.volume().data(), drawn.volume().data());
    }
}

#[test]
fn a_qsm_is_imported_as_the_map_that_it_was_made_of() {
    let folder = tempfile::tempdir().unwrap();
    results("siemens", 8, folder.path());
    let options = ExportOptions { maps: true, ..ExportOptions::default() };
    let from = [folder.path().join("results")];
    let out = folder.path().join("out");
    let done = export(&from, &[fixture("siemens")], &out, options, &|_, _| {}).unwrap();
    let slices = done[0].files.last().unwrap();
    assert!(slices.ends_with("sub-01_qsm"));
    let survey = Survey::read(std::slice::from_ref(slices), &labels(), &|_, _| {}).unwrap();
    assert_eq!(survey.lines()[0].taken_for, "QSM", "{}", survey.lines()[0].why);
    let found = survey.voxels(0).unwrap();
    let map = nifti::read(&from[0].join("sub-01_Chimap.nii.gz")).unwrap().volume;
    assert!(found.grid().same_as(map.grid()));
    for (found, value) in found.data().iter().zip(map.data()) {
        assert!((found - value).abs() < 2e-5, "{found} {value}");
    }
}

#[test]
fn frames_of_one_object_are_a_source_too() {
    let folder = tempfile::tempdir().unwrap();
    results("philips", 3, folder.path());
    let done = exported(folder.path(), &[fixture("philips")], "out").unwrap();
    assert_eq!((done[0].series, done[0].confirmed), (Some(3), true));
}

#[test]
fn another_scan_on_the_same_grid_is_not_taken_for_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let image = results("siemens", 8, folder.path());
    let mut other = nifti::read(&image).unwrap().volume;
    other.data_mut().iter_mut().for_each(|value| *value = 1000.0 - *value);
    nifti::write(&image, &other, None).unwrap();
    let told = refused(folder.path(), &[fixture("siemens")]);
    assert!(told.contains("not the voxels") && told.contains("--series"), "{told}");
    // Whoever names the series takes it upon himself.
    let options = ExportOptions { instances: true, series: Some(8), maps: false };
    let results = [folder.path().join("results")];
    let out = folder.path().join("out");
    let done = export(&results, &[fixture("siemens")], &out, options, &|_, _| {}).unwrap();
    assert!(!done[0].confirmed);
}

#[test]
fn without_its_images_a_series_must_be_the_only_one() {
    let folder = tempfile::tempdir().unwrap();
    let image = results("siemens", 8, folder.path());
    std::fs::remove_file(image).unwrap();
    let done = exported(folder.path(), &[fixture("siemens")], "out").unwrap();
    assert!(!done[0].confirmed);
    let told = refused(folder.path(), &[fixture("ge")]);
    assert!(told.contains("no magnitude or SWI"), "{told}");
    let told = refused(folder.path(), &[fixture("siemens"), of_another_patient().path().into()]);
    assert!(told.contains("several series") && told.contains("(8, 8)"), "{told}");
}

/// The same scan under another patient's name.
fn of_another_patient() -> tempfile::TempDir {
    let other = copy("siemens");
    for path in files(other.path()) {
        let bytes = std::fs::read(&path).unwrap();
        let bytes = replace(&bytes, b"1.2.826.0.1", b"1.2.826.0.9");
        std::fs::write(path, replace(&bytes, b"SECRET", b"HIDDEN")).unwrap();
    }
    other
}

#[test]
fn a_copy_under_another_name_is_not_chosen_by_chance() {
    let folder = tempfile::tempdir().unwrap();
    results("siemens", 8, folder.path());
    let told = refused(folder.path(), &[fixture("siemens"), of_another_patient().path().into()]);
    assert!(told.contains("several studies have the voxels"), "{told}");
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while at + from.len() <= bytes.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
        at += 1;
    }
    bytes
}

#[test]
fn results_that_are_not_whole_are_named() {
    let folder = tempfile::tempdir().unwrap();
    results("siemens", 8, folder.path());
    let dicom = [fixture("siemens")];
    let table = folder.path().join("results/sub-01_desc-lesions.tsv");
    let text = std::fs::read_to_string(&table).unwrap();
    let shorter: Vec<&str> = text.lines().take(3).collect();
    std::fs::write(&table, text.replacen("0.5000", "nan", 1)).unwrap();
    assert!(refused(folder.path(), &dicom).contains("lesion 1 has a measure that is no number"));
    std::fs::write(&table, shorter.join("\n")).unwrap();
    let told = refused(folder.path(), &dicom);
    assert!(told.contains("2 lesions") && told.contains("desc-lesions.tsv"), "{told}");
    std::fs::remove_file(&table).unwrap();
    assert!(refused(folder.path(), &dicom).contains("is missing"));
    let empty = folder.path().join("results/empty");
    std::fs::create_dir(&empty).unwrap();
    let told = export(
        &[empty],
        &dicom,
        &folder.path().join("refused"),
        ExportOptions::default(),
        &|_, _| {},
    );
    assert!(told.unwrap_err().to_string().contains("no results"));
}
