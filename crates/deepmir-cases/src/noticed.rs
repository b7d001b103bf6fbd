//! Warnings that a reconstruction left beside its maps.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::bids;
use deepmir_volume::{Warning, nifti};

/// The warnings in the JSON files beside images, each once. Where there is none, or no list of ours in it, there is
/// nothing to tell: the file may be another program's.
pub(crate) fn beside<'a>(images: impl IntoIterator<Item = &'a Path>) -> Vec<Warning> {
    let of_image = |image: &Path| -> Option<Vec<Warning>> {
        let path = image.with_file_name(format!("{}.json", nifti::stem(image)));
        let mut sidecar = bids::parse_object(&std::fs::read(path).ok()?).ok()?;
        serde_json::from_value(sidecar.remove("Warnings")?).ok()
    };
    let mut warnings = Vec::new();
    for warning in images.into_iter().filter_map(of_image).flatten() {
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    warnings
}

/// That JSON files of the images are not here: what they say, such as the unit of a map, is not heeded.
pub(crate) fn not_fetched<'a>(images: impl IntoIterator<Item = &'a Path>) -> Vec<Warning> {
    let sidecars: BTreeSet<PathBuf> = images.into_iter().flat_map(bids::sidecars).collect();
    let missing = sidecars.iter().filter_map(|path| nifti::check_fetched(path).err());
    missing.map(|fault| Warning::new("sidecar_not_here", fault.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reconstruction_noticed_is_told_once_and_other_sidecars_are_let_be() {
        let folder = tempfile::tempdir().unwrap();
        let image = |name: &str, json: &str| {
            std::fs::write(folder.path().join(format!("{name}.json")), json).unwrap();
            folder.path().join(format!("{name}.nii.gz"))
        };
        let ours = r#"{"Warnings": [{"Code": "slices_alternate", "Message": "half a turn"}], "Units": "ppm"}"#;
        let paths = [image("swi", ours), image("chi", ours), image("t2", r#"{"Warnings": "hot"}"#)];
        let told = beside(paths.iter().map(PathBuf::as_path));
        assert_eq!(told, [Warning::new("slices_alternate", "half a turn")]);
    }

    #[cfg(unix)]
    #[test]
    fn a_sidecar_that_was_not_fetched_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let [swi, chi] = ["sub-01_swi", "sub-01_Chimap"].map(|name| folder.path().join(name));
        std::fs::write(swi.with_extension("json"), "{}").unwrap();
        let target = "../.git/annex/objects/Wz/0k/MD5E-s6--0c.json";
        std::os::unix::fs::symlink(target, chi.with_extension("json")).unwrap();
        let images = [swi, chi].map(|path| path.with_extension("nii.gz"));
        let told = not_fetched(images.iter().map(PathBuf::as_path));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].message.contains("content is not here")
                && told[0].message.ends_with("Chimap.json")
        );
    }
}
