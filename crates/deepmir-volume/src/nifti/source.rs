//! A file being read: its bytes, unpacked, from header to voxels.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::ZlibDecoder;

use super::foreign::Foreign;
use super::formats::Format;
use super::gzip::Gzip;
use super::parse::{SIZE_1, SIZE_2};
use super::{DataType, Header, check_fetched};
use crate::VolumeError;

/// How voxels are packed apart from their header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// Not at all.
    None,
    Gzip,
    /// As zlib does, or as gzip.
    Zlib,
}

/// The bytes of a file, unpacked.
enum Bytes {
    Plain(BufReader<File>),
    Gzip(Box<Gzip>),
    Zlib(Box<ZlibDecoder<BufReader<File>>>),
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
            Self::Zlib(reader) => reader.read(buffer),
        }
    }
}

/// A file being read.
pub(super) struct Source {
    /// The file the user named.
    pub(super) path: PathBuf,
    /// The file that is read: the image of a pair, once its header is.
    pub(super) file: PathBuf,
    /// What was read for the header, to be read once more.
    pub(super) start: Cursor<Vec<u8>>,
    /// The rest.
    bytes: Bytes,
    /// Bytes of the file on disk.
    pub(super) length: u64,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.start.read(buffer)? {
            0 => self.bytes.read(buffer),
            count => Ok(count),
        }
    }
}

impl Source {
    /// Opens a file, or the header of a pair of which either name was given.
    pub(super) fn open(path: &Path) -> Result<Self, VolumeError> {
        Self::open_file(path, &partner(path, ".img", ".hdr"))
    }

    fn open_file(named: &Path, file: &Path) -> Result<Self, VolumeError> {
        let fail = |source| VolumeError::Read { path: file.to_owned(), source };
        check_fetched(file)?;
        let mut reader = BufReader::with_capacity(1 << 18, File::open(file).map_err(fail)?);
        let metadata = reader.get_ref().metadata().map_err(fail)?;
        if metadata.is_dir() {
            return Err(fail(io::Error::other("it is a folder")));
        }
        // The content decides, not the name: gzipped files are found under `.nii` too.
        let mut magic = [0; 2];
        let gzipped = reader.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
        reader.seek(SeekFrom::Start(0)).map_err(fail)?;
        let bytes =
            if gzipped { Bytes::Gzip(Box::new(Gzip::new(reader))) } else { Bytes::Plain(reader) };
        Ok(Self {
            path: named.to_owned(),
            file: file.to_owned(),
            start: Cursor::new(Vec::new()),
            bytes,
            length: metadata.len(),
        })
    }

    pub(super) fn is_packed(&self) -> bool {
        !matches!(self.bytes, Bytes::Plain(_))
    }

    /// Turns to a file's voxels, which begin at byte `first` and are packed apart from the header.
    pub(super) fn turn_to(
        &mut self,
        file: &Path,
        first: u64,
        packing: Packing,
    ) -> Result<(), VolumeError> {
        let fail = |source| VolumeError::Read { path: file.to_owned(), source };
        check_fetched(file)?;
        let metadata = std::fs::metadata(file).map_err(fail)?;
        if !metadata.is_file() {
            return Err(fail(io::Error::other("it is no file")));
        }
        let mut reader = BufReader::with_capacity(1 << 18, File::open(file).map_err(fail)?);
        let mut start = [0; 2];
        reader.seek(SeekFrom::Start(first)).map_err(fail)?;
        let gzipped = reader.read_exact(&mut start).is_ok() && start == [0x1f, 0x8b];
        reader.seek(SeekFrom::Start(first)).map_err(fail)?;
        self.bytes = match packing {
            Packing::None => Bytes::Plain(reader),
            Packing::Zlib if !gzipped => Bytes::Zlib(Box::new(ZlibDecoder::new(reader))),
            Packing::Gzip | Packing::Zlib => Bytes::Gzip(Box::new(Gzip::new(reader))),
        };
        self.start = Cursor::new(Vec::new());
        self.length = metadata.len().saturating_sub(first);
        file.clone_into(&mut self.file);
        Ok(())
    }

    /// Parses the header and leaves the reader where the header began, or where the image of a pair does.
    pub(super) fn header(&mut self) -> Result<Header, VolumeError> {
        let mut bytes = Vec::with_capacity(SIZE_2);
        let limit = SIZE_2 as u64;
        let path = self.path.clone();
        match self.by_ref().take(limit).read_to_end(&mut bytes) {
            // An image of a few voxels may lack its end and have its header; then its voxels are missed.
            Err(source)
                if source.kind() == io::ErrorKind::UnexpectedEof && bytes.len() < SIZE_1 =>
            {
                let Foreign { reason, remedy } = Foreign::cut_short(bytes.len(), SIZE_1);
                return Err(VolumeError::NotNifti { path, reason, remedy });
            }
            Err(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(self.stream_fault(source, limit));
            }
            _ => {}
        }
        if let Some(format) = Format::of(&bytes) {
            return self.other_format(format, bytes);
        }
        let mut header = Header::parse(&bytes).map_err(|fault| fault.of(path))?;
        let image = partner(&self.path, ".hdr", ".img");
        if header.single_file || image == self.file {
            if !header.single_file {
                header.note(
                    "header_magic",
                    "its magic says that the voxels are in a file of their own; those after the header were read",
                );
                header.single_file = true;
            }
            self.start = Cursor::new(bytes);
        } else {
            let named = std::mem::take(&mut self.path);
            *self = Self::open_file(&named, &image)?;
        }
        Ok(header)
    }

    /// Where the voxels begin. Some programs leave `vox_offset` at 0 in a single file; then it is the end of the header
    /// with its extension flag, or without where the file is too short for that.
    fn first_voxel(&self, header: &Header) -> Result<u64, VolumeError> {
        let with_flag = header.header_bytes + 4;
        if !header.single_file || header.vox_offset >= with_flag {
            return Ok(header.vox_offset);
        }
        let wanted = header.data_bytes().saturating_add(with_flag);
        let length = if self.is_packed() {
            let mut whole = Self::open_file(&self.path, &self.file)?;
            io::copy(&mut whole.by_ref().take(wanted), &mut io::sink())
                .map_err(|source| self.stream_fault(source, header.data_bytes()))?
        } else {
            self.length
        };
        Ok(if length >= wanted { with_flag } else { header.header_bytes })
    }

    pub(super) fn one_volume(&mut self) -> Result<Header, VolumeError> {
        let header = self.header()?;
        if header.volume_count() != 1 {
            return Err(VolumeError::Unsupported {
                path: self.path.clone(),
                what: format!(
                    "a series of {} volumes (dim {:?}) where one is wanted",
                    header.volume_count(),
                    header.dims
                ),
                remedy: "choose one with `fslroi` or nibabel's `four_to_three`".to_owned(),
            });
        }
        Ok(header)
    }

    /// Reads every voxel, scaled, through `convert`.
    pub(super) fn decode<T>(
        &mut self,
        header: &mut Header,
        mut convert: impl FnMut(f64) -> T,
    ) -> Result<Vec<T>, VolumeError> {
        let packed = self.is_packed();
        let expected_bytes = header.data_bytes();
        let truncated = VolumeError::Truncated { path: self.path.clone(), expected_bytes };
        // Deflate shrinks at most about 1032-fold: a file this short cannot hold that much.
        let most = if packed { self.length.saturating_mul(1040) + (1 << 20) } else { self.length };
        if expected_bytes.saturating_add(header.vox_offset) > most {
            return Err(truncated);
        }
        let first_voxel = self.first_voxel(header)?;
        let count = (expected_bytes / header.data_type.bytes() as u64) as usize;
        let mut data = Vec::new();
        data.try_reserve_exact(count).map_err(|_| VolumeError::Header {
            path: self.path.clone(),
            reason: format!("its {count} voxels do not fit in memory"),
        })?;

        let skipped = io::copy(&mut self.by_ref().take(first_voxel), &mut io::sink());
        if let Err(source) = skipped {
            return Err(self.stream_fault(source, expected_bytes));
        }
        let mut buffer = vec![0; 1 << 18];
        let mut left = expected_bytes as usize;
        let (slope, intercept) = (header.slope, header.intercept);
        while left > 0 {
            let chunk = &mut buffer[..left.min(1 << 18)];
            if let Err(source) = self.read_exact(chunk) {
                return Err(self.stream_fault(source, expected_bytes));
            }
            left -= chunk.len();
            decode_chunk(chunk, header.data_type, header.big_endian, |value| {
                data.push(convert(value * slope + intercept));
            });
        }
        self.note_rest(header, expected_bytes)?;
        Ok(data)
    }

    /// Reads on after the voxels, which makes gzip check its sum, and notes bytes that nobody asked for. Zeros are
    /// padding.
    fn note_rest(&mut self, header: &mut Header, expected_bytes: u64) -> Result<(), VolumeError> {
        let mut rest = Vec::new();
        if let Err(source) = self.by_ref().take(1 << 20).read_to_end(&mut rest) {
            return Err(self.stream_fault(source, expected_bytes));
        }
        if rest.iter().any(|&byte| byte != 0) && !header.tags_follow {
            header.note(
                "bytes_ignored",
                "more follows the voxels that its header announces, and was not read: it may hold more, or larger, volumes \
                 than the header says",
            );
        }
        if let Bytes::Gzip(gzip) = &self.bytes
            && gzip.ignored_bytes > 0
        {
            let message = format!("{} bytes after its gzip data were ignored", gzip.ignored_bytes);
            header.note("bytes_ignored", message);
        }
        Ok(())
    }

    pub(super) fn stream_fault(&self, source: io::Error, expected_bytes: u64) -> VolumeError {
        let path = self.path.clone();
        match source.kind() {
            io::ErrorKind::UnexpectedEof => VolumeError::Truncated { path, expected_bytes },
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if self.is_packed() => {
                VolumeError::Damaged { path, reason: source.to_string() }
            }
            _ => VolumeError::Read { path, source },
        }
    }
}

/// The other file of a pair: `from` in the ending replaced by `to`; the same path if there is none.
fn partner(path: &Path, from: &str, to: &str) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for gz in ["", ".gz"] {
        if let Some(stem) = name.strip_suffix(&format!("{from}{gz}")) {
            let with = path.with_file_name(format!("{stem}{to}{gz}"));
            let without = path.with_file_name(format!("{stem}{to}"));
            return if with.exists() || !without.exists() { with } else { without };
        }
    }
    path.to_owned()
}

fn decode_chunk(chunk: &[u8], data_type: DataType, big_endian: bool, mut push: impl FnMut(f64)) {
    macro_rules! numbers {
        ($number:ty) => {{
            let (raw, _) = chunk.as_chunks::<{ size_of::<$number>() }>();
            if big_endian {
                raw.iter().for_each(|&raw| push(<$number>::from_be_bytes(raw) as f64));
            } else {
                raw.iter().for_each(|&raw| push(<$number>::from_le_bytes(raw) as f64));
            }
        }};
    }
    match data_type {
        DataType::U8 => numbers!(u8),
        DataType::I8 => numbers!(i8),
        DataType::U16 => numbers!(u16),
        DataType::I16 => numbers!(i16),
        DataType::U32 => numbers!(u32),
        DataType::I32 => numbers!(i32),
        DataType::U64 => numbers!(u64),
        DataType::I64 => numbers!(i64),
        DataType::F32 => numbers!(f32),
        DataType::F64 => numbers!(f64),
    }
}
