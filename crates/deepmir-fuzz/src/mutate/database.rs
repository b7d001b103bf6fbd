//! SQLite stores: values and tables through SQL, and bytes of the file's pages.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::{Damaged, below, bytes, odd, pick, tree};

/// Damages a value or a table in three of four cases, else the file.
pub fn damage(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    match random.random_range(0..8) {
        0 => {
            // The header: page size, versions, sizes, encoding.
            let mut bytes = contents.to_vec();
            let at = below(100, random);
            *bytes.get_mut(at)? = odd::integer(1, random) as u8;
            Some(Damaged::new(bytes, format!("byte {at} of the header changed")))
        }
        1 => {
            let pages = contents.len() / 4096;
            let page = below(pages, random);
            let (start, end) = (4096 * page, 4096 * (page + 1));
            let damaged = bytes::damage(contents.get(start..end)?, random);
            let mut bytes = contents.to_vec();
            let same_size = damaged.bytes.iter().copied().chain(std::iter::repeat(0)).take(4096);
            bytes.splice(start..end, same_size);
            Some(Damaged::new(bytes, format!("page {page}: {}", damaged.what)))
        }
        _ => by_sql(contents, random),
    }
}

const COLUMNS: [(&str, &str); 16] = [
    ("raters", "id"),
    ("raters", "settings"),
    ("cases", "id"),
    ("cases", "grid"),
    ("layers", "case_id"),
    ("layers", "rater"),
    ("layers", "stage"),
    ("layers", "revision"),
    ("layers", "exported"),
    ("layers", "next_lesion"),
    ("layers", "opened"),
    ("layers", "done"),
    ("layers", "sources"),
    ("layers", "content"),
    ("operations", "delta"),
    ("operations", "state"),
];

fn by_sql(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let folder = tempfile::tempdir().ok()?;
    let path = folder.path().join("copy.sqlite");
    std::fs::write(&path, contents).ok()?;
    // Closing the connection brings the log into the file.
    let what = change(&Connection::open(&path).ok()?, random).ok().flatten()?;
    Some(Damaged::new(std::fs::read(&path).ok()?, what))
}

fn change(connection: &Connection, random: &mut ChaCha8Rng) -> rusqlite::Result<Option<String>> {
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let Some(&(table, column)) = pick(&COLUMNS, random) else { return Ok(None) };
    let what = match random.random_range(0..12) {
        0 => {
            connection.execute_batch(&format!("DROP TABLE {table}"))?;
            format!("without the table {table}")
        }
        1 => {
            connection
                .execute_batch(&format!("ALTER TABLE {table} RENAME COLUMN {column} TO other"))
                .or_else(|_| {
                    connection.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN more TEXT"))
                })?;
            format!("other columns in {table}")
        }
        2 => {
            connection.execute_batch(&format!("DELETE FROM {table}"))?;
            format!("nothing in {table}")
        }
        3..=6 => {
            // The marks and grids are JSON: one value of it.
            let (table, column) = *pick(&[("layers", "content"), ("cases", "grid")], random)
                .unwrap_or(&("layers", "content"));
            let old: String =
                connection
                    .query_row(&format!("SELECT {column} FROM {table}"), [], |row| row.get(0))?;
            let Some(damaged) = tree::damage_json(old.as_bytes(), random) else { return Ok(None) };
            let new = String::from_utf8_lossy(&damaged.bytes).into_owned();
            connection.execute(&format!("UPDATE {table} SET {column} = ?1"), [new])?;
            format!("{table}.{column}: {}", damaged.what)
        }
        _ => {
            let value = match random.random_range(0..5) {
                0 => Value::Null,
                1 => Value::Integer(odd::integer(8, random)),
                2 => Value::Real(odd::float(random)),
                3 => Value::Blob(vec![0xff; below(64, random)]),
                _ => Value::Text(odd::word(random)),
            };
            let what = format!("{table}.{column} = {value:.60?}");
            connection.execute(&format!("UPDATE {table} SET {column} = ?1"), [value])?;
            what.chars().take(100).collect()
        }
    };
    Ok(Some(what))
}
