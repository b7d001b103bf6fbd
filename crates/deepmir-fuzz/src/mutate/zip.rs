//! Zip archives of DICOM files: damage to one of them, or to the lists of the archive.

use std::io::{Cursor, Read, Write};

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use zip::ZipArchive;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::{Damaged, bytes, dicom, odd, pick};

/// A mark, and the fields behind it: where each begins, how wide it is, and its name.
type Fields = (&'static [u8], &'static [(usize, usize, &'static str)]);

const FIELDS: [Fields; 3] = [
    (
        b"PK\x03\x04",
        &[
            (6, 2, "flags"),
            (8, 2, "method"),
            (14, 4, "checksum"),
            (18, 4, "packed size"),
            (22, 4, "size"),
            (26, 2, "length of the name"),
            (28, 2, "length of what else is said"),
        ],
    ),
    (
        b"PK\x01\x02",
        &[
            (8, 2, "flags"),
            (10, 2, "method"),
            (16, 4, "checksum"),
            (20, 4, "packed size"),
            (24, 4, "size"),
            (28, 2, "length of the name"),
            (30, 2, "length of what else is said"),
            (32, 2, "length of the comment"),
            (42, 4, "place"),
        ],
    ),
    (
        b"PK\x05\x06",
        &[
            (4, 2, "disk"),
            (8, 2, "count on the disk"),
            (10, 2, "count"),
            (12, 4, "size of the list"),
            (16, 4, "place of the list"),
            (20, 2, "length of the comment"),
        ],
    ),
];

/// Damages a file in the archive in one of three cases, else a field of its lists.
pub fn damage(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    if random.random_ratio(1, 3) { inside(contents, random) } else { list(contents, random) }
}

/// Packs files.
///
/// # Errors
/// If memory ends.
pub fn pack(files: &[(String, Vec<u8>)]) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in files {
        zip.start_file(name.as_str(), SimpleFileOptions::default())?;
        zip.write_all(contents)?;
    }
    Ok(zip.finish()?.into_inner())
}

fn inside(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let mut zip = ZipArchive::new(Cursor::new(contents)).ok()?;
    let mut files = Vec::new();
    for n in 0..zip.len() {
        let mut file = zip.by_index(n).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        files.push((file.name().ok()?.into_owned(), bytes));
    }
    let (name, file) = match files.len() {
        0 => return None,
        count => &mut files[random.random_range(0..count)],
    };
    let damaged = match random.random_ratio(3, 4) {
        true => dicom::damage(file, random)?,
        false => bytes::damage(file, random),
    };
    let what = format!("{name}: {}", damaged.what);
    *file = damaged.bytes;
    Some(Damaged::new(pack(&files).ok()?, what))
}

fn list(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let (mark, fields) = pick(&FIELDS, random)?;
    let places: Vec<usize> = (0..contents.len().saturating_sub(22))
        .chain(contents.len().checked_sub(22))
        .filter(|&at| contents[at..].starts_with(mark))
        .collect();
    let place = *pick(&places, random)?;
    let (at, width, name) = *pick(fields, random)?;
    let mut bytes = contents.to_vec();
    let field = bytes.get_mut(place + at..place + at + width)?;
    let value = odd::integer(width, random);
    field.copy_from_slice(&value.to_le_bytes()[..width]);
    Some(Damaged::new(bytes, format!("{name} at byte {place} = {value}")))
}
