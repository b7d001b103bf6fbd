//! Tables whose columns have a kind, for TSV and Parquet.

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(Option<String>),
    /// A number, and the digits after the point that tables show.
    Number(Option<f64>, usize),
    /// A count.
    Count(Option<i64>),
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Some(text.into()))
    }

    /// As written: `n/a` where there is none.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(Some(text)) => text.replace(['\t', '\n', '\r'], " "),
            Self::Number(Some(value), digits) => format!("{value:.digits$}"),
            Self::Count(Some(value)) => value.to_string(),
            Self::Text(None) | Self::Number(None, _) | Self::Count(None) => "n/a".to_owned(),
        }
    }
}

/// A table: every column holds one kind of cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Names and, to know the kind of a column in a table without rows, an empty cell of each.
    pub columns: Vec<(&'static str, Cell)>,
    /// Cells.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Tab-separated, with a header.
    pub fn tsv(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let mut text = names.join("\t") + "\n";
        for row in &self.rows {
            text += &row.iter().map(Cell::shown).collect::<Vec<_>>().join("\t");
            text.push('\n');
        }
        text
    }

    pub(super) fn of(
        rows: Vec<Vec<(&'static str, Cell)>>,
        header: Vec<(&'static str, Cell)>,
    ) -> Self {
        let cells = |row: Vec<(&'static str, Cell)>| row.into_iter().map(|(_, cell)| cell);
        Self {
            columns: header
                .into_iter()
                .map(|(name, cell)| match cell {
                    Cell::Text(_) => (name, Cell::Text(None)),
                    Cell::Number(_, digits) => (name, Cell::Number(None, digits)),
                    Cell::Count(_) => (name, Cell::Count(None)),
                })
                .collect(),
            rows: rows.into_iter().map(|row| cells(row).collect()).collect(),
        }
    }
}
