//! Lesion tables: tab-separated, one row a lesion, `n/a` where there is no value, as BIDS has it.

use std::path::Path;

use deepmir_volume::atomic;

use crate::{LesionError, LesionRow, Region};

/// The columns, in order.
pub const COLUMNS: [&str; 17] = [
    "lesion_id",
    "class",
    "region",
    "x_mm",
    "y_mm",
    "z_mm",
    "volume_mm3",
    "diameter_mm",
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

fn cells(row: &LesionRow) -> [String; 17] {
    let number = |value: f64, digits: usize| format!("{value:.digits$}");
    let maybe =
        |value: Option<f64>, digits| value.map_or("n/a".to_owned(), |value| number(value, digits));
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "n/a".to_owned());
    [
        row.lesion_id.to_string(),
        row.class.name().to_owned(),
        row.region.map_or("n/a", Region::name).to_owned(),
        number(row.x_mm, 2),
        number(row.y_mm, 2),
        number(row.z_mm, 2),
        number(row.volume_mm3, 3),
        number(row.diameter_mm, 2),
        row.n_voxels.to_string(),
        maybe(row.mean_probability, 4),
        maybe(row.max_probability, 4),
        maybe(row.chi_mean_ppm, 4),
        maybe(row.chi_total_ppm_mm3, 4),
        maybe(row.swi_contrast, 4),
        maybe(row.t2w_contrast, 4),
        number(row.sphericity, 3),
        text(&row.note),
    ]
}

/// Reads a table back.
///
/// # Errors
/// If the file cannot be read or is no lesion table.
pub fn read(path: &Path) -> Result<Vec<LesionRow>, LesionError> {
    let fault = |reason: String| LesionError::Table { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    // `n/a` means no value; csv's deserializer knows only the empty cell.
    let text: String = text
        .lines()
        .map(|line| {
            let cells: Vec<&str> =
                line.split('\t').map(|cell| if cell == "n/a" { "" } else { cell }).collect();
            cells.join("\t") + "\n"
        })
        .collect();
    csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .from_reader(text.as_bytes())
        .deserialize()
        .collect::<Result<_, csv::Error>>()
        .map_err(|error| fault(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LesionClass;

    fn row() -> LesionRow {
        LesionRow {
            lesion_id: 1,
            class: LesionClass::Nhid,
            region: None,
            x_mm: -20.25,
            y_mm: 4.5,
            z_mm: 0.0,
            volume_mm3: 84.375,
            diameter_mm: 5.44,
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
        write(&path, &[row(), LesionRow { lesion_id: 2, note: None, ..row() }]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().next().unwrap(), COLUMNS.join("\t"));
        assert!(text.contains("\tn/a\t"));
        let back = read(&path).unwrap();
        assert_eq!(back[0], row());
        assert_eq!(back[1].note, None);
        write(&path, &[]).unwrap();
        assert!(read(&path).unwrap().is_empty());
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
