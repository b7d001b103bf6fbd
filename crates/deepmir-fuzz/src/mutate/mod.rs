//! Damage to files, by what they hold. The same random numbers make the same damage.

mod bundle;
mod bytes;
mod database;
mod dicom;
mod formats;
mod gzip;
mod nifti;
mod odd;
mod safetensors;
mod table;
mod text;
mod tree;
pub mod zip;

use std::path::Path;

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};

/// What a file holds, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `.nii`, or the `.hdr` of a pair.
    Nifti,
    /// `.nii.gz`.
    NiftiGzip,
    /// The voxels of a pair, `.img`.
    Voxels,
    /// `.json`.
    Json,
    /// `.tsv` or `.csv`.
    Table,
    /// `.toml`.
    Toml,
    /// `.deepmir`: a tar archive of TOML and safetensors.
    Bundle,
    /// `.safetensors`.
    Safetensors,
    /// `.sqlite`.
    Database,
    /// `.dcm`.
    Dicom,
    /// `.zip`, of DICOM files.
    Zip,
    /// `.mgh`.
    Mgh,
    /// `.nrrd` and `.mha`: a header of text, then voxels.
    TextHeader,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 13] = [
        Self::Nifti,
        Self::NiftiGzip,
        Self::Voxels,
        Self::Json,
        Self::Table,
        Self::Toml,
        Self::Bundle,
        Self::Safetensors,
        Self::Database,
        Self::Dicom,
        Self::Zip,
        Self::Mgh,
        Self::TextHeader,
    ];

    /// The format of a file; `None` if it is none of them.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let endings = [
            (".nii.gz", Self::NiftiGzip),
            (".nii", Self::Nifti),
            (".hdr", Self::Nifti),
            (".img", Self::Voxels),
            (".json", Self::Json),
            (".tsv", Self::Table),
            (".csv", Self::Table),
            (".toml", Self::Toml),
            (".deepmir", Self::Bundle),
            (".safetensors", Self::Safetensors),
            (".sqlite", Self::Database),
            (".dcm", Self::Dicom),
            (".zip", Self::Zip),
            (".mgh", Self::Mgh),
            (".nrrd", Self::TextHeader),
            (".mha", Self::TextHeader),
        ];
        endings.into_iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| format)
    }

    /// In tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nifti => "nii",
            Self::NiftiGzip => "nii.gz",
            Self::Voxels => "img",
            Self::Json => "json",
            Self::Table => "tsv/csv",
            Self::Toml => "toml",
            Self::Bundle => "bundle",
            Self::Safetensors => "weights",
            Self::Database => "sqlite",
            Self::Dicom => "dcm",
            Self::Zip => "zip",
            Self::Mgh => "mgh",
            Self::TextHeader => "nrrd/mha",
        }
    }
}

/// A damaged file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its contents.
    pub bytes: Vec<u8>,
    /// What was done to it.
    pub what: String,
}

impl Damaged {
    fn new(bytes: Vec<u8>, what: impl Into<String>) -> Self {
        Self { bytes, what: what.into() }
    }
}

/// Damages the contents of a file: in three of four cases by its structure, else anywhere. The result is
/// never what went in.
pub fn damage(format: Format, contents: &[u8], random: &mut ChaCha8Rng) -> Damaged {
    for _ in 0..20 {
        let damaged = if random.random_ratio(3, 4) {
            structured(format, contents, random)
        } else {
            Some(bytes::damage(contents, random))
        };
        if let Some(damaged) = damaged.filter(|damaged| damaged.bytes != contents) {
            return damaged;
        }
    }
    Damaged::new([contents, b"\0"].concat(), "a zero byte behind the end")
}

fn structured(format: Format, contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    match format {
        Format::Nifti => nifti::damage(contents, random),
        Format::NiftiGzip => gzip::damage(contents, random),
        Format::Voxels => Some(bytes::damage(contents, random)),
        Format::Json => tree::damage_json(contents, random),
        Format::Table => table::damage(contents, random),
        Format::Toml => tree::damage_toml(contents, random),
        Format::Bundle => bundle::damage(contents, random),
        Format::Safetensors => safetensors::damage(contents, random),
        Format::Database => database::damage(contents, random),
        Format::Dicom => dicom::damage(contents, random),
        Format::Zip => zip::damage(contents, random),
        Format::Mgh => formats::damage_mgh(contents, random),
        Format::TextHeader => formats::damage_text(contents, random),
    }
}

/// One of a list.
fn pick<'a, T>(list: &'a [T], random: &mut ChaCha8Rng) -> Option<&'a T> {
    if list.is_empty() { None } else { list.get(random.random_range(0..list.len())) }
}

/// A random number below `end`, 0 for an empty range.
fn below(end: usize, random: &mut ChaCha8Rng) -> usize {
    if end == 0 { 0 } else { (random.next_u64() % end as u64) as usize }
}

#[cfg(test)]
mod tests;
