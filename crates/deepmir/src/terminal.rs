//! What the answer looks like on a terminal: tables for people, colours where they are wanted.

use std::fmt::Write as _;
use std::io::IsTerminal;

use deepmir_lesion::{Certainty, LesionClass, LesionRow, Region};

/// Lesions that are listed; the table on disk has all.
const MOST_ROWS: usize = 30;
const HEADER: [&str; 7] =
    ["lesion", "class", "certainty", "region", "side", "diameter", "probability"];

/// Whether standard output is a terminal whose user wants colours (<https://no-color.org>).
pub fn has_colours() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stdout().is_terminal() && !set("NO_COLOR") && !is_dumb
}

/// The lesions of a scan as an aligned table; empty without lesions. `probabilities` are those of the rows, where they are
/// known.
pub fn lesion_table(rows: &[LesionRow], probabilities: &[f32], colours: bool) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let cells: Vec<[String; 7]> = rows
        .iter()
        .take(MOST_ROWS)
        .enumerate()
        .map(|(n, row)| {
            let region = row.mars_region.map(|mars| mars.name());
            [
                row.lesion_id.to_string(),
                row.class.name().to_owned(),
                row.certainty.map_or("", Certainty::name).to_owned(),
                region.or(row.region.map(Region::name)).unwrap_or("").to_owned(),
                row.side.map_or("", |side| side.name()).to_owned(),
                format!("{:.1} mm", row.diameter_mm),
                probabilities.get(n).map_or(String::new(), |p| format!("{p:.2}")),
            ]
        })
        .collect();
    let width = |column: usize| {
        let cells = cells.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(HEADER[column].len())
    };
    let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
    let line = |cells: [&str; 7]| {
        let mut line = String::from(" ");
        for (column, cell) in cells.into_iter().enumerate() {
            let width = widths[column];
            // Numbers stand under each other.
            let is_number = matches!(column, 0 | 5 | 6);
            let _ = match is_number {
                true => write!(line, " {cell:>width$} "),
                false => write!(line, " {cell:<width$} "),
            };
        }
        line.trim_end().to_owned()
    };
    let mut text = line(HEADER) + "\n";
    for (row, cells) in rows.iter().zip(&cells) {
        let plain = line(cells.each_ref().map(String::as_str));
        let colour = match row.class {
            LesionClass::Cmb => "38;5;208",
            LesionClass::Nhid => "38;5;75",
        };
        let _ = match colours {
            true => writeln!(text, "\u{1b}[{colour}m{plain}\u{1b}[0m"),
            false => writeln!(text, "{plain}"),
        };
    }
    if rows.len() > MOST_ROWS {
        let _ = writeln!(text, "  … and {} more in the table", rows.len() - MOST_ROWS);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_lesion::{LabelMap, MarsRegion, MeasuredImages, Side, lesions_of};
    use deepmir_volume::components::Connectivity;
    use deepmir_volume::{Affine, Grid};

    fn rows(count: usize) -> Vec<LesionRow> {
        let grid = Grid::new([3; 3], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let mut labels = LabelMap::empty(grid);
        labels.paint(&[13], LesionClass::Cmb);
        let lesions = lesions_of(&labels, Connectivity::TwentySix);
        let row = MeasuredImages::default().measure(&labels, &lesions).remove(0);
        let row = |lesion_id| LesionRow {
            lesion_id,
            certainty: Some(Certainty::Possible),
            mars_region: Some(MarsRegion::Thalamus),
            side: Some(Side::Left),
            ..row.clone()
        };
        (1..=count).map(row).collect()
    }

    #[test]
    fn the_table_is_aligned_and_coloured_only_if_asked_to() {
        let plain = lesion_table(&rows(1), &[0.625], false);
        assert_eq!(
            plain,
            "  lesion  class  certainty  region    side  diameter  probability\n       1  CMB    possible   thalamus  left    1.2 mm         \
             0.62\n"
        );
        assert!(lesion_table(&rows(1), &[], true).contains("\u{1b}[38;5;208m"));
        assert_eq!(lesion_table(&[], &[], false), "");
        let many = lesion_table(&rows(40), &[], false);
        assert!(many.ends_with("… and 10 more in the table\n"), "{many}");
        assert_eq!(many.lines().count(), 32);
    }
}
