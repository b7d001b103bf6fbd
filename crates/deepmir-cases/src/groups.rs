//! Subjects that must stay on one side of every split because they share an anatomy: visits of one patient under several
//! names, and phantoms made from one label map, which are the same head with different lesions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::bids::BidsName;
use crate::cohort::subject_of;
use crate::text_table::{TextTable, given};
use crate::{CaseError, CaseFiles};

/// Which subjects belong together in every split: for each subject its group. A subject that is not listed is a group of
/// its own.
///
/// ```
/// use deepmir_cases::Groups;
///
/// let mut groups = Groups::default();
/// groups.insert("sub-01", "head-7");
/// groups.insert("sub-02", "head-7");
/// assert_eq!(groups.of_scan("sub-01_ses-2"), groups.of("sub-02"));
/// assert_eq!(groups.of("sub-03"), "sub-03");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(BTreeMap<String, String>);

impl Groups {
    /// The group of a subject.
    pub fn of<'a>(&'a self, subject: &'a str) -> &'a str {
        self.0.get(subject).map_or(subject, String::as_str)
    }

    /// The group of a scan.
    pub fn of_scan(&self, scan: &str) -> String {
        let subject = subject_of(scan);
        self.of(&subject).to_owned()
    }

    /// Whether every subject is a group of its own.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds those of other subjects.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Puts subjects of `known` into the groups that a table states ([`Groups::read`]), which may name them with `sub-` or
    /// without.
    ///
    /// # Errors
    /// As [`Groups::read`]; a table that names none of them.
    pub fn add_table(&mut self, path: &Path, known: &BTreeSet<String>) -> Result<(), CaseError> {
        let mut found = false;
        for (subject, group) in Self::read(path)? {
            let prefixed = format!("sub-{subject}");
            let subject = if known.contains(&prefixed) { prefixed } else { subject };
            found |= known.contains(&subject);
            self.insert(&subject, &group);
        }
        if found {
            return Ok(());
        }
        let first: Vec<&str> = known.iter().take(3).map(String::as_str).collect();
        let reason =
            format!("no subject of the data is named here; they are {}, …", first.join(", "));
        Err(CaseError::Table { path: path.to_owned(), reason })
    }

    /// Puts a subject into a group.
    pub fn insert(&mut self, subject: &str, group: &str) {
        self.0.insert(subject.to_owned(), group.to_owned());
    }

    /// Reads the group of each subject from a table (`.csv` or `.tsv`) with the columns `participant_id` (or `id`) and
    /// `group` (or `patient`, `subject`, `anatomy`).
    ///
    /// # Errors
    /// A table that cannot be read or lacks one of them.
    pub fn read(path: &Path) -> Result<BTreeMap<String, String>, CaseError> {
        let fault = |reason: String| CaseError::Table { path: path.to_owned(), reason };
        match named_column(path, &GROUPS)? {
            Some(groups) => Ok(groups),
            None => Err(fault("the header must name participant_id and group".to_owned())),
        }
    }

    /// The group that a scan's own dataset states: from `anatomies` ([`Groups::of_dataset`]), else from the record of a
    /// phantom next to its label map ([`beside_truth`]). Built-in heads are generated for each phantom and are not shared.
    ///
    /// # Errors
    /// Files that are there and cannot be read.
    pub fn stated(
        case: &CaseFiles,
        anatomies: &BTreeMap<String, String>,
    ) -> Result<Option<String>, CaseError> {
        if let Some(anatomy) = anatomies.get(&subject_of(&case.id)) {
            return Ok(Some(anatomy.clone()));
        }
        let Some(record) = beside_truth(case, "desc-phantom.json") else { return Ok(None) };
        let text = std::fs::read_to_string(&record)
            .map_err(|source| CaseError::Read { path: record.clone(), source })?;
        let record: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| CaseError::Table { path: record, reason: error.to_string() })?;
        let label_map = record["anatomy"].as_object().and_then(|anatomy| anatomy.values().next());
        let name = label_map.and_then(serde_json::Value::as_str).and_then(|path| {
            Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned())
        });
        Ok(name)
    }

    /// The column `anatomy` of a dataset's `participants.tsv`, where there is one.
    ///
    /// # Errors
    /// A table that cannot be read.
    pub fn of_dataset(dataset: &Path) -> Result<BTreeMap<String, String>, CaseError> {
        let path = dataset.join("participants.tsv");
        // Without the column, the table need not be one that this program understands.
        let text = std::fs::read(&path).unwrap_or_default();
        let header = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        if !String::from_utf8_lossy(header).to_lowercase().contains("anatomy") {
            return Ok(BTreeMap::new());
        }
        Ok(named_column(&path, &["anatomy"])?.unwrap_or_default())
    }
}

/// Columns that say which subjects belong together.
pub(crate) const GROUPS: [&str; 4] = ["patient", "subject", "group", "anatomy"];

/// The values of the first of some columns by subject; `None` if the table has no column of subjects or none of the names.
fn named_column(
    path: &Path,
    names: &[&str],
) -> Result<Option<BTreeMap<String, String>>, CaseError> {
    let fault = |reason| CaseError::Table { path: path.to_owned(), reason };
    let table = TextTable::read(path)?;
    let Some(subject) = table.column(&["id", "participant_id"]).or(table.column(&["subject"]))
    else {
        return Ok(None);
    };
    let others = names.iter().filter_map(|name| table.column(&[name]));
    let Some(value) = others.into_iter().find(|column| *column != subject) else {
        return Ok(None);
    };
    let mut column = BTreeMap::new();
    for (line, row) in &table.rows {
        let Some(group) = given(&row[value]) else { continue };
        let subject = subject_of(&row[subject]);
        let before = column.insert(subject.clone(), group.to_owned());
        if let Some(before) = before.filter(|before| before != group) {
            return Err(fault(format!(
                "line {line}: {subject} is of {before} and of {group}; it can be of one only"
            )));
        }
    }
    Ok(Some(column))
}

/// The file `SCAN_ENDING` in the folder of a scan's label map, such as `sub-01_desc-phantom.json`; `None` if it does not
/// exist or the scan has no label map.
pub fn beside_truth(case: &CaseFiles, ending: &str) -> Option<PathBuf> {
    let truth = case.truth.as_ref()?;
    let scan = BidsName::derived_from(truth).scan();
    let path = truth.parent()?.join(format!("{scan}_{ending}"));
    path.is_file().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn case(folder: &Path, id: &str) -> CaseFiles {
        let truth = folder.join(format!("{id}_seg-lesions_dseg.nii.gz"));
        CaseFiles {
            id: id.to_owned(),
            images: BTreeMap::new(),
            mask: None,
            truth: Some(truth),
            unknown: None,
            contrast: None,
        }
    }

    #[test]
    fn phantoms_of_one_label_map_belong_together_and_built_in_heads_do_not() {
        let folder = tempfile::tempdir().unwrap();
        for (id, anatomy) in [
            ("sub-01", "{\"label_map\": \"/maps/head-7.nii.gz\"}"),
            ("sub-02", "{\"label_map\": \"elsewhere/head-7.nii.gz\"}"),
            ("sub-03", "\"built_in\""),
        ] {
            let path = folder.path().join(format!("{id}_desc-phantom.json"));
            fs::write(path, format!("{{\"anatomy\": {anatomy}}}")).unwrap();
        }
        let stated = |id: &str| Groups::stated(&case(folder.path(), id), &BTreeMap::new()).unwrap();
        assert_eq!(stated("sub-01").as_deref(), Some("head-7.nii.gz"));
        assert_eq!(stated("sub-01"), stated("sub-02"));
        assert_eq!(stated("sub-03"), None);
        assert_eq!(stated("sub-04"), None);
    }

    #[test]
    fn a_clinical_group_in_participants_tsv_is_not_a_group_of_anatomies() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("participants.tsv");
        fs::write(&path, "participant_id\tgroup\nsub-01\tpatient\nsub-02\tpatient\n").unwrap();
        assert!(Groups::of_dataset(folder.path()).unwrap().is_empty());
        assert_eq!(Groups::read(&path).unwrap()["sub-02"], "patient");
        fs::write(&path, "participant_id\tanatomy\nsub-01\ta\nsub-02\tn/a\n").unwrap();
        assert_eq!(Groups::of_dataset(folder.path()).unwrap().len(), 1);
        fs::write(&path, "participant_id\tage\nsub-01\t60\n").unwrap();
        assert!(Groups::read(&path).unwrap_err().to_string().contains("participants.tsv"));
    }
}
