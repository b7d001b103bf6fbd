//! How a network for a closer look learns.

use burn::module::{Module, Param};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use deepmir_kernels::Engine;
use deepmir_kernels::classifier::{Architecture, Dropout, Step};
use deepmir_kernels::unet::{Gradients, Parameters};
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Normal};

use super::blocks::{Block, Change};
use super::{EPSILON, fault};
use crate::train::CloserLookConfig;
use crate::weights::he_normal;
use crate::{NetError, Weights, weights};

/// A block and what is in its middle: nothing (0) or a lesion of the `n - 1`-th class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Example<'a> {
    pub block: &'a Block,
    pub kind: usize,
}

/// The trained tensors one after another, as one parameter for Burn's optimiser.
#[derive(Module, Debug)]
struct Flat {
    values: Param<Tensor<1>>,
}

/// Weight of a new batch in the running mean and variance.
const MOMENTUM: f32 = 0.1;
/// Share of a batch that lesions are, all kinds together; the rest is nothing.
const LESIONS: f64 = 0.4;

/// Learns to tell kinds. `droppable` are the images that there may not be, by turns left out; `progress` hears of
/// steps done.
///
/// # Errors
/// If nothing or only one kind is there to learn from, or the training diverges.
pub(crate) fn train(
    architecture: &Architecture,
    examples: &[Example<'_>],
    droppable: &[Vec<usize>],
    config: &CloserLookConfig,
    seed: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Weights, NetError> {
    let engine = crate::cpu::engine()?;
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut of_kind: Vec<Vec<Example<'_>>> = vec![Vec::new(); architecture.outputs];
    for example in examples {
        of_kind[example.kind].push(*example);
    }
    if of_kind.iter().filter(|examples| !examples.is_empty()).count() < 2 {
        let reason = "there are not two kinds of candidates for a closer look to learn from";
        return Err(NetError::Config { reason: reason.to_owned() });
    }
    let mut weights = initial(architecture, &mut generator);
    let trained: Vec<(String, Vec<usize>)> = architecture
        .tensors()
        .into_iter()
        .filter(|tensor| tensor.trained)
        .map(|tensor| (tensor.name, tensor.shape))
        .collect();
    let device = Device::flex();
    let values = Tensor::from_data(flat(&weights, &trained), &device.clone().autodiff());
    let mut parameters = Flat { values: Param::from_tensor(values) };
    let mut optimiser = AdamWConfig::new().with_weight_decay(config.weight_decay).init();
    let mut gradients = Gradients::default();
    for step in 0..config.steps {
        let batch = draw(&of_kind, architecture, droppable, config, &mut generator)?;
        let loss =
            differentiate(architecture, &mut weights, &batch, config, &engine, &mut gradients)?;
        if !loss.is_finite() {
            let reason = format!("the loss of the closer look is {loss} at step {step}");
            return Err(NetError::Config { reason });
        }
        let of_all = trained.iter().flat_map(|(name, _)| gradients.0[name].iter().copied());
        let of_all = TensorData::from(of_all.collect::<Vec<f32>>().as_slice());
        let mut registered = GradientsParams::new();
        registered.register(parameters.values.id, Tensor::<1>::from_data(of_all, &device));
        parameters = optimiser.step(config.learning_rate_at(step), parameters, registered);
        let new = parameters.values.val().into_data();
        let mut new = new.iter::<f32>();
        for (name, _) in &trained {
            let Some(tensor) = weights.0.get_mut(name) else { continue };
            tensor.values.iter_mut().zip(&mut new).for_each(|(value, new)| *value = new);
        }
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

fn flat(weights: &Weights, trained: &[(String, Vec<usize>)]) -> TensorData {
    let values = trained.iter().flat_map(|(name, _)| weights.0[name].values.iter().copied());
    TensorData::from(values.collect::<Vec<f32>>().as_slice())
}

struct Batch {
    input: Vec<f32>,
    kinds: Vec<usize>,
    features: Vec<f32>,
    hidden: Vec<f32>,
}

/// Draws a batch and changes each block of it.
fn draw(
    of_kind: &[Vec<Example<'_>>],
    architecture: &Architecture,
    droppable: &[Vec<usize>],
    config: &CloserLookConfig,
    generator: &mut ChaCha8Rng,
) -> Result<Batch, NetError> {
    let (size, count) = (architecture.size, config.batch_size);
    let (mut input, mut kinds) = (Vec::new(), Vec::new());
    let lesions: Vec<Example<'_>> = of_kind[1..].iter().flatten().copied().collect();
    for n in 0..count {
        // A lesion of any kind, as often as there are of it.
        let is_lesion = (n as f64) < LESIONS * count as f64;
        let from = if is_lesion || of_kind[0].is_empty() { &lesions } else { &of_kind[0] };
        let Some(example) = from.choose(generator) else { continue };
        let mut gain: Vec<f32> =
            (0..example.block.images()).map(|_| generator.random_range(0.85..1.15)).collect();
        if !droppable.is_empty() && generator.random_bool(config.shortage) {
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
        let mut block = example.block.changed(size, &change);
        add_noise(&mut block, &change.gain, size, generator);
        input.append(&mut block);
        kinds.push(example.kind);
    }
    let mut keep = |values: usize| -> Vec<f32> {
        let factor = 1.0 / (1.0 - config.dropout as f32);
        let mut drawn = || if generator.random_bool(config.dropout) { 0.0 } else { factor };
        (0..values).map(|_| drawn()).collect()
    };
    let (features, hidden) =
        (keep(kinds.len() * architecture.features()), keep(kinds.len() * architecture.hidden));
    Ok(Batch { input, kinds, features, hidden })
}

/// Noise on the images that there are.
fn add_noise(block: &mut [f32], gain: &[f32], size: [usize; 3], generator: &mut ChaCha8Rng) {
    let deviation = generator.random_range(0.0..0.06_f32);
    let Ok(normal) = Normal::new(0.0, deviation) else { return };
    let area = size[1] * size[2];
    for slice in block.chunks_exact_mut((gain.len() + 1) * area) {
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
    config: &CloserLookConfig,
    engine: &Engine,
    gradients: &mut Gradients,
) -> Result<f64, NetError> {
    let named = weights.0.iter().map(|(name, tensor)| (name.clone(), tensor.values.as_slice()));
    let parameters: Parameters<'_> = named.collect();
    let dropout = Some(Dropout { features: &batch.features, hidden: &batch.hidden });
    let (count, kinds) = (batch.kinds.len(), architecture.outputs);
    let input = (batch.input.as_slice(), count);
    let (step, scores) =
        Step::forward(engine, architecture, EPSILON, &parameters, input, dropout).map_err(fault)?;
    let statistics = step.statistics().clone();
    let (mut loss, mut gradient) = (0.0, Vec::with_capacity(scores.len()));
    for (scores, &kind) in scores.chunks_exact(kinds).zip(&batch.kinds) {
        let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f32> = scores.iter().map(|score| (score - highest).exp()).collect();
        let sum: f32 = powers.iter().sum();
        for (n, power) in powers.iter().enumerate() {
            let smooth = config.label_smoothing / kinds as f32;
            let target = smooth + if n == kind { 1.0 - config.label_smoothing } else { 0.0 };
            let probability = power / sum;
            loss -= f64::from(target) * f64::from(probability.max(1e-12)).ln() / count as f64;
            gradient.push((probability - target) / count as f32);
        }
    }
    step.backward(engine, &parameters, &gradient, dropout, gradients).map_err(fault)?;
    drop(parameters);
    for (norm, moments) in &statistics {
        for (part, new) in [("running_mean", &moments.mean), ("running_var", &moments.variance)] {
            let Some(tensor) = weights.0.get_mut(&format!("{norm}.{part}")) else { continue };
            for (old, new) in tensor.values.iter_mut().zip(new) {
                *old += MOMENTUM * (new - *old);
            }
        }
    }
    Ok(loss)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use burn::nn::BatchNormConfig;
    use burn::nn::pool::MaxPool2dConfig;
    use burn::tensor::activation::relu;
    use burn::tensor::module::conv3d;
    use burn::tensor::ops::ConvOptions;
    use deepmir_kernels::classifier::Network;

    use super::*;
    use crate::preset;

    fn architecture() -> Architecture {
        Architecture { inputs: 3, size: [4, 8, 8], widths: vec![5, 18], hidden: 7, outputs: 3 }
    }

    /// Weights whose norms have something to do.
    fn uneven(architecture: &Architecture) -> Weights {
        let mut weights = initial(architecture, &mut ChaCha8Rng::seed_from_u64(3));
        for (name, tensor) in &mut weights.0 {
            for (n, value) in tensor.values.iter_mut().enumerate() {
                if !name.ends_with("weight") {
                    *value += 0.3 * ((n + name.len()) as f32).sin();
                }
            }
        }
        weights
    }

    fn waves(count: usize, pace: f32) -> Vec<f32> {
        (0..count).map(|n| (n as f32 * pace).sin() + (n % 11) as f32 / 9.0).collect()
    }

    /// The network in Burn's three dimensions.
    struct Reference {
        tensors: BTreeMap<String, Tensor<1>>,
        shapes: BTreeMap<String, Vec<usize>>,
        device: Device,
    }

    impl Reference {
        fn new(weights: &Weights) -> Self {
            let device = Device::flex().autodiff();
            let tensor = |tensor: &weights::Tensor| {
                let data = TensorData::from(tensor.values.as_slice());
                Tensor::<1>::from_data(data, &device).require_grad()
            };
            let tensors = weights.0.iter().map(|(name, one)| (name.clone(), tensor(one)));
            let shapes = weights.0.iter().map(|(name, one)| (name.clone(), one.shape.clone()));
            Self { tensors: tensors.collect(), shapes: shapes.collect(), device: device.clone() }
        }

        /// `[batch, channel, slice, row, column]` in, and with training's statistics out.
        fn scores(
            &self,
            input: Tensor<5>,
            architecture: &Architecture,
            batch: &Batch,
        ) -> Tensor<2> {
            let mut here = input;
            for level in 0..architecture.widths.len() {
                for index in [1, 2] {
                    let name = format!("level.{level}.conv{index}.weight");
                    let shape = &self.shapes[&name];
                    let [to, from] = [shape[0], shape[2]];
                    let kernel = self.tensors[&name].clone().reshape([to, 3, from, 3, 3]);
                    let kernel = kernel.permute([0, 2, 1, 3, 4]);
                    let same = ConvOptions::new([1; 3], [1; 3], [1; 3], 1);
                    here = conv3d(here, kernel, None, same);
                    let norm = BatchNormConfig::new(to).with_epsilon(EPSILON.into());
                    let norm = norm.init(&self.device);
                    let of = |part: &str| {
                        let values = &self.tensors[&format!("level.{level}.norm{index}.{part}")];
                        values.clone().reshape([1, to, 1, 1, 1])
                    };
                    here = relu(norm.forward(here) * of("gamma") + of("beta"));
                }
                let [n, c, z, y, x] = here.dims();
                let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
                let (y, x) = (y / 2, x / 2);
                here =
                    pool.forward(here.reshape([n, c * z, 2 * y, 2 * x])).reshape([n, c, z, y, x]);
                if level > 0 {
                    let pairs: Tensor<5> = here.reshape([n, c, z / 2, 2, y * x]);
                    here = pairs.max_dim(3).reshape([n, c, z / 2, y, x]);
                }
            }
            let n = here.dims()[0];
            // Slices before channels.
            let features = here.swap_dims(1, 2).reshape([n, architecture.features()]);
            let fixed = |values: &[f32], width: usize| {
                let data = TensorData::new(values.to_vec(), [n, width]);
                Tensor::<2>::from_data(data, &self.device)
            };
            let features = features * fixed(&batch.features, architecture.features());
            let linear = |input: Tensor<2>, name: &str| {
                let [to, from] = [0, 1].map(|axis| self.shapes[&format!("{name}.weight")][axis]);
                let weights = self.tensors[&format!("{name}.weight")].clone().reshape([to, from]);
                let bias = self.tensors[&format!("{name}.bias")].clone().reshape([1, to]);
                input.matmul(weights.transpose()) + bias
            };
            let hidden =
                relu(linear(features, "hidden")) * fixed(&batch.hidden, architecture.hidden);
            linear(hidden, "scores")
        }
    }

    #[test]
    fn scores_and_gradients_are_those_of_burn_in_three_dimensions() {
        let architecture = architecture();
        let weights = uneven(&architecture);
        let (count, [z, y, x]) = (4, architecture.size);
        let drop = |values: usize| (0..values).map(|n| f32::from(u8::from(n % 3 > 0)) * 1.5);
        let batch = Batch {
            input: waves(count * architecture.block_values(), 0.37),
            kinds: vec![0, 1, 2, 0],
            features: drop(count * architecture.features()).collect(),
            hidden: drop(count * architecture.hidden).collect(),
        };
        let engine = Engine::new();
        let named = weights.0.iter().map(|(name, one)| (name.clone(), one.values.as_slice()));
        let parameters: Parameters<'_> = named.collect();
        let dropout = Some(Dropout { features: &batch.features, hidden: &batch.hidden });
        let input = (batch.input.as_slice(), count);
        let (step, scores) =
            Step::forward(&engine, &architecture, EPSILON, &parameters, input, dropout).unwrap();
        let gradient = waves(scores.len(), 1.3);
        let mut gradients = Gradients::default();
        step.backward(&engine, &parameters, &gradient, dropout, &mut gradients).unwrap();

        let reference = Reference::new(&weights);
        let data = TensorData::new(batch.input.clone(), [count, z, 3, y, x]);
        let input = Tensor::<5>::from_data(data, &reference.device).swap_dims(1, 2);
        let wanted = reference.scores(input, &architecture, &batch);
        let data = TensorData::new(gradient, [count, 3]);
        let loss = (wanted.clone() * Tensor::from_data(data, &reference.device)).sum();
        let of_burn = loss.backward();
        assert_close(
            &scores,
            &wanted.into_data().iter::<f32>().collect::<Vec<_>>(),
            1e-4,
            "scores",
        );
        let trained = architecture.tensors().into_iter().filter(|tensor| tensor.trained);
        for name in trained.map(|tensor| tensor.name) {
            let wanted = reference.tensors[&name].grad(&of_burn).unwrap().into_data();
            let wanted: Vec<f32> = wanted.iter::<f32>().collect();
            assert_close(&gradients.0[&name], &wanted, 2e-3, &name);
        }
    }

    #[track_caller]
    fn assert_close(got: &[f32], want: &[f32], tolerance: f32, what: &str) {
        assert_eq!(got.len(), want.len(), "{what}");
        let size = want.iter().fold(1e-3_f32, |size, value| size.max(value.abs()));
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() <= tolerance * size, "{what}: {got} for {want}");
        }
    }

    #[test]
    fn running_statistics_of_one_batch_give_the_scores_of_that_batch() {
        let architecture = architecture();
        let mut weights = uneven(&architecture);
        let input = waves(5 * architecture.block_values(), 0.61);
        let engine = Engine::new();
        let named = weights.0.iter().map(|(name, one)| (name.clone(), one.values.as_slice()));
        let parameters: Parameters<'_> = named.collect();
        let (step, in_training) =
            Step::forward(&engine, &architecture, EPSILON, &parameters, (&input, 5), None).unwrap();
        let statistics = step.statistics().clone();
        for (norm, moments) in statistics {
            for (part, values) in [("mean", moments.mean), ("var", moments.variance)] {
                weights.0.get_mut(&format!("{norm}.running_{part}")).unwrap().values = values;
            }
        }
        let tensor = |name: &str| weights.0.get(name).map(|tensor| tensor.values.clone());
        let network = Network::new(&architecture, EPSILON, tensor).unwrap();
        assert_close(&network.scores(&engine, &input, 5).unwrap(), &in_training, 1e-4, "scores");
    }

    #[test]
    fn it_learns_to_tell_balls_from_tubes() {
        let mut config = preset::deepmir().training.closer_look.unwrap();
        (config.steps, config.batch_size, config.dropout) = (60, 16, 0.1);
        (config.size, config.shift) = ([4, 8, 8], [0, 1, 1]);
        let plan = preset::deepmir().plan;
        let architecture = Architecture { inputs: 4, ..architecture() };
        let mut generator = ChaCha8Rng::seed_from_u64(11);
        let mut block = |tube: bool| {
            let mut noise = || generator.random_range(-0.2..0.2_f32);
            let (mut prepared, _) = crate::prepare::tests::prepared_subject(&plan);
            let grid = *prepared.grid();
            let [nx, ny, nz] = grid.shape();
            for image in &mut prepared.images {
                let value = |n: usize| {
                    let [i, j, k] = grid.voxel(n);
                    let across = (i.abs_diff(nx / 2)).max(j.abs_diff(ny / 2));
                    let inside = across <= 1 && (tube || k == nz / 2);
                    if inside { -6.0 } else { 1.0 }
                };
                for n in 0..grid.len() {
                    image.data_mut()[n] = value(n) + noise();
                }
            }
            let middle = grid.position_mm([nx / 2, ny / 2, nz / 2]);
            crate::closer_look::cut(&prepared, middle, [4, 10, 10])
        };
        let blocks: Vec<(Block, usize)> = (0..16).map(|n| (block(n % 2 == 0), n % 2)).collect();
        let examples: Vec<Example<'_>> =
            blocks.iter().map(|(block, kind)| Example { block, kind: *kind }).collect();
        let weights =
            train(&architecture, &examples, &[vec![1], vec![2]], &config, 1, &mut |_| {}).unwrap();
        let again =
            train(&architecture, &examples, &[vec![1], vec![2]], &config, 1, &mut |_| {}).unwrap();
        assert_eq!(weights, again);
        let network = crate::closer_look::network(&architecture, &weights).unwrap();
        for (block, kind) in &blocks {
            let input = block.input(architecture.size, false);
            let scores = network.scores(&Engine::new(), &input, 1).unwrap();
            assert!((scores[1] > scores[0]) == (*kind == 1), "{scores:?} for {kind}");
        }
        let one_kind: Vec<Example<'_>> = examples.into_iter().filter(|one| one.kind == 0).collect();
        assert!(train(&architecture, &one_kind, &[], &config, 1, &mut |_| {}).is_err());
    }
}
