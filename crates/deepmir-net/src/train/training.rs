//! A training: what is trained, on whom, and what it says of itself.

use std::path::PathBuf;

use deepmir_cases::CaseFiles;
use deepmir_detect::DetectionRule;
use deepmir_volume::nifti::ReadOptions;

use super::history::Validation;
use super::{SyntheticStream, TrainingConfig};
use crate::{Architecture, DeviceChoice, Plan, Weights};

/// What is trained, on whom, and where it is kept.
#[derive(Clone, Debug)]
pub struct Training {
    /// The model's name.
    pub name: String,
    /// What it is trained on, in words, for the model's provenance.
    pub data: String,
    /// From images to input.
    pub plan: Plan,
    /// The network.
    pub architecture: Architecture,
    /// How it is trained.
    pub config: TrainingConfig,
    /// Subjects to learn from.
    pub training: Vec<CaseFiles>,
    /// Others to learn from, of another kind: [`SamplingConfig::extra`] says how often they are
    /// shown.
    ///
    /// [`SamplingConfig::extra`]: super::SamplingConfig::extra
    pub extra_training: Vec<CaseFiles>,
    /// Subjects to choose weights and thresholds on; there may be none if `rule` is given, and then
    /// the last weights are kept.
    pub validation: Vec<CaseFiles>,
    /// Thresholds chosen elsewhere, in place of those that suit the validation subjects best.
    pub rule: Option<DetectionRule>,
    /// Subjects that join the extra_training while training goes on.
    pub synthetic: Option<SyntheticStream>,
    /// Weights to begin with; synthetic ones otherwise.
    pub start: Option<Weights>,
    /// Where checkpoints, tables and the model go.
    pub output: PathBuf,
    /// Where prepared subjects are kept: trainings on the same images may share it.
    pub cache: PathBuf,
    /// Where the arithmetic runs.
    pub device: DeviceChoice,
    /// How images are read.
    pub read: ReadOptions,
}

/// What happens while training, for progress bars and logs.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// Subjects read and prepared so far.
    Prepared {
        /// So many.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// A training goes on after this step.
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
    /// A validation was made.
    Validated {
        /// Its result.
        validation: &'a Validation,
        /// Whether it is the best so far.
        best: bool,
    },
    /// Training ends before its last step.
    StoppedEarly {
        /// Steps done.
        step: u64,
    },
}

/// What a training ends with.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The weights of the best validation.
    pub weights: Weights,
    /// The rule given, or the one chosen there.
    pub rule: DetectionRule,
    /// Steps taken to these weights.
    pub steps: u64,
    /// Lesion F1 on the validation subjects, mean over classes.
    pub validation_f1: f64,
}

/// Name and version of this program.
pub fn program() -> String {
    format!("deepmir {}", env!("CARGO_PKG_VERSION"))
}
