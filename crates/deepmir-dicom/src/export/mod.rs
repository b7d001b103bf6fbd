//! Results of a prediction as DICOM objects of the study that they were made from.

pub mod codes;
mod common;
mod content;
mod maps;
mod picture;
mod report;
mod result;
mod segmentation;
mod source;
mod uid;

use std::path::{Path, PathBuf};

use deepmir_volume::atomic;

use self::common::{Kind, MapKind, Uids};
use self::result::{ScanResult, listed};
use self::segmentation::Segmentation;
use self::source::Source;
use crate::DicomError;
use crate::bids::{Key, Labels};
use crate::import::{Progress, Survey};
use crate::object::Object;

/// What is to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExportOptions {
    /// One segment a lesion, in place of one a class.
    pub instances: bool,
    /// QSM, and the SWI if it was made of raw echoes, as MR images too.
    pub maps: bool,
    /// The number of the series that the label maps lie on, where their grid and voxels do not tell it.
    pub series: Option<i64>,
}

/// What was written of one scan.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The scan: `sub-01_ses-1`.
    pub scan: String,
    /// The series that its objects refer to.
    pub series: Option<i64>,
    /// Lesions.
    pub lesions: usize,
    /// Whether an image of the results had the voxels of the series' study; false if none was there any more.
    pub confirmed: bool,
    /// The files, and the folders of maps.
    pub files: Vec<PathBuf>,
}

/// Writes the results of all scans below `folders` as DICOM objects of the studies whose files are in `sources`: SEG, SR and
/// a picture. Nothing is written if the series of one scan is not found.
///
/// # Errors
/// If results are not whole, a scan's series is not among the files or not the only one, or a file cannot be written.
pub fn export(
    folders: &[PathBuf],
    sources: &[PathBuf],
    out: &Path,
    options: ExportOptions,
    progress: Progress<'_>,
) -> Result<Vec<Exported>, DicomError> {
    let scans = listed(folders)?;
    // Subjects have their labels already; these are not used.
    let survey = Survey::read(sources, &Labels::Hashed(Key::random()?), progress)?;
    // Results are read twice: those of a cohort need not fit in memory.
    let find = |(scan, path): (&String, &PathBuf)| {
        Source::find(&survey, &ScanResult::read(scan, path)?, options.series)
    };
    let found: Vec<Source<'_>> = scans.iter().map(find).collect::<Result<_, _>>()?;
    std::fs::create_dir_all(out)
        .map_err(|source| DicomError::Write { path: out.to_owned(), source })?;
    let pairs = scans.iter().zip(&found);
    pairs
        .map(|((scan, path), source)| {
            write_scan(&ScanResult::read(scan, path)?, source, out, options)
        })
        .collect()
}

fn write_scan(
    result: &ScanResult,
    source: &Source<'_>,
    out: &Path,
    options: ExportOptions,
) -> Result<Exported, DicomError> {
    let uids = Uids::new(source, result, options.instances);
    let segmentation = Segmentation::new(source, result, options.instances)?;
    let mut objects: Vec<(Kind, &str, Object)> = Vec::new();
    if !segmentation.is_empty() {
        let object = segmentation.object(source, result, &uids)?;
        objects.push((Kind::Segmentation, "seg", object));
    }
    objects.push((Kind::Report, "sr", report::object(source, result, &segmentation, &uids)));
    if let Some(path) = &result.mosaic {
        objects.push((Kind::Picture, "mosaic", picture::object(path, source, result, &uids)?));
    }
    let maps = maps_of(result, source, &uids, options)?;
    let mut files = Vec::new();
    for (kind, name, object) in objects {
        let path = out.join(format!("{}_{name}.dcm", result.scan));
        write(&path, kind, &uids.instance(kind), &object)?;
        files.push(path);
    }
    for (kind, slices) in maps {
        let folder = out.join(format!("{}_{}", result.scan, kind.name().to_lowercase()));
        std::fs::create_dir_all(&folder)
            .map_err(|source| DicomError::Write { path: folder.clone(), source })?;
        for (n, (instance, object)) in slices.iter().enumerate() {
            let path = folder.join(format!("{:04}.dcm", n + 1));
            write(&path, Kind::Map(kind), instance, object)?;
        }
        files.push(folder);
    }
    Ok(Exported {
        scan: result.scan.clone(),
        series: source.stack.header().series_number,
        lesions: result.rows.len(),
        confirmed: source.confirmed,
        files,
    })
}

/// The slices of a map, with the identifier of each.
type Slices = Vec<(String, Object)>;

fn maps_of(
    result: &ScanResult,
    source: &Source<'_>,
    uids: &Uids,
    options: ExportOptions,
) -> Result<Vec<(MapKind, Slices)>, DicomError> {
    if !options.maps {
        return Ok(Vec::new());
    }
    if result.maps.is_empty() {
        let reason =
            "its results name neither a QSM nor an SWI of raw echoes; export without --maps";
        return Err(DicomError::Results { path: result.path.clone(), reason: reason.to_owned() });
    }
    let of = |(kind, path): &(MapKind, PathBuf)| {
        Ok((*kind, maps::objects(*kind, path, source, result, uids)?))
    };
    result.maps.iter().map(of).collect()
}

fn write(path: &Path, kind: Kind, instance: &str, object: &Object) -> Result<(), DicomError> {
    let bytes = object.file(kind.class(), instance, &common::implementation());
    atomic::write(path, &bytes)
        .map_err(|source| DicomError::Write { path: path.to_owned(), source })
}
