//! What may not be written over: files that were given, and raw datasets.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use deepmir_volume::nifti;

use crate::CaseError;

/// That no file which was given (or the JSON beside it) is written over by what goes into `folder` under names for which
/// `writes` is true. Files are the same by their true place, whatever links lead there; a second hard link to one is the
/// same file, too.
///
/// # Errors
/// [`CaseError::WouldOverwrite`].
pub fn check_not_written_over<'a>(
    given: impl IntoIterator<Item = &'a Path>,
    folder: &Path,
    writes: &dyn Fn(&str) -> bool,
) -> Result<(), CaseError> {
    let folder = true_place(folder);
    let given: BTreeSet<PathBuf> =
        given.into_iter().flat_map(|path| [path.to_owned(), sidecar(path)]).collect();
    let mut identities = BTreeSet::new();
    for path in &given {
        // Where its name stands, and where a link of that name leads.
        for place in [beside(path), true_place(path)] {
            let ours = place.parent() == Some(&folder)
                && place.file_name().is_some_and(|name| writes(&name.to_string_lossy()));
            if ours {
                return Err(CaseError::WouldOverwrite { path: path.clone() });
            }
        }
        identities.extend(identity(path));
    }
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let same = || identity(&entry.path()).is_some_and(|found| identities.contains(&found));
        if writes(&entry.file_name().to_string_lossy()) && same() {
            return Err(CaseError::WouldOverwrite { path: entry.path() });
        }
    }
    Ok(())
}

/// That a file or folder that is written whole is none that was given, and lies in no folder that was given.
///
/// # Errors
/// [`CaseError::WouldOverwrite`].
pub fn check_new<'a>(
    given: impl IntoIterator<Item = &'a Path>,
    output: &Path,
) -> Result<(), CaseError> {
    let (place, named) = (true_place(output), beside(output));
    let found = identity(output);
    for path in given.into_iter().filter(|path| path.exists()) {
        let input = true_place(path);
        let same = place.starts_with(&input) || named == beside(path);
        if same || found.is_some() && found == identity(path) {
            return Err(CaseError::WouldOverwrite { path: path.to_owned() });
        }
    }
    Ok(())
}

/// That a folder of derivatives is none of raw data: not the dataset itself, not a subject's folder in it, not the folder
/// around it if names would collide, and no dataset that another program or a scanner made.
///
/// # Errors
/// [`CaseError::NoPlaceForResults`].
pub fn check_derivatives_folder(out: &Path, dataset: Option<&Path>) -> Result<(), CaseError> {
    let fault = |reason: &str| {
        Err(CaseError::NoPlaceForResults { path: out.to_owned(), reason: reason.to_owned() })
    };
    let place = true_place(out);
    if let Some(dataset) = dataset.map(true_place) {
        if place == dataset {
            return fault("the folder of results is the dataset itself");
        }
        let first =
            |below: &Path| below.iter().next().map(|name| name.to_string_lossy().into_owned());
        if place
            .strip_prefix(&dataset)
            .ok()
            .and_then(first)
            .is_some_and(|name| name.starts_with("sub-"))
        {
            return fault("the folder of results lies among the raw data of a subject");
        }
        let is_ours =
            |name: String| name.starts_with("sub-") || ["status", "group"].contains(&&*name);
        if dataset.strip_prefix(&place).ok().and_then(first).is_some_and(is_ours) {
            return fault("the dataset lies where results of its subjects would go");
        }
    }
    let description = place.join("dataset_description.json");
    if description.symlink_metadata().is_ok() {
        return not_ours(&description).map_or(Ok(()), fault);
    }
    let entries = std::fs::read_dir(&place).into_iter().flatten().flatten();
    let names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    // Runs of earlier versions may have been killed before they described the folder.
    let begun = names.iter().any(|name| ["status", ".bidsignore"].contains(&name.as_str()));
    if !begun && names.iter().any(|name| name.starts_with("sub-")) {
        return fault(
            "it holds subjects, and no dataset_description.json says that they are derivatives",
        );
    }
    Ok(())
}

/// That no file of a raw dataset is written over by what goes into `folder` under names for which `writes` is true, given or
/// not. An image whose sidecar names its sources is derived.
///
/// # Errors
/// [`CaseError::NoPlaceForResults`].
pub fn check_no_raw_data(folder: &Path, writes: &dyn Fn(&str) -> bool) -> Result<(), CaseError> {
    let place = true_place(folder);
    let descriptions = place.ancestors().map(|folder| folder.join("dataset_description.json"));
    let mut descriptions = descriptions.filter(|path| path.is_file());
    if descriptions.next().is_none_or(|description| is_derivative(&description)) {
        return Ok(());
    }
    let is_derived = |image: &Path| read_json(&sidecar(image)).get("Sources").is_some();
    let entries = std::fs::read_dir(&place).into_iter().flatten().flatten();
    let mut images = entries.map(|entry| entry.path()).filter(|path| nifti::is_nifti_name(path));
    let is_raw = |path: &PathBuf| {
        writes(&path.file_name().unwrap_or_default().to_string_lossy()) && !is_derived(path)
    };
    match images.find(is_raw) {
        Some(path) => Err(CaseError::WouldOverwrite { path }),
        None => Ok(()),
    }
}

/// That a folder holds no dataset but one that a program made.
///
/// # Errors
/// [`CaseError::NoPlaceForResults`].
pub fn check_own_dataset(folder: &Path, program: &str) -> Result<(), CaseError> {
    if makers(&folder.join("dataset_description.json")).iter().any(|maker| maker == program) {
        return Ok(());
    }
    let is_dataset = |name: &str| {
        name.starts_with("sub-")
            || ["dataset_description.json", "README", "participants.tsv"].contains(&name)
    };
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    match entries.find(|entry| is_dataset(&entry.file_name().to_string_lossy())) {
        Some(entry) => Err(CaseError::NoPlaceForResults {
            path: folder.to_owned(),
            reason: format!("it holds {} of another dataset", entry.file_name().to_string_lossy()),
        }),
        None => Ok(()),
    }
}

/// Why a dataset with this description is no place for derivatives of this program; `None` if it is.
pub(crate) fn not_ours(description: &Path) -> Option<&'static str> {
    if !is_derivative(description) {
        return Some("its dataset_description.json says that it holds raw data");
    }
    let makers = makers(description);
    let others = !makers.is_empty() && !makers.contains(&"deepmir".to_owned());
    others.then_some("its dataset_description.json says that another program made it")
}

/// The programs that made a dataset, as its description names them.
fn makers(description: &Path) -> Vec<String> {
    let said = read_json(description);
    let makers = said.get("GeneratedBy").and_then(serde_json::Value::as_array);
    let name = |maker: &serde_json::Value| Some(maker.get("Name")?.as_str()?.to_owned());
    makers.into_iter().flatten().filter_map(name).collect()
}

fn read_json(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Whether a dataset's description says that it is derived: the standard takes one that does not say for raw.
fn is_derivative(description: &Path) -> bool {
    let said = read_json(description);
    said.get("DatasetType").and_then(serde_json::Value::as_str) == Some("derivative")
}

/// The JSON beside an image.
fn sidecar(path: &Path) -> PathBuf {
    path.with_file_name(format!("{}.json", nifti::stem(path)))
}

/// A path without links; of what is not there yet, as far as there is something.
fn true_place(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut place = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                place.pop();
            }
            Component::CurDir => {}
            part => {
                place.push(part);
                place = place.canonicalize().unwrap_or(place);
            }
        }
    }
    place
}

/// Where a name stands: its folder without links, and the name itself.
fn beside(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => true_place(folder).join(name),
        _ => path,
    }
}

/// What a file is, whatever its name.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn a_file_that_was_given_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let raw = write(folder.path(), "raw/sub-01_T2w.nii.gz", "image");
        write(folder.path(), "raw/sub-01_T2w.json", "{}");
        let writes = |name: &str| ["sub-01_T2w.nii.gz", "sub-01_T2w.json"].contains(&name);
        let check = |given: &Path, out: &str| {
            check_not_written_over([given], &folder.path().join(out), &writes)
        };
        assert!(check(&raw, "out").is_ok());
        assert!(check(&raw, "raw").is_err());
        assert!(check(&raw, "out/../raw/.").is_err());
        let only_json = |name: &str| name == "sub-01_T2w.json";
        assert!(check_not_written_over([&*raw], raw.parent().unwrap(), &only_json).is_err());
        let other = write(folder.path(), "raw/other.nii.gz", "image");
        assert!(check(&other, "raw").is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn links_to_what_was_given_are_not_written_over() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let raw = write(folder.path(), "raw/sub-01_T2w.nii.gz", "image");
        let writes = |name: &str| name == "sub-01_T2w.nii.gz";
        let check = |given: &Path, out: &str| {
            check_not_written_over([given], &folder.path().join(out), &writes)
        };
        symlink(folder.path().join("raw"), folder.path().join("linked")).unwrap();
        assert!(check(&raw, "linked").is_err());
        let link = folder.path().join("a/link.nii.gz");
        std::fs::create_dir_all(folder.path().join("a")).unwrap();
        symlink(&raw, &link).unwrap();
        assert!(check(&link, "raw").is_err());
        // The given name is itself a link in the folder of results.
        std::fs::create_dir_all(folder.path().join("b")).unwrap();
        symlink(&raw, folder.path().join("b/sub-01_T2w.nii.gz")).unwrap();
        assert!(check(&folder.path().join("b/sub-01_T2w.nii.gz"), "b").is_err());
        std::fs::create_dir_all(folder.path().join("c")).unwrap();
        std::fs::hard_link(&raw, folder.path().join("c/sub-01_T2w.nii.gz")).unwrap();
        assert!(check(&raw, "c").is_err());
        assert!(check(&raw, "a").is_ok());
    }

    #[test]
    fn a_model_that_was_given_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = write(folder.path(), "m.deepmir", "model");
        let inside = write(folder.path(), "model/model.toml", "model");
        let model = inside.parent().unwrap();
        let new = |output: &str| check_new([&*file, model], &folder.path().join(output));
        assert!(new("other.deepmir").is_ok() && new("model2").is_ok());
        assert!(new("m.deepmir").is_err() && new("model").is_err() && new("model/fold-1").is_err());
        assert!(new("x/../m.deepmir").is_err() || !cfg!(unix));
    }

    #[test]
    fn raw_data_that_was_not_given_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "dataset_description.json", r#"{"DatasetType": "raw"}"#);
        let map = write(folder.path(), "sub-01/anat/sub-01_Chimap.nii.gz", "");
        let check = |out: &Path| check_no_raw_data(out, &|name| name.starts_with("sub-01_Chimap"));
        assert!(check(map.parent().unwrap()).is_err());
        assert!(check(&folder.path().join("sub-01")).is_ok());
        write(folder.path(), "sub-01/anat/sub-01_Chimap.json", r#"{"Sources": ["phase.nii"]}"#);
        assert!(check(map.parent().unwrap()).is_ok());
        let maps = folder.path().join("derivatives/maps");
        write(&maps, "dataset_description.json", r#"{"DatasetType": "derivative"}"#);
        write(&maps, "sub-01_Chimap.nii.gz", "");
        assert!(check(&maps).is_ok());
    }

    #[test]
    fn a_simulated_dataset_is_not_written_into_another() {
        let folder = tempfile::tempdir().unwrap();
        let check = || check_own_dataset(folder.path(), "deepmir phantom");
        assert!(check().is_ok());
        write(folder.path(), "sub-01/anat/sub-01_swi.nii", "");
        assert!(check().unwrap_err().to_string().contains("sub-01 of another dataset"));
        let other = r#"{"GeneratedBy": [{"Name": "heudiconv"}]}"#;
        write(folder.path(), "dataset_description.json", other);
        assert!(check().is_err());
        write(
            folder.path(),
            "dataset_description.json",
            &other.replace("heudiconv", "deepmir phantom"),
        );
        assert!(check().is_ok());
    }

    #[test]
    fn raw_data_is_no_place_for_results() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let raw = r#"{"Name": "x", "BIDSVersion": "1.8.0"}"#;
        write(folder.path(), "bids/dataset_description.json", raw);
        write(folder.path(), "bids/sub-01/anat/sub-01_T2w.nii", "");
        write(folder.path(), "other/sub-01/anat/sub-01_T2w.nii", "");
        let derived = r#"{"Name": "x", "DatasetType": "derivative"}"#;
        write(folder.path(), "done/dataset_description.json", derived);
        write(folder.path(), "done/sub-01/anat/sub-01_T2w.nii", "");
        let check = |out: &str, data: &str| check_derivatives_folder(&at(out), Some(&at(data)));
        for out in ["new", "done", "bids/derivatives/deepmir", "bids/derivatives"] {
            assert!(check(out, "bids").is_ok(), "{out}");
        }
        for (out, words) in [
            ("bids", "the dataset itself"),
            ("bids/derivatives/..", "the dataset itself"),
            ("bids/sub-01/results", "raw data of a subject"),
            ("other", "no dataset_description.json"),
        ] {
            std::fs::create_dir_all(at("bids/derivatives")).unwrap();
            let told = check(out, "bids").unwrap_err().to_string();
            assert!(told.contains(words) && told.contains("another folder"), "{told}");
        }
        let other = r#"{"DatasetType": "derivative", "GeneratedBy": [{"Name": "fMRIPrep"}]}"#;
        write(folder.path(), "bids/derivatives/fmriprep/dataset_description.json", other);
        let told = check("bids/derivatives/fmriprep", "bids").unwrap_err().to_string();
        assert!(told.contains("another program"), "{told}");
        let told = check("bids", "done").unwrap_err().to_string();
        assert!(told.contains("says that it holds raw data"), "{told}");
        assert!(check("new", "new/sub-01").is_err() && check("new", "new/data").is_ok());
        assert!(check_derivatives_folder(&at("bids"), None).is_err());
    }
}
