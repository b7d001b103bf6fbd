//! The JSON files that tell about an image: the standard's inheritance principle.

use std::path::{Path, PathBuf};

use deepmir_volume::nifti;

use super::parse_object;

/// The JSON files that apply to an image, the most general first: a later one's fields win.
///
/// Those are the file of the image's own name and, beside it and in the folders above up to the dataset's, every one of
/// the same suffix that has none but the image's entities: `sub-01_echo-1_MEGRE.json` for both parts of an echo,
/// `MEGRE.json` at the top for all. Folders above are searched only for images below a subject's folder.
pub fn sidecars(image: &Path) -> Vec<PathBuf> {
    let own = image.with_file_name(format!("{}.json", nifti::stem(image)));
    let mut found = Vec::new();
    if let Some(name) = Name::of(&nifti::stem(image)) {
        for folder in folders(image).iter().rev() {
            let mut here: Vec<(usize, PathBuf)> = json_files(folder)
                .into_iter()
                .filter_map(|path| {
                    let other = Name::of(path.file_stem()?.to_str()?)?;
                    (path.file_name() != own.file_name() && other.applies_to(&name))
                        .then_some((other.entities.len(), path))
                })
                .collect();
            here.sort();
            found.extend(here.into_iter().map(|(_, path)| path));
        }
    }
    // A link to nowhere, too: whoever reads it says so.
    if own.is_file() || own.is_symlink() {
        found.push(own);
    }
    found
}

/// What the JSON files that apply to an image say together. One that cannot be read says nothing: for fields that only
/// inform.
pub fn sidecar_fields(image: &Path) -> serde_json::Map<String, serde_json::Value> {
    let read = |path: PathBuf| parse_object(&std::fs::read(path).ok()?).ok();
    sidecars(image).into_iter().filter_map(read).flatten().collect()
}

/// The image's folder and those above it up to the dataset's.
fn folders(image: &Path) -> Vec<PathBuf> {
    let own = image.parent().unwrap_or(Path::new(""));
    let own = if own.as_os_str().is_empty() { Path::new(".") } else { own };
    let absolute = std::path::absolute(own).unwrap_or_else(|_| own.to_owned());
    let is_subject = |folder: &Path| {
        folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sub-"))
    };
    let mut folders = vec![own.to_owned()];
    if let Some(depth) = absolute.ancestors().position(is_subject) {
        folders.extend(absolute.ancestors().skip(1).take(depth + 1).map(Path::to_owned));
    }
    folders
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    // A folder that cannot be read tells nothing; the image itself is then refused.
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect()
}

/// Entities and suffix of a name, which need not begin with a subject.
struct Name<'a> {
    entities: Vec<(&'a str, &'a str)>,
    suffix: &'a str,
}

impl<'a> Name<'a> {
    fn of(stem: &'a str) -> Option<Self> {
        let mut parts: Vec<&str> = stem.split('_').collect();
        let suffix = parts.pop()?;
        let entities = parts.into_iter().map(|part| part.split_once('-')).collect::<Option<_>>()?;
        (!suffix.is_empty() && !suffix.contains('-')).then_some(Self { entities, suffix })
    }

    fn applies_to(&self, image: &Self) -> bool {
        self.suffix == image.suffix
            && self.entities.iter().all(|entity| image.entities.contains(entity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bids::tests::dataset;

    #[test]
    fn fields_of_the_nearer_file_win() {
        let folder = tempfile::tempdir().unwrap();
        let anat = folder.path().join("sub-01/anat");
        std::fs::create_dir_all(&anat).unwrap();
        std::fs::write(folder.path().join("Chimap.json"), r#"{"Units": "ppb", "A": 1}"#).unwrap();
        let image = anat.join("sub-01_Chimap.nii.gz");
        assert_eq!(sidecar_fields(&image)["Units"], "ppb");
        std::fs::write(anat.join("sub-01_Chimap.json"), r#"{"Units": "ppm"}"#).unwrap();
        let fields = sidecar_fields(&image);
        assert_eq!((&fields["Units"], &fields["A"]), (&"ppm".into(), &1.into()));
    }

    #[test]
    fn files_of_fewer_entities_and_of_folders_above_are_inherited() {
        let folder = dataset(&[
            "MEGRE.json",
            "T2w.json",
            "dataset_description.json",
            "acq-other_MEGRE.json",
            "sub-01/sub-01_MEGRE.json",
            "sub-01/ses-a/anat/sub-01_ses-a_echo-1_MEGRE.json",
            "sub-01/ses-a/anat/sub-01_ses-a_echo-2_MEGRE.json",
            "sub-01/ses-a/anat/sub-01_ses-a_MEGRE.json",
            "sub-01/ses-a/anat/sub-01_ses-a_echo-1_part-mag_MEGRE.json",
            "sub-01/ses-a/anat/sub-01_ses-a_echo-1_part-mag_MEGRE.nii.gz",
        ]);
        let image =
            folder.path().join("sub-01/ses-a/anat/sub-01_ses-a_echo-1_part-mag_MEGRE.nii.gz");
        let found = sidecars(&image);
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(
            names,
            [
                "MEGRE.json",
                "sub-01_MEGRE.json",
                "sub-01_ses-a_MEGRE.json",
                "sub-01_ses-a_echo-1_MEGRE.json",
                "sub-01_ses-a_echo-1_part-mag_MEGRE.json",
            ]
        );
    }

    #[test]
    fn outside_a_subjects_folder_only_files_beside_the_image_tell() {
        let folder =
            dataset(&["MEGRE.json", "x/echo-1_MEGRE.json", "x/echo-1_part-mag_MEGRE.nii.gz"]);
        let found = sidecars(&folder.path().join("x/echo-1_part-mag_MEGRE.nii.gz"));
        assert_eq!(found, [folder.path().join("x/echo-1_MEGRE.json")]);
        let odd = sidecars(&folder.path().join("x/mag one.nii"));
        assert_eq!(odd, Vec::<PathBuf>::new());
    }
}
