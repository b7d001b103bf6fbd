//! The small files that tell what derivatives are.

use std::path::Path;

use deepmir_lesion::LesionClass;
use deepmir_volume::atomic;
use serde_json::json;

use crate::CaseError;
use crate::outputs::not_ours;

/// What the standard has no names for (yet): tables and pages of lesions, projections, field maps of a
/// reconstruction, transforms; what became of each subject, and the cohort's tables.
const IGNORED: &str = "\
**/*_desc-lesions*
**/*_lesions.tsv
annotate.sqlite*
**/*_minIP.*
**/*_tSWI.*
**/*_SMWI.*
**/*_paramagneticmap.*
**/*_diamagneticmap.*
**/*_fieldmap.*
**/*_xfm.*
status
group
";

/// That a folder says it is a BIDS dataset: its `dataset_description.json` is there and names the
/// standard's version.
///
/// # Errors
/// If it does not.
pub fn check_description(dataset: &Path) -> Result<(), CaseError> {
    let path = dataset.join("dataset_description.json");
    let fault = |what: String| CaseError::Subjects {
        reason: format!(
            "{what}; a BIDS dataset has one with Name and BIDSVersion (or give \
             --skip-bids-validation): {}",
            path.display()
        ),
    };
    let bytes = std::fs::read(&path).map_err(|error| fault(format!("cannot read ({error})")))?;
    let description = super::parse_object(&bytes).map_err(fault)?;
    if description.get("BIDSVersion").is_none_or(|version| !version.is_string()) {
        return Err(fault("no BIDSVersion".to_owned()));
    }
    Ok(())
}

/// Writes `dataset_description.json` of a derivatives folder, naming this program, and the
/// `.bidsignore` beside it.
///
/// # Errors
/// If it cannot be written, or there is one already that says the folder holds raw data or is another program's.
pub fn write_dataset_description(folder: &Path) -> Result<(), CaseError> {
    let path = folder.join("dataset_description.json");
    if path.symlink_metadata().is_ok()
        && let Some(reason) = not_ours(&path)
    {
        let reason = reason.to_owned();
        return Err(CaseError::NoPlaceForResults { path: folder.to_owned(), reason });
    }
    let description = json!({
        "Name": "deepmir derivatives",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{ "Name": "deepmir", "Version": env!("CARGO_PKG_VERSION") }],
    });
    write_json(&path, &description)?;
    write_text(&folder.join(".bidsignore"), IGNORED)
}

/// Writes the label table (`_dseg.tsv`): what each value of the label map stands for.
///
/// # Errors
/// If it cannot be written.
pub fn write_label_table(path: &Path) -> Result<(), CaseError> {
    let mut text = String::from("index\tname\tabbreviation\n");
    for class in LesionClass::ALL {
        text += &format!("{}\t{}\t{}\n", class.label(), class.full_name(), class.name());
    }
    write_text(path, &text)
}

/// Writes indented JSON.
///
/// # Errors
/// If it cannot be written.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), CaseError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| CaseError::Write { path: path.to_owned(), source: error.into() })?;
    write_text(path, &(text + "\n"))
}

/// Writes text.
///
/// # Errors
/// If it cannot be written.
pub fn write_text(path: &Path, text: &str) -> Result<(), CaseError> {
    atomic::write(path, text.as_bytes())
        .map_err(|source| CaseError::Write { path: path.to_owned(), source })
}
