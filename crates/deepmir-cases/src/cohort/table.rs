//! A cohort from a table.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{CaseFiles, Modality};

use super::Cohort;
use crate::CaseError;

impl Cohort {
    /// From a table with a header: `id`, `truth`, a column for each image (`swi`, `qsm`, `t2w`),
    /// and perhaps `mask`. Paths are relative to the table's folder; empty cells and `n/a` mean
    /// that there is no such file.
    ///
    /// # Errors
    /// A file that is no such table, a subject listed twice, a file that is not there.
    pub fn from_table(path: &Path) -> Result<Self, CaseError> {
        let fault = |reason: String| CaseError::Table { path: path.to_owned(), reason };
        let tabs = path.extension().is_some_and(|ending| ending == "tsv");
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(if tabs { b'\t' } else { b',' })
            .trim(csv::Trim::All)
            .from_path(path)
            .map_err(|error| fault(format!("cannot read ({error})")))?;
        let columns = reader.headers().map_err(|error| fault(error.to_string()))?;
        let columns: Vec<Column> =
            columns.iter().map(Column::of).collect::<Result<_, _>>().map_err(fault)?;
        for needed in [Column::Id, Column::Truth] {
            if !columns.contains(&needed) {
                return Err(fault(
                    "the header must name id, truth and images (swi, qsm, t2w)".to_owned(),
                ));
            }
        }

        let folder = path.parent().unwrap_or(Path::new("."));
        let mut cases: BTreeMap<String, CaseFiles> = BTreeMap::new();
        for (row, record) in reader.records().enumerate() {
            let line = row + 2;
            let record = record.map_err(|error| fault(format!("line {line}: {error}")))?;
            let mut case =
                CaseFiles { id: String::new(), images: BTreeMap::new(), mask: None, truth: None };
            for (column, cell) in columns.iter().zip(&record) {
                if cell.is_empty() || cell == "n/a" {
                    continue;
                }
                let file = folder.join(cell);
                if *column != Column::Id && !file.is_file() {
                    return Err(fault(format!("line {line}: there is no file {}", file.display())));
                }
                match column {
                    Column::Id => cell.clone_into(&mut case.id),
                    Column::Truth => case.truth = Some(file),
                    Column::Mask => case.mask = Some(file),
                    Column::Image(modality) => {
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
            cases.insert(case.id.clone(), case);
        }
        if cases.is_empty() {
            return Err(fault("the table lists no subject".to_owned()));
        }
        Ok(Self { cases: cases.into_values().collect() })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Id,
    Truth,
    Mask,
    Image(Modality),
}

impl Column {
    fn of(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "id" | "subject" | "participant_id" => Ok(Self::Id),
            "truth" | "label" | "labels" => Ok(Self::Truth),
            "mask" => Ok(Self::Mask),
            _ => name.parse().map(Self::Image).map_err(|_| {
                format!("there is no meaning to the column {name:?}; there are id, truth, mask, swi, qsm and t2w")
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
        assert!(message("id,truth,swi\n").contains("no subject"));
        assert!(message("id,truth,swi\n../p,t.nii,a.nii\n").contains("file name"));
    }
}
