//! Places of files.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::path::{Path, PathBuf};

use deepmir_dicom::{Key, Labels, Survey};

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
