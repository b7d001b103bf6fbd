//! Lesion tables: tab-separated, one row a lesion, `n/a` where there is no value, as BIDS has it.

use std::collections::BTreeMap;
use std::path::Path;

use deepmir_volume::atomic;

use crate::{BombsSize, Certainty, LesionError, LesionRow, Lobe, MarsRegion, Region, Side};

/// The columns, in order.
pub const COLUMNS: [&str; 22] = [
    "lesion_id",
    "class",
    "certainty",
    "region",
    "mars_region",
    "lobe",
    "side",
    "x_mm",
    "y_mm",
    "z_mm",
    "volume_mm3",
    "diameter_mm",
    "bombs_size",
    "n_voxels",
    "mean_probability",
    "max_probability",
    "chi_mean_ppm",
    "chi_total_ppm_mm3",
    "swi_contrast",
    "t2w_contrast",
    "sphericity",
    "note",
];

/// Writes a table. No lesions make a table of the header alone.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, rows: &[LesionRow]) -> Result<(), LesionError> {
    write_with(path, rows, &[], &vec![Vec::new(); rows.len()])
}

/// As [`write()`], with columns of the caller's own behind [`COLUMNS`]: `more` has a cell for each of
/// them in every row, without tabs and line breaks. [`read`] passes over them.
///
/// # Errors
/// If the file cannot be written.
pub fn write_with(
    path: &Path,
    rows: &[LesionRow],
    columns: &[&str],
    more: &[Vec<String>],
) -> Result<(), LesionError> {
    let mut text = [&COLUMNS, columns].concat().join("\t");
    text.push('\n');
    for (row, more) in rows.iter().zip(more) {
        text.push_str(&[&cells(row), more.as_slice()].concat().join("\t"));
        text.push('\n');
    }
    atomic::write(path, text.as_bytes())
        .map_err(|source| LesionError::Write { path: path.to_owned(), source })
}

fn cells(row: &LesionRow) -> [String; 22] {
    let number = |value: f64, digits: usize| format!("{value:.digits$}");
    let maybe =
        |value: Option<f64>, digits| value.map_or("n/a".to_owned(), |value| number(value, digits));
    let text = |value: Option<&str>| value.unwrap_or("n/a").to_owned();
    [
        row.lesion_id.to_string(),
        row.class.name().to_owned(),
        text(row.certainty.map(Certainty::name)),
        text(row.region.map(Region::name)),
        text(row.mars_region.map(MarsRegion::key)),
        text(row.lobe.map(Lobe::name)),
        text(row.side.map(Side::name)),
        number(row.x_mm, 2),
        number(row.y_mm, 2),
        number(row.z_mm, 2),
        number(row.volume_mm3, 3),
        number(row.diameter_mm, 2),
        text(row.bombs_size.map(BombsSize::name)),
        row.n_voxels.to_string(),
        maybe(row.mean_probability, 4),
        maybe(row.max_probability, 4),
        maybe(row.chi_mean_ppm, 4),
        maybe(row.chi_total_ppm_mm3, 4),
        maybe(row.swi_contrast, 4),
        maybe(row.t2w_contrast, 4),
        number(row.sphericity, 3),
        text(row.note.as_deref()),
    ]
}

/// The column of a lesion's probability, which tables of a model with a candidate classifier have.
pub const PROBABILITY: &str = "lesion_probability";

/// Reads a table back. Columns that tables of earlier versions lack are without values.
///
/// # Errors
/// If the file cannot be read or is no lesion table.
pub fn read(path: &Path) -> Result<Vec<LesionRow>, LesionError> {
    let text = text_of(path)?;
    let rows = reader(&text).into_deserialize().collect::<Result<_, csv::Error>>();
    rows.map_err(|error| fault(path, error.to_string()))
}

/// The calibrated probability of each lesion of a table, by its number; empty where the table has none.
///
/// # Errors
/// If the file cannot be read, or a probability is no number from 0 to 1.
pub fn read_probabilities(path: &Path) -> Result<BTreeMap<usize, f64>, LesionError> {
    let text = text_of(path)?;
    let mut reader = reader(&text);
    let columns = reader.headers().cloned().map_err(|error| fault(path, error.to_string()))?;
    let column = |name: &str| columns.iter().position(|column| column == name);
    let (Some(id), Some(probability)) = (column("lesion_id"), column(PROBABILITY)) else {
        return Ok(BTreeMap::new());
    };
    let mut probabilities = BTreeMap::new();
    for row in reader.records() {
        let row = row.map_err(|error| fault(path, error.to_string()))?;
        let cell = |column: usize| row.get(column).unwrap_or_default();
        if cell(probability).is_empty() {
            continue;
        }
        let value = cell(probability).parse().ok().filter(|value| (0.0..=1.0).contains(value));
        let (Ok(id), Some(value)) = (cell(id).parse(), value) else {
            let reason = format!("{PROBABILITY} is {:?}", cell(probability));
            return Err(fault(path, reason));
        };
        probabilities.insert(id, value);
    }
    Ok(probabilities)
}

fn fault(path: &Path, reason: String) -> LesionError {
    LesionError::Table { path: path.to_owned(), reason }
}

/// The table with empty cells in place of `n/a`, which means no value: csv's deserializer knows only the empty cell.
fn text_of(path: &Path) -> Result<String, LesionError> {
    let text = std::fs::read_to_string(path).map_err(|error| fault(path, error.to_string()))?;
    let lines = text.lines().map(|line| {
        let cells: Vec<&str> =
            line.split('\t').map(|cell| if cell == "n/a" { "" } else { cell }).collect();
        cells.join("\t") + "\n"
    });
    Ok(lines.collect())
}

fn reader(text: &str) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().delimiter(b'\t').from_reader(text.as_bytes())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::LesionClass;

    pub(crate) fn row() -> LesionRow {
        LesionRow {
            lesion_id: 1,
            class: LesionClass::Nhid,
            certainty: Some(Certainty::Possible),
            region: Some(Region::Deep),
            mars_region: Some(MarsRegion::DeepWhiteMatter),
            lobe: Some(Lobe::Frontal),
            side: Some(Side::Left),
            x_mm: -20.25,
            y_mm: 4.5,
            z_mm: 0.0,
            volume_mm3: 84.375,
            diameter_mm: 5.44,
            bombs_size: Some(BombsSize::From5To10),
            n_voxels: 100,
            mean_probability: Some(0.75),
            max_probability: Some(0.99),
            chi_mean_ppm: Some(-0.125),
            chi_total_ppm_mm3: None,
            swi_contrast: None,
            t2w_contrast: Some(-0.5),
            sphericity: 0.875,
            note: Some("diamagnetic,linear".to_owned()),
        }
    }

    #[test]
    fn a_table_comes_back_and_has_the_agreed_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub-01_desc-lesions.tsv");
        let bare = LesionRow {
            lesion_id: 2,
            note: None,
            certainty: None,
            region: None,
            mars_region: None,
            lobe: None,
            side: None,
            bombs_size: None,
            ..row()
        };
        write(&path, &[row(), bare.clone()]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().next().unwrap(), COLUMNS.join("\t"));
        assert!(text.contains("\tn/a\t"));
        let back = read(&path).unwrap();
        assert_eq!(back, [row(), bare]);
        write(&path, &[]).unwrap();
        assert!(read(&path).unwrap().is_empty());
    }

    #[test]
    fn tables_of_earlier_versions_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub-01_desc-lesions.tsv");
        let header = "lesion_id\tclass\tregion\tx_mm\ty_mm\tz_mm\tvolume_mm3\tdiameter_mm\tn_voxels\t\
                      mean_probability\tmax_probability\tchi_mean_ppm\tchi_total_ppm_mm3\tswi_contrast\t\
                      t2w_contrast\tsphericity\tnote";
        let cells = "1\tCMB\tlobar\t1.00\t2.00\t3.00\t8.000\t2.48\t9\tn/a\tn/a\tn/a\tn/a\tn/a\tn/a\t0.9\tn/a";
        std::fs::write(&path, format!("{header}\n{cells}\n")).unwrap();
        let found = &read(&path).unwrap()[0];
        assert_eq!(
            (found.region, found.mars_region, found.certainty),
            (Some(Region::Lobar), None, None)
        );
        // A rater's table had these columns behind the others, and one letter for a side.
        let more = "certainty\tmars_region\tside\torigin\tparts\tcomment";
        let said = "possible\tinsula\tR\tdrawn\t1\tn/a";
        std::fs::write(&path, format!("{header}\t{more}\n{cells}\t{said}\n")).unwrap();
        let found = &read(&path).unwrap()[0];
        assert_eq!(found.certainty, Some(Certainty::Possible));
        assert_eq!((found.mars_region, found.side), (Some(MarsRegion::Insula), Some(Side::Right)));
    }

    #[test]
    fn probabilities_are_read_where_there_are_any() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub-01_desc-lesions.tsv");
        let rows = [row(), LesionRow { lesion_id: 3, ..row() }];
        write(&path, &rows).unwrap();
        assert!(read_probabilities(&path).unwrap().is_empty());
        let with = |cells: [&str; 2]| {
            let cells = cells.map(|cell| vec![cell.to_owned()]);
            write_with(&path, &rows, &[PROBABILITY], &cells).unwrap();
            read_probabilities(&path)
        };
        assert_eq!(with(["0.9120", "n/a"]).unwrap(), BTreeMap::from([(1, 0.912)]));
        assert_eq!(with(["1.0000", "0.5"]).unwrap()[&3], 0.5);
        for wrong in ["1.2", "NaN", "high"] {
            let message = with(["0.1", wrong]).unwrap_err().to_string();
            assert!(
                message.contains(wrong) && message.contains("sub-01_desc-lesions.tsv"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_table_of_something_else_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("participants.tsv");
        std::fs::write(&path, "participant_id\tage\nsub-01\t60\n").unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("participants.tsv"), "{message}");
    }
}
