//! Places of files.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use deepmir_dicom::{Key, Labels, Survey};
use zip::write::{SimpleFileOptions, ZipWriter};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Data beside the project.
pub fn shared(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name)
}

pub fn labels() -> Labels {
    Labels::Hashed(Key::new(b"a key of the tests, no secret", "test").unwrap())
}

pub fn survey(case: &str) -> Survey {
    Survey::read(&[fixture(case)], &labels(), &|_, _| {}).unwrap()
}

/// A copy of a case that a test may damage.
pub fn copy(case: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture(case)).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

/// Gives a text element of an explicit file another value.
pub fn set_text(path: &Path, tag: [u16; 2], value: &str) {
    let bytes = std::fs::read(path).unwrap();
    let tag: Vec<u8> = tag.iter().flat_map(|half| half.to_le_bytes()).collect();
    let at = (132..bytes.len()).find(|&at| bytes[at..].starts_with(&tag)).unwrap();
    let length = usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
    let mut value = value.as_bytes().to_vec();
    value.resize(value.len().div_ceil(2) * 2, b' ');
    let length_now = (value.len() as u16).to_le_bytes();
    let rest = &bytes[at + 8 + length..];
    std::fs::write(path, [&bytes[..at + 6], &length_now, &value, rest].concat()).unwrap();
}

/// The value of a text element of an explicit file.
pub fn text_of(path: &Path, tag: [u16; 2]) -> String {
    let bytes = std::fs::read(path).unwrap();
    let tag: Vec<u8> = tag.iter().flat_map(|half| half.to_le_bytes()).collect();
    let at = (132..bytes.len()).find(|&at| bytes[at..].starts_with(&tag)).unwrap();
    let length = usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
    String::from_utf8(bytes[at + 8..at + 8 + length].to_vec()).unwrap().trim_end().to_owned()
}

/// Writes an archive of the files of a fixture and of others.
pub fn pack(path: &Path, case: &str, others: &[(&str, &[u8])]) {
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    let options = SimpleFileOptions::default();
    let mut add = |name: &str, bytes: &[u8]| {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    };
    for file in files(&fixture(case)) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        add(&format!("export/{name}"), &std::fs::read(file).unwrap());
    }
    others.iter().for_each(|(name, bytes)| add(name, bytes));
    zip.finish().unwrap();
}
