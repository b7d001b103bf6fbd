//! Prepared subjects on disk, in a form that patches are cut from quickly.
//!
//! One file a subject: what it is ([`MAGIC`], shape, channels), then for each slice all its channels as
//! 16-bit floats, then labels, whose highest bit says whether a voxel is brain. A patch needs a few
//! slices, which lie together, so it is one short read; the operating system keeps what is used often
//! in memory, and a cohort may be larger than memory. A file that is there serves other trainings, too.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use deepmir_lesion::{LabelMap, LesionClass, lesions_of};
use deepmir_volume::components::Connectivity;
use deepmir_volume::nifti::ReadOptions;
use deepmir_volume::{Affine, Grid, atomic};
use half::f16;
use half::slice::HalfFloatSliceExt;
use sha2::{Digest, Sha256};

use crate::{NetError, Plan, Prepared};
use deepmir_cases::{CaseFiles, Modality};

/// Raised whenever the same files are prepared otherwise, so that none prepared earlier is taken.
const PREPARATION: u32 = 2;
/// What such a file begins with.
const MAGIC: &[u8; 16] = b"deepmir case 2\n\n";
/// Bytes before the first slice: [`MAGIC`], three sides and the number of channels.
const HEADER_BYTES: usize = 32;
/// The bit of a label that says that a voxel is brain.
const BRAIN: u8 = 0x80;
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
        let shape @ [nx, ny, nz] = prepared.grid().shape();
        let mut halves = vec![f16::ZERO; nx * ny];
        let fill = |file: &mut BufWriter<&File>| -> std::io::Result<()> {
            file.write_all(&header(shape, prepared.images.len()))?;
            for k in 0..nz {
                for image in &prepared.images {
                    halves.convert_from_f32_slice(image.slice(k));
                    let bytes: Vec<u8> =
                        halves.iter().flat_map(|half| half.to_le_bytes()).collect();
                    file.write_all(&bytes)?;
                }
            }
            let labels = truth.volume().data().iter().zip(prepared.brain.data());
            let marked: Vec<u8> =
                labels.map(|(label, &inside)| label | if inside { BRAIN } else { 0 }).collect();
            file.write_all(&marked)
        };
        atomic::write_with(path, fill)
            .map_err(|source| NetError::Write { path: path.to_owned(), source })?;
        Self::open(&prepared.id, plan, path)?.ok_or_else(|| NetError::Write {
            path: path.to_owned(),
            source: std::io::Error::other("what was written is not what is there"),
        })
    }

    /// A subject that was written before; `None` if there is no such file, or it is not whole.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn open(id: &str, plan: &Plan, path: &Path) -> Result<Option<Self>, NetError> {
        let failed = |source| NetError::Read { path: path.to_owned(), source };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let channels = plan.inputs.len();
        let length = file.metadata().map_err(failed)?.len();
        let mut said = [0; HEADER_BYTES];
        if length < HEADER_BYTES as u64 {
            return Ok(None);
        }
        file.read_exact(&mut said).map_err(failed)?;
        let side = |n: usize| {
            let at = MAGIC.len() + 4 * n;
            u32::from_le_bytes([said[at], said[at + 1], said[at + 2], said[at + 3]]) as usize
        };
        let shape = [side(0), side(1), side(2)];
        let voxels = shape.iter().map(|&side| side as u64).product::<u64>();
        let expected = HEADER_BYTES as u64 + voxels * (2 * channels as u64 + 1);
        if said != header(shape, channels) || length != expected {
            return Ok(None);
        }
        let mut case = Self {
            id: id.to_owned(),
            shape,
            channels,
            path: path.to_owned(),
            file: Mutex::new(file),
            lesions: Vec::new(),
            mimics: Vec::new(),
            brain: Vec::new(),
        };
        case.find_sites(plan)?;
        Ok(Some(case))
    }

    /// Finds the places that sampling asks for.
    fn find_sites(&mut self, plan: &Plan) -> Result<(), NetError> {
        let [nx, ny, nz] = self.shape;
        let marked = self.read_at(self.labels_start(), nx * ny * nz)?;
        let grid = Grid::new(self.shape, Affine::from_spacing([1.0; 3], [0.0; 3]))?;
        let mut truth = LabelMap::empty(grid);
        for &class in &plan.classes {
            let label = class.label();
            let voxels = (0..marked.len()).filter(|&n| marked[n] & !BRAIN == label);
            truth.paint(&voxels.collect::<Vec<_>>(), class);
        }
        let brain = |index: usize| marked[index] & BRAIN != 0;
        self.lesions = lesion_sites(&truth);
        self.brain = spread(&grid, brain, BACKGROUND_SITES);
        let (channel, sign) = darkness(plan);
        let mut image = Vec::with_capacity(marked.len());
        for k in 0..nz {
            let slab = self.slices(k, 1)?;
            image.extend(slab[channel * nx * ny..][..nx * ny].iter().map(|v| sign * v.to_f32()));
        }
        self.mimics = mimic_sites(&image, &truth, brain);
        Ok(())
    }

    fn labels_start(&self) -> u64 {
        (HEADER_BYTES + 2 * self.channels * self.shape.iter().product::<usize>()) as u64
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
        let bytes = self.read_at((HEADER_BYTES + first * slab * 2) as u64, count * slab * 2)?;
        Ok(bytes.as_chunks().0.iter().map(|&raw| f16::from_le_bytes(raw)).collect())
    }

    /// The labels of a slice, `[y][x]`.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn labels(&self, slice: usize) -> Result<Vec<u8>, NetError> {
        let area = self.shape[0] * self.shape[1];
        let mut labels = self.read_at(self.labels_start() + (slice * area) as u64, area)?;
        labels.iter_mut().for_each(|label| *label &= !BRAIN);
        Ok(labels)
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

/// The file name of a prepared subject: its own, and a checksum of all that decides what is in it.
/// Images count by path, size and time.
///
/// # Errors
/// If one of its files is not there.
pub(super) fn stored_name(
    case: &CaseFiles,
    plan: &Plan,
    read: &ReadOptions,
) -> Result<String, NetError> {
    let mut hash = Sha256::new();
    let program = format!("{} {PREPARATION}", env!("CARGO_PKG_VERSION"));
    let settings = (&plan.inputs, plan.voxel_mm, &plan.normalisation);
    hash.update(format!("{program} {settings:?} {}", read.nan_to_zero));
    let images = plan.inputs.iter().filter_map(|input| case.images.get(input));
    for path in images.chain(&case.mask).chain(&case.truth) {
        let failed = |source| NetError::Read { path: path.clone(), source };
        let about = path.metadata().map_err(failed)?;
        let changed = about.modified().map_err(failed)?;
        hash.update(format!("{path:?} {} {changed:?}", about.len()));
    }
    let name: String = hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{name}.case", case.id))
}

fn header([nx, ny, nz]: [usize; 3], channels: usize) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    for (place, number) in bytes[MAGIC.len()..].chunks_exact_mut(4).zip([nx, ny, nz, channels]) {
        place.copy_from_slice(&(number as u32).to_le_bytes());
    }
    bytes
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

/// The channel that lesions are dark on, and the sign that makes them so: the SWI, else the first.
fn darkness(plan: &Plan) -> (usize, f32) {
    let channel = plan.inputs.iter().position(|&input| input == Modality::Swi).unwrap_or(0);
    (channel, if plan.inputs.get(channel) == Some(&Modality::Qsm) { -1.0 } else { 1.0 })
}

/// The darkest voxels of an image, apart from lesions.
fn mimic_sites(image: &[f32], truth: &LabelMap, brain: impl Fn(usize) -> bool) -> Vec<[usize; 3]> {
    let eligible = |index: usize| brain(index) && truth.class_at(index).is_none();
    let mut values: Vec<f32> =
        (0..image.len()).filter(|&index| eligible(index)).map(|index| image[index]).collect();
    // The darkest fiftieth of the brain: veins, edges, nuclei, calcifications.
    let Some(dark) = deepmir_volume::statistics::quantile(&mut values, 0.02) else {
        return Vec::new();
    };
    spread(truth.grid(), |index| eligible(index) && image[index] <= dark, MIMIC_SITES)
}

/// Up to `most` of the voxels that are wanted, evenly spread over the order of the data.
fn spread(grid: &Grid, wanted: impl Fn(usize) -> bool, most: usize) -> Vec<[usize; 3]> {
    let all: Vec<usize> = (0..grid.len()).filter(|&index| wanted(index)).collect();
    let step = (all.len() as f64 / most as f64).max(1.0);
    let count = (all.len() as f64 / step) as usize;
    (0..count).map(|n| grid.voxel(all[(n as f64 * step) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::tests::prepared_subject;
    use crate::preset;

    #[test]
    fn what_was_written_opens_the_same_and_what_is_not_whole_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let plan = preset::deepmir().plan;
        let (prepared, _) = prepared_subject(&plan);
        let path = folder.path().join("case");
        assert!(StoredCase::open("sub-01", &plan, &path).unwrap().is_none());
        let written = StoredCase::write(&prepared, &plan, &path).unwrap();
        let opened = StoredCase::open(&prepared.id, &plan, &path).unwrap().unwrap();
        assert_eq!(opened.lesions, written.lesions);
        assert_eq!((&opened.mimics, &opened.brain), (&written.mimics, &written.brain));
        let k = opened.lesions[0].slices[0].0;
        assert_eq!(opened.slices(k, 1).unwrap(), written.slices(k, 1).unwrap());
        let truth = prepared.truth.as_ref().unwrap();
        assert_eq!(opened.labels(k).unwrap(), truth.volume().slice(k));
        for &[i, j, k] in &opened.brain {
            assert!(prepared.brain.data()[prepared.grid().index([i, j, k])]);
        }
        // Of one class, the other's lesions are no lesions.
        let mut single = plan.clone();
        single.classes = vec![LesionClass::Nhid];
        assert_eq!(StoredCase::open("a", &single, &path).unwrap().unwrap().lesions.len(), 1);
        single.inputs.pop();
        assert!(StoredCase::open("a", &single, &path).unwrap().is_none(), "other channels");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(StoredCase::open("a", &plan, &path).unwrap().is_none(), "cut short");
    }
}
