//! The rows of a qualification: implants with what became of them, and calls elsewhere.

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use deepmir_lesion::LesionClass;
use deepmir_volume::atomic;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::StudyError;

/// An implant and what a set of inputs made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImplantRow {
    /// The implanted scan.
    pub scan: String,
    /// Number in the scan's table of sources.
    pub source_id: u32,
    /// `CMB`, `NHID`, or what it only resembles (`calcification`, …).
    pub kind: String,
    /// Region or structure.
    pub site: String,
    /// Centre in RAS+ millimetres.
    pub x_mm: f64,
    /// Centre in RAS+ millimetres.
    pub y_mm: f64,
    /// Centre in RAS+ millimetres.
    pub z_mm: f64,
    /// Diameter of the ball of its volume.
    pub diameter_mm: f64,
    /// Volume.
    pub volume_mm3: f64,
    /// Susceptibility added to the tissue's.
    pub chi_ppm: f64,
    /// Their product, which images show whatever the resolution.
    pub chi_volume_ppm_mm3: f64,
    /// Voxels of the label map.
    pub n_voxels: usize,
    /// Modalities given, such as `SWI+QSM`.
    pub inputs: String,
    /// Whether a lesion of any class was called there.
    #[serde(with = "yes_no")]
    pub found: bool,
    /// Its class.
    #[serde(with = "or_na")]
    pub called: Option<LesionClass>,
    /// Its probability.
    #[serde(with = "or_na")]
    pub probability: Option<f64>,
    /// The highest probability of any candidate there that could be a lesion at some threshold.
    #[serde(with = "or_na")]
    pub candidate_probability: Option<f64>,
}

impl ImplantRow {
    /// Its class; `None` of a mimic.
    #[must_use]
    pub fn class(&self) -> Option<LesionClass> {
        self.kind.parse().ok()
    }
}

/// Where a call lies that is no implant's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallPlace {
    /// In no implant and in no place of which nobody knows what is there.
    Elsewhere,
    /// In a place that was called or labelled before anything was implanted.
    Unknown,
    /// In a scan to which nothing was added.
    Untouched,
}

/// A call, or a candidate that would be one at a lower threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRow {
    /// The scan.
    pub scan: String,
    /// Modalities given.
    pub inputs: String,
    /// Its class.
    pub class: LesionClass,
    /// Whether the model calls it a lesion.
    #[serde(with = "yes_no")]
    pub called: bool,
    /// Where it lies.
    pub place: CallPlace,
    /// Its probability.
    pub probability: f64,
    /// Centre in RAS+ millimetres.
    pub x_mm: f64,
    /// Centre in RAS+ millimetres.
    pub y_mm: f64,
    /// Centre in RAS+ millimetres.
    pub z_mm: f64,
    /// Volume of its outline.
    pub volume_mm3: f64,
    /// Region, where it is told.
    #[serde(with = "or_na")]
    pub region: Option<String>,
}

/// Writes rows as a table; of none, only the header.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write<Row: Serialize + Header>(path: &Path, rows: &[Row]) -> Result<(), StudyError> {
    let mut writer =
        csv::WriterBuilder::new().delimiter(b'\t').has_headers(false).from_writer(Vec::new());
    let fault = |error: &dyn Display| StudyError::Table {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    writer.write_record(Row::HEADER).map_err(|error| fault(&error))?;
    for row in rows {
        writer.serialize(row).map_err(|error| fault(&error))?;
    }
    let text = writer.into_inner().map_err(|error| fault(&error))?;
    atomic::write(path, &text).map_err(|source| StudyError::Write { path: path.to_owned(), source })
}

/// Reads a table that [`write`] wrote.
///
/// # Errors
/// A table that is not there or is none.
pub(crate) fn read<Row: DeserializeOwned>(path: &Path) -> Result<Vec<Row>, StudyError> {
    let fault = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(source) => StudyError::Read { path: path.to_owned(), source },
        csv::ErrorKind::Deserialize { pos, err } => {
            let line = pos.map_or(0, |pos| pos.line());
            StudyError::Table { path: path.to_owned(), reason: format!("line {line}: {err}") }
        }
        other => StudyError::Table { path: path.to_owned(), reason: format!("{other:?}") },
    };
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').from_path(path).map_err(fault)?;
    reader.deserialize().map(|row| row.map_err(fault)).collect()
}

/// The columns of a table.
pub(crate) trait Header {
    /// In order.
    const HEADER: &'static [&'static str];
}

impl Header for ImplantRow {
    const HEADER: &'static [&'static str] = &[
        "scan",
        "source_id",
        "kind",
        "site",
        "x_mm",
        "y_mm",
        "z_mm",
        "diameter_mm",
        "volume_mm3",
        "chi_ppm",
        "chi_volume_ppm_mm3",
        "n_voxels",
        "inputs",
        "found",
        "called",
        "probability",
        "candidate_probability",
    ];
}

impl Header for CallRow {
    const HEADER: &'static [&'static str] = &[
        "scan",
        "inputs",
        "class",
        "called",
        "place",
        "probability",
        "x_mm",
        "y_mm",
        "z_mm",
        "volume_mm3",
        "region",
    ];
}

/// As tables show a number: no more digits than it has.
pub(crate) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10.0_f64.powi(digits);
    (value * scale).round() / scale
}

mod yes_no {
    use super::*;

    pub(super) fn serialize<S: Serializer>(value: &bool, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if *value { "yes" } else { "no" })
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<bool, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "yes" => Ok(true),
            "no" => Ok(false),
            other => Err(serde::de::Error::custom(format!("{other:?} is neither yes nor no"))),
        }
    }
}

mod or_na {
    use super::*;

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_str("n/a"),
        }
    }

    pub(super) fn deserialize<'a, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr,
        T::Err: Display,
        D: Deserializer<'a>,
    {
        let text = String::deserialize(deserializer)?;
        let parse = || text.parse().map(Some).map_err(serde::de::Error::custom);
        if text == "n/a" { Ok(None) } else { parse() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A microbleed of 2 mm with SWI.
    pub(crate) fn implant(scan: &str, source_id: u32, diameter_mm: f64, found: bool) -> ImplantRow {
        let volume_mm3 = std::f64::consts::PI / 6.0 * diameter_mm.powi(3);
        ImplantRow {
            scan: scan.to_owned(),
            source_id,
            kind: "CMB".to_owned(),
            site: "lobar".to_owned(),
            x_mm: 1.0,
            y_mm: 2.0,
            z_mm: -3.5,
            diameter_mm,
            volume_mm3,
            chi_ppm: 0.8,
            chi_volume_ppm_mm3: 0.8 * volume_mm3,
            n_voxels: 5,
            inputs: "SWI".to_owned(),
            found,
            called: found.then_some(LesionClass::Cmb),
            probability: found.then_some(0.75),
            candidate_probability: found.then_some(0.75),
        }
    }

    #[test]
    fn rows_come_back_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("implants.tsv");
        let rows = [implant("sub-01", 1, 2.0, true), implant("sub-\"<01>\t", 2, 1.0, false)];
        write(&path, &rows).unwrap();
        assert_eq!(read::<ImplantRow>(&path).unwrap(), rows);
        let text = std::fs::read_to_string(&path).unwrap();
        let header = text.lines().next().unwrap();
        assert_eq!(header.split('\t').collect::<Vec<_>>(), ImplantRow::HEADER);

        let call = CallRow {
            scan: "sub-01".to_owned(),
            inputs: "SWI".to_owned(),
            class: LesionClass::Nhid,
            called: false,
            place: CallPlace::Unknown,
            probability: 0.25,
            x_mm: 1.0,
            y_mm: 2.0,
            z_mm: 3.0,
            volume_mm3: 4.5,
            region: None,
        };
        write(&path, std::slice::from_ref(&call)).unwrap();
        assert_eq!(read::<CallRow>(&path).unwrap(), [call]);
        write::<CallRow>(&path, &[]).unwrap();
        assert!(read::<CallRow>(&path).unwrap().is_empty());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.trim_end().split('\t').collect::<Vec<_>>(), CallRow::HEADER);
        let told = read::<ImplantRow>(&folder.path().join("none.tsv")).unwrap_err().to_string();
        assert!(told.contains("none.tsv"), "{told}");
    }
}
