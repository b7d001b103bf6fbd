//! What follows from a parcellation and its verdict.

use std::path::Path;

use anyhow::{anyhow, bail};
use deepmir_anatomy::{Parcellation, Verdict};
use deepmir_cases::bids::write_json;
use deepmir_cases::sha256;
use deepmir_pipeline::PipelineError;
use deepmir_volume::Warning;
use deepmir_volume::nifti::{self, Image};

use super::files::Files;
use super::sidecar::{Sidecar, Source};
use crate::cli::Anatomy;

/// What was written of an image.
#[derive(Debug)]
pub struct Done {
    pub files: Files,
    pub brain_ml: f64,
    pub intracranial_ml: f64,
    pub warnings: Vec<Warning>,
}

/// Writes what was found in an image. `warnings` are those about its header.
///
/// # Errors
/// If the verdict is that it is of no use (then the sidecar is there, and nothing else), if there is any warning and
/// none is wanted (then nothing is written), and if files cannot be written.
pub fn conclude(
    arguments: &Anatomy,
    weights: Option<&Source>,
    path: &Path,
    image: &Image<f32>,
    found: &Parcellation,
    mut warnings: Vec<Warning>,
) -> anyhow::Result<Done> {
    let Anatomy { output, strict, .. } = arguments;
    let files = Files::new(output, &nifti::stem(path));
    if let Verdict::Doubtful(reasons) = &found.quality.verdict {
        let message = format!(
            "the parcellation is doubtful: {}; look at {} before you use it: {}",
            reasons.join("; "),
            files.picture.display(),
            path.display()
        );
        warnings.push(Warning::new("anatomy_doubtful", message));
    }
    let is_refused = matches!(found.quality.verdict, Verdict::Refused(_));
    if *strict && !is_refused && !warnings.is_empty() {
        return Err(PipelineError::Strict { warnings }.into());
    }
    std::fs::create_dir_all(output)
        .map_err(|error| anyhow!("cannot write ({error}): {}", output.display()))?;
    // The sidecar first: it says whose results the others are, should they not all be written.
    let source = Source { path: path.to_owned(), sha256: sha256(path)? };
    write_json(&files.sidecar, &Sidecar::of(&source, weights, &found.quality, &warnings))?;
    if let Verdict::Refused(reasons) = &found.quality.verdict {
        // Those of an earlier run, with other weights perhaps, would be taken for this one's.
        files.remove_results()?;
        bail!(
            "no usable parcellation: {}; check that the image shows a whole head or brain and that its header has the \
             right voxel sizes and orientation (what was measured is in {}): {}",
            reasons.join("; "),
            files.sidecar.display(),
            path.display()
        );
    }
    files.write_results(image, found)?;
    let (brain_ml, intracranial_ml) = (found.quality.brain_ml, found.quality.intracranial_ml);
    Ok(Done { files, brain_ml, intracranial_ml, warnings })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use deepmir_anatomy::{CoarseParcellation, Quality};
    use deepmir_volume::{Affine, Grid, Volume};

    use super::*;

    struct Scene {
        folder: tempfile::TempDir,
        path: PathBuf,
        image: Image<f32>,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("head.nii");
            let grid = Grid::new([6, 5, 4], Affine::from_spacing([4.0; 3], [0.0; 3])).unwrap();
            nifti::write(&path, &Volume::from_fn(grid, |[i, _, _]| i as f32), None).unwrap();
            let image = nifti::read(&path).unwrap();
            Self { folder, path, image }
        }

        fn conclude(&self, verdict: Verdict, strict: bool) -> anyhow::Result<Done> {
            let grid = *self.image.volume.grid();
            let tissue = Volume::filled(grid, 3_u8);
            let side = Volume::from_fn(grid, |[i, _, _]| 1 + u8::from(i > 2));
            let quality = Quality {
                entropy: 0.1,
                brain_ml: 7.0,
                intracranial_ml: 8.0,
                cut: [[0.0, 0.25], [0.0; 2], [0.5, 0.0]],
                symmetry: 1.0,
                unusual_volumes: 0,
                verdict,
            };
            let coarse = CoarseParcellation { tissue: tissue.clone(), side: side.clone() };
            let brain = Volume::filled(grid, true);
            let found = Parcellation { tissue, side, brain, coarse, volumes: Vec::new(), quality };
            let arguments = Anatomy {
                images: vec![self.path.clone()],
                output: self.folder.path().join("out"),
                weights: None,
                nan_to_zero: false,
                strict,
                overwrite: false,
            };
            conclude(&arguments, None, &self.path, &self.image, &found, Vec::new())
        }

        fn written(&self) -> Vec<String> {
            let entries = std::fs::read_dir(self.folder.path().join("out"));
            let mut names: Vec<String> = entries
                .into_iter()
                .flatten()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    fn reasons() -> Vec<String> {
        vec!["the brain is small".to_owned(), "it is cut".to_owned()]
    }

    #[test]
    fn a_good_one_is_written_in_freesurfers_numbers() {
        let scene = Scene::new();
        let done = scene.conclude(Verdict::Good, true).unwrap();
        assert!(done.warnings.is_empty());
        assert_eq!(scene.written().len(), 6);
        let labels = nifti::read_integers(&done.files.labels).unwrap().volume;
        assert_eq!((labels[[2, 0, 0]], labels[[3, 0, 0]]), (2, 41));
        let json = std::fs::read_to_string(&done.files.sidecar).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["Verdict"], "good");
        assert_eq!((&json["Cut"]["Right"], &json["Cut"]["Bottom"]), (&0.25.into(), &0.5.into()));
        assert_eq!(json["SourcesSHA256"][0], sha256(&scene.path).unwrap());
    }

    #[test]
    fn a_doubtful_one_is_written_with_a_warning_or_with_strict_not_at_all() {
        let scene = Scene::new();
        let error = scene.conclude(Verdict::Doubtful(reasons()), true).unwrap_err().to_string();
        assert!(error.contains("--strict") && error.contains("it is cut"), "{error}");
        assert!(scene.written().is_empty());
        let done = scene.conclude(Verdict::Doubtful(reasons()), false).unwrap();
        assert_eq!(done.warnings[0].code, "anatomy_doubtful");
        let json = std::fs::read_to_string(&done.files.sidecar).unwrap();
        assert!(json.contains("anatomy_doubtful") && json.contains("\"doubtful\""), "{json}");
        assert_eq!(scene.written().len(), 6);
    }

    #[test]
    fn a_refused_one_leaves_the_reasons_alone() {
        let scene = Scene::new();
        scene.conclude(Verdict::Good, false).unwrap();
        let error = scene.conclude(Verdict::Refused(reasons()), true).unwrap_err().to_string();
        let words = ["the brain is small; it is cut", "voxel sizes", "head.nii"];
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
        assert_eq!(scene.written(), ["head_desc-anatomy.json"]);
    }
}
