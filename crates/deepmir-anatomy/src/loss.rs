//! The loss of a training step and its gradient.

use deepmir_kernels::{Block, MapMut};
use rayon::prelude::*;

use crate::Tissue;
use crate::network::SIDE;

/// Added to numerator and denominator of each Dice coefficient.
const SMOOTH: f64 = 1.0;
/// Voxels that one thread takes at a time.
const CHUNK: usize = 4096;

/// What a step's scores are worth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Loss {
    /// Cross-entropy of the tissues, plus that of brain against everything else, plus one minus the mean soft Dice of the
    /// tissues that are present, plus the cross-entropy of the side.
    pub total: f64,
    /// Soft Dice of each tissue that is present.
    pub dice: [Option<f64>; Tissue::COUNT],
}

#[derive(Clone, Copy)]
struct Sums {
    /// Of probability times truth, of probability, and of truth, by tissue.
    overlap: [f64; Tissue::COUNT],
    predicted: [f64; Tissue::COUNT],
    present: [f64; Tissue::COUNT],
    cross_entropy: f64,
    side: f64,
    sides: f64,
}

impl Sums {
    const ZERO: Self = Self {
        overlap: [0.0; Tissue::COUNT],
        predicted: [0.0; Tissue::COUNT],
        present: [0.0; Tissue::COUNT],
        cross_entropy: 0.0,
        side: 0.0,
        sides: 0.0,
    };

    fn add(&mut self, other: &Self) {
        for class in 0..Tissue::COUNT {
            self.overlap[class] += other.overlap[class];
            self.predicted[class] += other.predicted[class];
            self.present[class] += other.present[class];
        }
        self.cross_entropy += other.cross_entropy;
        self.side += other.side;
        self.sides += other.sides;
    }
}

/// Computes the loss of `scores` (one block a voxel: the tissues, then the side) and turns them into its gradient.
/// `tissue` has [`Tissue`]s or [`crate::synthesis::IGNORED`], `side` 0 for unknown, 1 for left and 2 for right.
pub(crate) fn loss(mut scores: MapMut<'_>, tissue: &[u8], side: &[u8]) -> Loss {
    let blocks = scores.blocks();
    let truth = || tissue.par_chunks(CHUNK).zip(side.par_chunks(CHUNK));
    // Sums of chunks are added in their order, so that they do not depend on the number of threads.
    let parts: Vec<Sums> = blocks
        .par_chunks_mut(CHUNK)
        .zip(truth())
        .map(|(blocks, (tissue, side))| {
            let mut sums = Sums::ZERO;
            for (block, (&tissue, &side)) in blocks.iter_mut().zip(tissue.iter().zip(side)) {
                to_probabilities(block, tissue, side, &mut sums);
            }
            sums
        })
        .collect();
    let mut sums = Sums::ZERO;
    parts.iter().for_each(|part| sums.add(part));

    let count: f64 = sums.present.iter().sum::<f64>().max(1.0);
    let classes = sums.present.iter().filter(|&&n| n > 0.0).count().max(1) as f64;
    let dice: [Option<f64>; Tissue::COUNT] = std::array::from_fn(|class| {
        let union = sums.predicted[class] + sums.present[class] + SMOOTH;
        (sums.present[class] > 0.0).then(|| (2.0 * sums.overlap[class] + SMOOTH) / union)
    });
    // The gradient of the Dice term at a probability is this where the voxel is of the tissue, and that elsewhere.
    let (mut inside, mut outside) = ([0.0_f32; Tissue::COUNT], [0.0_f32; Tissue::COUNT]);
    for class in 0..Tissue::COUNT {
        let Some(dice) = dice[class] else { continue };
        let union = sums.predicted[class] + sums.present[class] + SMOOTH;
        inside[class] = (-(2.0 - dice) / union / classes) as f32;
        outside[class] = (dice / union / classes) as f32;
    }
    let (per_voxel, per_side) = ((1.0 / count) as f32, (1.0 / sums.sides.max(1.0)) as f32);
    blocks.par_chunks_mut(CHUNK).zip(truth()).for_each(|(blocks, (tissue, side))| {
        for (block, (&tissue, &side)) in blocks.iter_mut().zip(tissue.iter().zip(side)) {
            to_gradient(block, tissue, side, (&inside, &outside), per_voxel, per_side);
        }
    });
    let mean_dice = dice.iter().flatten().sum::<f64>() / classes;
    let total = sums.cross_entropy / count + 1.0 - mean_dice + sums.side / sums.sides.max(1.0);
    Loss { total, dice }
}

/// Softmax over the tissues and the logistic function of the side, in place.
fn to_probabilities(block: &mut Block, tissue: u8, side: u8, sums: &mut Sums) {
    let scores = &mut block.0;
    if side != 0 {
        let right = 1.0 / (1.0 + (-scores[SIDE]).exp());
        let of_truth = if side == 2 { scores[SIDE] } else { -scores[SIDE] };
        // ln(1 + exp(-x)) without overflow.
        sums.side += f64::from((-of_truth).max(0.0) + (-of_truth.abs()).exp().ln_1p());
        sums.sides += 1.0;
        scores[SIDE] = right;
    }
    let truth = usize::from(tissue);
    if truth >= Tissue::COUNT {
        return;
    }
    let of_truth = scores[truth];
    let most = scores[..Tissue::COUNT].iter().copied().fold(f32::MIN, f32::max);
    let mut total = 0.0;
    for score in &mut scores[..Tissue::COUNT] {
        *score = (*score - most).exp();
        total += *score;
    }
    for (score, predicted) in scores.iter_mut().zip(&mut sums.predicted) {
        *score /= total;
        *predicted += f64::from(*score);
    }
    sums.cross_entropy += f64::from(total.ln() + most - of_truth);
    let of_group = Tissue::probability_of_brain(Tissue::ALL[truth].is_brain(), scores);
    sums.cross_entropy -= f64::from(of_group.max(f32::MIN_POSITIVE).ln());
    sums.overlap[truth] += f64::from(scores[truth]);
    sums.present[truth] += 1.0;
}

/// Probabilities to the gradient at the scores, in place.
fn to_gradient(
    block: &mut Block,
    tissue: u8,
    side: u8,
    (inside, outside): (&[f32; Tissue::COUNT], &[f32; Tissue::COUNT]),
    per_voxel: f32,
    per_side: f32,
) {
    let values = &mut block.0;
    values[SIDE] = match side {
        0 => 0.0,
        side => (values[SIDE] - f32::from(side - 1)) * per_side,
    };
    let truth = usize::from(tissue);
    if truth >= Tissue::COUNT {
        values[..Tissue::COUNT].fill(0.0);
        return;
    }
    let mut at: [f32; Tissue::COUNT] = *outside;
    at[truth] = inside[truth];
    let mean: f32 = at.iter().zip(values.iter()).map(|(at, p)| at * p).sum();
    let is_brain = Tissue::ALL[truth].is_brain();
    let of_group = Tissue::probability_of_brain(is_brain, values).max(f32::MIN_POSITIVE);
    for (class, value) in values[..Tissue::COUNT].iter_mut().enumerate() {
        let is_truth = if class == truth { 1.0 } else { 0.0 };
        let in_group =
            if Tissue::ALL[class].is_brain() == is_brain { *value / of_group } else { 0.0 };
        let entropies = 2.0 * *value - is_truth - in_group;
        *value = *value * (at[class] - mean) + entropies * per_voxel;
    }
}
