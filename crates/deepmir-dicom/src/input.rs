//! A file that may be DICOM: on the disk, or in a zip archive.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::DicomError;
use crate::archive::Archive;

/// No image of a head is larger.
const LARGEST_BYTES: u64 = 4 << 30;

/// A file on the disk, or one in an archive.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// As people see it: `study.zip:folder/IM1` in an archive.
    pub path: PathBuf,
    /// The archive that it is in, and its number there.
    zipped: Option<(Arc<Archive>, usize)>,
}

impl Input {
    /// A file on the disk.
    pub fn file(path: PathBuf) -> Self {
        Self { path, zipped: None }
    }

    /// A file in an archive.
    pub fn zipped(path: PathBuf, archive: &Arc<Archive>, number: usize) -> Self {
        Self { path, zipped: Some((Arc::clone(archive), number)) }
    }

    /// Whether it is an archive in an archive, which is not opened.
    pub fn is_nested(&self) -> bool {
        self.zipped.is_some() && is_archive(&self.path)
    }

    /// How many bytes it takes on the disk.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn stored_bytes(&self) -> Result<u64, DicomError> {
        match &self.zipped {
            Some((archive, number)) => Ok(archive.sizes(*number).stored),
            None => Ok(std::fs::metadata(&self.path).map_err(|source| self.fault(source))?.len()),
        }
    }

    /// The first bytes, `limit` of them at most, and whether there are more.
    ///
    /// # Errors
    /// If it cannot be read or unpacked.
    pub fn head(&self, limit: u64) -> Result<(Vec<u8>, bool), DicomError> {
        if let Some((archive, number)) = &self.zipped {
            let bytes = archive.read(*number, limit, &self.path)?;
            return Ok((bytes, archive.sizes(*number).unpacked > limit));
        }
        let file = File::open(&self.path).map_err(|source| self.fault(source))?;
        let length = file.metadata().map_err(|source| self.fault(source))?.len();
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes).map_err(|source| self.fault(source))?;
        Ok((bytes, length > limit))
    }

    /// All of it.
    ///
    /// # Errors
    /// If it cannot be read or unpacked, or is larger than any image of a head.
    pub fn all(&self) -> Result<Vec<u8>, DicomError> {
        if let Some((archive, number)) = &self.zipped {
            self.check_length(archive.sizes(*number).unpacked)?;
            return archive.read(*number, LARGEST_BYTES, &self.path);
        }
        let length = std::fs::metadata(&self.path).map_err(|source| self.fault(source))?.len();
        self.check_length(length)?;
        std::fs::read(&self.path).map_err(|source| self.fault(source))
    }

    fn check_length(&self, length: u64) -> Result<(), DicomError> {
        if length <= LARGEST_BYTES {
            return Ok(());
        }
        let reason = format!("it has {} GiB, more than an image of a head", length >> 30);
        Err(DicomError::Damaged { path: self.path.clone(), reason })
    }

    fn fault(&self, source: io::Error) -> DicomError {
        DicomError::Read { path: self.path.clone(), source }
    }
}

/// Whether a file is a zip archive, by its name.
pub fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"))
}
