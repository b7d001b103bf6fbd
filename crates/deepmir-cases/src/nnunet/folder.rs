//! Label maps in folders of nnU-Net: `labelsTr`, and what it predicts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_lesion::{LabelMap, LesionClass};
use deepmir_volume::{Mask, nifti};
use serde_json::Value;

use super::{ENDING, description};
use crate::CaseError;

/// A prediction's folder has the description beside the maps, `labelsTr` above it, and a fold's validation two above.
const FOLDERS_UP: usize = 3;

/// A folder with a label map `CASE.nii.gz` for each scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NnunetFolder {
    /// The label maps by case.
    pub maps: BTreeMap<String, PathBuf>,
    /// How its labels are to be read.
    pub labels: NnunetLabels,
}

/// The labels of a data set: 1 CMB and 2 NHID, or CMB alone, and perhaps one that nnU-Net ignores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NnunetLabels {
    /// The classes, in the order of their labels.
    pub classes: Vec<LesionClass>,
    /// The label of what nobody knows.
    pub ignored: Option<u8>,
}

impl NnunetFolder {
    /// The label maps of a folder, if a `dataset.json` in it or up to two folders above says that it is nnU-Net's.
    ///
    /// # Errors
    /// A folder or description that cannot be read; labels that are not ours.
    pub fn find(folder: &Path) -> Result<Option<Self>, CaseError> {
        let whole = folder.canonicalize();
        let whole = whole.map_err(|source| CaseError::Read { path: folder.to_owned(), source })?;
        let mut above =
            whole.ancestors().take(FOLDERS_UP).map(|above| above.join(description::FILE));
        let Some(path) = above.find(|path| path.is_file()) else { return Ok(None) };
        let fault = |reason: String| CaseError::Nnunet { path: path.clone(), reason };
        let description = description::read(&path)?;
        // Others call a file so, too.
        if !description["labels"].is_object() || !description["channel_names"].is_object() {
            return Ok(None);
        }
        let labels = NnunetLabels::read(&description["labels"]).map_err(fault)?;
        let ending = description["file_ending"].as_str().unwrap_or(ENDING);
        let failed = |source| CaseError::Read { path: folder.to_owned(), source };
        let mut maps = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let case = name.as_deref().and_then(|name| name.strip_suffix(ending));
            if let Some(case) = case.filter(|case| !case.is_empty() && !case.starts_with('.')) {
                maps.insert(case.to_owned(), path);
            }
        }
        Ok(Some(Self { maps, labels }))
    }
}

impl NnunetLabels {
    pub(super) fn read(labels: &Value) -> Result<Self, String> {
        let ours = || {
            format!(
                "its labels are {labels}, and deepmir's are background 0, CMB 1 and NHID 2; write label maps of those"
            )
        };
        let (mut classes, mut ignored) = (Vec::new(), None);
        for (name, label) in labels.as_object().ok_or_else(ours)? {
            let label =
                label.as_u64().and_then(|label| u8::try_from(label).ok()).ok_or_else(ours)?;
            match (name.as_str(), name.to_uppercase().parse::<LesionClass>()) {
                ("background", _) if label == 0 => {}
                ("ignore", _) => ignored = Some(label),
                (_, Ok(class)) if class.label() == label => classes.push(class),
                _ => return Err(ours()),
            }
        }
        classes.sort_unstable_by_key(|class| class.label());
        // Channels of the probabilities are numbered through.
        let numbered = classes.iter().zip(1..).all(|(class, number)| class.label() == number);
        let last = classes.len() as u8;
        let ignored_is_last = ignored.is_none_or(|label| label == last + 1);
        if classes.is_empty() || !numbered || !ignored_is_last {
            return Err(ours());
        }
        Ok(Self { classes, ignored })
    }

    /// Reads a label map, and where nobody knows, if the data set has a label for it and the map any of it.
    ///
    /// # Errors
    /// An unreadable file, or other labels.
    pub fn read_map(&self, path: &Path) -> Result<(LabelMap, Option<Mask>), CaseError> {
        let mut volume = nifti::read_integers(path)?.volume;
        let Some(ignored) = self.ignored.map(i32::from) else {
            return Ok((LabelMap::from_integers(&volume, path)?, None));
        };
        let unknown = volume.map(|&label| label == ignored);
        volume
            .data_mut()
            .iter_mut()
            .filter(|label| **label == ignored)
            .for_each(|label| *label = 0);
        let labels = LabelMap::from_integers(&volume, path)?;
        Ok((labels, (unknown.count() > 0).then_some(unknown)))
    }
}
