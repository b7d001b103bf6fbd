//! Label maps of whole heads, ready to draw examples from.

use std::collections::BTreeMap;
use std::path::Path;

use deepmir_volume::{BoundingBox, Grid, Orientation, Volume, nifti, resample_labels};

use super::class::{Class, Code};
use crate::{AnatomyError, Tissue};

/// Air kept around a head, in voxels of 1 mm.
const MARGIN_MM: usize = 4;

/// Least volumes of what a whole brain has, in ml.
const NEEDED: [(Tissue, f64); 3] =
    [(Tissue::WhiteMatter, 50.0), (Tissue::Cortex, 50.0), (Tissue::Thalamus, 1.0)];

/// A head on voxels of 1 mm, the axes running to the right, front and top.
#[derive(Clone, Debug)]
pub struct Head {
    shape: [usize; 3],
    /// One [`Code`] a voxel, the first axis running fastest.
    codes: Vec<u8>,
    /// Voxel in the middle of the brain's bounding box.
    centre: [f32; 3],
    /// Whether the lowest slice shows a head that goes on below it.
    cut_below: bool,
}

impl Head {
    /// Reads a label map with the numbers of FreeSurfer or of SynthSeg's training.
    ///
    /// # Errors
    /// If the file cannot be read or [`Head::from_labels`] refuses it.
    pub fn read(path: &Path) -> Result<Self, AnatomyError> {
        let image = nifti::read_integers(path)?;
        Self::from_labels(&image.volume).map_err(|source| AnatomyError::File {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    /// From a label map with the numbers of FreeSurfer or of SynthSeg's training, in any orientation and of any
    /// voxel size.
    ///
    /// # Errors
    /// If numbers are unknown or there is no whole brain.
    pub fn from_labels(labels: &Volume<i32>) -> Result<Self, AnatomyError> {
        let ras = Orientation::of(labels.grid().affine()).to_ras(labels);
        let codes = to_codes(&ras)?;
        let sizes = codes.grid().voxel_sizes_mm();
        let codes = if sizes.iter().all(|size| (size - 1.0).abs() < 1e-3) {
            codes
        } else {
            let fine: Grid = codes.grid().with_spacing([1.0; 3])?;
            resample_labels(&codes, &fine, Code::AIR.0)
        };
        check(&codes)?;
        let inside = codes.map(|&code| code != Code::AIR.0);
        let tight = BoundingBox::around(&inside)
            .ok_or(AnatomyError::NotABrain { tissue: "anything", found_ml: 0.0 })?;
        let cut_below = tight.start()[2] == 0;
        let cropped = codes.crop(&tight.grown([MARGIN_MM; 3], codes.grid()));
        let brain = cropped.map(|&code| is_brain(code));
        let middle = BoundingBox::around(&brain).map_or([0.0; 3], |brain| {
            std::array::from_fn(|axis| (brain.start()[axis] + brain.end()[axis]) as f32 / 2.0 - 0.5)
        });
        let shape = cropped.shape();
        let mut head = Self { shape, codes: cropped.into_data(), centre: middle, cut_below };
        head.refine();
        Ok(head)
    }

    /// Voxels of 1 mm along each axis.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// One [`Code`] a voxel, the first axis running fastest.
    pub fn codes(&self) -> &[u8] {
        &self.codes
    }

    /// The voxel in the middle of the brain's bounding box.
    pub fn centre(&self) -> [f32; 3] {
        self.centre
    }

    /// The code nearest to a place in voxels.
    #[inline]
    pub(super) fn at(&self, place: [f32; 3]) -> u8 {
        let [nx, ny, nz] = self.shape;
        // Rounding without a call: what is cut off is above zero.
        let [x, y, z] = place.map(|value| (value + 1024.5) as i32 - 1024);
        if z < 0 && self.cut_below {
            return Code::UNKNOWN.0;
        }
        let (x, y, z) = (x as u32 as usize, y as u32 as usize, z as u32 as usize);
        if x < nx && y < ny && z < nz { self.codes[x + nx * (y + ny * z)] } else { Code::AIR.0 }
    }

    /// Sets apart what the numbers do not: the dentate nuclei as ellipsoids in the middle of the cerebellum's white
    /// matter, and the lower back of each ventral diencephalon, where the substantia nigra is.
    fn refine(&mut self) {
        /// Half-axes of a dentate nucleus.
        const DENTATE_MM: [f32; 3] = [7.0, 8.0, 5.0];
        for side in [1, 2] {
            let white = Class::CerebellarWhiteMatter as u8 | side << 6;
            let dentate = Class::Dentate as u8 | side << 6;
            self.recolour(white, dentate, |from_centre| {
                (0..3).map(|axis| (from_centre[axis] / DENTATE_MM[axis]).powi(2)).sum::<f32>() < 1.0
            });
            let diencephalon = Class::VentralDiencephalon as u8 | side << 6;
            let nigra = Class::Nigra as u8 | side << 6;
            self.recolour(diencephalon, nigra, |[_, y, z]| z < -1.0 && y < 1.0);
        }
    }

    /// Changes a code where a condition on the place, in mm from the code's centre of mass, holds.
    fn recolour(&mut self, from: u8, to: u8, condition: impl Fn([f32; 3]) -> bool) {
        let [nx, ny, _] = self.shape;
        let place = |index: usize| [index % nx, index / nx % ny, index / (nx * ny)];
        let found: Vec<usize> =
            (0..self.codes.len()).filter(|&index| self.codes[index] == from).collect();
        let mut centre = [0.0; 3];
        for &index in &found {
            let place = place(index);
            (0..3).for_each(|axis| centre[axis] += place[axis] as f64 / found.len() as f64);
        }
        for index in found {
            let place = place(index);
            let from_centre = std::array::from_fn(|axis| place[axis] as f32 - centre[axis] as f32);
            if condition(from_centre) {
                self.codes[index] = to;
            }
        }
    }
}

fn is_brain(code: u8) -> bool {
    Class::ALL[Code(code).class_number()].tissue().is_some_and(Tissue::is_brain)
}

fn to_codes(labels: &Volume<i32>) -> Result<Volume<u8>, AnatomyError> {
    let mut unknown: BTreeMap<i32, usize> = BTreeMap::new();
    let (mut last, mut last_code) = (0, Code::AIR);
    let codes = labels.map(|&number| {
        if number != last {
            last_code = Code::from_freesurfer(number).unwrap_or_else(|| {
                unknown.entry(number).or_default();
                Code::AIR
            });
            last = number;
        }
        last_code.0
    });
    if unknown.is_empty() {
        return Ok(codes);
    }
    let some: Vec<String> = unknown.keys().take(12).map(ToString::to_string).collect();
    let voxels = labels.data().iter().filter(|number| unknown.contains_key(number)).count();
    Err(AnatomyError::UnknownLabels { labels: some.join(", "), voxels })
}

fn check(codes: &Volume<u8>) -> Result<(), AnatomyError> {
    for (tissue, least_ml) in NEEDED {
        let of_tissue =
            |&&code: &&u8| Class::ALL[Code(code).class_number()].tissue() == Some(tissue);
        let found_ml = codes.data().iter().filter(of_tissue).count() as f64 / 1000.0;
        if found_ml < least_ml {
            return Err(AnatomyError::NotABrain { tissue: tissue.name(), found_ml });
        }
    }
    Ok(())
}
