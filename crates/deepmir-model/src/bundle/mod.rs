//! A model on disk: everything that prediction needs.
//!
//! A folder with `model.toml` and one or more weight files (safetensors, 16-bit floats; of imported networks ONNX), or the
//! same as one `.deepmir` file (a plain tar archive of them). Several weight files are an ensemble, whose median probability
//! is used.

mod format;
mod legacy;
mod operating_points;
mod settings;

use std::io::Read;
use std::path::Path;

use deepmir_net::{PatchClassifier, Precision, WeightFile, Weights};
use deepmir_volume::atomic;
use sha2::{Digest, Sha256};

use crate::ModelError;
pub use operating_points::{InputsOperatingPoint, inputs_of, inputs_of_files};
pub use settings::{FORMAT, ModelSettings, Provenance};

/// The settings' file name.
const SETTINGS: &str = "model.toml";
/// Prefix of the networks' weight files.
const MEMBER: &str = "weights";
/// Prefix of imported networks' files.
const IMPORTED_MEMBER: &str = "network";
/// Prefix of the patch classifier's weight files.
const PATCH_MEMBER: &str = "patch-classifier";
/// Limit of a file in an archive.
const MAX_BYTES: u64 = 1 << 30;

/// A model: its settings and its members' weights.
///
/// ```
/// use deepmir_model::{Bundle, shipped};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("copy.deepmir");
/// let model = shipped::MODELS[0].open()?;
/// model.write(&path)?;
/// assert_eq!(Bundle::read(&path)?, model);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// The content of `model.toml`.
    pub settings: ModelSettings,
    /// The weights of each member.
    pub members: Vec<Weights>,
    /// The ONNX file of each member, of imported networks.
    pub imported: Vec<Vec<u8>>,
    /// The weights of each network of the patch classifier.
    pub patch_members: Vec<Weights>,
}

impl Bundle {
    /// Assembles a model of settings (whose lists of weight files are filled in), the members' weights and those of the
    /// patch classifier's networks, if the settings have one.
    ///
    /// # Errors
    /// If weights do not fit their architecture, or the settings are inconsistent.
    pub fn new(
        settings: ModelSettings,
        members: Vec<Weights>,
        patch_members: Vec<Weights>,
    ) -> Result<Self, ModelError> {
        Self { settings, members, imported: Vec::new(), patch_members }.listed()
    }

    /// The same networks with other settings, whose lists of weight files are filled in.
    ///
    /// # Errors
    /// As [`Bundle::new`].
    pub fn with_settings(&self, settings: ModelSettings) -> Result<Self, ModelError> {
        Self { settings, ..self.clone() }.listed()
    }

    /// With the lists of weight files filled in.
    pub(crate) fn listed(mut self) -> Result<Self, ModelError> {
        self.validate()?;
        let names =
            |files: Vec<(WeightFile, Vec<u8>)>| files.into_iter().map(|(file, _)| file).collect();
        self.settings.weights = names(self.member_files()?);
        if let Some(patches) = &mut self.settings.patch_classifier {
            patches.weights = names(weight_files(PATCH_MEMBER, &self.patch_members)?);
        }
        Ok(self)
    }

    /// The file of each member.
    fn member_files(&self) -> Result<Vec<(WeightFile, Vec<u8>)>, ModelError> {
        if self.settings.onnx.is_none() {
            return weight_files(MEMBER, &self.members);
        }
        let count = self.imported.len();
        let files = self.imported.iter().enumerate().map(|(n, bytes)| {
            let file = file_name(IMPORTED_MEMBER, n, count, "onnx");
            (WeightFile { file, sha256: hex(&Sha256::digest(bytes)) }, bytes.clone())
        });
        Ok(files.collect())
    }

    /// Opens the patch classifier; `None` where there is none.
    ///
    /// # Errors
    /// If the weights do not fit the settings.
    pub fn patch_classifier(&self) -> Result<Option<PatchClassifier>, ModelError> {
        let ModelSettings { plan, patch_classifier, .. } = &self.settings;
        let ready = |settings| PatchClassifier::new(settings, plan, &self.patch_members);
        Ok(patch_classifier.as_ref().map(ready).transpose()?)
    }

    /// A short checksum of the whole model, for tables and reports.
    pub fn id(&self) -> String {
        // What it warns of is no part of what it finds.
        let settings = ModelSettings { training_range: None, ..self.settings.clone() };
        let text = toml::to_string(&settings).unwrap_or_default();
        hex(&Sha256::digest(text.as_bytes()))[..12].to_owned()
    }

    /// Reads and validates a folder or a `.deepmir` file.
    ///
    /// # Errors
    /// Unreadable files, a newer format, unknown settings, a wrong checksum, weights that do not fit the network.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let read = |source| ModelError::Read { path: path.to_owned(), source };
        let metadata = std::fs::metadata(path).map_err(read)?;
        if metadata.is_dir() {
            return Self::from_files(path, |name| {
                let path = path.join(name);
                std::fs::read(&path).map_err(|source| ModelError::Read { path, source })
            });
        }
        let bytes = std::fs::read(path).map_err(read)?;
        Self::from_archive(&bytes, path)
    }

    /// Reads the bytes of a `.deepmir` file; `path` is for messages.
    ///
    /// # Errors
    /// As [`Bundle::read`].
    pub fn from_archive(bytes: &[u8], path: &Path) -> Result<Self, ModelError> {
        let unusable = |reason: String| ModelError::Bundle { path: path.to_owned(), reason };
        let mut files = std::collections::BTreeMap::new();
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().map_err(|error| unusable(error.to_string()))?;
        for entry in entries {
            let entry = entry.map_err(|error| {
                unusable(format!("no .deepmir archive, or one that is cut off ({error})"))
            })?;
            let name = entry.path().map(|name| name.to_string_lossy().into_owned());
            let name = name.map_err(|error| unusable(error.to_string()))?;
            let mut content = Vec::new();
            let outcome = entry.take(MAX_BYTES).read_to_end(&mut content);
            outcome.map_err(|error| unusable(format!("{name} is cut off ({error})")))?;
            if files.insert(name.clone(), content).is_some() {
                return Err(unusable(format!("it holds {name} twice; get the model again")));
            }
        }
        Self::from_files(path, |name| {
            files.remove(name).ok_or_else(|| unusable(format!("it holds no {name}")))
        })
    }

    fn from_files(
        path: &Path,
        mut file: impl FnMut(&str) -> Result<Vec<u8>, ModelError>,
    ) -> Result<Self, ModelError> {
        let unusable = |reason: String| ModelError::Bundle { path: path.to_owned(), reason };
        let text = String::from_utf8(file(SETTINGS)?)
            .map_err(|_| unusable(format!("{SETTINGS} is no text")))?;
        let (settings, format) = format::parse(&text).map_err(unusable)?;
        let mut bytes = |WeightFile { file: name, sha256 }: &WeightFile| {
            if Path::new(name).components().count() != 1 {
                return Err(unusable(format!("{name:?} is no file name")));
            }
            let bytes = file(name)?;
            let found = hex(&Sha256::digest(&bytes));
            if found != sha256.to_ascii_lowercase() {
                return Err(unusable(format!(
                    "{name} has the checksum {found} where {SETTINGS} says {sha256}; it was changed \
                     or damaged, get the model again"
                )));
            }
            Ok(bytes)
        };
        let (mut members, mut imported) = (Vec::new(), Vec::new());
        for file in &settings.weights {
            let bytes = bytes(file)?;
            match settings.onnx {
                Some(_) => imported.push(bytes),
                None => members.push(weights(file, &bytes).map_err(unusable)?),
            }
        }
        let files = settings.patch_classifier.iter().flat_map(|patches| &patches.weights);
        let patch_members = files
            .map(|file| weights(file, &bytes(file)?).map_err(unusable))
            .collect::<Result<_, _>>()?;
        if format < FORMAT {
            // Weight files have other names in this format.
            let renamed = Self::new(settings, members, patch_members);
            return renamed.map_err(|error| unusable(error.to_string()));
        }
        let bundle = Self { settings, members, imported, patch_members };
        bundle.validate().map_err(|error| unusable(error.to_string()))?;
        Ok(bundle)
    }

    /// Writes a `.deepmir` file if the path has that extension, else a folder.
    ///
    /// # Errors
    /// If it cannot be written. No partial file is left behind.
    pub fn write(&self, path: &Path) -> Result<(), ModelError> {
        let settings = toml::to_string(&self.settings).map_err(|error| ModelError::Bundle {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let mut files = self.member_files()?;
        files.append(&mut weight_files(PATCH_MEMBER, &self.patch_members)?);
        let write = |path: &Path, bytes: &[u8]| {
            atomic::write(path, bytes)
                .map_err(|source| ModelError::Write { path: path.to_owned(), source })
        };
        if path.extension().is_some_and(|ending| ending == "deepmir") {
            let archive = archive(&settings, &files)
                .map_err(|source| ModelError::Write { path: path.to_owned(), source })?;
            return write(path, &archive);
        }
        std::fs::create_dir_all(path)
            .map_err(|source| ModelError::Write { path: path.to_owned(), source })?;
        for (weights, bytes) in &files {
            write(&path.join(&weights.file), bytes)?;
        }
        // Last, so that a folder with settings is complete.
        write(&path.join(SETTINGS), settings.as_bytes())
    }

    fn validate(&self) -> Result<(), ModelError> {
        let ModelSettings { plan, patch_classifier, .. } = &self.settings;
        let invalid = |reason: &str| Err(ModelError::Config { reason: reason.to_owned() });
        self.settings.validate()?;
        if self.members.is_empty() && self.imported.is_empty() {
            return invalid("there are no weights");
        }
        if patch_classifier.is_some() == self.patch_members.is_empty() {
            return invalid("a patch classifier needs weights, and its weights need settings");
        }
        if let Some(patches) = patch_classifier {
            for weights in &self.patch_members {
                patches.validate_weights(plan, weights)?;
            }
        }
        for weights in &self.members {
            weights.validate(self.settings.architecture()?)?;
        }
        Ok(())
    }
}

/// Each network's file entry and bytes.
fn weight_files(
    name: &str,
    networks: &[Weights],
) -> Result<Vec<(WeightFile, Vec<u8>)>, ModelError> {
    let files = networks.iter().enumerate().map(|(n, weights)| {
        let bytes = weights.to_safetensors(Precision::Half)?;
        let file = file_name(name, n, networks.len(), "safetensors");
        Ok((WeightFile { file, sha256: hex(&Sha256::digest(&bytes)) }, bytes))
    });
    files.collect()
}

/// Numbered from 1, unless it is the only one.
fn file_name(name: &str, n: usize, count: usize, ending: &str) -> String {
    match count {
        1 => format!("{name}.{ending}"),
        _ => format!("{name}-{}.{ending}", n + 1),
    }
}

fn weights(file: &WeightFile, bytes: &[u8]) -> Result<Weights, String> {
    Weights::from_safetensors(bytes)
        .map_err(|error| format!("{}: {error}; get the model again", file.file))
}

fn archive(settings: &str, files: &[(WeightFile, Vec<u8>)]) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    let weights = files.iter().map(|(weights, bytes)| (weights.file.as_str(), bytes.as_slice()));
    for (name, bytes) in std::iter::once((SETTINGS, settings.as_bytes())).chain(weights) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        // No owner and no time: the same model gives the same bytes.
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes)?;
    }
    builder.into_inner()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
