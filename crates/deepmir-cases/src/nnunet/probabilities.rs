//! The probabilities that `nnUNetv2_predict --save_probabilities` writes: `CASE.npz`, an archive of numpy.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use deepmir_lesion::{LabelMap, LesionClass};
use deepmir_volume::Volume;
use zip::read::ZipArchive;
use zip::result::ZipError;

use super::NnunetLabels;
use crate::CaseError;

/// The array's file in the archive.
const ARRAY: &str = "probabilities.npy";

/// A header is a line of text.
const LONGEST_HEADER: usize = 4096;

/// Rounding of half precision leaves values a little outside of 0 to 1.
const ROUNDING: f32 = 2e-3;

/// Of the voxels that a label map calls lesions; removing lesions after the prediction leaves it at one.
const LEAST_AGREEMENT: f64 = 0.99;

/// Numbers of an array.
#[derive(Clone, Copy)]
enum Precision {
    Half,
    Single,
    Double,
}

/// Reads the probability map of each class. The array is classes × z × y × x, the background first, on the grid of the label
/// map beside it, x fastest: as nnU-Net reads files by SimpleITK, its default, axes are those of the file.
///
/// # Errors
/// No such archive or array; another shape than the label map's; values that are no probabilities; probabilities that
/// are not those of the label map, as of a reader that turns images.
pub fn read_probabilities(
    path: &Path,
    labels: &NnunetLabels,
    label_map: &LabelMap,
) -> Result<Vec<(LesionClass, Volume<f32>)>, CaseError> {
    let fault = |reason: String| CaseError::Nnunet { path: path.to_owned(), reason };
    let failed = |source| CaseError::Read { path: path.to_owned(), source };
    let cut =
        |error: std::io::Error| fault(format!("it cannot be unpacked ({error}); copy it again"));
    let file = BufReader::new(File::open(path).map_err(failed)?);
    let mut archive = ZipArchive::new(file).map_err(|error| match error {
        ZipError::Io(source) => failed(source),
        other => {
            fault(format!("no archive of numpy, or one that was cut ({other}); copy it again"))
        }
    })?;
    let mut array = archive.by_name(ARRAY).map_err(|error| {
        fault(format!(
            "no array `probabilities` can be read ({error}); give what nnUNetv2_predict --save_probabilities wrote"
        ))
    })?;
    let (precision, shape) = header(&mut array).map_err(cut)?.map_err(fault)?;
    let [x, y, z] = label_map.grid().shape();
    let wanted = [labels.classes.len() + 1, z, y, x];
    if shape != wanted {
        return Err(fault(format!(
            "its array is {shape:?} and the label map beside it {wanted:?} (classes × z × y × x); give both of one \
             prediction"
        )));
    }
    let mut maps = Vec::with_capacity(wanted[0]);
    for _ in 0..wanted[0] {
        let mut map = Volume::filled(*label_map.grid(), 0.0_f32);
        for slice in map.data_mut().chunks_exact_mut(x) {
            precision.read(&mut array, slice).map_err(cut)?;
        }
        let strange = |value: &&f32| !(-ROUNDING..=1.0 + ROUNDING).contains(*value);
        if let Some(value) = map.data().iter().find(strange) {
            return Err(fault(format!("{value} is no probability; predict again")));
        }
        maps.push(map);
    }
    let agreement = agreement(&maps, label_map);
    if agreement < LEAST_AGREEMENT {
        return Err(fault(format!(
            "in only {:.0} % of the lesions' voxels the highest probability is that of the label map beside it; give both of \
             one prediction, by nnU-Net's reader SimpleITKIO, which does not turn images",
            100.0 * agreement
        )));
    }
    Ok(labels.classes.iter().copied().zip(maps.into_iter().skip(1)).collect())
}

/// Share of a label map's lesion voxels whose class has the highest probability.
fn agreement(maps: &[Volume<f32>], label_map: &LabelMap) -> f64 {
    let labels = label_map.volume().data();
    let lesions = labels.iter().enumerate().filter(|(_, label)| **label > 0);
    let (mut all, mut same) = (0_usize, 0_usize);
    for (index, &label) in lesions {
        let own = maps.get(usize::from(label)).map_or(0.0, |map| map.data()[index]);
        all += 1;
        same += usize::from(own > 0.0 && maps.iter().all(|map| map.data()[index] <= own));
    }
    if all == 0 { 1.0 } else { same as f64 / all as f64 }
}

/// Precision and shape of an array of numpy, by the header of its file (format 1 to 3).
fn header(array: &mut impl Read) -> std::io::Result<Result<(Precision, Vec<usize>), String>> {
    let mut start = [0; 8];
    array.read_exact(&mut start)?;
    let [.., major, _] = start;
    if !start.starts_with(b"\x93NUMPY") || !(1..=3).contains(&major) {
        return Ok(Err("its array is none of numpy; predict again".to_owned()));
    }
    let length = if major == 1 {
        let mut bytes = [0; 2];
        array.read_exact(&mut bytes)?;
        usize::from(u16::from_le_bytes(bytes))
    } else {
        let mut bytes = [0; 4];
        array.read_exact(&mut bytes)?;
        u32::from_le_bytes(bytes) as usize
    };
    if length > LONGEST_HEADER {
        return Ok(Err("the header of its array is too long; predict again".to_owned()));
    }
    let mut text = vec![0; length];
    array.read_exact(&mut text)?;
    Ok(described(&String::from_utf8_lossy(&text)))
}

/// `{'descr': '<f2', 'fortran_order': False, 'shape': (3, 60, 64, 64), }`.
fn described(text: &str) -> Result<(Precision, Vec<usize>), String> {
    let after =
        |key: &str| text.split_once(key).map(|(_, rest)| rest.trim_start_matches([':', ' ']));
    let refused = || {
        format!(
            "an array {} cannot be read; save floats in C order, as nnU-Net does",
            text.trim().chars().take(80).collect::<String>()
        )
    };
    let precision = match after("'descr'").and_then(|rest| rest.get(..5)) {
        Some("'<f2'") => Precision::Half,
        Some("'<f4'") => Precision::Single,
        Some("'<f8'") => Precision::Double,
        _ => return Err(refused()),
    };
    if !after("'fortran_order'").is_some_and(|rest| rest.starts_with("False")) {
        return Err(refused());
    }
    let shape = after("'shape'").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
    let sides =
        shape.ok_or_else(refused)?.0.split(',').map(str::trim).filter(|side| !side.is_empty());
    let shape: Result<Vec<usize>, _> = sides.map(str::parse).collect();
    shape.map(|shape| (precision, shape)).map_err(|_| refused())
}

impl Precision {
    /// Fills a row of voxels.
    fn read(self, array: &mut impl Read, to: &mut [f32]) -> std::io::Result<()> {
        let size = match self {
            Self::Half => 2,
            Self::Single => 4,
            Self::Double => 8,
        };
        let mut bytes = vec![0; size * to.len()];
        array.read_exact(&mut bytes)?;
        for (to, from) in to.iter_mut().zip(bytes.chunks_exact(size)) {
            *to = match *from {
                [a, b] => half::f16::from_le_bytes([a, b]).to_f32(),
                [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
                [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
                _ => 0.0,
            };
        }
        Ok(())
    }
}
