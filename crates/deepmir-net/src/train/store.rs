//! Prepared subjects on disk, in a form that patches are cut from quickly.
//!
//! One file a subject: for each slice, all its channels as 16-bit floats, then labels. A patch
//! needs a few slices, which lie together, so it is one short read; the operating system keeps what
//! is used often in memory, and a cohort may be larger than memory.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use deepmir_lesion::{LabelMap, LesionClass, lesions_of};
use deepmir_volume::atomic;
use deepmir_volume::components::Connectivity;
use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::{Modality, NetError, Plan, Prepared};

/// How many voxels anywhere in the brain are remembered for sampling.
const BACKGROUND_SITES: usize = 4096;
/// How many dark voxels are remembered as possible mimics.
const MIMIC_SITES: usize = 2048;

/// A lesion's pixels, slice by slice.
#[derive(Clone, Debug, PartialEq)]
pub struct LesionSite {
    /// Its class.
    pub class: LesionClass,
    /// For each slice that it reaches: the slice and the middle of its pixels there.
    pub slices: Vec<(usize, [f64; 2])>,
}

/// A subject on disk, with what sampling needs in memory.
#[derive(Debug)]
pub struct StoredCase {
    /// Its name.
    pub id: String,
    shape: [usize; 3],
    channels: usize,
    path: PathBuf,
    file: Mutex<File>,
    /// Its lesions.
    pub lesions: Vec<LesionSite>,
    /// Dark voxels that are no lesion.
    pub mimics: Vec<[usize; 3]>,
    /// Voxels anywhere in the brain.
    pub brain: Vec<[usize; 3]>,
}

impl StoredCase {
    /// Writes a prepared subject to `path` and keeps its sites.
    ///
    /// # Errors
    /// If the file cannot be written, or the subject has no truth.
    pub fn write(prepared: &Prepared, plan: &Plan, path: &Path) -> Result<Self, NetError> {
        let Some(truth) = &prepared.truth else {
            return Err(NetError::Config {
                reason: format!("{} has no label map to learn from", prepared.id),
            });
        };
        let [nx, ny, nz] = prepared.grid().shape();
        let mut halves = vec![f16::ZERO; nx * ny];
        let fill = |file: &mut BufWriter<&File>| -> std::io::Result<()> {
            for k in 0..nz {
                for image in &prepared.images {
                    halves.convert_from_f32_slice(image.slice(k));
                    let bytes: Vec<u8> =
                        halves.iter().flat_map(|half| half.to_le_bytes()).collect();
                    file.write_all(&bytes)?;
                }
            }
            file.write_all(truth.volume().data())
        };
        let failed = |source| NetError::Write { path: path.to_owned(), source };
        atomic::write_with(path, fill).map_err(failed)?;
        let file =
            File::open(path).map_err(|source| NetError::Read { path: path.to_owned(), source })?;
        Ok(Self {
            id: prepared.id.clone(),
            shape: [nx, ny, nz],
            channels: prepared.images.len(),
            path: path.to_owned(),
            file: Mutex::new(file),
            lesions: lesion_sites(truth),
            mimics: mimic_sites(prepared, truth, plan),
            brain: spread(prepared, |index| prepared.brain.data()[index], BACKGROUND_SITES),
        })
    }

    /// Voxels along each axis.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The channels of `count` slices from `first` on, `[slice][channel][y][x]`.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn slices(&self, first: usize, count: usize) -> Result<Vec<f16>, NetError> {
        let slab = self.channels * self.shape[0] * self.shape[1];
        let bytes = self.read_at((first * slab * 2) as u64, count * slab * 2)?;
        Ok(bytes.as_chunks().0.iter().map(|&raw| f16::from_le_bytes(raw)).collect())
    }

    /// The labels of a slice, `[y][x]`.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn labels(&self, slice: usize) -> Result<Vec<u8>, NetError> {
        let [nx, ny, nz] = self.shape;
        let start = 2 * self.channels * nx * ny * nz + slice * nx * ny;
        self.read_at(start as u64, nx * ny)
    }

    fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, NetError> {
        let mut bytes = vec![0; length];
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|source| NetError::Read { path: self.path.clone(), source })?;
        Ok(bytes)
    }
}

fn lesion_sites(truth: &LabelMap) -> Vec<LesionSite> {
    let lesions = lesions_of(truth, Connectivity::TwentySix);
    let site = |lesion: &deepmir_lesion::Lesion| {
        let mut slices: Vec<(usize, [f64; 2], usize)> = Vec::new();
        for &index in &lesion.voxels {
            let [i, j, k] = truth.grid().voxel(index);
            if slices.last().is_none_or(|last| last.0 != k) {
                slices.push((k, [0.0; 2], 0));
            }
            if let Some((_, sum, count)) = slices.last_mut() {
                sum[0] += i as f64;
                sum[1] += j as f64;
                *count += 1;
            }
        }
        let middle = |(k, sum, count): (usize, [f64; 2], usize)| (k, sum.map(|x| x / count as f64));
        LesionSite { class: lesion.class, slices: slices.into_iter().map(middle).collect() }
    };
    lesions.iter().map(site).collect()
}

/// The darkest voxels of the SWI (of the first image, without one), apart from lesions.
fn mimic_sites(prepared: &Prepared, truth: &LabelMap, plan: &Plan) -> Vec<[usize; 3]> {
    let position = plan.inputs.iter().position(|&input| input == Modality::Swi).unwrap_or(0);
    let Some(image) = prepared.images.get(position) else { return Vec::new() };
    let sign = if plan.inputs.get(position) == Some(&Modality::Qsm) { -1.0 } else { 1.0 };
    let eligible = |index: usize| prepared.brain.data()[index] && truth.class_at(index).is_none();
    let mut values: Vec<f32> = (0..image.data().len())
        .filter(|&index| eligible(index))
        .map(|index| sign * image.data()[index])
        .collect();
    // The darkest fiftieth of the brain: veins, edges, nuclei, calcifications.
    let Some(dark) = deepmir_volume::statistics::quantile(&mut values, 0.02) else {
        return Vec::new();
    };
    spread(prepared, |index| eligible(index) && sign * image.data()[index] <= dark, MIMIC_SITES)
}

/// Up to `most` of the voxels that are wanted, evenly spread over the order of the data.
fn spread(prepared: &Prepared, wanted: impl Fn(usize) -> bool, most: usize) -> Vec<[usize; 3]> {
    let grid = prepared.grid();
    let all: Vec<usize> = (0..grid.len()).filter(|&index| wanted(index)).collect();
    let step = (all.len() as f64 / most as f64).max(1.0);
    let count = (all.len() as f64 / step) as usize;
    (0..count).map(|n| grid.voxel(all[(n as f64 * step) as usize])).collect()
}
