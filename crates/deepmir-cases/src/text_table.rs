//! Tables of text as spreadsheets write them: commas, semicolons or tabs, with or without a byte order mark.

use std::path::Path;

use crate::CaseError;

/// What may stand between cells.
const SEPARATORS: [u8; 3] = [b',', b'\t', b';'];

/// A table's header and rows; cells without the spaces around them.
pub(crate) struct TextTable {
    /// Names of the columns.
    pub header: Vec<String>,
    /// Each row with its line.
    pub rows: Vec<(u64, Vec<String>)>,
}

impl TextTable {
    /// Reads a table. Tabs separate the cells of a `.tsv` file and commas those of any other, unless the header has none
    /// of these: then what it has does (spreadsheets of many countries write semicolons).
    ///
    /// # Errors
    /// A file that cannot be read or is no text in UTF-8, a row with more or fewer cells than the header, a column twice.
    pub fn read(path: &Path) -> Result<Self, CaseError> {
        let bytes = std::fs::read(path)
            .map_err(|source| CaseError::Read { path: path.to_owned(), source })?;
        Self::parse(&bytes, path.extension().is_some_and(|ending| ending == "tsv"))
            .map_err(|reason| CaseError::Table { path: path.to_owned(), reason })
    }

    fn parse(bytes: &[u8], tabs: bool) -> Result<Self, String> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        let Some(text) = text else {
            return Err("not text in UTF-8; save it as CSV in UTF-8".to_owned());
        };
        // So that lines are counted as editors do.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let bytes = text.as_bytes();
        let header = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let wanted = if tabs { b'\t' } else { b',' };
        let has = |separator: &u8| header.contains(separator);
        let other = SEPARATORS.iter().copied().find(has).unwrap_or(wanted);
        let separator = if has(&wanted) { wanted } else { other };
        let mut reader =
            csv::ReaderBuilder::new().delimiter(separator).trim(csv::Trim::All).from_reader(bytes);
        let cells = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        let header: Vec<String> = cells(reader.headers().map_err(|error| error.to_string())?);
        let twice = header.iter().enumerate().find(|(n, name)| {
            !name.is_empty() && header[..*n].iter().any(|before| before.eq_ignore_ascii_case(name))
        });
        if let Some((_, name)) = twice {
            return Err(format!("there are two columns {name}; remove or rename one"));
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| match error.kind() {
                csv::ErrorKind::UnequalLengths { pos, expected_len, len } => format!(
                    "line {} has {len} cells where the header has {expected_len}; put quotes around cells that hold \
                     a separator",
                    pos.as_ref().map_or(0, csv::Position::line)
                ),
                _ => error.to_string(),
            })?;
            // Spreadsheets leave such rows behind.
            if record.iter().any(|cell| !cell.is_empty()) {
                rows.push((record.position().map_or(0, csv::Position::line), cells(&record)));
            }
        }
        Ok(Self { header, rows })
    }

    /// The position of the first column that has one of some names, in any letter case.
    pub fn column(&self, names: &[&str]) -> Option<usize> {
        self.header
            .iter()
            .position(|name| names.iter().any(|other| name.eq_ignore_ascii_case(other)))
    }
}

/// A cell's text; `None` where it is empty or `n/a`.
pub(crate) fn given(cell: &str) -> Option<&str> {
    Some(cell).filter(|cell| !cell.is_empty() && !cell.eq_ignore_ascii_case("n/a"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns, and the rows with their line.
    type Read = Result<(Vec<String>, Vec<(u64, Vec<String>)>), String>;

    fn read(text: &[u8]) -> Read {
        TextTable::parse(text, false).map(|table| (table.header, table.rows))
    }

    #[test]
    fn separators_marks_line_ends_and_quotes_of_spreadsheets_are_read() {
        let plain = read(b"id,swi\np1,a b.nii\n").unwrap();
        for text in [
            &b"\xef\xbb\xbfid,swi\r\np1,a b.nii\r\n"[..],
            b"id;swi\r\np1;a b.nii\r\n",
            b"id\tswi\np1\ta b.nii",
            b"\"id\",\"swi\"\n\"p1\",\"a b.nii\"\n",
            b"id, swi\n p1 , a b.nii\n",
            b"id,swi\np1,a b.nii\n,\n",
        ] {
            assert_eq!(read(text).unwrap(), plain, "{:?}", String::from_utf8_lossy(text));
        }
        let comma_inside = read(b"id,swi\np1,\"a,b.nii\"\n").unwrap();
        assert_eq!(comma_inside.1[0].1[1], "a,b.nii");
    }

    #[test]
    fn what_is_no_table_is_told_with_its_line() {
        for (text, words) in [
            (&b"id,swi\np1,a,b.nii\n"[..], "line 2 has 3 cells where the header has 2"),
            (b"id,swi,SWI\np1,a,b\n", "two columns SWI"),
            (b"i\0d\0,\0", "UTF-8"),
            (b"\xff\xfei\0d\0", "UTF-8"),
            (b"id,swi\np\xe9,a\n", "UTF-8"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(words), "{told}");
        }
    }
}
