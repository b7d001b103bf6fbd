//! What a training of one network is given, reports and returns.

use std::path::PathBuf;

use deepmir_cases::CaseFiles;
use deepmir_detect::DetectionRule;
use deepmir_volume::Warning;
use deepmir_volume::nifti::ReadOptions;

use super::history::Validation;
use super::{SyntheticStream, TrainingConfig};
use crate::{Architecture, DeviceChoice, Plan, Weights};

/// A training: what is trained, on which subjects, and where its files go. Start it with [`Training::run`].
#[derive(Clone, Debug)]
pub struct Training {
    /// The model's name.
    pub name: String,
    /// A description of the training data, for the model's provenance.
    pub data: String,
    /// From images to input.
    pub plan: Plan,
    /// The network.
    pub architecture: Architecture,
    /// Hyperparameters.
    pub config: TrainingConfig,
    /// Training subjects.
    pub training: Vec<CaseFiles>,
    /// Extra training data from elsewhere; [`SamplingConfig::extra`] is its share of the patches.
    ///
    /// [`SamplingConfig::extra`]: super::SamplingConfig::extra
    pub extra_training: Vec<CaseFiles>,
    /// Subjects that weights and thresholds are chosen on. There may be none if `rule` is given; then the last weights
    /// are kept.
    pub validation: Vec<CaseFiles>,
    /// Thresholds chosen elsewhere, in place of those that are best on the validation subjects.
    pub rule: Option<DetectionRule>,
    /// Synthetic subjects that join the extra training data during the training.
    pub synthetic: Option<SyntheticStream>,
    /// Initial weights; random ones where there are none.
    pub start: Option<Weights>,
    /// The folder of checkpoints, tables and the best weights.
    pub output: PathBuf,
    /// The folder of prepared subjects. Trainings on the same images may share it.
    pub cache: PathBuf,
    /// The device that computes.
    pub device: DeviceChoice,
    /// How images are read.
    pub read: ReadOptions,
}

/// What happens while training, for progress bars and logs.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// Subjects were read and prepared.
    Prepared {
        /// Subjects prepared so far.
        done: usize,
        /// All subjects.
        total: usize,
    },
    /// Something about the subjects that the user must know.
    Noticed(&'a Warning),
    /// The training was resumed from a checkpoint.
    Resumed {
        /// Steps done before.
        step: u64,
    },
    /// A step was taken.
    Step {
        /// Steps done.
        step: u64,
        /// Its loss.
        loss: f64,
    },
    /// The network was validated.
    Validated {
        /// The result.
        validation: &'a Validation,
        /// Whether it is the best so far.
        best: bool,
    },
    /// The training stops before its last step, as validations no longer improve.
    StoppedEarly {
        /// Steps done.
        step: u64,
    },
}

/// The result of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The weights of the best validation.
    pub weights: Weights,
    /// [`Training::rule`] where it was given, else the thresholds chosen at the best validation.
    pub rule: DetectionRule,
    /// Steps taken to these weights.
    pub steps: u64,
    /// Lesion F1 on the validation subjects, mean over classes.
    pub validation_f1: f64,
    /// SHA-256 of the first image (the SWI, where there is one) of each subject that was learned from.
    pub learned_images: Vec<String>,
}

/// Name and version of this program.
pub fn program() -> String {
    format!("deepmir {}", env!("CARGO_PKG_VERSION"))
}
