//! Warnings that a reconstruction left beside its maps.

use std::path::Path;

use deepmir_volume::{Warning, nifti};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sidecar {
    #[serde(default)]
    warnings: Vec<Warning>,
}

/// The warnings in the JSON files beside images, each once. Where there is none, or no list of ours in it, there is
/// nothing to tell: the file may be another program's.
pub(crate) fn beside<'a>(images: impl IntoIterator<Item = &'a Path>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for image in images {
        let path = image.with_file_name(format!("{}.json", nifti::stem(image)));
        let read = std::fs::read(path).ok();
        let sidecar = read.and_then(|text| serde_json::from_slice::<Sidecar>(&text).ok());
        for warning in sidecar.into_iter().flat_map(|sidecar| sidecar.warnings) {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    warnings
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
        let told = beside(paths.iter().map(std::path::PathBuf::as_path));
        assert_eq!(told, [Warning::new("slices_alternate", "half a turn")]);
    }
}
