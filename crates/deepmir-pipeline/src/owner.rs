//! Whose results lie in a folder: outside BIDS every patient's file is called `swi.nii.gz`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_cases::bids::{BidsName, write_json};
use deepmir_cases::cohort::single_case;
use deepmir_cases::{CaseFiles, Modality, sha256};
use deepmir_recon::input::{EchoParts, ScanFiles};
use deepmir_volume::Volume;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::PipelineError;
use crate::predict::{Prediction, reference_name};

/// What the sidecar of a label map says of the images it was made from.
const SOURCES: &str = "Sources";
const CHECKSUMS: &str = "SourcesSHA256";
/// The checksum of the reference image's voxels, which images in memory have, too.
pub(crate) const VOXELS: &str = "ReferenceVoxelsSHA256";
const LABELS: (&str, &str) = ("seg", "lesions");
/// What its images show, by modality, and its mask.
pub(crate) const IMAGES: &str = "Images";
pub(crate) const MASK: &str = "Mask";
const ENDING: &str = "_seg-lesions_dseg.json";

/// The images that the results in a folder were made from, as they were then.
///
/// # Errors
/// A folder without results or with those of several scans, results of before images were told, and images that are
/// gone or were changed.
pub fn images_of_results(folder: &Path) -> Result<CaseFiles, PipelineError> {
    let entries = std::fs::read_dir(folder)
        .map_err(|source| PipelineError::Read { path: folder.to_owned(), source })?;
    let is_sidecar = |path: &PathBuf| path.to_string_lossy().ends_with(ENDING);
    let mut sidecars: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(is_sidecar).collect();
    sidecars.sort();
    let fault = |path: &Path, reason: &str| PipelineError::Table {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let [sidecar] = sidecars.as_slice() else {
        let reason = match sidecars.len() {
            0 => {
                "there are no results of `deepmir predict` in the folder; give the images themselves"
            }
            _ => "the folder has results of several scans; give the images of one",
        };
        return Err(fault(folder, reason));
    };
    images_of(sidecar)
}

/// As [`images_of_results`], of one scan's results by the sidecar of their label map.
///
/// # Errors
/// As [`images_of_results`].
pub(crate) fn images_of(sidecar: &Path) -> Result<CaseFiles, PipelineError> {
    let fault = |path: &Path, reason: &str| PipelineError::Table {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let told = read(sidecar).unwrap_or_default();
    let images: Option<BTreeMap<Modality, PathBuf>> =
        told.get(IMAGES).and_then(|images| serde_json::from_value(images.clone()).ok());
    let Some(images) = images.filter(|images| !images.is_empty()) else {
        return Err(fault(
            sidecar,
            "the results do not name their images; predict again, or give the images themselves",
        ));
    };
    let mask = told.get(MASK).and_then(Value::as_str).map(PathBuf::from);
    let sums = told.get(CHECKSUMS).and_then(Value::as_array).cloned().unwrap_or_default();
    for (path, sum) in images.values().chain(&mask).zip(&sums) {
        if !path.exists() {
            return Err(fault(
                path,
                "an image of the results is not there any more; give the images themselves",
            ));
        }
        if sum.as_str().is_some_and(|sum| sha256(path).is_ok_and(|now| now != sum)) {
            return Err(fault(
                path,
                "an image has changed since its results were made; predict again",
            ));
        }
    }
    let contrast = told.get("Contrast").and_then(|told| serde_json::from_value(told.clone()).ok());
    Ok(CaseFiles { contrast, ..single_case(images, mask)? })
}

/// Refuses to go on if a folder holds results of another scan under the names that this scan's will have. Results of
/// the same reference image, with another model or with more images, are not another's. To be called before the work.
///
/// # Errors
/// [`PipelineError::OtherResults`], or an image that cannot be read.
pub fn refuse_other_results(files: &CaseFiles, folder: &Path) -> Result<(), PipelineError> {
    let sidecars = sidecars(files, folder);
    if sidecars.is_empty() {
        return Ok(());
    }
    let own = checksums(files.images.values().take(1))?;
    sidecars.iter().try_for_each(|sidecar| refuse(sidecar, &own, None))
}

/// As [`refuse_other_results`], of images that may have been in memory.
///
/// # Errors
/// As [`refuse_other_results`].
pub fn refuse_other_results_of(
    prediction: &Prediction,
    files: &CaseFiles,
    folder: &Path,
) -> Result<(), PipelineError> {
    let sidecars = sidecars(files, folder);
    if sidecars.is_empty() {
        return Ok(());
    }
    let from_files = files.images.values().take(usize::from(prediction.from_files));
    let (own, voxels) = (checksums(from_files)?, reference_voxels(prediction));
    sidecars.iter().try_for_each(|sidecar| refuse(sidecar, &own, voxels.as_deref()))
}

/// Refuses to go on if a folder holds maps under the names that these echoes' will have, made from others.
///
/// # Errors
/// As [`refuse_other_results`].
pub fn refuse_other_maps(
    echoes: &ScanFiles,
    stem: &str,
    folder: &Path,
) -> Result<(), PipelineError> {
    let sidecar = map_sidecar(folder, stem);
    if sidecar.exists() || folder.join(format!("{stem}_Chimap.nii.gz")).exists() {
        return refuse(&sidecar, &checksums(parts(echoes).take(1))?, None);
    }
    Ok(())
}

/// As [`refuse_other_maps`], by the first echo's magnitude, which may have been in memory.
///
/// # Errors
/// As [`refuse_other_results`].
pub fn refuse_other_maps_of(
    magnitude: &Volume<f32>,
    stem: &str,
    folder: &Path,
) -> Result<(), PipelineError> {
    let sidecar = map_sidecar(folder, stem);
    if sidecar.exists() || folder.join(format!("{stem}_Chimap.nii.gz")).exists() {
        return refuse(&sidecar, &[], Some(&voxels(magnitude)));
    }
    Ok(())
}

/// Refuses to go on if a folder holds any of `results` and their sidecar does not say that they were made from
/// `source`.
///
/// # Errors
/// As [`refuse_other_results`].
pub fn refuse_other_source<'a>(
    source: &Path,
    sidecar: &Path,
    results: impl IntoIterator<Item = &'a Path>,
) -> Result<(), PipelineError> {
    if sidecar.exists() || results.into_iter().any(Path::exists) {
        return refuse(sidecar, &[sha256(source)?], None);
    }
    Ok(())
}

/// Writes into the sidecar of a susceptibility map what it was made from: the checksums of the echoes' files, where
/// they were files, and of the voxels of the first magnitude.
///
/// # Errors
/// If an echo cannot be read or the sidecar not written.
pub fn sign_maps(
    echoes: &ScanFiles,
    magnitude: &Volume<f32>,
    stem: &str,
    folder: &Path,
) -> Result<(), PipelineError> {
    let path = map_sidecar(folder, stem);
    let Some(mut sidecar) = read(&path) else { return Ok(()) };
    sidecar[CHECKSUMS] = json!(checksums(parts(echoes))?);
    sidecar[VOXELS] = json!(voxels(magnitude));
    Ok(write_json(&path, &sidecar)?)
}

/// The checksum of the voxels of a prediction's reference image.
pub(crate) fn reference_voxels(prediction: &Prediction) -> Option<String> {
    prediction.case.images.values().next().map(voxels)
}

/// The checksum of an image's voxels.
fn voxels(image: &Volume<f32>) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}", image.shape()));
    for part in image.data().chunks(1 << 16) {
        let bytes: Vec<u8> = part.iter().flat_map(|value| value.to_le_bytes()).collect();
        hash.update(&bytes);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn refuse(sidecar: &Path, own: &[String], voxels: Option<&str>) -> Result<(), PipelineError> {
    let there = read(sidecar).unwrap_or_default();
    let list = |key: &str| there.get(key).and_then(Value::as_array).into_iter().flatten();
    let same =
        list(CHECKSUMS).filter_map(Value::as_str).any(|known| own.iter().any(|own| own == known));
    let same_voxels = voxels.is_some() && there.get(VOXELS).and_then(Value::as_str) == voxels;
    if same || same_voxels {
        return Ok(());
    }
    let of =
        list(SOURCES).find_map(Value::as_str).map_or_else(String::new, |of| format!(" of {of}"));
    Err(PipelineError::OtherResults { path: sidecar.to_owned(), of })
}

fn read(sidecar: &Path) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(sidecar).ok()?).ok()
}

/// The sidecars of label maps in a folder whose names, or whose tables' names, are those of a scan.
fn sidecars(files: &CaseFiles, folder: &Path) -> Vec<PathBuf> {
    let name = reference_name(files);
    let own = folder.join(name.with(&[LABELS], "dseg", ".json"));
    let mut found = Vec::new();
    if own.exists() || own.with_extension("nii.gz").exists() {
        found.push(own.clone());
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_sidecar = entry.file_name().to_string_lossy().ends_with(ENDING);
        let scan = || BidsName::parse(&path.with_extension("")).map(|name| name.scan());
        if is_sidecar && path != own && scan().is_some_and(|scan| scan == name.scan()) {
            found.push(path);
        }
    }
    found
}

fn map_sidecar(folder: &Path, stem: &str) -> PathBuf {
    folder.join(format!("{stem}_Chimap.json"))
}

fn parts(echoes: &ScanFiles) -> impl Iterator<Item = &PathBuf> {
    echoes.echoes.iter().flat_map(|parts| match parts {
        EchoParts::Polar { magnitude: a, phase: b }
        | EchoParts::Cartesian { real: a, imaginary: b } => [a, b],
    })
}

fn checksums<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Result<Vec<String>, PipelineError> {
    paths.map(|path| Ok(sha256(path)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(folder: &Path, name: &str, content: &str) -> CaseFiles {
        std::fs::create_dir_all(folder).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        let images = BTreeMap::from([(Modality::Swi, path)]);
        CaseFiles {
            id: "scan".to_owned(),
            images,
            mask: None,
            truth: None,
            unknown: None,
            contrast: None,
        }
    }

    fn sign(files: &CaseFiles, folder: &Path) {
        let sources: Vec<&PathBuf> = files.images.values().collect();
        let sums = checksums(files.images.values()).unwrap();
        let sidecar = json!({ SOURCES: sources, CHECKSUMS: sums });
        let name = reference_name(files).with(&[LABELS], "dseg", ".json");
        write_json(&folder.join(name), &sidecar).unwrap();
    }

    #[test]
    fn results_of_another_patient_are_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let a = case(&folder.path().join("a"), "swi.nii.gz", "a");
        let b = case(&folder.path().join("b"), "swi.nii.gz", "b");
        std::fs::create_dir_all(&out).unwrap();
        refuse_other_results(&a, &out).unwrap();
        sign(&a, &out);
        refuse_other_results(&a, &out).unwrap();
        let error = refuse_other_results(&b, &out).unwrap_err().to_string();
        assert!(error.contains("a/swi.nii.gz") && error.contains("--overwrite"), "{error}");
        // A copy is the same scan.
        refuse_other_results(&case(&folder.path().join("c"), "swi.nii.gz", "a"), &out).unwrap();
        // A label map that nobody signed may be a rater's.
        std::fs::remove_file(out.join("swi_seg-lesions_dseg.json")).unwrap();
        std::fs::write(out.join("swi_seg-lesions_dseg.nii.gz"), "").unwrap();
        assert!(refuse_other_results(&a, &out).is_err());
    }

    #[test]
    fn a_scan_whose_tables_have_the_same_name_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let a = case(folder.path(), "sub-01_acq-swi_T2starw.nii.gz", "a");
        let b = case(folder.path(), "sub-01_swi.nii.gz", "b");
        sign(&a, folder.path());
        refuse_other_results(&a, folder.path()).unwrap();
        assert!(refuse_other_results(&b, folder.path()).is_err());
    }
}
