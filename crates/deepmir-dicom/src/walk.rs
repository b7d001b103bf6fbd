//! Files below what was given.

use std::path::{Path, PathBuf};

use crate::DicomError;
use crate::archive::Archive;
use crate::input::{Input, is_archive};

/// Folders nest no deeper in archives.
const DEEPEST: usize = 64;

/// All files below the given folders and files, in order, hidden ones left out. Of a `DICOMDIR`, those of its folder; of a
/// zip archive, those in it. With them, archives that cannot be opened or are encrypted.
///
/// # Errors
/// If one of the given paths is not there, or a folder cannot be read.
pub fn files(given: &[PathBuf]) -> Result<(Vec<Input>, Vec<DicomError>), DicomError> {
    let mut paths = Vec::new();
    for path in given {
        let is_list = path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("DICOMDIR"));
        let folder = if is_list { path.parent().unwrap_or(path) } else { path };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let kind = std::fs::metadata(folder)
            .map_err(|source| DicomError::Read { path: folder.to_owned(), source })?;
        if kind.is_dir() {
            below(folder, 0, &mut paths)?;
        } else {
            paths.push(folder.to_owned());
        }
    }
    paths.sort();
    paths.dedup();
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    for path in paths {
        if is_archive(&path) {
            Archive::open(&path, &mut files, &mut faults);
        } else {
            files.push(Input::file(path));
        }
    }
    Ok((files, faults))
}

fn below(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), DicomError> {
    let fault = |source| DicomError::Read { path: folder.to_owned(), source };
    if depth > DEEPEST {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type().map_err(fault)?;
        let path = entry.path();
        // Links to files are followed, links to folders are not: they may lead in circles.
        if kind.is_dir() {
            below(&path, depth + 1, files)?;
        } else if kind.is_file() || std::fs::metadata(&path).is_ok_and(|to| to.is_file()) {
            files.push(path);
        }
    }
    Ok(())
}
