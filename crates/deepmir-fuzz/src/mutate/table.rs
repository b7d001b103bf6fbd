//! TSV and CSV tables: cells, rows, columns, quotes.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::{Damaged, below, odd, pick, text};

/// Damages a cell in half of the cases, else rows, columns or the text.
pub fn damage(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    if random.random_ratio(1, 4) {
        return Some(text::damage(contents, random));
    }
    let whole = std::str::from_utf8(contents).ok()?;
    let separator = if whole.contains('\t') { "\t" } else { "," };
    let mut rows: Vec<Vec<String>> =
        whole.lines().map(|line| line.split(separator).map(str::to_owned).collect()).collect();
    let row = below(rows.len(), random);
    let column = below(rows.first()?.len(), random);
    let place = format!("row {row}, column {column}");
    let what = match random.random_range(0..12) {
        0..=4 => {
            let new = match random.random_range(0..4) {
                0 | 1 => odd::number(random).to_owned(),
                2 => odd::word(random),
                _ => pick(&["\"", "a\"b", "\"a", "a\tb", "a,b", "a\nb"], random)?.to_string(),
            };
            let shown: String = new.chars().take(40).collect();
            *rows.get_mut(row)?.get_mut(column)? = new;
            format!("{place} = {shown:?}")
        }
        5 => {
            rows.iter_mut()
                .filter(|cells| column < cells.len())
                .for_each(|cells| drop(cells.remove(column)));
            format!("without column {column}")
        }
        6 => {
            rows.iter_mut()
                .filter(|cells| column < cells.len())
                .for_each(|cells| cells.push(cells[column].clone()));
            format!("column {column} twice")
        }
        7 => {
            let copy = rows.get(row)?.clone();
            rows.insert(row, copy);
            format!("row {row} twice")
        }
        8 => {
            rows.remove(row);
            format!("without row {row}")
        }
        9 => {
            rows.get_mut(row)?.push("more".to_owned());
            format!("row {row} with a cell more")
        }
        10 => {
            rows.get_mut(row)?.pop();
            format!("row {row} with a cell less")
        }
        _ => {
            let other = if separator == "\t" { "," } else { ";" };
            return Some(Damaged::of_text(whole.replace(separator, other), "another separator"));
        }
    };
    let lines: Vec<String> = rows.iter().map(|cells| cells.join(separator) + "\n").collect();
    Some(Damaged::of_text(lines.concat(), what))
}
