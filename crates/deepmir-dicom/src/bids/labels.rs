//! Labels of subjects: from a table, or by a keyed hash of what identifies the patient.

use std::collections::BTreeMap;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::DicomError;
use crate::header::Identity;

/// Hexadecimal digits of a hashed label: two of a million patients share one with a chance of 2 to the −9.
const DIGITS: usize = 12;
const LEAST_KEY_BYTES: usize = 16;

/// The key of the hash: who has it can tell whether a patient is in the dataset, nobody else can.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl Key {
    /// From a file's content or a variable's value, without the white space at its end; `from` names it.
    ///
    /// # Errors
    /// If it is too short to hide anything.
    pub fn new(bytes: &[u8], from: &str) -> Result<Self, DicomError> {
        let bytes = bytes.trim_ascii_end();
        if bytes.len() < LEAST_KEY_BYTES {
            return Err(DicomError::ShortKey { bytes: bytes.len(), from: from.to_owned() });
        }
        Ok(Self(bytes.to_vec()))
    }

    /// A key that nobody knows and that is kept nowhere: labels of another import differ.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn random() -> Result<Self, DicomError> {
        let mut bytes = vec![0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| DicomError::NoRandomKey { reason: error.to_string() })?;
        Ok(Self(bytes))
    }

    /// HMAC-SHA256 (RFC 2104).
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn authenticate(&self, message: &[u8]) -> [u8; 32] {
        let keyed = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length");
        keyed.chain_update(message).finalize().into_bytes().into()
    }

    fn label(&self, message: &str) -> String {
        let code = self.authenticate(message.as_bytes());
        let digits: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        digits[..DIGITS].to_owned()
    }
}

/// How patients become subjects.
pub enum Labels {
    /// By a keyed hash.
    Hashed(Key),
    /// By a table from patient identifiers to labels.
    Table(BTreeMap<String, String>),
}

impl Labels {
    /// Reads a table: tab-separated, with the columns `patient_id` and `participant_id`.
    ///
    /// # Errors
    /// If it cannot be read, lacks a column, or gives two patients one label. Lines are told by number: identifiers are
    /// not repeated.
    pub fn read_table(path: &Path) -> Result<Self, DicomError> {
        let fault = |reason: String| DicomError::Subjects { path: path.to_owned(), reason };
        let text = std::fs::read(path)
            .map_err(|source| DicomError::Read { path: path.to_owned(), source })?;
        let text = String::from_utf8_lossy(&text);
        let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').from_reader(text.as_bytes());
        let columns = reader.headers().map_err(|_| fault("no table".to_owned()))?.clone();
        let column = |name: &str| {
            let place =
                columns.iter().position(|column| column.trim_start_matches('\u{feff}') == name);
            place.ok_or_else(|| {
                fault(format!(
                    "no column {name}; the table has patient_id and participant_id, with tabs"
                ))
            })
        };
        let (from, to) = (column("patient_id")?, column("participant_id")?);
        let mut table = BTreeMap::new();
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        for (n, row) in reader.records().enumerate() {
            let line = n + 2;
            let row =
                row.map_err(|_| fault(format!("line {line} has another number of columns")))?;
            let cell = |column| row.get(column).unwrap_or_default().trim();
            let (id, label) = (cell(from), cell(to));
            let label = label.strip_prefix("sub-").unwrap_or(label);
            if id.is_empty()
                || label.is_empty()
                || !label.chars().all(|c| c.is_ascii_alphanumeric())
            {
                return Err(fault(format!(
                    "line {line} needs an identifier, and a label of letters and digits"
                )));
            }
            if let Some(other) = lines.insert(label.to_owned(), line) {
                return Err(fault(format!("lines {other} and {line} give two patients one label")));
            }
            if table.insert(id.to_owned(), label.to_owned()).is_some() {
                return Err(fault(format!("line {line} has the identifier of an earlier line")));
            }
        }
        Ok(Self::Table(table))
    }

    /// A patient's label, without `sub-`; `None` if the table has no row for it.
    pub fn of(&self, identity: &Identity) -> Option<String> {
        match self {
            Self::Hashed(key) => Some(key.label(&identity.patient)),
            Self::Table(table) => table.get(&identity.patient_id).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_rfc_4231() {
        let hex = |bytes: [u8; 32]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let key = Key(b"Jefe".to_vec());
        assert_eq!(
            hex(key.authenticate(b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let long = Key(vec![0xaa; 131]);
        assert_eq!(
            hex(long.authenticate(b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn labels_depend_on_patient_and_key_alone() {
        let identity = |patient: &str, study: &str| Identity {
            patient: patient.to_owned(),
            study: study.to_owned(),
            ..Identity::default()
        };
        let labels = |key: &[u8]| Labels::Hashed(Key::new(key, "key").unwrap());
        let (one, two) = (labels(b"a key of many letters"), labels(b"another key of letters"));
        let (a, b) = (identity("id\0p7\0", "1.2"), identity("id\0p7\0", "1.3"));
        assert_eq!(one.of(&a), one.of(&b));
        assert_ne!(one.of(&a), two.of(&a));
        assert_ne!(one.of(&a), one.of(&identity("id\0p8\0", "1.2")));
        assert!(matches!(Key::new(b"short\n", "key"), Err(DicomError::ShortKey { bytes: 5, .. })));
    }

    #[test]
    fn a_table_that_would_join_patients_is_refused_without_their_identifiers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("subjects.tsv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Labels::read_table(&path)
        };
        let table = read("patient_id\tparticipant_id\nSECRET1\tsub-01\nSECRET2\t02\n").unwrap();
        let of =
            |id: &str| table.of(&Identity { patient_id: id.to_owned(), ..Identity::default() });
        assert_eq!([of("SECRET1"), of("SECRET2")], [Some("01".into()), Some("02".into())]);
        assert_eq!(of("SECRET3"), None);
        for (text, word) in [
            ("patient_id\tparticipant_id\nSECRET1\t01\nSECRET2\t01\n", "lines 2 and 3"),
            ("patient_id\tparticipant_id\nSECRET1\t01\nSECRET1\t02\n", "line 3"),
            ("patient_id\tparticipant_id\nSECRET1\ta b\n", "line 2"),
            ("patient\tlabel\nSECRET1\t01\n", "no column patient_id"),
        ] {
            let Err(error) = read(text) else { panic!("{text}") };
            let told = error.to_string();
            assert!(told.contains(word) && !told.contains("SECRET"), "{told}");
        }
    }
}
