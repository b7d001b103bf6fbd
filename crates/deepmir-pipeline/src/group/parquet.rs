//! Tables as Parquet, for those who load thousands of rows.

use std::io;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use super::{Cell, Table};

/// A table's bytes: words are strings, numbers doubles, counts 64-bit integers; what is not there is
/// null.
pub(super) fn bytes(table: &Table) -> io::Result<Vec<u8>> {
    write(table).map_err(io::Error::other)
}

fn write(table: &Table) -> Result<Vec<u8>, ParquetError> {
    let fields = table.columns.iter().map(|(name, kind)| field(name, kind));
    let schema =
        Type::group_type_builder("table").with_fields(fields.collect::<Result<_, _>>()?).build()?;
    let properties = Arc::new(WriterProperties::builder().set_created_by(crate::program()).build());
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties)?;
    let mut group = writer.next_row_group()?;
    let mut number = 0;
    while let Some(mut column) = group.next_column()? {
        let cells = || table.rows.iter().map(|row| &row[number]);
        let mut texts = Vec::new();
        let mut numbers = Vec::new();
        let mut counts = Vec::new();
        let mut there = Vec::new();
        for cell in cells() {
            there.push(i16::from(match cell {
                Cell::Text(value) => {
                    texts.extend(value.as_ref().map(|text| ByteArray::from(text.as_str())));
                    value.is_some()
                }
                Cell::Number(value, _) => {
                    numbers.extend(*value);
                    value.is_some()
                }
                Cell::Count(value) => {
                    counts.extend(*value);
                    value.is_some()
                }
            }));
        }
        match &table.columns[number].1 {
            Cell::Text(_) => {
                column.typed::<ByteArrayType>().write_batch(&texts, Some(&there), None)?;
            }
            Cell::Number(..) => {
                column.typed::<DoubleType>().write_batch(&numbers, Some(&there), None)?;
            }
            Cell::Count(_) => {
                column.typed::<Int64Type>().write_batch(&counts, Some(&there), None)?;
            }
        }
        column.close()?;
        number += 1;
    }
    group.close()?;
    writer.into_inner()
}

fn field(name: &str, kind: &Cell) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = match kind {
        Cell::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Cell::Number(..) => (Physical::DOUBLE, None),
        Cell::Count(_) => (Physical::INT64, None),
    };
    let field = Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical);
    field.build().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    #[test]
    fn what_is_written_is_read_back_and_nothing_is_null() {
        let table = Table {
            columns: vec![
                ("name", Cell::Text(None)),
                ("size", Cell::Number(None, 1)),
                ("count", Cell::Count(None)),
            ],
            rows: vec![
                vec![Cell::text("ünï"), Cell::Number(Some(0.1), 1), Cell::Count(None)],
                vec![Cell::Text(None), Cell::Number(None, 1), Cell::Count(Some(7))],
            ],
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        std::fs::write(&path, bytes(&table).unwrap()).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows[0].get_string(0).unwrap(), "ünï");
        assert_eq!(rows[0].get_double(1).unwrap(), 0.1);
        assert!(rows[0].get_long(2).is_err());
        assert_eq!(rows[1].get_long(2).unwrap(), 7);
        assert!(rows[1].get_string(0).is_err());
        assert!(super::bytes(&Table { rows: Vec::new(), ..table }).is_ok());
    }
}
