//! The files and folders of a dataset. Links are followed, those too that a checkout without symbolic links holds as
//! text; a folder is listed once, by its true place, so that loops end.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use deepmir_volume::nifti;

use crate::CaseError;

/// A link's target is a path; no file system takes longer ones.
const LONGEST_LINK_BYTES: u64 = 4096;

/// An image, and where it stands by the names of the folders on the way to it.
#[derive(Clone, Debug)]
pub(super) struct FoundImage {
    /// To be opened.
    pub(super) path: PathBuf,
    /// Below the folder that was searched.
    pub(super) place: PathBuf,
}

/// A subject's folder in a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectFolder {
    /// `sub-01`.
    pub name: String,
    /// To be listed.
    pub path: PathBuf,
}

/// The subjects of a dataset, by name; none of their folders is listed. A link to nowhere, or a file, is no folder, and
/// yet somebody meant a subject by it.
///
/// # Errors
/// A folder that cannot be read.
pub fn subject_folders(dataset: &Path) -> Result<Vec<SubjectFolder>, CaseError> {
    let fault = |source| CaseError::Read { path: dataset.to_owned(), source };
    let mut subjects = Vec::new();
    for entry in std::fs::read_dir(dataset).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("sub-") {
            continue;
        }
        let meant = entry.file_type().is_ok_and(|kind| kind.is_dir() || kind.is_symlink());
        if meant || !name.contains(['.', '_']) {
            let path = folder_behind(&entry.path()).unwrap_or_else(|| entry.path());
            subjects.push(SubjectFolder { name, path });
        }
    }
    subjects.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(subjects)
}

/// Every NIfTI file below a folder, in order; a link to nowhere is among them, so that whoever reads it says so.
///
/// # Errors
/// A folder that cannot be read.
pub fn images_below(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    Ok(found_below(folder)?.into_iter().map(|found| found.path).collect())
}

/// As [`images_below`], with the places.
pub(super) fn found_below(folder: &Path) -> Result<Vec<FoundImage>, CaseError> {
    let top = true_place(folder);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), PathBuf::new())];
    // Links come last, so that a folder is found where it lies, if it lies here.
    let mut links = VecDeque::new();
    while let Some((folder, place)) = folders.pop().or_else(|| links.pop_front()) {
        let true_folder = true_place(&folder);
        // A link to a folder around this one leads to other subjects.
        let around = top != true_folder && top.starts_with(&true_folder);
        if around || !seen.insert(true_folder) {
            continue;
        }
        for path in sorted_entries(&folder)? {
            let name = path.file_name().unwrap_or_default();
            let place = place.join(name);
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            let link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
            if nifti::is_nifti_name(&path) {
                // A folder under an image's name is told by whoever reads it; a pipe would be waited for.
                if std::fs::metadata(&path).map_or(link, |there| there.is_file() || there.is_dir())
                {
                    found.push(FoundImage { path, place });
                }
            } else if let Some(behind) = folder_behind(&path) {
                if link || behind != path {
                    links.push_back((behind, place));
                } else {
                    folders.push((behind, place));
                }
            } else if link && is_folder_of_images(&name.to_string_lossy()) {
                let source = std::io::Error::other("a link to nowhere");
                return Err(CaseError::Read { path, source });
            }
        }
    }
    found.sort_by(|a, b| a.place.cmp(&b.place));
    Ok(found)
}

/// The entries of a folder, by name.
pub(crate) fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let fault = |source| CaseError::Read { path: folder.to_owned(), source };
    let mut entries = std::fs::read_dir(folder)
        .map_err(fault)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(fault)?;
    entries.sort();
    Ok(entries)
}

/// Whether a name is that of a folder with images of a subject.
fn is_folder_of_images(name: &str) -> bool {
    name.starts_with("ses-") || ["anat", "swi"].contains(&name)
}

/// A path without links, or the path itself where it leads to nothing.
fn true_place(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The folder that a name stands for: itself, the target of a link, or the path that a small file holds in place of a
/// link (as `git` without symbolic links, and copies onto file systems without, leave it).
fn folder_behind(path: &Path) -> Option<PathBuf> {
    let metadata = std::fs::metadata(path).ok()?;
    if metadata.is_dir() {
        return Some(path.to_owned());
    }
    let name = path.file_name()?.to_string_lossy();
    let may_be =
        name.starts_with("sub-") && !name.contains(['_', '.']) || is_folder_of_images(&name);
    if !may_be || !metadata.is_file() || metadata.len() > LONGEST_LINK_BYTES {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let target = path.parent()?.join(text.trim_end_matches(['\n', '\r']));
    target.is_dir().then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bids::tests::dataset;

    fn places(folder: &Path) -> Vec<String> {
        let found = found_below(folder).unwrap().into_iter();
        found.map(|found| found.place.to_string_lossy().into_owned()).collect()
    }

    #[cfg(unix)]
    #[test]
    fn linked_folders_are_followed_and_loops_end() {
        use std::os::unix::fs::symlink;
        let folder = dataset(&[
            "real/ses-a/anat/sub-01_ses-a_swi.nii",
            "real/anat/sub-01_swi.nii",
            "bids/sub-01/fmap/x.txt",
            "bids/sub-02/anat/sub-02_swi.nii",
        ]);
        let at = |path: &str| folder.path().join(path);
        symlink(at("real/ses-a"), at("bids/sub-01/ses-a")).unwrap();
        symlink("../../real/anat", at("bids/sub-01/anat")).unwrap();
        symlink("..", at("real/anat/loop")).unwrap();
        symlink(".", at("bids/sub-01/self")).unwrap();
        symlink(at("bids"), at("bids/sub-01/all")).unwrap();
        symlink("anat", at("bids/sub-01/again")).unwrap();
        let want = ["sub-01_swi.nii", "ses-a/anat/sub-01_ses-a_swi.nii"];
        let found = places(&at("bids/sub-01"));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().zip(want).all(|(found, want)| found.ends_with(want)), "{found:?}");
        symlink("/nowhere", at("bids/sub-02/ses-b")).unwrap();
        let told = found_below(&at("bids/sub-02")).unwrap_err().to_string();
        assert!(told.contains("link to nowhere") && told.contains("ses-b"), "{told}");
        symlink("/nowhere", at("bids/sub-03")).unwrap();
        assert_eq!(subject_folders(&at("bids")).unwrap().len(), 3);
    }

    #[test]
    fn links_that_are_text_are_followed() {
        let folder = dataset(&["real/sub-01/anat/sub-01_swi.nii", "real/anat/sub-02_swi.nii"]);
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("bids/sub-01", "../real/sub-01");
        write("bids/sub-02/anat", "../../real/anat\n");
        let subjects = subject_folders(&folder.path().join("bids")).unwrap();
        assert_eq!(places(&subjects[0].path), ["anat/sub-01_swi.nii"]);
        assert_eq!(places(&subjects[1].path), ["anat/sub-02_swi.nii"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nowhere_is_an_image_all_the_same() {
        let folder = dataset(&["sub-01/anat/sub-01_swi.nii"]);
        let link = folder.path().join("sub-01/anat/sub-01_T2w.nii.gz");
        std::os::unix::fs::symlink("../.git/annex/objects/x", link).unwrap();
        assert_eq!(images_below(folder.path()).unwrap().len(), 2);
    }
}
