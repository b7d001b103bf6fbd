//! From an image of any contrast to a parcellation on its own grid.

mod coarse;
mod consistency;
mod fine;
mod verdict;
mod volumes;

use deepmir_kernels::{Engine, FeatureMap, unet3d};
use deepmir_net::{Precision, Weights};
use deepmir_volume::components::Connectivity;
use deepmir_volume::morphology::{close_mm, fill_holes, largest_component};
use deepmir_volume::{Grid, Mask, Orientation, Volume};
use rayon::prelude::*;

use self::coarse::Coarse;
use crate::network::{architecture_of, parameters};
use crate::{AnatomyError, Side, Tissue};

pub use verdict::{Quality, Verdict};
pub use volumes::StructureVolume;

/// Gaps of the brain mask up to twice this wide are closed: sulci, as the masks of phantoms have them. Millimetres.
const CLOSING_MM: f32 = 3.0;

/// What is more probably brain than this is brain: of 0.3, 0.4 and 0.5, with the best outline on heads that the network
/// learned from.
const BRAIN_PROBABILITY: f32 = 0.4;

/// A trained network.
#[derive(Clone, Debug)]
pub struct AnatomyModel {
    architecture: unet3d::Architecture,
    weights: Weights,
}

/// The parts of a head, on the grid of the image that they were found in.
#[derive(Clone, Debug)]
pub struct Parcellation {
    /// `Tissue as u8`.
    pub tissue: Volume<u8>,
    /// 1 for left and 2 for right where the tissue has sides, 0 elsewhere.
    pub side: Volume<u8>,
    /// Parenchyma, ventricles and the fluid of narrow sulci.
    pub brain: Mask,
    /// The same on voxels of 2 mm in RAS order, to register it and to look up places in.
    pub coarse: CoarseParcellation,
    /// Volumes of the structures.
    pub volumes: Vec<StructureVolume>,
    /// Whether to trust it.
    pub quality: Quality,
}

/// A parcellation on voxels of 2 mm in RAS order.
#[derive(Clone, Debug)]
pub struct CoarseParcellation {
    /// `Tissue as u8`.
    pub tissue: Volume<u8>,
    /// 1 for left and 2 for right where the tissue has sides, 0 elsewhere.
    pub side: Volume<u8>,
}

/// The weights that come with the program.
static SHIPPED: &[u8] = include_bytes!("../../../../models/anatomy.safetensors");

impl AnatomyModel {
    /// The network that comes with the program.
    ///
    /// # Errors
    /// If the weights are damaged.
    pub fn shipped() -> Result<Self, AnatomyError> {
        Self::from_safetensors(SHIPPED)
    }

    /// From trained weights.
    ///
    /// # Errors
    /// If a tensor is missing, left over, of another shape, or not finite.
    pub fn new(weights: Weights) -> Result<Self, AnatomyError> {
        Ok(Self { architecture: architecture_of(&weights)?, weights })
    }

    /// From the bytes of a safetensors file.
    ///
    /// # Errors
    /// If it is none, or [`AnatomyModel::new`] refuses it.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, AnatomyError> {
        Self::new(Weights::from_safetensors(bytes)?)
    }

    /// The bytes of a safetensors file in half precision.
    ///
    /// # Errors
    /// If serialisation fails.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, AnatomyError> {
        Ok(self.weights.to_safetensors(Precision::Half)?)
    }

    /// The parcellation of an image in any orientation, with the skull or without it. Voxels that are not finite count
    /// as zero. Look at [`Quality::verdict`] before using it: any image gives a parcellation, a knee, too.
    ///
    /// # Errors
    /// If the image's voxels are of impossible sizes.
    pub fn parcellate(
        &self,
        engine: &Engine,
        image: &Volume<f32>,
    ) -> Result<Parcellation, AnatomyError> {
        let orientation = Orientation::of(image.grid().affine());
        let coarse = Coarse::of(&orientation.to_ras(image))?;
        let found = self.read(engine, &coarse)?;
        let (tissue, side) = fine::labels(&found, &orientation.grid_to_ras(image.grid()));
        let brain = brain_mask(&tissue);
        let mut quality = Quality::of(&found, &coarse);
        if let Some(turn) = self.better_turn(engine, &coarse, &quality)? {
            quality.verdict = Verdict::Refused(vec![format!(
                "the head is {turn} against its header; correct the header's orientation"
            )]);
        }
        let volumes = volumes::of(&found);
        Ok(Parcellation {
            tissue: orientation.from_ras(&tissue).with_grid(*image.grid())?,
            side: orientation.from_ras(&side).with_grid(*image.grid())?,
            brain: orientation.from_ras(&brain).with_grid(*image.grid())?,
            coarse: found.labels(),
            volumes,
            quality,
        })
    }

    /// How the head lies against its header, where it is recognised that way and not as the header says.
    fn better_turn(
        &self,
        engine: &Engine,
        coarse: &Coarse,
        quality: &Quality,
    ) -> Result<Option<&'static str>, AnatomyError> {
        /// Entropy of a head that is recognised, over that of the head as it lies.
        const CLEARER: f64 = 0.98;
        const TURNS: [([usize; 3], [bool; 3], &str); 5] = [
            ([0, 1, 2], [false, false, true], "upside down"),
            ([0, 1, 2], [false, true, false], "back to front"),
            ([0, 1, 2], [false, true, true], "upside down and back to front"),
            ([0, 2, 1], [false, false, true], "lying on its back or face"),
            ([0, 2, 1], [false, true, false], "lying on its back or face"),
        ];
        if !quality.may_be_turned() {
            return Ok(None);
        }
        let mut best = (CLEARER * quality.entropy, None);
        for (from, flipped, name) in TURNS {
            let turned = coarse.turned(from, flipped)?;
            let found = Quality::of(&self.read(engine, &turned)?, &turned);
            if found.entropy < best.0
                && found.unusual_volumes <= quality.unusual_volumes
                && !matches!(found.verdict, Verdict::Refused(_))
            {
                best = (found.entropy, Some(name));
            }
        }
        Ok(best.1)
    }

    /// The probabilities on the coarse grid, made consistent.
    /// The mean of what the network finds in the image and in its mirror image: what it finds beyond chance is the same on
    /// both sides.
    fn read(&self, engine: &Engine, coarse: &Coarse) -> Result<Probabilities, AnatomyError> {
        let [columns, rows, slices] = coarse.image.shape();
        let parameters = parameters(&self.weights);
        let scores = |image: &[f32]| {
            unet3d::scores(engine, &self.architecture, &parameters, image, [slices, rows, columns])
        };
        let mut found = Probabilities::of(*coarse.image.grid(), &scores(coarse.image.data())?)?;
        let mut mirrored = coarse.image.data().to_vec();
        mirrored.par_chunks_exact_mut(columns).for_each(<[f32]>::reverse);
        let mirrored = Probabilities::of(*coarse.image.grid(), &scores(&mirrored)?)?;
        found.average_with_mirrored(&mirrored);
        drop(mirrored);
        engine.arena().trim();
        consistency::enforce(&mut found);
        Ok(found)
    }
}

/// Probability of each tissue at each voxel, and of the right side against the left.
pub(crate) struct Probabilities {
    /// Sixteen numbers a voxel: the tissues in their order, then the right side.
    pub values: Volume<[f32; 16]>,
}

impl Probabilities {
    fn of(grid: Grid, scores: &FeatureMap) -> Result<Self, AnatomyError> {
        let mut values = vec![[0.0; 16]; grid.len()];
        values.par_iter_mut().zip(scores.par_iter()).for_each(|(values, block)| {
            *values = block.0;
            let tissues = &mut values[..Tissue::COUNT];
            let most = tissues.iter().copied().fold(f32::MIN, f32::max);
            tissues.iter_mut().for_each(|score| *score = (*score - most).exp());
            let total: f32 = tissues.iter().sum();
            tissues.iter_mut().for_each(|score| *score /= total);
            let right = &mut values[crate::network::SIDE];
            *right = 1.0 / (1.0 + (-*right).exp());
        });
        let values = Volume::new(grid, values)?;
        Ok(Self { values })
    }

    /// The mean of these and those of the image mirrored at the middle of its columns.
    fn average_with_mirrored(&mut self, mirrored: &Self) {
        let columns = self.values.shape()[0];
        let rows = self.values.data_mut().par_chunks_exact_mut(columns);
        rows.zip(mirrored.values.data().par_chunks_exact(columns)).for_each(|(row, mirrored)| {
            for (values, mirrored) in row.iter_mut().zip(mirrored.iter().rev()) {
                for (value, mirrored) in values[..Tissue::COUNT].iter_mut().zip(mirrored) {
                    *value = 0.5 * (*value + mirrored);
                }
                let right = &mut values[crate::network::SIDE];
                *right = 0.5 * (*right + 1.0 - mirrored[crate::network::SIDE]);
            }
        });
    }

    /// The most probable tissue, and its side.
    pub(crate) fn labels(&self) -> CoarseParcellation {
        let label = self.values.map(most_probable);
        CoarseParcellation { tissue: label.map(|label| label.0), side: label.map(|label| label.1) }
    }
}

/// The most probable tissue's number and its side: 0 where it has none. Whether it is brain is decided first, by the sum
/// over its tissues: where cortex and white matter are equally probable, fluid may be more probable than either.
pub(crate) fn most_probable(values: &[f32; 16]) -> (u8, u8) {
    let is_brain = Tissue::probability_of_brain(true, values) > BRAIN_PROBABILITY;
    let mut best = 0;
    let mut most = -1.0;
    for (class, value) in values[..Tissue::COUNT].iter().enumerate() {
        if Tissue::ALL[class].is_brain() == is_brain && *value > most {
            (best, most) = (class, *value);
        }
    }
    let side = match Tissue::ALL[best].has_sides() {
        false => 0,
        true => {
            side_number(if values[crate::network::SIDE] > 0.5 { Side::Right } else { Side::Left })
        }
    };
    (best as u8, side)
}

/// 1 for left, 2 for right.
pub(crate) const fn side_number(side: Side) -> u8 {
    match side {
        Side::Left => 1,
        Side::Right => 2,
    }
}

/// The brain mask of a parcellation: in one piece, sulci and holes closed.
pub fn brain_mask(tissue: &Volume<u8>) -> Mask {
    let brain = tissue.map(|&number| {
        Tissue::ALL.get(usize::from(number)).is_some_and(|tissue| tissue.is_brain())
    });
    let whole = largest_component(&brain, Connectivity::Six);
    fill_holes(&close_mm(&whole, CLOSING_MM))
}

#[cfg(test)]
mod tests;
