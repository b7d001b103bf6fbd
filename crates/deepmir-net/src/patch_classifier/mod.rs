//! The patch classifier: small 3D networks that see the patch of images around each candidate.
//!
//! The U-Net segments a few slices at a time and gives many veins in cross-section a high probability. A network that
//! classifies the 3D surroundings of a candidate distinguishes more of them from lesions (the second stage of the cascade
//! of Dou et al. 2016). It is trained on the candidates of subjects that the U-Nets did not learn from; its log-odds are
//! features of the candidate classifier.

mod config;
mod patches;
mod train;

pub use config::PatchClassifierConfig;
pub use patches::{Patch, PatchImages};
pub use train::{PatchExample, train};

use deepmir_detect::{ClassLogOdds, DetectError, PatchScorer};
use deepmir_kernels::Engine;
use deepmir_kernels::classifier;
use deepmir_lesion::LesionClass;
use serde::{Deserialize, Serialize};

use crate::{NetError, Plan, Prepared, WeightFile, Weights, cpu};

/// Added to variances in batch normalisation.
pub(crate) const EPSILON: f32 = 1e-5;
/// Patches in one batch.
const BATCH: usize = 32;

/// The architecture of a patch classifier's networks and their weight files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchClassifierSettings {
    /// Slices, rows and columns of a patch, in the plan's voxels.
    pub size: [usize; 3],
    /// Channels of each level.
    pub widths: Vec<usize>,
    /// Width of the hidden layer.
    pub hidden: usize,
    /// Weight files, one per network, filled in when a model is written.
    #[serde(default)]
    pub weights: Vec<WeightFile>,
}

impl PatchClassifierSettings {
    /// The architecture for a plan. Inputs are its images and the brain mask, outputs "nothing" and its classes.
    pub fn architecture(&self, plan: &Plan) -> classifier::Architecture {
        classifier::Architecture {
            inputs: plan.inputs.len() + 1,
            size: self.size,
            widths: self.widths.clone(),
            hidden: self.hidden,
            outputs: plan.classes.len() + 1,
        }
    }

    /// Number of trained parameters of one network.
    pub fn parameter_count(&self, plan: &Plan) -> usize {
        let tensors = self.architecture(plan).tensors();
        tensors.iter().filter(|tensor| tensor.trained).map(|tensor| tensor.values()).sum()
    }

    /// Checks the settings, whatever the plan.
    ///
    /// # Errors
    /// Naming what is too large, too small or cannot be halved.
    pub fn validate(&self) -> Result<(), NetError> {
        let Self { size, widths, hidden, .. } = self.clone();
        let architecture = classifier::Architecture { inputs: 1, size, widths, hidden, outputs: 1 };
        architecture
            .validate()
            .map_err(|error| NetError::Config { reason: format!("patch_classifier: {error}") })
    }

    /// Checks that weights are those of the network for a plan.
    ///
    /// # Errors
    /// Naming the first tensor that differs.
    pub fn validate_weights(&self, plan: &Plan, weights: &Weights) -> Result<(), NetError> {
        validate(&self.architecture(plan), weights)
    }
}

/// A patch classifier ready to run.
#[derive(Debug)]
pub struct PatchClassifier {
    networks: Vec<classifier::Network>,
    architecture: classifier::Architecture,
    classes: Vec<LesionClass>,
    engine: Engine,
}

impl PatchClassifier {
    /// Opens one or more networks, whose scores are averaged.
    ///
    /// # Errors
    /// If the weights do not fit the settings.
    pub fn new(
        settings: &PatchClassifierSettings,
        plan: &Plan,
        members: &[Weights],
    ) -> Result<Self, NetError> {
        let architecture = settings.architecture(plan);
        let networks = members.iter().map(|weights| network(&architecture, weights));
        Ok(Self {
            networks: networks.collect::<Result<_, _>>()?,
            architecture,
            classes: plan.classes.clone(),
            engine: cpu::engine()?,
        })
    }

    /// Slices, rows and columns of a patch.
    pub fn size(&self) -> [usize; 3] {
        self.architecture.size
    }

    /// Binds the classifier to the images of a prepared subject, to score its candidates.
    pub fn bind<'a>(&'a self, prepared: &'a Prepared) -> BoundPatchClassifier<'a> {
        BoundPatchClassifier { classifier: self, prepared }
    }

    /// Log-odds of each class at the centre of each patch, averaged over the patch and its left–right mirror image.
    ///
    /// # Errors
    /// If a network cannot be run.
    pub fn log_odds<'b>(
        &self,
        patches: impl IntoIterator<Item = &'b Patch>,
    ) -> Result<Vec<ClassLogOdds>, NetError> {
        let patches: Vec<&Patch> = patches.into_iter().collect();
        let outputs = self.architecture.outputs;
        let mut found = Vec::with_capacity(patches.len());
        for patches in patches.chunks(BATCH) {
            let mut sums = vec![0.0; patches.len() * outputs];
            for mirrored in [false, true] {
                let size = self.architecture.size;
                let input: Vec<f32> =
                    patches.iter().flat_map(|patch| patch.input(size, mirrored)).collect();
                for network in &self.networks {
                    let scores = network.scores(&self.engine, &input, patches.len());
                    let scores = scores.map_err(weights_error)?;
                    sums.iter_mut().zip(scores).for_each(|(sum, score)| *sum += f64::from(score));
                }
            }
            let share = 1.0 / (2 * self.networks.len().max(1)) as f64;
            for scores in sums.chunks_exact(outputs) {
                let mean: Vec<f64> = scores.iter().map(|sum| sum * share).collect();
                let odds = self.classes.iter().enumerate();
                found.push(odds.map(|(n, &class)| (class, log_odds(&mean, n + 1))).collect());
            }
        }
        Ok(found)
    }
}

/// A patch classifier bound to the images of one subject.
#[derive(Debug)]
pub struct BoundPatchClassifier<'a> {
    classifier: &'a PatchClassifier,
    prepared: &'a Prepared,
}

impl PatchScorer for BoundPatchClassifier<'_> {
    fn log_odds(&self, centres_mm: &[[f64; 3]]) -> Result<Vec<ClassLogOdds>, DetectError> {
        let size = self.classifier.size();
        let patches: Vec<Patch> =
            centres_mm.iter().map(|&centre| Patch::cut(self.prepared, centre, size)).collect();
        let odds = self.classifier.log_odds(&patches);
        odds.map_err(|error| DetectError::PatchScorer { reason: error.to_string() })
    }
}

/// Checks that weights are those of an architecture.
fn validate(architecture: &classifier::Architecture, weights: &Weights) -> Result<(), NetError> {
    let wanted = architecture.tensors().into_iter().map(|tensor| (tensor.name, tensor.shape));
    weights.validate_tensors(&wanted.collect())
}

/// Checks weights and makes a network of them.
fn network(
    architecture: &classifier::Architecture,
    weights: &Weights,
) -> Result<classifier::Network, NetError> {
    validate(architecture, weights)?;
    let tensor = |name: &str| weights.0.get(name).map(|tensor| tensor.values.clone());
    classifier::Network::new(architecture, EPSILON, tensor).map_err(weights_error)
}

fn weights_error(error: deepmir_kernels::KernelError) -> NetError {
    NetError::Weights { reason: error.to_string() }
}

/// The log-odds of one output, from the scores of all.
fn log_odds(scores: &[f64], output: usize) -> f64 {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let others = scores.iter().enumerate().filter(|(other, _)| *other != output);
    let others: f64 = others.map(|(_, score)| (score - highest).exp()).sum();
    scores[output] - highest - others.max(1e-30).ln()
}
