//! The small files that tell what derivatives are.

use std::path::Path;

use deepmir_lesion::LesionClass;
use deepmir_volume::atomic;
use serde_json::json;

use crate::StudyError;

/// What the standard has no names for (yet): tables and pages of lesions, projections, field maps of a
/// reconstruction, transforms.
const IGNORED: &str = "\
**/*_desc-lesions*
**/*_lesions.tsv
annotate.sqlite*
**/*_minIP.*
**/*_fieldmap.*
**/*_xfm.*
";

/// Writes `dataset_description.json` of a derivatives folder, naming this program, and the
/// `.bidsignore` beside it.
///
/// # Errors
/// If it cannot be written.
pub fn write_dataset_description(folder: &Path) -> Result<(), StudyError> {
    let description = json!({
        "Name": "deepmir derivatives",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{ "Name": "deepmir", "Version": env!("CARGO_PKG_VERSION") }],
    });
    write_json(&folder.join("dataset_description.json"), &description)?;
    write_text(&folder.join(".bidsignore"), IGNORED)
}

/// Writes the label table (`_dseg.tsv`): what each value of the label map stands for.
///
/// # Errors
/// If it cannot be written.
pub fn write_label_table(path: &Path) -> Result<(), StudyError> {
    let mut text = String::from("index\tname\tabbreviation\n");
    for class in LesionClass::ALL {
        text += &format!("{}\t{}\t{}\n", class.label(), class.full_name(), class.name());
    }
    write_text(path, &text)
}

/// Writes indented JSON.
pub(crate) fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), StudyError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| StudyError::Write { path: path.to_owned(), source: error.into() })?;
    write_text(path, &(text + "\n"))
}

pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), StudyError> {
    atomic::write(path, text.as_bytes())
        .map_err(|source| StudyError::Write { path: path.to_owned(), source })
}
