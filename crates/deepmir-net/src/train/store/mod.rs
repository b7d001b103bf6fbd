//! Prepared subjects on disk, in a layout that patches are cut from quickly.
//!
//! One file per subject: a header ([`MAGIC`], shape, number of channels), then all channels of each slice as 16-bit
//! floats, then the labels, whose highest bit marks the brain and the next one what is unknown. The slices of a patch lie together, so that cutting it is
//! one short read. The operating system caches what is used often; a cohort may be larger than memory. Trainings on the
//! same images share the files.

mod cache_key;
mod sites;

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use deepmir_lesion::LabelMap;
use deepmir_volume::{Affine, Grid, atomic};
use half::f16;
use half::slice::HalfFloatSliceExt;

pub(super) use cache_key::stored_name;
pub use sites::LesionSite;

use crate::{NetError, Plan, Prepared};
use sites::{BACKGROUND_SITES, darkness, lesion_sites, mimic_sites, spread};

/// The first bytes of such a file.
const MAGIC: &[u8; 16] = b"deepmir case 3\n\n";
/// Bytes before the first slice: [`MAGIC`], three sides and the number of channels.
const HEADER_BYTES: usize = 32;
/// The bit of a label that marks the brain.
const BRAIN: u8 = 0x80;
/// The label of a voxel of which nobody knows whether it is a lesion, without [`BRAIN`].
pub(super) const UNKNOWN_LABEL: u8 = 0x40;

/// A subject on disk, with the places that sampling needs in memory.
#[derive(Debug)]
pub struct StoredCase {
    /// The subject's name.
    pub id: String,
    shape: [usize; 3],
    channels: usize,
    path: PathBuf,
    file: Mutex<File>,
    /// The lesions.
    pub lesions: Vec<LesionSite>,
    /// Dark voxels outside lesions, of which that is known.
    pub mimics: Vec<[usize; 3]>,
    /// Voxels anywhere in the brain, but where nobody knows whether there is a lesion.
    pub brain: Vec<[usize; 3]>,
}

impl StoredCase {
    /// Writes a prepared subject to `path` and opens it.
    ///
    /// # Errors
    /// If the file cannot be written, or the subject has no label map.
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
            let mut marked: Vec<u8> =
                labels.map(|(label, &inside)| label | if inside { BRAIN } else { 0 }).collect();
            for (label, &unknown) in marked.iter_mut().zip(prepared.unknown_voxels()) {
                *label |= if unknown { UNKNOWN_LABEL } else { 0 };
            }
            file.write_all(&marked)
        };
        atomic::write_with(path, fill)
            .map_err(|source| NetError::Write { path: path.to_owned(), source })?;
        Self::open(&prepared.id, plan, path)?.ok_or_else(|| NetError::Write {
            path: path.to_owned(),
            source: std::io::Error::other("the file differs from what was written"),
        })
    }

    /// Opens a subject that was written before; `None` if there is no such file, or it is incomplete.
    ///
    /// # Errors
    /// If the file exists and cannot be read.
    pub fn open(id: &str, plan: &Plan, path: &Path) -> Result<Option<Self>, NetError> {
        let failed = |source| NetError::Read { path: path.to_owned(), source };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let channels = plan.inputs.len();
        let length = file.metadata().map_err(failed)?.len();
        let mut found = [0; HEADER_BYTES];
        if length < HEADER_BYTES as u64 {
            return Ok(None);
        }
        file.read_exact(&mut found).map_err(failed)?;
        let side = |n: usize| {
            let at = MAGIC.len() + 4 * n;
            u32::from_le_bytes([found[at], found[at + 1], found[at + 2], found[at + 3]]) as usize
        };
        let shape = [side(0), side(1), side(2)];
        let voxels = shape.iter().map(|&side| side as u64).product::<u64>();
        let expected = HEADER_BYTES as u64 + voxels * (2 * channels as u64 + 1);
        if found != header(shape, channels) || length != expected {
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

    /// Finds the places that the sampler draws from.
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
        let brain = |index: usize| marked[index] & (BRAIN | UNKNOWN_LABEL) == BRAIN;
        self.lesions = lesion_sites(&truth);
        self.brain = spread(&grid, brain, BACKGROUND_SITES);
        if self.brain.is_empty() {
            let reason = format!(
                "nothing in the brain of {} is known, so that nothing can be learned from it; leave it out",
                self.id
            );
            return Err(NetError::Config { reason });
        }
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

    /// The labels of a slice, `[y][x]`: 64 where nobody knows.
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

fn header([nx, ny, nz]: [usize; 3], channels: usize) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    for (place, number) in bytes[MAGIC.len()..].chunks_exact_mut(4).zip([nx, ny, nz, channels]) {
        place.copy_from_slice(&(number as u32).to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests;
