//! The way from image files to a network's input, kept with the model so that predicting needs no
//! other setting.

use deepmir_lesion::LesionClass;
use serde::{Deserialize, Serialize};

use deepmir_cases::{CaseFiles, Modality};

use crate::NetError;

/// How an image's values become a network's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Normalisation {
    /// Less the brain's median, over its robust deviation (interquartile range / 1.349), cut off
    /// at ±`clip`: the same for every scanner's scale, and not moved by lesions.
    RobustBrain {
        /// Largest absolute value.
        clip: f32,
    },
    /// Over a fixed number of ppm, cut off at ±`clip`: a susceptibility means the same in every
    /// scan.
    FixedScale {
        /// What becomes 1.
        scale_ppm: f32,
        /// Largest absolute value.
        clip: f32,
    },
    /// Less the mean, over the standard deviation, of the whole volume, as in the paper.
    WholeVolume,
}

/// Which images a network sees, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Modalities, in the order of the network's channels.
    pub inputs: Vec<Modality>,
    /// Those of them that a subject may lack: zeros stand in, as they do outside the brain. Training leaves them
    /// out now and then ([`AugmentConfig::missing_chance`](crate::augment::AugmentConfig::missing_chance)).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<Modality>,
    /// Classes that it predicts, in the order of its outputs.
    pub classes: Vec<LesionClass>,
    /// Neighbouring slices that it sees at once (odd); the middle one is labelled.
    pub context_slices: usize,
    /// Voxel sizes along x, y and z (RAS) that images are resampled to; none keeps their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voxel_mm: Option<[f64; 3]>,
    /// For each input, how its values are normalised.
    pub normalisation: Vec<Normalisation>,
}

impl Plan {
    /// Channels of the network's input: for each modality its slices from bottom to top.
    pub fn input_channels(&self) -> usize {
        self.inputs.len() * self.context_slices
    }

    /// Whether a subject must have it.
    pub fn needs(&self, modality: Modality) -> bool {
        self.inputs.contains(&modality) && !self.optional.contains(&modality)
    }

    /// The inputs to read of a subject: those that it has, and those that it must have.
    pub fn inputs_of(&self, files: &CaseFiles) -> Vec<Modality> {
        let read =
            |modality: &Modality| self.needs(*modality) || files.images.contains_key(modality);
        self.inputs.iter().copied().filter(read).collect()
    }

    /// Whether networks for one can be used for the other: what they see and predict is the same, some images optional or not.
    pub fn fits(&self, other: &Self) -> bool {
        Self { optional: other.optional.clone(), ..self.clone() } == *other
    }

    /// Every subset of the optional inputs that may be missing, but the empty one.
    pub fn missing_modality_subsets(&self) -> Vec<Vec<Modality>> {
        let choice = |bits: usize| {
            let chosen = self.optional.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1);
            chosen.map(|(_, &modality)| modality).collect()
        };
        (1..1 << self.optional.len()).map(choice).collect()
    }

    /// Checks that this plan can be followed.
    ///
    /// # Errors
    /// Naming what contradicts itself.
    pub fn validate(&self) -> Result<(), NetError> {
        let invalid = |reason: String| Err(NetError::Config { reason });
        let twice = |n: usize| self.inputs[..n].contains(&self.inputs[n]);
        if self.inputs.is_empty() || (0..self.inputs.len()).any(twice) {
            return invalid(format!(
                "inputs {:?} must be one or more different modalities",
                self.inputs
            ));
        }
        let unknown =
            |modality: &&Modality| !self.inputs.contains(modality) || **modality == Modality::Swi;
        if let Some(modality) = self.optional.iter().find(unknown) {
            return invalid(format!(
                "{modality} cannot be optional; QSM and T2w can, where they are inputs"
            ));
        }
        if self.optional.len() >= self.inputs.len() {
            return invalid("one of the inputs must be needed, not optional".to_owned());
        }
        let twice = |n: usize| self.classes[..n].contains(&self.classes[n]);
        if self.classes.is_empty() || (0..self.classes.len()).any(twice) {
            return invalid(format!(
                "classes {:?} must be one or more different ones",
                self.classes
            ));
        }
        if self.context_slices.is_multiple_of(2) || self.context_slices > 15 {
            return invalid(format!("context_slices {} must be odd, 1 to 15", self.context_slices));
        }
        if self.normalisation.len() != self.inputs.len() {
            return invalid("each input needs a normalisation".to_owned());
        }
        if self
            .voxel_mm
            .is_some_and(|sizes| sizes.iter().any(|&size| !(0.1..=10.0).contains(&size)))
        {
            return invalid(format!("voxel_mm {:?} must be from 0.1 to 10", self.voxel_mm));
        }
        Ok(())
    }
}
