//! A model for other programs: its networks as ONNX files, a script that runs them, a model card, and a MONAI bundle's
//! metadata.

mod card;

use std::path::{Path, PathBuf};

use deepmir_net::{Architecture, onnx};
use deepmir_volume::atomic::{self, NewFolder};
use serde_json::{Value, json};

use crate::{Bundle, ModelError};

/// The script that goes from NIfTI images to probability maps.
const RUN: &str = include_str!("run.py");

impl Bundle {
    /// Writes the networks as ONNX files into a new folder: `unet.onnx` or `unet-1.onnx` and so on, likewise
    /// `patch-classifier`; the settings as `plan.json`; `run.py`, which makes probability maps of images; a card as
    /// `README.md`; the metadata of a MONAI bundle as `configs/metadata.json`. The candidate classifier is no network and
    /// stays behind. Returns the files. The folder is there whole or not at all.
    ///
    /// # Errors
    /// A folder that holds something, or cannot be written.
    pub fn export_onnx(&self, folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
        let failed = |path: &Path, source| ModelError::Write { path: path.to_owned(), source };
        let is_free = match std::fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_none(),
            Err(_) => !folder.exists(),
        };
        if !is_free {
            return Err(ModelError::Exists { path: folder.to_owned() });
        }
        let making = NewFolder::begin(folder).map_err(|source| failed(folder, source))?;
        let mut names = Vec::new();
        for (name, bytes) in self.onnx_files()? {
            let path = making.path().join(&name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(|source| failed(folder, source))?;
            }
            atomic::write(&path, &bytes).map_err(|source| failed(&folder.join(&name), source))?;
            names.push(folder.join(name));
        }
        making.finish().map_err(|source| failed(folder, source))?;
        Ok(names)
    }

    fn onnx_files(&self) -> Result<Vec<(String, Vec<u8>)>, ModelError> {
        let settings = &self.settings;
        let Some(architecture) = &settings.architecture else {
            let reason = format!(
                "the networks of {} are ONNX files already; unpack it with deepmir model copy MODEL FOLDER",
                settings.name
            );
            return Err(ModelError::Config { reason });
        };
        let unets = names("unet", self.members.len());
        let patches = names("patch-classifier", self.patch_members.len());
        let plan = self.described(architecture, &unets, &patches)?;
        let readme = card::readme(settings, &self.id(), &[unets.clone(), patches.clone()].concat());
        let monai = card::monai_metadata(settings, architecture);
        let metadata = self.metadata(&plan);
        let mut files = Vec::new();
        for (name, weights) in unets.into_iter().zip(&self.members) {
            files.push((name, onnx::unet(architecture, weights, &metadata)?));
        }
        if let Some(classifier) = &settings.patch_classifier {
            for (name, weights) in patches.into_iter().zip(&self.patch_members) {
                let bytes = onnx::patch_classifier(classifier, &settings.plan, weights, &metadata)?;
                files.push((name, bytes));
            }
        }
        files.push(("plan.json".to_owned(), format!("{plan:#}\n").into_bytes()));
        files.push(("run.py".to_owned(), RUN.as_bytes().to_vec()));
        files.push(("README.md".to_owned(), readme.into_bytes()));
        files.push(("configs/metadata.json".to_owned(), format!("{monai:#}\n").into_bytes()));
        Ok(files)
    }

    /// The settings without the trees, and what a program needs beside them.
    fn described(
        &self,
        architecture: &Architecture,
        unets: &[String],
        patches: &[String],
    ) -> Result<Value, ModelError> {
        let mut settings = self.settings.clone();
        settings.candidate_classifier = None;
        let mut value = serde_json::to_value(&settings)
            .map_err(|error| ModelError::Config { reason: error.to_string() })?;
        if let Some(keys) = value.as_object_mut() {
            keys.remove("weights");
            keys.insert("id".to_owned(), self.id().into());
            keys.insert("size_multiple".to_owned(), architecture.size_multiple().into());
            keys.insert("networks".to_owned(), json!(unets));
            if let Some(classifier) =
                keys.get_mut("patch_classifier").and_then(Value::as_object_mut)
            {
                classifier.remove("weights");
                classifier.insert("networks".to_owned(), json!(patches));
            }
        }
        Ok(value)
    }

    /// The properties of every file.
    fn metadata(&self, described: &Value) -> Vec<(String, String)> {
        let settings = &self.settings;
        let list = |names: Vec<&str>| names.join(", ");
        let mut properties = vec![
            ("model", settings.name.clone()),
            ("id", self.id()),
            ("description", settings.description.clone()),
            ("licence", settings.licence.clone()),
            ("inputs", list(settings.plan.inputs.iter().map(|input| input.name()).collect())),
            ("classes", list(settings.plan.classes.iter().map(|class| class.name()).collect())),
        ];
        for key in ["plan", "detection", "operating_points"] {
            if let Some(value) = described.get(key) {
                properties.push((key, value.to_string()));
            }
        }
        properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// The file names of so many networks.
fn names(stem: &str, count: usize) -> Vec<String> {
    match count {
        1 => vec![format!("{stem}.onnx")],
        _ => (1..=count).map(|n| format!("{stem}-{n}.onnx")).collect(),
    }
}
