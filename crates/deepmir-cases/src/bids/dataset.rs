//! What a BIDS dataset holds: scans with their images, label maps of a derivatives folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::Modality;
use deepmir_volume::nifti;

use super::BidsName;
use crate::CaseError;

/// One scan (subject, session, run) and its images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// `sub-01`, `sub-01_ses-2`, `sub-01_ses-2_run-1`.
    pub id: String,
    /// `01`.
    pub subject: String,
    /// `2`.
    pub session: Option<String>,
    /// Its images.
    pub images: BTreeMap<Modality, PathBuf>,
    /// A brain mask (`desc-brain_mask`) beside them.
    pub mask: Option<PathBuf>,
}

/// Every scan of a dataset, by name. Raw echoes and other images are passed over.
///
/// # Errors
/// A folder that cannot be read or holds no subjects, or two images of one kind for one scan.
pub fn scans(dataset: &Path) -> Result<Vec<Scan>, CaseError> {
    let mut scans = Vec::new();
    for subject in subject_folders(dataset)? {
        scans.append(&mut scans_of(&subject)?);
    }
    if scans.is_empty() {
        return Err(CaseError::NoScans { path: dataset.to_owned() });
    }
    scans.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(scans)
}

/// Every scan of one subject's folder, by name; there may be none.
pub fn scans_of(subject: &Path) -> Result<Vec<Scan>, CaseError> {
    let mut scans: BTreeMap<String, Scan> = BTreeMap::new();
    let mut masks = brain_masks(subject)?;
    for path in images_below(subject)? {
        let Some(name) = BidsName::parse(&path) else { continue };
        let Some(modality) = modality(&name) else { continue };
        let scan = scans.entry(name.scan()).or_insert_with(|| Scan {
            id: name.scan(),
            subject: name.entity("sub").unwrap_or_default().to_owned(),
            session: name.entity("ses").map(str::to_owned),
            images: BTreeMap::new(),
            mask: None,
        });
        if let Some(first) = scan.images.insert(modality, path.clone()) {
            return Err(CaseError::TwoImages {
                scan: scan.id.clone(),
                modality,
                first,
                second: path,
            });
        }
    }
    for (id, scan) in &mut scans {
        scan.mask = masks.remove(id);
    }
    Ok(scans.into_values().collect())
}

/// That files say by their names where they lie: results of `sub-01` must not come from an image that
/// says it is `sub-02`'s.
pub fn check_places(subject: &str, folder: &Path) -> Result<(), CaseError> {
    for path in images_below(folder)? {
        let Some(name) = BidsName::parse(&path) else { continue };
        let below = path.strip_prefix(folder).unwrap_or(&path).components();
        let session = below.filter_map(|part| part.as_os_str().to_str()).find_map(|part| {
            part.strip_prefix("ses-").filter(|_| !part.contains('_')).map(str::to_owned)
        });
        let named = format!("sub-{}", name.entity("sub").unwrap_or_default());
        if named != subject || session.as_deref() != name.entity("ses") {
            return Err(CaseError::WrongPlace { path });
        }
    }
    Ok(())
}

/// Which image a name stands for. `swi` and `minIP` are no suffixes of the standard yet, but in use.
fn modality(name: &BidsName) -> Option<Modality> {
    // Parts of a raw scan, and maps of something else, are no images to look at.
    if ["echo", "part", "seg", "label"].iter().any(|key| name.entity(key).is_some()) {
        return None;
    }
    match name.suffix() {
        "swi" => Some(Modality::Swi),
        "T2starw" if name.entity("acq").is_none_or(|acq| acq.to_lowercase().contains("swi")) => {
            Some(Modality::Swi)
        }
        "Chimap" => Some(Modality::Qsm),
        "T2w" => Some(Modality::T2w),
        _ => None,
    }
}

/// The brain masks (`…desc-brain_mask`) below a folder, by scan.
///
/// # Errors
/// A folder that cannot be read.
pub fn brain_masks(folder: &Path) -> Result<BTreeMap<String, PathBuf>, CaseError> {
    let masks = images_below(folder)?.into_iter().filter_map(|path| {
        let name = BidsName::parse(&path)?;
        let brain = name.suffix() == "mask" && name.entity("desc") == Some("brain");
        brain.then(|| (name.scan(), path))
    });
    Ok(masks.collect())
}

pub fn subject_folders(dataset: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let entries = sorted_entries(dataset)?.into_iter();
    let subjects = entries.filter(|path| {
        path.is_dir()
            && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sub-"))
    });
    Ok(subjects.collect())
}

/// Every NIfTI file below a folder, in order. Links to folders are not followed, so loops end.
pub fn images_below(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in sorted_entries(&folder)? {
            let link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
            if path.is_dir() && !link {
                folders.push(path);
            } else if nifti::is_nifti_name(&path) && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

pub fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let fault = |source| CaseError::Read { path: folder.to_owned(), source };
    let mut entries = std::fs::read_dir(folder)
        .map_err(fault)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(fault)?;
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bids::tests::dataset;

    #[test]
    fn scans_are_found_with_sessions_and_without() {
        let folder = dataset(&[
            "sub-01/anat/sub-01_acq-swi_T2starw.nii.gz",
            "sub-01/anat/sub-01_Chimap.nii.gz",
            "sub-01/anat/sub-01_T2w.nii.gz",
            "sub-01/anat/sub-01_echo-1_part-mag_MEGRE.nii.gz",
            "sub-01/anat/sub-01_acq-gre_T2starw.nii.gz",
            "sub-02/ses-a/anat/sub-02_ses-a_swi.nii.gz",
            "sub-02/ses-b/anat/sub-02_ses-b_swi.nii",
            "derivatives/truth/sub-01/anat/sub-01_seg-lesions_dseg.nii.gz",
            "derivatives/truth/sub-01/anat/sub-01_desc-brain_mask.nii.gz",
        ]);
        let scans = scans(folder.path()).unwrap();
        let ids: Vec<&str> = scans.iter().map(|scan| scan.id.as_str()).collect();
        assert_eq!(ids, ["sub-01", "sub-02_ses-a", "sub-02_ses-b"]);
        assert_eq!(scans[0].images.len(), 3);
        assert_eq!((scans[1].subject.as_str(), scans[1].session.as_deref()), ("02", Some("a")));
        let masks = brain_masks(&folder.path().join("derivatives/truth")).unwrap();
        assert!(masks.contains_key("sub-01"));
    }

    #[test]
    fn an_empty_folder_and_two_images_are_told() {
        let empty = dataset(&["readme.txt"]);
        assert!(scans(empty.path()).unwrap_err().to_string().contains("no scans"));
        let twice =
            dataset(&["sub-01/anat/sub-01_swi.nii", "sub-01/anat/sub-01_acq-swi_T2starw.nii"]);
        assert!(scans(twice.path()).unwrap_err().to_string().contains("two SWI"));
    }
}
