//! Age, sex and site of the participants, from the dataset's `participants.tsv`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::PipelineError;

/// Columns that the page shows where there are any.
pub(super) const COLUMNS: [&str; 3] = ["age", "sex", "site"];

/// What is known of each participant, in the order of [`COLUMNS`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Participants {
    by_id: BTreeMap<String, [Option<String>; 3]>,
    /// Which of the columns the table has.
    has: [bool; 3],
}

impl Participants {
    /// Reads the table of a dataset; nothing where there is none.
    ///
    /// # Errors
    /// A table that is there and is none.
    pub fn read(dataset: &Path) -> Result<Self, PipelineError> {
        let path = dataset.join("participants.tsv");
        if !path.is_file() {
            return Ok(Self::default());
        }
        let fault = |reason: String| PipelineError::Table { path: path.clone(), reason };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(b'\t')
            .flexible(true)
            .from_path(&path)
            .map_err(|error| fault(error.to_string()))?;
        let header = reader.headers().map_err(|error| fault(error.to_string()))?.clone();
        let place = |name: &str| header.iter().position(|cell| cell.eq_ignore_ascii_case(name));
        let Some(id) = place("participant_id") else {
            return Err(fault("there is no column participant_id".to_owned()));
        };
        let places = COLUMNS.map(place);
        let mut by_id = BTreeMap::new();
        for record in reader.records() {
            let record = record.map_err(|error| fault(error.to_string()))?;
            let cell = |place: usize| {
                let text = record.get(place)?.trim();
                (!text.is_empty() && text != "n/a").then(|| text.to_owned())
            };
            let values = places.map(|place| place.and_then(cell));
            by_id.insert(cell(id).unwrap_or_default(), values);
        }
        Ok(Self { by_id, has: places.map(|place| place.is_some()) })
    }

    /// Columns that at least one participant has a value in.
    pub fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        let any = |&n: &usize| self.by_id.values().any(|values| values[n].is_some());
        (0..COLUMNS.len()).filter(|&n| self.has[n]).filter(any)
    }

    /// A value of a participant, such as `sub-01`.
    pub fn get(&self, id: &str, column: usize) -> Option<&str> {
        self.by_id.get(id)?[column].as_deref()
    }

    /// The age in years; BIDS writes ages above 89 as `89+`.
    pub fn age(&self, id: &str) -> Option<f64> {
        let text = self.get(id, 0)?;
        text.trim_end_matches('+').parse().ok().filter(|age: &f64| age.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_read_and_what_is_not_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Participants::read(folder.path()).unwrap(), Participants::default());
        let path = folder.path().join("participants.tsv");
        std::fs::write(
            &path,
            "participant_id\tAge\tsex\tsite\nsub-01\t71.5\tF\tn/a\nsub-02\t89+\tM\tn/a\n",
        )
        .unwrap();
        let read = Participants::read(folder.path()).unwrap();
        assert_eq!(read.columns().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(
            (read.age("sub-01"), read.age("sub-02"), read.age("sub-03")),
            (Some(71.5), Some(89.0), None)
        );
        assert_eq!(read.get("sub-02", 1), Some("M"));
        std::fs::write(&path, "id\tage\n").unwrap();
        let told = Participants::read(folder.path()).unwrap_err().to_string();
        assert!(told.contains("participant_id") && told.contains("participants.tsv"), "{told}");
    }
}
