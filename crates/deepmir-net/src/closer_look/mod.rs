//! A closer look at candidates: small 3D networks that see the block of images around each.
//!
//! The U-Net sees a few slices and marks voxels; it is sure of many a vein that it sees across. A network that has
//! the whole surroundings of a candidate before it, and need only say what is in the middle, tells more of them apart
//! (a cascade as that of Dou et al. 2016, whose second stage this is). It learns from the candidates of subjects that
//! the U-Nets did not learn from; what it says is one more measure of the second look's trees.

mod blocks;
mod train;

pub(crate) use blocks::{Block, cut};
pub(crate) use train::{Example, train};

use deepmir_kernels::Engine;
use deepmir_kernels::classifier;
use deepmir_lesion::LesionClass;
use deepmir_lesion::second_look::LogOdds;
use serde::{Deserialize, Serialize};

use crate::bundle::WeightFile;
use crate::{NetError, Plan, Prepared, Weights, cpu};

/// Added to variances in batch normalisation.
const EPSILON: f32 = 1e-5;
/// Blocks taken through a network together.
const BATCH: usize = 32;

/// What a model's networks for a closer look are like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloserLookSettings {
    /// Slices, rows and columns of the block that they see, in the plan's voxels.
    pub size: [usize; 3],
    /// Channels of each level.
    pub widths: Vec<usize>,
    /// Width of the hidden layer.
    pub hidden: usize,
    /// Their weight files, filled in when a model is written.
    #[serde(default)]
    pub weights: Vec<WeightFile>,
}

impl CloserLookSettings {
    /// The network for a plan: its images and the brain in, its classes and nothing out.
    pub(crate) fn architecture(&self, plan: &Plan) -> classifier::Architecture {
        classifier::Architecture {
            inputs: plan.inputs.len() + 1,
            size: self.size,
            widths: self.widths.clone(),
            hidden: self.hidden,
            outputs: plan.classes.len() + 1,
        }
    }

    /// Numbers that training sets, in one network.
    pub fn parameter_count(&self, plan: &Plan) -> usize {
        let tensors = self.architecture(plan).tensors();
        tensors.iter().filter(|tensor| tensor.trained).map(|tensor| tensor.values()).sum()
    }

    /// Why these cannot be followed, whatever the plan; `None` if they can.
    pub(crate) fn fault_of_size(&self) -> Option<String> {
        let Self { size, widths, hidden, .. } = self.clone();
        let fault = classifier::Architecture { inputs: 1, size, widths, hidden, outputs: 1 }
            .validate()
            .err()?;
        Some(format!("closer_look: {fault}"))
    }
}

/// Networks for a closer look, ready to run.
#[derive(Debug)]
pub struct CloserLook {
    networks: Vec<classifier::Network>,
    architecture: classifier::Architecture,
    classes: Vec<LesionClass>,
    engine: Engine,
}

impl CloserLook {
    /// Of one or more networks, whose scores count as their mean.
    ///
    /// # Errors
    /// If the weights are not those of the settings.
    pub fn new(
        settings: &CloserLookSettings,
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

    /// Slices, rows and columns of the block that the networks see.
    pub(crate) fn size(&self) -> [usize; 3] {
        self.architecture.size
    }

    /// To look at places of a prepared subject.
    pub fn at<'a>(&'a self, prepared: &'a Prepared) -> Looking<'a> {
        Looking { look: self, prepared }
    }

    /// Log-odds of each class in the middle of each block, seen as it is and mirrored left to right.
    pub(crate) fn log_odds<'b>(
        &self,
        blocks: impl IntoIterator<Item = &'b Block>,
    ) -> Result<Vec<LogOdds>, NetError> {
        let blocks: Vec<&Block> = blocks.into_iter().collect();
        let kinds = self.architecture.outputs;
        let mut found = Vec::with_capacity(blocks.len());
        for blocks in blocks.chunks(BATCH) {
            let mut sums = vec![0.0; blocks.len() * kinds];
            for mirrored in [false, true] {
                let size = self.architecture.size;
                let input: Vec<f32> =
                    blocks.iter().flat_map(|block| block.input(size, mirrored)).collect();
                for network in &self.networks {
                    let scores = network.scores(&self.engine, &input, blocks.len());
                    let scores = scores.map_err(fault)?;
                    sums.iter_mut().zip(scores).for_each(|(sum, score)| *sum += f64::from(score));
                }
            }
            let share = 1.0 / (2 * self.networks.len().max(1)) as f64;
            for scores in sums.chunks_exact(kinds) {
                let mean: Vec<f64> = scores.iter().map(|sum| sum * share).collect();
                let odds = self.classes.iter().enumerate();
                found.push(odds.map(|(n, &class)| (class, log_odds(&mean, n + 1))).collect());
            }
        }
        Ok(found)
    }
}

/// A closer look at one subject.
#[derive(Debug)]
pub struct Looking<'a> {
    look: &'a CloserLook,
    prepared: &'a Prepared,
}

impl deepmir_lesion::second_look::CloserLook for Looking<'_> {
    fn log_odds(&self, places_mm: &[[f64; 3]]) -> Vec<LogOdds> {
        let size = self.look.architecture.size;
        let cut = |&place: &[f64; 3]| cut(self.prepared, place, size);
        let blocks: Vec<Block> = places_mm.iter().map(cut).collect();
        // Blocks and networks are of one size: nothing can fail.
        self.look.log_odds(&blocks).unwrap_or_default()
    }
}

/// Checks that weights are those of an architecture.
pub(crate) fn check(
    architecture: &classifier::Architecture,
    weights: &Weights,
) -> Result<(), NetError> {
    let wanted = architecture.tensors().into_iter().map(|tensor| (tensor.name, tensor.shape));
    weights.check_tensors(&wanted.collect())
}

/// Checks weights and makes a network of them.
fn network(
    architecture: &classifier::Architecture,
    weights: &Weights,
) -> Result<classifier::Network, NetError> {
    check(architecture, weights)?;
    let tensor = |name: &str| weights.0.get(name).map(|tensor| tensor.values.clone());
    classifier::Network::new(architecture, EPSILON, tensor).map_err(fault)
}

fn fault(error: deepmir_kernels::KernelError) -> NetError {
    NetError::Weights { reason: error.to_string() }
}

/// The log-odds of one of the kinds that scores were given to.
fn log_odds(scores: &[f64], kind: usize) -> f64 {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let others = scores.iter().enumerate().filter(|(other, _)| *other != kind);
    let others: f64 = others.map(|(_, score)| (score - highest).exp()).sum();
    scores[kind] - highest - others.max(1e-30).ln()
}
