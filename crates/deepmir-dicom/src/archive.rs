//! Zip archives, whose files are read without being written to the disk.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zip::CompressionMethod;
use zip::read::ZipArchive;
use zip::result::ZipError;

use crate::DicomError;
use crate::input::Input;

/// No image is packed to a smaller part, but slices of nothing, which are small.
const LARGEST_RATIO: u64 = 60;
const SMALL_BYTES: u64 = 64 << 20;

/// A zip archive whose list was read.
#[derive(Debug)]
pub struct Archive {
    zip: ZipArchive<Reopened>,
}

/// Bytes of a file in an archive.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    /// In the archive.
    pub stored: u64,
    /// Unpacked, as the archive says.
    pub unpacked: u64,
}

impl Archive {
    /// Gives the files of an archive to `files`, hidden ones left out; those that cannot be unpacked to `faults`.
    pub fn open(path: &Path, files: &mut Vec<Input>, faults: &mut Vec<DicomError>) {
        let fault = |reason: String| DicomError::Archive { path: path.to_owned(), reason };
        let reader = Reopened { path: path.into(), file: None };
        let zip = match ZipArchive::new(reader) {
            Ok(zip) => zip,
            Err(ZipError::Io(source)) => {
                return faults.push(DicomError::Read { path: path.to_owned(), source });
            }
            Err(error) => {
                return faults.push(fault(format!(
                    "no zip archive, or one that was cut ({error}); copy it again, or unpack it and give the folder"
                )));
            }
        };
        let archive = Arc::new(Self { zip });
        let (mut encrypted, mut unknown) = (0, 0);
        for number in 0..archive.zip.len() {
            let Ok(entry) = archive.zip.by_index_data(number) else { continue };
            let name = String::from_utf8_lossy(entry.name_raw()).replace(char::is_control, "?");
            if !entry.is_file() || name.split(['/', '\\']).any(|part| part.starts_with('.')) {
                continue;
            }
            let methods = [CompressionMethod::Stored, CompressionMethod::Deflated];
            if entry.encrypted() {
                encrypted += 1;
            } else if !methods.contains(&entry.compression()) {
                unknown += 1;
            } else {
                let path = PathBuf::from(format!("{}:{name}", path.display()));
                files.push(Input::zipped(path, &archive, number));
            }
        }
        if encrypted > 0 {
            faults.push(fault(format!(
                "{encrypted} of its files are encrypted; unpack it with its password and give the folder"
            )));
        }
        if unknown > 0 {
            faults.push(fault(format!(
                "{unknown} of its files are not packed by deflate; unpack it and give the folder"
            )));
        }
    }

    /// How large a file is.
    pub fn sizes(&self, number: usize) -> Sizes {
        let entry = self.zip.by_index_data(number);
        entry.map_or(Sizes::default(), |entry| Sizes {
            stored: entry.compressed_size(),
            unpacked: entry.size(),
        })
    }

    /// Unpacks `limit` bytes of a file at most; all bytes are checked against their checksum where all are read.
    ///
    /// # Errors
    /// If it is damaged, or unpacks to more than the archive says or than an image does.
    pub fn read(&self, number: usize, limit: u64, path: &Path) -> Result<Vec<u8>, DicomError> {
        let fault = |reason: String| DicomError::Archive { path: path.to_owned(), reason };
        let Sizes { stored, unpacked } = self.sizes(number);
        if unpacked.min(limit) > SMALL_BYTES && unpacked / LARGEST_RATIO > stored {
            return Err(fault(format!(
                "{stored} bytes would unpack to {} MiB, as no image does; leave it out",
                unpacked >> 20
            )));
        }
        let damaged = |error: &dyn std::fmt::Display| {
            fault(format!("it cannot be unpacked ({error}); copy the archive again"))
        };
        let mut zip = self.zip.clone();
        let file = zip.by_index(number).map_err(|error| damaged(&error))?;
        let mut bytes = Vec::new();
        // One more than is said: so the checksum is reached, and more is noticed.
        let most = limit.min(unpacked.saturating_add(1));
        file.take(most).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        if (bytes.len() as u64) != unpacked.min(limit) {
            return Err(damaged(&"its size is not what the list says"));
        }
        Ok(bytes)
    }
}

/// A file that each reader opens for itself, so that threads do not wait for each other.
#[derive(Debug)]
struct Reopened {
    path: Arc<Path>,
    file: Option<BufReader<File>>,
}

impl Clone for Reopened {
    fn clone(&self) -> Self {
        Self { path: Arc::clone(&self.path), file: None }
    }
}

impl Reopened {
    fn file(&mut self) -> io::Result<&mut BufReader<File>> {
        if self.file.is_none() {
            self.file = Some(BufReader::new(File::open(&self.path)?));
        }
        self.file.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Read for Reopened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file()?.read(buffer)
    }
}

impl Seek for Reopened {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file()?.seek(to)
    }
}
