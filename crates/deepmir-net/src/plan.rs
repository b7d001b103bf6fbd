//! The plan: which images a network takes and how they are preprocessed. It is stored with the model, so that
//! prediction needs no other setting.

use deepmir_cases::{CaseFiles, Modality};
use deepmir_lesion::LesionClass;
use serde::{Deserialize, Serialize};

use crate::NetError;

/// How the values of an image are normalised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Normalisation {
    /// Subtract the median of the brain, divide by its robust standard deviation (interquartile range / 1.349) and clip
    /// to ±`clip`: independent of the scanner's scale and robust to lesions.
    RobustBrain {
        /// Largest absolute value.
        clip: f32,
    },
    /// Subtract the mean of the brain, divide by its standard deviation and clip to ±`clip`, as many networks of others
    /// have it.
    ZScoreBrain {
        /// Largest absolute value.
        clip: f32,
    },
    /// Divide by a fixed number of ppm and clip to ±`clip`: a susceptibility has the same value in every scan.
    FixedScale {
        /// The susceptibility that becomes 1.
        scale_ppm: f32,
        /// Largest absolute value.
        clip: f32,
    },
    /// Subtract the mean of the whole volume and divide by its standard deviation, as in the paper.
    WholeVolume,
}

/// Which images a network takes, how they are preprocessed, and which classes it predicts.
///
/// ```
/// use deepmir_cases::Modality;
/// use deepmir_net::preset;
///
/// let mut plan = preset::deepmir().plan;
/// plan.optional = vec![Modality::Qsm, Modality::T2w];
/// plan.validate()?;
/// assert!(plan.needs(Modality::Swi) && !plan.needs(Modality::Qsm));
/// assert_eq!(plan.missing_modality_subsets().len(), 3);
/// # Ok::<(), deepmir_net::NetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Modalities, in the order of the network's input channels.
    pub inputs: Vec<Modality>,
    /// Inputs that may be missing. A missing modality is zero throughout, as all are outside the brain; training drops
    /// them at random ([`AugmentConfig::missing_chance`](crate::augment::AugmentConfig::missing_chance)).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<Modality>,
    /// Classes that the network predicts, in the order of its outputs.
    pub classes: Vec<LesionClass>,
    /// Neighbouring slices that the network takes at once (odd); it labels the middle one.
    pub context_slices: usize,
    /// Voxel sizes along x, y and z (RAS) that images are resampled to; without, they keep their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voxel_mm: Option<[f64; 3]>,
    /// For each input, how its values are normalised.
    pub normalisation: Vec<Normalisation>,
}

impl Plan {
    /// Number of the network's input channels: for each modality its slices, from bottom to top.
    pub fn input_channels(&self) -> usize {
        self.inputs.len() * self.context_slices
    }

    /// The susceptibility that 1 stands for in the network's input; `None` if that has another zero.
    pub(crate) fn qsm_scale_ppm(&self) -> Option<f32> {
        let place = self.inputs.iter().position(|&input| input == Modality::Qsm)?;
        match self.normalisation.get(place)? {
            Normalisation::FixedScale { scale_ppm, .. } => Some(*scale_ppm),
            Normalisation::RobustBrain { .. }
            | Normalisation::ZScoreBrain { .. }
            | Normalisation::WholeVolume => None,
        }
    }

    /// Whether a modality is an input that must not be missing.
    pub fn needs(&self, modality: Modality) -> bool {
        self.inputs.contains(&modality) && !self.optional.contains(&modality)
    }

    /// The inputs to read of a subject: those that it has and those that must not be missing.
    pub fn inputs_of(&self, files: &CaseFiles) -> Vec<Modality> {
        let read =
            |modality: &Modality| self.needs(*modality) || files.images.contains_key(modality);
        self.inputs.iter().copied().filter(read).collect()
    }

    /// Whether networks of one plan can be used with the other: the plans are the same but for optional inputs.
    pub fn fits(&self, other: &Self) -> bool {
        Self { optional: other.optional.clone(), ..self.clone() } == *other
    }

    /// Every non-empty subset of the optional inputs, as may be missing.
    pub fn missing_modality_subsets(&self) -> Vec<Vec<Modality>> {
        let choice = |bits: usize| {
            let chosen = self.optional.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1);
            chosen.map(|(_, &modality)| modality).collect()
        };
        (1..1 << self.optional.len()).map(choice).collect()
    }

    /// Checks that the plan is consistent.
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
