//! A cohort from a table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Cohort, subject_of};
use crate::text_table::{TextTable, given};
use crate::{CaseError, CaseFiles, Contrast, Groups, Modality};

impl Cohort {
    /// From a table with a header: `id`, `truth`, a column for each image (`swi`, `qsm`, `t2w`),
    /// and perhaps `mask`, `unknown` and `patient` (or `subject`, `group`): scans of one patient fall on one side of every
    /// split.
    /// Paths are relative to the table's folder; empty cells and `n/a` mean
    /// that there is no such file.
    ///
    /// # Errors
    /// A file that is no such table, a subject listed twice, a file that is not there.
    pub fn from_table(path: &Path) -> Result<Self, CaseError> {
        let fault = |reason: String| CaseError::Table { path: path.to_owned(), reason };
        let table = TextTable::read(path)?;
        let columns = columns_of(&table).map_err(fault)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut cases: BTreeMap<String, CaseFiles> = BTreeMap::new();
        let mut groups = Groups::default();
        for (line, row) in &table.rows {
            let mut case = CaseFiles {
                id: String::new(),
                images: BTreeMap::new(),
                mask: None,
                truth: None,
                unknown: None,
                contrast: None,
            };
            let mut group = None;
            let mut files: Vec<(&str, PathBuf)> = Vec::new();
            for ((column, name), cell) in columns.iter().zip(&table.header).zip(row) {
                let Some(cell) = given(cell) else { continue };
                let file = folder.join(cell);
                if !matches!(column, Column::Id | Column::Group) {
                    check_file(&file, *line).map_err(fault)?;
                    // A skull-stripped image may be its own mask.
                    let same = files.iter().find(|(_, other)| *other == file);
                    if let (Some((other, _)), false) = (same, *column == Column::Mask) {
                        return Err(fault(format!(
                            "line {line}: {other} and {name} are the same file, {}",
                            file.display()
                        )));
                    }
                    if *column != Column::Mask {
                        files.push((name, file.clone()));
                    }
                }
                match column {
                    Column::Id => cell.clone_into(&mut case.id),
                    Column::Group => group = Some(cell),
                    Column::Truth => case.truth = Some(file),
                    Column::Mask => case.mask = Some(file),
                    Column::Unknown => case.unknown = Some(file),
                    Column::Image(modality) => {
                        let magnitude = is_magnitude(name);
                        case.contrast =
                            case.contrast.or(magnitude.then_some(Contrast::T2StarMagnitude));
                        case.images.insert(*modality, file);
                    }
                }
            }
            if case.id.is_empty() {
                return Err(fault(format!("line {line} has no id")));
            }
            if case.id.contains(['/', '\\']) || case.id.starts_with('.') {
                return Err(fault(format!(
                    "line {line}: {:?} cannot be part of a file name",
                    case.id
                )));
            }
            if cases.contains_key(&case.id) {
                return Err(fault(format!("line {line}: {} is listed twice", case.id)));
            }
            if let Some(group) = group {
                let subject = subject_of(&case.id);
                let before = groups.of(&subject).to_owned();
                if before != subject && before != group {
                    return Err(fault(format!(
                        "line {line}: {subject} is of {before} and of {group}; it can be of one only"
                    )));
                }
                groups.insert(&subject, group);
            }
            cases.insert(case.id.clone(), case);
        }
        if cases.is_empty() {
            return Err(fault("the table lists no subject".to_owned()));
        }
        Ok(Self { cases: cases.into_values().collect(), groups, warnings: Vec::new() })
    }
}

/// Whether a column holds T2*-weighted magnitudes.
fn is_magnitude(column: &str) -> bool {
    ["t2starw", "t2*"].contains(&column.to_ascii_lowercase().as_str())
}

/// What each column of a table stands for.
fn columns_of(table: &TextTable) -> Result<Vec<Column>, String> {
    let columns: Vec<Column> =
        table.header.iter().map(|name| Column::of(name)).collect::<Result<_, _>>()?;
    let place = |wanted: &[&str]| table.column(wanted);
    // Where there is an id, `subject` says whose scan it is.
    let id = place(&["id"]).or(place(&["participant_id"])).or(place(&["subject"]));
    let of = |(n, column)| match column {
        Column::Id if Some(n) != id => Column::Group,
        column => column,
    };
    let columns: Vec<Column> = columns.into_iter().enumerate().map(of).collect();
    if id.is_none() || !columns.contains(&Column::Truth) {
        return Err("the header must name id, truth and images (swi, qsm, t2w)".to_owned());
    }
    let several = |wanted: Column| -> Vec<&str> {
        let those = columns.iter().zip(&table.header).filter(|(column, _)| **column == wanted);
        those.map(|(_, name)| name.as_str()).collect()
    };
    for wanted in [Column::Truth, Column::Group] {
        if let [first, second, ..] = several(wanted)[..] {
            return Err(format!("the columns {first} and {second} mean the same; remove one"));
        }
    }
    Ok(columns)
}

fn check_file(file: &Path, line: u64) -> Result<(), String> {
    if file.is_file() {
        return Ok(());
    }
    let hint = if file.to_string_lossy().contains('\\') && !cfg!(windows) {
        "; folders are separated by / here"
    } else {
        ""
    };
    Err(format!("line {line}: there is no file {}{hint}", file.display()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Id,
    /// Who belongs together on one side of every split.
    Group,
    Truth,
    Mask,
    /// Where nobody knows whether there is a lesion.
    Unknown,
    Image(Modality),
}

impl Column {
    fn of(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "id" | "subject" | "participant_id" => Ok(Self::Id),
            "truth" | "label" | "labels" => Ok(Self::Truth),
            "patient" | "group" | "anatomy" => Ok(Self::Group),
            "mask" => Ok(Self::Mask),
            "unknown" => Ok(Self::Unknown),
            _ => name.parse().map(Self::Image).map_err(|_| {
                format!("there is no meaning to the column {name:?}; there are id, patient, truth, mask, unknown, swi, t2starw, qsm and t2w")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn table(text: &str) -> Result<Cohort, CaseError> {
        let folder = tempfile::tempdir().unwrap();
        for file in ["a.nii", "b.nii", "t.nii"] {
            fs::write(folder.path().join(file), b"").unwrap();
        }
        let path = folder.path().join("train.csv");
        fs::write(&path, text).unwrap();
        Cohort::from_table(&path)
    }

    #[test]
    fn the_papers_table_is_read() {
        let cohort = table("id,truth,swi,QSM\np1,t.nii,a.nii,b.nii\np2,t.nii,a.nii,n/a\n").unwrap();
        assert_eq!(cohort.subjects(), ["p1", "p2"]);
        assert_eq!(cohort.cases[0].images.len(), 2);
        assert_eq!(cohort.cases[1].images.len(), 1);
        assert!(cohort.cases[0].truth.as_ref().unwrap().ends_with("t.nii"));
        assert_eq!(cohort.cases[0].unknown, None);
        let with =
            table("id,truth,unknown,swi\np1,t.nii,b.nii,a.nii\np2,t.nii,n/a,a.nii\n").unwrap();
        assert!(with.cases[0].unknown.as_ref().unwrap().ends_with("b.nii"));
        assert_eq!(with.cases[1].unknown, None);
    }

    #[test]
    fn a_column_says_that_its_images_are_magnitudes() {
        let of = |header: &str| {
            let cohort = table(&format!("id,truth,{header}\np1,t.nii,a.nii\n")).unwrap();
            assert!(cohort.cases[0].images.contains_key(&Modality::Swi));
            cohort.cases[0].contrast()
        };
        assert_eq!(of("T2starw"), Contrast::T2StarMagnitude);
        assert_eq!(of("swi"), Contrast::Swi);
    }

    #[test]
    fn a_table_says_who_is_one_patient() {
        for header in ["id,patient,truth,swi", "id,subject,truth,swi", "ID,Group,truth,swi"] {
            let text = format!("{header}\nv1,p1,t.nii,a.nii\nv2,p1,t.nii,b.nii\nv3,,t.nii,b.nii\n");
            let groups = table(&text).unwrap().groups;
            assert_eq!((groups.of("v1"), groups.of("v2"), groups.of("v3")), ("p1", "p1", "v3"));
        }
        let alone = table("subject,truth,swi\nv1,t.nii,a.nii\n").unwrap();
        assert_eq!((alone.cases[0].id.as_str(), alone.groups.is_empty()), ("v1", true));
        let told = |text| table(text).unwrap_err().to_string();
        let two = told("id,patient,group,truth,swi\nv1,p1,a,t.nii,a.nii\n");
        assert!(two.contains("patient and group mean the same"), "{two}");
        let both =
            told("id,patient,truth,swi\nsub-1_ses-1,p1,t.nii,a.nii\nsub-1_ses-2,p2,t.nii,b.nii\n");
        assert!(both.contains("line 3: sub-1 is of p1 and of p2"), "{both}");
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let one = table("id,truth,swi\np1,t.nii,a.nii\np2,t.nii,b.nii\n").unwrap();
        let other = table("id,truth,swi\np2,t.nii,b.nii\np1,t.nii,a.nii\n").unwrap();
        assert_eq!(
            one.cases.iter().map(|case| &case.id).collect::<Vec<_>>(),
            other.cases.iter().map(|case| &case.id).collect::<Vec<_>>()
        );
    }

    #[test]
    fn faults_in_a_table_name_their_line() {
        let message = |text| table(text).unwrap_err().to_string();
        assert!(
            message("id,truth,swi\np1,t.nii,a.nii\np1,t.nii,b.nii\n")
                .contains("line 3: p1 is listed twice")
        );
        assert!(message("id,truth,swi\np1,t.nii,c.nii\n").contains("c.nii"));
        assert!(message("id,truth,swi\n,t.nii,a.nii\n").contains("line 2 has no id"));
        assert!(message("id,truth,flair\np1,t.nii,a.nii\n").contains("flair"));
        assert!(message("id,swi\np1,a.nii\n").contains("must name id, truth"));
        assert!(message("id,truth,swi\np1,t.nii\n").contains("line 2"));
        assert!(message("id,truth,swi\np1,t.nii,s1\\a.nii\n").contains("separated by /"));
        let same = message("id,truth,swi,qsm\np1,t.nii,a.nii,a.nii\n");
        assert!(same.contains("line 2: swi and qsm are the same file"), "{same}");
        assert!(message("id,truth,swi\n").contains("no subject"));
        assert!(message("id,truth,swi\n../p,t.nii,a.nii\n").contains("file name"));
    }
}
