//! A model on disk: everything that predicting needs.
//!
//! A folder with `model.toml` and one or more weight files (safetensors, 16-bit floats), or the
//! same as one `.deepmir` file (a plain tar archive of them). Several weight files are an
//! ensemble: the median of their probabilities counts.

use std::io::Read;
use std::path::Path;

use deepmir_lesion::DetectionRule;
use deepmir_lesion::second_look::SecondLook;
use deepmir_volume::atomic;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::closer_look::{self, CloserLookSettings};
use crate::{Architecture, CloserLook, NetError, Plan, Precision, Weights};

/// The version of the format that this program writes. The first knew no second looks of trees, the second no closer
/// looks.
pub const FORMAT: u32 = 3;
/// The settings' file name.
const SETTINGS: &str = "model.toml";
/// No settings or weights are larger.
const MOST_BYTES: u64 = 1 << 30;

/// What `model.toml` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// Version of the format.
    pub format: u32,
    /// The model's name, a word.
    pub name: String,
    /// What it is, in a sentence or two.
    pub description: String,
    /// Terms of use, as an SPDX expression.
    pub licence: String,
    /// From images to input.
    pub plan: Plan,
    /// The network.
    pub architecture: Architecture,
    /// When a region of the probability maps is a lesion.
    pub detection: DetectionRule,
    /// Where it comes from.
    pub provenance: Provenance,
    /// The members' weight files.
    pub weights: Vec<WeightFile>,
    /// The networks that look closer at candidates, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closer_look: Option<CloserLookSettings>,
}

/// How a model came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The program that trained it.
    pub program: String,
    /// What it was trained on, in words.
    pub data: String,
    /// Subjects whose patches it saw.
    pub training_subjects: Vec<String>,
    /// Subjects on which it was chosen and its thresholds were set.
    pub validation_subjects: Vec<String>,
    /// Steps taken to the weights that were kept.
    pub steps: u64,
    /// Lesion F1 on the validation subjects, mean over classes, at the thresholds.
    pub validation_f1: f64,
}

/// A weight file and its checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightFile {
    /// Its name in the bundle.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// A model: its settings and its members' weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// What `model.toml` says.
    pub settings: ModelSettings,
    /// The weights of each member.
    pub members: Vec<Weights>,
    /// Those of each network for a closer look.
    pub closer: Vec<Weights>,
}

impl Bundle {
    /// Joins settings (whose `weights` are filled in) and members.
    ///
    /// # Errors
    /// If the members are not of the architecture or the settings contradict themselves.
    pub fn new(settings: ModelSettings, members: Vec<Weights>) -> Result<Self, NetError> {
        Self::with_closer_look(settings, members, Vec::new())
    }

    /// [`Bundle::new`] with networks for a closer look, if the settings have one.
    ///
    /// # Errors
    /// As [`Bundle::new`].
    pub fn with_closer_look(
        settings: ModelSettings,
        members: Vec<Weights>,
        closer: Vec<Weights>,
    ) -> Result<Self, NetError> {
        let mut bundle = Self { settings, members, closer };
        bundle.check()?;
        let names =
            |files: Vec<(WeightFile, Vec<u8>)>| files.into_iter().map(|(file, _)| file).collect();
        bundle.settings.weights = names(weight_files("weights", &bundle.members)?);
        if let Some(look) = &mut bundle.settings.closer_look {
            look.weights = names(weight_files("closer-look", &bundle.closer)?);
        }
        Ok(bundle)
    }

    /// Its networks for a closer look, ready to run; `None` where it has none.
    ///
    /// # Errors
    /// If the weights are not those of the settings.
    pub fn closer_look(&self) -> Result<Option<CloserLook>, NetError> {
        let ModelSettings { plan, closer_look, .. } = &self.settings;
        let ready = |look| CloserLook::new(look, plan, &self.closer);
        closer_look.as_ref().map(ready).transpose()
    }

    /// A short checksum of the whole model, for tables and reports.
    pub fn id(&self) -> String {
        let text = toml::to_string(&self.settings).unwrap_or_default();
        hex(&Sha256::digest(text.as_bytes()))[..12].to_owned()
    }

    /// Reads a folder or a `.deepmir` file, and checks it.
    ///
    /// # Errors
    /// Unreadable files, a newer format, unknown settings, a checksum that does not fit, weights
    /// that are not those of the network.
    pub fn read(path: &Path) -> Result<Self, NetError> {
        let read = |source| NetError::Read { path: path.to_owned(), source };
        let metadata = std::fs::metadata(path).map_err(read)?;
        if metadata.is_dir() {
            return Self::from_files(path, |name| {
                let path = path.join(name);
                std::fs::read(&path).map_err(|source| NetError::Read { path, source })
            });
        }
        let bytes = std::fs::read(path).map_err(read)?;
        Self::from_archive(&bytes, path)
    }

    /// From the bytes of a `.deepmir` file; `path` is for messages.
    ///
    /// # Errors
    /// As [`Bundle::read`].
    pub fn from_archive(bytes: &[u8], path: &Path) -> Result<Self, NetError> {
        let fault = |reason: String| NetError::Bundle { path: path.to_owned(), reason };
        let mut files = std::collections::BTreeMap::new();
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().map_err(|error| fault(error.to_string()))?;
        for entry in entries {
            let entry = entry.map_err(|error| fault(format!("no .deepmir archive ({error})")))?;
            let name = entry.path().map(|name| name.to_string_lossy().into_owned());
            let name = name.map_err(|error| fault(error.to_string()))?;
            let mut content = Vec::new();
            let outcome = entry.take(MOST_BYTES).read_to_end(&mut content);
            outcome.map_err(|error| fault(error.to_string()))?;
            files.insert(name, content);
        }
        Self::from_files(path, |name| {
            files.remove(name).ok_or_else(|| fault(format!("it holds no {name}")))
        })
    }

    fn from_files(
        path: &Path,
        mut file: impl FnMut(&str) -> Result<Vec<u8>, NetError>,
    ) -> Result<Self, NetError> {
        let fault = |reason: String| NetError::Bundle { path: path.to_owned(), reason };
        let text = String::from_utf8(file(SETTINGS)?)
            .map_err(|_| fault(format!("{SETTINGS} is no text")))?;
        let settings = parse_settings(&text).map_err(fault)?;
        let mut read = |WeightFile { file: name, sha256 }: &WeightFile| {
            if Path::new(name).components().count() != 1 {
                return Err(fault(format!("{name:?} is no file name")));
            }
            let bytes = file(name)?;
            let found = hex(&Sha256::digest(&bytes));
            if found != sha256.to_ascii_lowercase() {
                return Err(fault(format!(
                    "{name} has the checksum {found} where {SETTINGS} says {sha256}; it was changed \
                     or damaged, get the model again"
                )));
            }
            Weights::from_safetensors(&bytes)
        };
        let members = settings.weights.iter().map(&mut read).collect::<Result<_, _>>()?;
        let closer = settings.closer_look.iter().flat_map(|look| &look.weights).map(read);
        let closer = closer.collect::<Result<_, _>>()?;
        let bundle = Self { settings, members, closer };
        bundle.check().map_err(|error| fault(error.to_string()))?;
        Ok(bundle)
    }

    /// Writes a `.deepmir` file where the path ends so, else a folder.
    ///
    /// # Errors
    /// If it cannot be written; a file is then not there at all.
    pub fn write(&self, path: &Path) -> Result<(), NetError> {
        let settings = toml::to_string(&self.settings).map_err(|error| NetError::Bundle {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let mut files = weight_files("weights", &self.members)?;
        files.append(&mut weight_files("closer-look", &self.closer)?);
        let write = |path: &Path, bytes: &[u8]| {
            atomic::write(path, bytes)
                .map_err(|source| NetError::Write { path: path.to_owned(), source })
        };
        if path.extension().is_some_and(|ending| ending == "deepmir") {
            let archive = archive(&settings, &files)
                .map_err(|source| NetError::Write { path: path.to_owned(), source })?;
            return write(path, &archive);
        }
        std::fs::create_dir_all(path)
            .map_err(|source| NetError::Write { path: path.to_owned(), source })?;
        for (weights, bytes) in &files {
            write(&path.join(&weights.file), bytes)?;
        }
        // Last, so that a folder with settings is complete.
        write(&path.join(SETTINGS), settings.as_bytes())
    }

    fn check(&self) -> Result<(), NetError> {
        let ModelSettings { plan, architecture, detection, .. } = &self.settings;
        let fault = |reason: String| Err(NetError::Config { reason });
        if let Some(reason) = plan.fault().or_else(|| architecture.fault()) {
            return fault(reason);
        }
        if architecture.input_channels != plan.input_channels() {
            return fault(format!(
                "the network takes {} channels and the plan gives {}",
                architecture.input_channels,
                plan.input_channels()
            ));
        }
        let background = usize::from(architecture.output == crate::architecture::Output::Softmax);
        if architecture.output_channels != plan.classes.len() + background {
            return fault(format!(
                "{} outputs do not fit the classes",
                architecture.output_channels
            ));
        }
        if let Some(class) =
            plan.classes.iter().find(|class| detection.threshold(**class).is_none())
        {
            return fault(format!("there is no detection threshold for {class}"));
        }
        if let Some(reason) = detection.second_look.as_ref().and_then(SecondLook::fault) {
            return fault(reason);
        }
        if self.members.is_empty() {
            return fault("there are no weights".to_owned());
        }
        let look = self.settings.closer_look.as_ref();
        if look.is_some() == self.closer.is_empty() {
            return fault("a closer look needs weights, and weights for one settings".to_owned());
        }
        if let Some(look) = look {
            if let Some(reason) = look.fault_of_size() {
                return fault(reason);
            }
            for weights in &self.closer {
                closer_look::check(&look.architecture(plan), weights)?;
            }
        }
        self.members.iter().try_for_each(|weights| weights.check(architecture))
    }
}

/// Each network's file entry and bytes.
fn weight_files(name: &str, networks: &[Weights]) -> Result<Vec<(WeightFile, Vec<u8>)>, NetError> {
    let files = networks.iter().enumerate().map(|(n, weights)| {
        let bytes = weights.to_safetensors(Precision::Half)?;
        let file = match networks.len() {
            1 => format!("{name}.safetensors"),
            _ => format!("{name}-{}.safetensors", n + 1),
        };
        Ok((WeightFile { file, sha256: hex(&Sha256::digest(&bytes)) }, bytes))
    });
    files.collect()
}

fn parse_settings(text: &str) -> Result<ModelSettings, String> {
    let table: toml::Table =
        toml::from_str(text).map_err(|error| format!("{SETTINGS}: {error}"))?;
    // The version first: a newer format's unknown settings are no typing errors.
    match table.get("format").and_then(toml::Value::as_integer) {
        Some(1) if table.get("detection").is_some_and(|rule| rule.get("second_look").is_some()) => {
            return Err(format!(
                "{SETTINGS} is of format 1, with a second look that this deepmir does not know; train anew, \
                 or predict with the deepmir that made it"
            ));
        }
        Some(format) if (1..=i64::from(FORMAT)).contains(&format) => {}
        Some(format) if format > i64::from(FORMAT) => {
            return Err(format!(
                "{SETTINGS} is of format {format} and this deepmir knows {FORMAT}; update deepmir"
            ));
        }
        _ => return Err(format!("{SETTINGS} has no valid `format`")),
    }
    let settings: ModelSettings =
        toml::from_str(text).map_err(|error| format!("{SETTINGS}: {error}"))?;
    Ok(ModelSettings { format: FORMAT, ..settings })
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
