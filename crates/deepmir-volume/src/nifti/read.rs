//! Reading.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::foreign::Foreign;
use super::gzip::Gzip;
use super::parse::{HeaderFault, SIZE_1, SIZE_2};
use super::{DataType, Header, check_fetched};
use crate::{Volume, VolumeError};

/// A volume and the header it came with.
#[derive(Clone, Debug)]
pub struct Image<T> {
    /// The voxels, in the file's own orientation, slope and intercept applied.
    pub volume: Volume<T>,
    /// The header, to be carried over to outputs on the same grid.
    pub header: Header,
}

/// How to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOptions {
    /// Read NaN and infinite voxels as zero instead of refusing the file.
    pub nan_to_zero: bool,
}

/// Reads one 3D volume. Axes after the third may be there if their length is 1.
///
/// # Errors
/// [`VolumeError`], naming the file: unreadable, not NIfTI, a broken or unsupported header, more
/// than one volume, truncated or damaged data, NaN or infinite voxels.
pub fn read(path: &Path) -> Result<Image<f32>, VolumeError> {
    read_with(path, &ReadOptions::default())
}

/// As [`read`], with options.
///
/// # Errors
/// As [`read`].
pub fn read_with(path: &Path, options: &ReadOptions) -> Result<Image<f32>, VolumeError> {
    let mut source = Source::open(path)?;
    let mut header = source.one_volume()?;
    let mut data = source.decode(&mut header, |value| value as f32)?;
    options.finish(&mut data, path)?;
    Ok(Image { volume: Volume::from_parts(header.grid, data), header })
}

/// Reads a 4D series (echoes, say): one volume an entry, all on the header's grid.
///
/// # Errors
/// As [`read`], but for the number of volumes.
pub fn read_series(
    path: &Path,
    options: &ReadOptions,
) -> Result<(Header, Vec<Volume<f32>>), VolumeError> {
    let mut source = Source::open(path)?;
    let mut header = source.header()?;
    let mut data = source.decode(&mut header, |value| value as f32)?;
    options.finish(&mut data, path)?;
    let volumes = data
        .chunks_exact(header.grid.len())
        .map(|volume| Volume::from_parts(header.grid, volume.to_vec()))
        .collect();
    Ok((header, volumes))
}

/// Reads one 3D volume of whole numbers: a label map or mask, whatever type it is stored in.
///
/// # Errors
/// As [`read`], and if a voxel is no whole number within ±2³¹.
pub fn read_integers(path: &Path) -> Result<Image<i32>, VolumeError> {
    let mut source = Source::open(path)?;
    let mut header = source.one_volume()?;
    let (mut fractions, mut example) = (0, 0.0);
    let data = source.decode(&mut header, |value| {
        // Slopes such as 1/255 leave rounding noise on whole numbers.
        let whole = value.round();
        if (value - whole).abs() > 1e-3 || !(-2147483648.0..=2147483647.0).contains(&whole) {
            fractions += 1;
            example = value;
        }
        whole as i32
    })?;
    if fractions > 0 {
        return Err(VolumeError::NotIntegers { path: path.to_owned(), count: fractions, example });
    }
    Ok(Image { volume: Volume::from_parts(header.grid, data), header })
}

/// Reads the header alone: shape, place and type, without the voxels.
///
/// # Errors
/// As [`read`], but for the voxels.
pub fn read_header(path: &Path) -> Result<Header, VolumeError> {
    Source::open(path)?.header()
}

impl ReadOptions {
    /// Checks the voxels of a file for NaN and infinity, or sets those to zero, as the options say.
    ///
    /// # Errors
    /// [`VolumeError::NonFinite`] with `path`, unless they are to be read as zero.
    pub fn finish(&self, data: &mut [f32], path: &Path) -> Result<(), VolumeError> {
        let count = data.iter().filter(|value| !value.is_finite()).count();
        if count == 0 {
            return Ok(());
        }
        if !self.nan_to_zero {
            return Err(VolumeError::NonFinite { path: path.to_owned(), count, total: data.len() });
        }
        for value in data.iter_mut().filter(|value| !value.is_finite()) {
            *value = 0.0;
        }
        Ok(())
    }
}

/// The bytes of a file, unpacked.
enum Bytes {
    Plain(BufReader<File>),
    Gzip(Box<Gzip>),
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
        }
    }
}

/// A file being read.
struct Source {
    /// The file the user named.
    path: PathBuf,
    /// The file that is read: the image of a pair, once its header is.
    file: PathBuf,
    /// What was read for the header, to be read once more.
    start: Cursor<Vec<u8>>,
    /// The rest.
    bytes: Bytes,
    /// Bytes of the file on disk.
    length: u64,
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
    fn open(path: &Path) -> Result<Self, VolumeError> {
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

    fn is_gzipped(&self) -> bool {
        matches!(self.bytes, Bytes::Gzip(_))
    }

    /// Parses the header and leaves the reader where the header began, or where the image of a pair does.
    fn header(&mut self) -> Result<Header, VolumeError> {
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
        let mut header = Header::parse(&bytes).map_err(|fault| match fault {
            HeaderFault::Foreign(Foreign { reason, remedy }) => {
                VolumeError::NotNifti { path, reason, remedy }
            }
            HeaderFault::Broken(reason) => VolumeError::Header { path, reason },
            HeaderFault::Unsupported(what, remedy) => {
                VolumeError::Unsupported { path, what, remedy }
            }
        })?;
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
        let length = if self.is_gzipped() {
            let mut whole = Self::open_file(&self.path, &self.file)?;
            io::copy(&mut whole.by_ref().take(wanted), &mut io::sink())
                .map_err(|source| self.stream_fault(source, header.data_bytes()))?
        } else {
            self.length
        };
        Ok(if length >= wanted { with_flag } else { header.header_bytes })
    }

    fn one_volume(&mut self) -> Result<Header, VolumeError> {
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
    fn decode<T>(
        &mut self,
        header: &mut Header,
        mut convert: impl FnMut(f64) -> T,
    ) -> Result<Vec<T>, VolumeError> {
        let gzipped = self.is_gzipped();
        let expected_bytes = header.data_bytes();
        let truncated = VolumeError::Truncated { path: self.path.clone(), expected_bytes };
        // Deflate shrinks at most about 1032-fold: a file this short cannot hold that much.
        let most = if gzipped { self.length.saturating_mul(1040) + (1 << 20) } else { self.length };
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
        if rest.iter().any(|&byte| byte != 0) {
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

    fn stream_fault(&self, source: io::Error, expected_bytes: u64) -> VolumeError {
        let path = self.path.clone();
        match source.kind() {
            io::ErrorKind::UnexpectedEof => VolumeError::Truncated { path, expected_bytes },
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if self.is_gzipped() => {
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
