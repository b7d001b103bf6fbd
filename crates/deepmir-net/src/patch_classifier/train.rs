//! Training one network of the patch classifier.

use deepmir_kernels::Engine;
use deepmir_kernels::classifier::{Architecture, Dropout, Step};
use deepmir_kernels::parameters::{Gradients, Parameters};
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Normal};

use super::config::PatchClassifierConfig;
use super::patches::{Change, Patch};
use super::{EPSILON, weights_error};
use crate::cpu::update_statistics;
use crate::optimiser::{AdamW, Moments};
use crate::weights::he_normal;
use crate::{NetError, Weights, weights};

/// A training example: a patch and its label.
#[derive(Clone, Copy, Debug)]
pub struct PatchExample<'a> {
    /// The patch.
    pub patch: &'a Patch,
    /// The correct output of the network: 0 for nothing, `n` for a lesion of the `n`-th class, counted from 1.
    pub output: usize,
    /// Positions of the images that the patch was cut without.
    pub missing: &'a [usize],
}

/// Weight of a new batch in the running mean and variance.
const MOMENTUM: f32 = 0.1;
/// Share of lesions, of all classes together, in a batch; the rest is "nothing".
const LESIONS: f64 = 0.4;

/// Trains one network, from `start` if there is one, else from random weights. `droppable` lists the sets of images, by
/// position, that modality dropout may leave out of patches with all images; `progress` is called with the steps done.
///
/// # Errors
/// If the examples do not have at least two different labels, the training diverges, or `start` is of another
/// architecture.
pub fn train(
    architecture: &Architecture,
    start: Option<&Weights>,
    examples: &[PatchExample<'_>],
    droppable: &[Vec<usize>],
    config: &PatchClassifierConfig,
    seed: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Weights, NetError> {
    let engine = crate::cpu::engine()?;
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut of_output: Vec<Vec<PatchExample<'_>>> = vec![Vec::new(); architecture.outputs];
    for example in examples {
        of_output[example.output].push(*example);
    }
    if of_output.iter().filter(|examples| !examples.is_empty()).count() < 2 {
        let reason =
            "a patch classifier needs candidates of at least two different labels to learn from";
        return Err(NetError::Config { reason: reason.to_owned() });
    }
    let mut weights = initial(architecture, &mut generator);
    if let Some(start) = start {
        start.clone_into(&mut weights);
    }
    let adamw = AdamW { epsilon: 1e-5, weight_decay: config.weight_decay };
    let mut moments = Moments::default();
    let mut gradients = Gradients::default();
    let mut batch = draw(&of_output, architecture, droppable, config, &mut generator)?;
    for step in 0..config.steps {
        // The next batch is drawn in parallel.
        let (next, loss) = rayon::join(
            || draw(&of_output, architecture, droppable, config, &mut generator),
            || differentiate(architecture, &mut weights, &batch, config, &engine, &mut gradients),
        );
        let loss = loss?;
        if !loss.is_finite() {
            let reason = format!("the loss of the patch classifier is {loss} at step {step}");
            return Err(NetError::Config { reason });
        }
        adamw.step(config.learning_rate_at(step), &mut weights, &gradients, &mut moments);
        batch = next?;
        progress(step + 1);
    }
    Ok(weights)
}

/// He-normal kernels, zero biases, unit normalisation.
fn initial(architecture: &Architecture, generator: &mut ChaCha8Rng) -> Weights {
    let tensors = architecture.tensors().into_iter().map(|tensor| {
        let (count, name) = (tensor.values(), tensor.name);
        let values = if name.ends_with("weight") {
            he_normal(tensor.shape[1..].iter().product(), count, generator)
        } else {
            let one = name.ends_with("gamma") || name.ends_with("running_var");
            vec![f32::from(u8::from(one)); count]
        };
        (name, weights::Tensor { shape: tensor.shape, values })
    });
    Weights(tensors.collect())
}

struct Batch {
    input: Vec<f32>,
    outputs: Vec<usize>,
    features: Vec<f32>,
    hidden: Vec<f32>,
}

/// Draws a batch and augments each patch of it.
fn draw(
    of_output: &[Vec<PatchExample<'_>>],
    architecture: &Architecture,
    droppable: &[Vec<usize>],
    config: &PatchClassifierConfig,
    generator: &mut ChaCha8Rng,
) -> Result<Batch, NetError> {
    let (size, count) = (architecture.size, config.batch_size);
    let (mut input, mut outputs) = (Vec::new(), Vec::new());
    let lesions: Vec<PatchExample<'_>> = of_output[1..].iter().flatten().copied().collect();
    for n in 0..count {
        // Lesions are drawn uniformly, so that classes keep their shares.
        let is_lesion = (n as f64) < LESIONS * count as f64;
        let from = if is_lesion || of_output[0].is_empty() { &lesions } else { &of_output[0] };
        let Some(example) = from.choose(generator) else { continue };
        let mut gain: Vec<f32> =
            (0..example.patch.images()).map(|_| generator.random_range(0.85..1.15)).collect();
        example.missing.iter().for_each(|&image| gain[image] = 0.0);
        if example.missing.is_empty()
            && !droppable.is_empty()
            && generator.random_bool(config.modality_dropout)
        {
            let missing = droppable.choose(generator).into_iter().flatten();
            missing.for_each(|&image| gain[image] = 0.0);
        }
        let [z, y, x] = config.shift.map(|most| most as i64);
        let change = Change {
            shift: [z, y, x].map(|most| generator.random_range(-most..=most) as isize),
            mirrored: std::array::from_fn(|_| generator.random_bool(0.5)),
            transposed: size[1] == size[2] && generator.random_bool(0.5),
            gain,
        };
        let mut patch = example.patch.changed(size, &change);
        add_noise(&mut patch, &change.gain, size, generator);
        input.append(&mut patch);
        outputs.push(example.output);
    }
    let mut keep = |values: usize| -> Vec<f32> {
        let factor = 1.0 / (1.0 - config.dropout as f32);
        let mut drawn = || if generator.random_bool(config.dropout) { 0.0 } else { factor };
        (0..values).map(|_| drawn()).collect()
    };
    let (features, hidden) =
        (keep(outputs.len() * architecture.features()), keep(outputs.len() * architecture.hidden));
    Ok(Batch { input, outputs, features, hidden })
}

/// Adds Gaussian noise to the images that are not left out.
fn add_noise(patch: &mut [f32], gain: &[f32], size: [usize; 3], generator: &mut ChaCha8Rng) {
    let deviation = generator.random_range(0.0..0.06_f32);
    let Ok(normal) = Normal::new(0.0, deviation) else { return };
    let area = size[1] * size[2];
    for slice in patch.chunks_exact_mut((gain.len() + 1) * area) {
        for (plane, &gain) in slice.chunks_exact_mut(area).zip(gain) {
            if gain != 0.0 {
                plane.iter_mut().for_each(|value| *value += normal.sample(generator));
            }
        }
    }
}

/// One forward and backward pass: gradients of the mean cross-entropy with smoothed labels (Szegedy et al. 2016),
/// and running statistics that follow those of the batch. Returns the loss.
fn differentiate(
    architecture: &Architecture,
    weights: &mut Weights,
    batch: &Batch,
    config: &PatchClassifierConfig,
    engine: &Engine,
    gradients: &mut Gradients,
) -> Result<f64, NetError> {
    let named = weights.0.iter().map(|(name, tensor)| (name.clone(), tensor.values.as_slice()));
    let parameters: Parameters<'_> = named.collect();
    let dropout = Some(Dropout { features: &batch.features, hidden: &batch.hidden });
    let (count, outputs) = (batch.outputs.len(), architecture.outputs);
    let input = (batch.input.as_slice(), count);
    let (step, scores) = Step::forward(engine, architecture, EPSILON, &parameters, input, dropout)
        .map_err(weights_error)?;
    let statistics = step.statistics().clone();
    let (mut loss, mut gradient) = (0.0, Vec::with_capacity(scores.len()));
    for (scores, &output) in scores.chunks_exact(outputs).zip(&batch.outputs) {
        let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f32> = scores.iter().map(|score| (score - highest).exp()).collect();
        let sum: f32 = powers.iter().sum();
        for (n, power) in powers.iter().enumerate() {
            let smooth = config.label_smoothing / outputs as f32;
            let target = smooth + if n == output { 1.0 - config.label_smoothing } else { 0.0 };
            let probability = power / sum;
            loss -= f64::from(target) * f64::from(probability.max(1e-12)).ln() / count as f64;
            gradient.push((probability - target) / count as f32);
        }
    }
    step.backward(engine, &parameters, &gradient, dropout, gradients).map_err(weights_error)?;
    drop(parameters);
    update_statistics(weights, &statistics, MOMENTUM);
    Ok(loss)
}

#[cfg(test)]
mod tests;
