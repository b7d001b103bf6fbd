//! Against Burn's own three dimensions, and on balls and tubes.

use std::collections::BTreeMap;

use burn::nn::BatchNormConfig;
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::activation::relu;
use burn::tensor::module::conv3d;
use burn::tensor::ops::ConvOptions;
use deepmir_kernels::classifier::Network;

use super::*;
use crate::cpu::tests::{assert_close, uneven};
use crate::preset;

fn architecture() -> Architecture {
    Architecture { inputs: 3, size: [4, 8, 8], widths: vec![5, 18], hidden: 7, outputs: 3 }
}

/// Weights whose norms have something to do.
fn weights_of(architecture: &Architecture) -> Weights {
    uneven(initial(architecture, &mut ChaCha8Rng::seed_from_u64(3)))
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
    fn scores(&self, input: Tensor<5>, architecture: &Architecture, batch: &Batch) -> Tensor<2> {
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
            let in_slices = pool.forward(here.reshape([n, c * z, y, x]));
            let (y, x) = (y / 2, x / 2);
            here = in_slices.reshape([n, c, z, y, x]);
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
        let hidden = relu(linear(features, "hidden")) * fixed(&batch.hidden, architecture.hidden);
        linear(hidden, "scores")
    }
}

#[test]
fn scores_and_gradients_are_those_of_burn_in_three_dimensions() {
    compare_with_burn(&architecture());
    // Halved, sides leave a row or a column over.
    compare_with_burn(&Architecture { size: [4, 6, 10], ..architecture() });
}

fn compare_with_burn(architecture: &Architecture) {
    let weights = weights_of(architecture);
    let (count, [z, y, x]) = (4, architecture.size);
    let drop = |values: usize| (0..values).map(|n| f32::from(u8::from(n % 3 > 0)) * 1.5);
    let batch = Batch {
        input: waves(count * architecture.patch_values(), 0.37),
        outputs: vec![0, 1, 2, 0],
        features: drop(count * architecture.features()).collect(),
        hidden: drop(count * architecture.hidden).collect(),
    };
    let engine = Engine::new();
    let named = weights.0.iter().map(|(name, one)| (name.clone(), one.values.as_slice()));
    let parameters: Parameters<'_> = named.collect();
    let dropout = Some(Dropout { features: &batch.features, hidden: &batch.hidden });
    let input = (batch.input.as_slice(), count);
    let (step, scores) =
        Step::forward(&engine, architecture, EPSILON, &parameters, input, dropout).unwrap();
    let gradient = waves(scores.len(), 1.3);
    let mut gradients = Gradients::default();
    step.backward(&engine, &parameters, &gradient, dropout, &mut gradients).unwrap();

    let reference = Reference::new(&weights);
    let data = TensorData::new(batch.input.clone(), [count, z, 3, y, x]);
    let input = Tensor::<5>::from_data(data, &reference.device).swap_dims(1, 2);
    let wanted = reference.scores(input, architecture, &batch);
    let data = TensorData::new(gradient, [count, 3]);
    let loss = (wanted.clone() * Tensor::from_data(data, &reference.device)).sum();
    let of_burn = loss.backward();
    assert_close(&scores, &wanted.into_data().iter::<f32>().collect::<Vec<_>>(), 1e-4, "scores");
    let trained = architecture.tensors().into_iter().filter(|tensor| tensor.trained);
    for name in trained.map(|tensor| tensor.name) {
        let wanted = reference.tensors[&name].grad(&of_burn).unwrap().into_data();
        let wanted: Vec<f32> = wanted.iter::<f32>().collect();
        assert_close(&gradients.0[&name], &wanted, 2e-3, &name);
    }
}

#[test]
fn running_statistics_of_one_batch_give_the_scores_of_that_batch() {
    let architecture = architecture();
    let mut weights = weights_of(&architecture);
    let input = waves(5 * architecture.patch_values(), 0.61);
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
fn it_learns_to_distinguish_balls_from_tubes() {
    let mut config = preset::deepmir().training.patch_classifier.unwrap();
    (config.steps, config.batch_size, config.dropout) = (60, 16, 0.1);
    (config.size, config.shift) = ([4, 8, 8], [0, 1, 1]);
    let plan = preset::deepmir().plan;
    let architecture = Architecture { inputs: 4, ..architecture() };
    let mut generator = ChaCha8Rng::seed_from_u64(11);
    let mut patch = |tube: bool| {
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
        Patch::cut(&prepared, middle, [4, 10, 10])
    };
    let patches: Vec<(Patch, usize)> = (0..16).map(|n| (patch(n % 2 == 0), n % 2)).collect();
    let examples: Vec<PatchExample<'_>> =
        patches.iter().map(|(patch, output)| PatchExample { patch, output: *output }).collect();
    let weights =
        train(&architecture, &examples, &[vec![1], vec![2]], &config, 1, &mut |_| {}).unwrap();
    let again =
        train(&architecture, &examples, &[vec![1], vec![2]], &config, 1, &mut |_| {}).unwrap();
    assert_eq!(weights, again);
    let network = crate::patch_classifier::network(&architecture, &weights).unwrap();
    for (patch, output) in &patches {
        let input = patch.input(architecture.size, false);
        let scores = network.scores(&Engine::new(), &input, 1).unwrap();
        assert!((scores[1] > scores[0]) == (*output == 1), "{scores:?} for {output}");
    }
    let one_output: Vec<PatchExample<'_>> =
        examples.into_iter().filter(|one| one.output == 0).collect();
    assert!(train(&architecture, &one_output, &[], &config, 1, &mut |_| {}).is_err());
}
