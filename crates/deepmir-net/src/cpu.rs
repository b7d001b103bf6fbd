//! The network on the CPU: deepmir's own kernels, without Burn.

use std::borrow::Cow;
use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use deepmir_kernels::parameters::{Gradients, Parameters, Statistics};
use deepmir_kernels::unet::{self, Step};
use deepmir_kernels::{Activation, Engine, KernelError};

use crate::architecture::Output;
use crate::infer::Network;
use crate::{Architecture, NetError, UNet, Weights};

/// The kernels' engine.
///
/// # Errors
/// If `DEEPMIR_INSTRUCTION_SET` names one that this CPU lacks.
pub fn engine() -> Result<Engine, NetError> {
    Engine::from_environment().map_err(|error| NetError::Config { reason: error.to_string() })
}

fn kernel_architecture(architecture: &Architecture) -> unet::Architecture {
    unet::Architecture {
        inputs: architecture.input_channels,
        widths: architecture.widths.clone(),
        outputs: architecture.output_channels,
        norm_after_concatenation: architecture.norm_after_concatenation,
        epsilon: architecture.norm_epsilon as f32,
    }
}

fn fault(error: KernelError) -> NetError {
    NetError::Weights { reason: error.to_string() }
}

/// A network for inference with its batch norms folded in and its weights packed.
#[derive(Debug)]
pub struct CpuNetwork {
    network: unet::Network,
    engine: Engine,
    activation: Activation,
}

impl CpuNetwork {
    /// Packs weights. Networks that are run in turn can share an engine, and with it its memory.
    ///
    /// # Errors
    /// If the weights are not those of the architecture.
    pub fn new(
        architecture: &Architecture,
        weights: &Weights,
        engine: &Engine,
    ) -> Result<Self, NetError> {
        weights.validate(architecture)?;
        let tensor = |name: &str| weights.0.get(name).map(|t| Cow::Borrowed(t.values.as_slice()));
        let network = unet::Network::new(&kernel_architecture(architecture), tensor);
        let activation = match architecture.output {
            Output::Softmax => Activation::Softmax,
            Output::Sigmoid => Activation::Sigmoid,
        };
        Ok(Self { network: network.map_err(fault)?, engine: engine.clone(), activation })
    }
}

impl Network for CpuNetwork {
    fn probabilities(&mut self, input: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>, NetError> {
        let [batch, _, height, width] = shape;
        let outputs = self.network.architecture().outputs;
        let mut output = vec![0.0; batch * outputs * height * width];
        let size = (batch, height, width);
        self.network
            .run(&self.engine, &input, size, self.activation, &mut output)
            .map_err(fault)?;
        Ok(output)
    }
}

/// The arithmetic of training steps. Burn keeps the weights and takes the optimiser's steps; the
/// passes through the network, where the time goes, are the kernels'. The loss stays Burn's: its
/// gradient at the scores is where the kernels' backward pass begins.
#[derive(Debug)]
pub(crate) struct CpuTraining {
    architecture: unet::Architecture,
    momentum: f32,
    engine: Engine,
    gradients: Gradients,
}

/// What a training step is taken from.
pub(crate) struct Differentiated {
    /// The network, its running statistics updated.
    pub net: UNet,
    /// The loss, without autodiff.
    pub loss: Tensor<1>,
    /// Its gradients at the network's parameters.
    pub gradients: GradientsParams,
}

impl CpuTraining {
    pub(crate) fn new(architecture: &Architecture) -> Result<Self, NetError> {
        Ok(Self {
            architecture: kernel_architecture(architecture),
            momentum: architecture.norm_momentum as f32,
            engine: engine()?,
            gradients: Gradients::default(),
        })
    }

    /// One forward and backward pass of `net`, which lives on a device with autodiff. `input` is
    /// `[batch, channels, height, width]` of `shape`; `loss` takes the scores.
    pub(crate) fn differentiate(
        &mut self,
        net: UNet,
        input: &[f32],
        shape: [usize; 4],
        loss: impl FnOnce(Tensor<4>) -> Tensor<1>,
        device: &Device,
    ) -> Result<Differentiated, NetError> {
        let [batch, _, height, width] = shape;
        let mut tensors = Tensors::default();
        net.visit(&mut tensors);
        let named = tensors.found.iter();
        let parameters: Parameters<'_> =
            named.map(|(name, tensor)| (name.clone(), tensor.values.as_slice())).collect();

        let outputs = self.architecture.outputs;
        let mut scores = vec![0.0; batch * outputs * height * width];
        let size = (batch, height, width);
        let architecture = &self.architecture;
        let step = Step::forward(&self.engine, architecture, &parameters, input, size, &mut scores)
            .map_err(fault)?;

        let data = TensorData::new(scores, [batch, outputs, height, width]);
        let scores = Tensor::<4>::from_data(data, device).require_grad();
        let loss = loss(scores.clone());
        let gradient = match scores.grad(&loss.backward()) {
            Some(gradient) => gradient.into_data().iter::<f32>().collect(),
            None => vec![0.0; batch * outputs * height * width],
        };

        let statistics = step.statistics().clone();
        step.backward(&self.engine, &parameters, &gradient, &mut self.gradients).map_err(fault)?;
        let gradients = self.collect(&tensors, &device.clone().inner());
        let mut update =
            StatisticsUpdate { statistics: &statistics, momentum: self.momentum, path: Vec::new() };
        let net = net.map(&mut update);
        Ok(Differentiated { net, loss: loss.inner(), gradients })
    }

    /// The gradients under the ids that the optimiser knows their parameters by.
    fn collect(&self, tensors: &Tensors, device: &Device) -> GradientsParams {
        let mut collected = GradientsParams::new();
        for (name, values) in &self.gradients.0 {
            let Some(Parameter { id, shape, .. }) = tensors.found.get(name) else { continue };
            let data = TensorData::new(values.clone(), shape.clone());
            if shape.len() == 1 {
                collected.register(*id, Tensor::<1>::from_data(data, device));
            } else {
                collected.register(*id, Tensor::<4>::from_data(data, device));
            }
        }
        collected
    }
}

/// A parameter or running statistic of a Burn module.
struct Parameter {
    id: ParamId,
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// All of them, by path.
#[derive(Default)]
struct Tensors {
    path: Vec<String>,
    found: BTreeMap<String, Parameter>,
}

impl ModuleVisitor for Tensors {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values = tensor.into_data().iter::<f32>().collect();
        self.found.insert(self.path.join("."), Parameter { id: param.id, shape, values });
    }
}

/// Moves running means and variances towards those of a batch.
struct StatisticsUpdate<'a> {
    statistics: &'a Statistics,
    momentum: f32,
    path: Vec<String>,
}

impl ModuleMapper for StatisticsUpdate<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some((statistic, norm)) = self.path.split_last() else { return param };
        let Some(moments) = self.statistics.get(&norm.join(".")) else { return param };
        let of_batch = match statistic.as_str() {
            "running_mean" => &moments.mean,
            "running_var" => &moments.variance,
            _ => return param,
        };
        let momentum = self.momentum;
        param.map(|old| {
            let device = old.device();
            let shape = old.dims();
            let old = old.into_data();
            let values = old.iter::<f32>().zip(of_batch);
            let values: Vec<f32> =
                values.map(|(old, new)| old * (1.0 - momentum) + new * momentum).collect();
            Tensor::from_data(TensorData::new(values, shape), &device)
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::infer::BurnNetwork;
    use crate::train::{LossConfig, loss};

    fn architecture(reference: bool) -> Architecture {
        Architecture {
            input_channels: 4,
            widths: vec![5, 17, 20],
            output_channels: if reference { 1 } else { 3 },
            output: if reference { Output::Sigmoid } else { Output::Softmax },
            norm_after_concatenation: reference,
            norm_epsilon: 1e-3,
            norm_momentum: 0.1,
        }
    }

    /// Waves, different in each channel.
    fn input(shape: [usize; 4]) -> Vec<f32> {
        (0..shape.iter().product())
            .map(|n| (n as f32 * 0.37).sin() + (n % 11) as f32 / 9.)
            .collect()
    }

    fn weights(architecture: &Architecture) -> Weights {
        uneven(Weights::initial(architecture, 7))
    }

    /// Weights whose norms have something to do.
    pub(crate) fn uneven(mut weights: Weights) -> Weights {
        for (name, tensor) in &mut weights.0 {
            for (n, value) in tensor.values.iter_mut().enumerate() {
                if !name.ends_with("weight") {
                    *value += 0.3 * ((n + name.len()) as f32).sin();
                }
            }
        }
        weights
    }

    #[track_caller]
    pub(crate) fn assert_close(got: &[f32], want: &[f32], tolerance: f32, what: &str) {
        assert_eq!(got.len(), want.len(), "{what}");
        let size = want.iter().fold(1e-3_f32, |size, value| size.max(value.abs()));
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() <= tolerance * size, "{what}: {got} for {want}");
        }
    }

    #[test]
    fn probabilities_are_those_of_burn() {
        let shape = [5, 4, 12, 20];
        for reference in [false, true] {
            let architecture = architecture(reference);
            let weights = weights(&architecture);
            let mut ours = CpuNetwork::new(&architecture, &weights, &Engine::new()).unwrap();
            let mut burn = BurnNetwork::new(&architecture, &weights, &Device::flex()).unwrap();
            let ours = ours.probabilities(input(shape), shape).unwrap();
            let burn = burn.probabilities(input(shape), shape).unwrap();
            assert_close(&ours, &burn, 1e-5, "probabilities");
        }
    }

    #[test]
    fn loss_gradients_and_statistics_are_those_of_burn() {
        let shape = [3, 4, 12, 20];
        let device = Device::flex().autodiff();
        let config = LossConfig {
            cross_entropy: 1.0,
            overlap: 1.0,
            false_positive: 0.3,
            false_negative: 0.7,
        };
        for reference in [false, true] {
            let architecture = architecture(reference);
            let weights = weights(&architecture);
            let outputs = architecture.output_channels;
            let of_scores = |scores: Tensor<4>| {
                let area = shape[2] * shape[3];
                let mut targets = vec![0.0; shape[0] * outputs * area];
                for pixel in 0..shape[0] * area {
                    let class = usize::from(pixel % 5 == 0) + usize::from(pixel % 10 == 0);
                    let channel = if outputs == 1 { 0 } else { class };
                    targets[(pixel / area * outputs + channel) * area + pixel % area] =
                        f32::from(outputs > 1 || class > 0);
                }
                let targets = TensorData::new(targets, [shape[0], outputs, shape[2], shape[3]]);
                let targets = Tensor::from_data(targets, &scores.device());
                loss(scores, targets, architecture.output, &config)
            };

            let net = UNet::new(&architecture, &weights, &device).unwrap();
            let mut cpu = CpuTraining::new(&architecture).unwrap();
            let ours = cpu.differentiate(net, &input(shape), shape, of_scores, &device).unwrap();

            let net = UNet::new(&architecture, &weights, &device).unwrap();
            let data = TensorData::new(input(shape), shape);
            let loss = of_scores(net.forward(Tensor::from_data(data, &device)));
            let gradients = GradientsParams::from_grads(loss.backward(), &net);
            let value = f64::from(loss.into_scalar::<f32>());
            let our_value = f64::from(ours.loss.into_scalar::<f32>());
            assert!((our_value - value).abs() < 1e-5, "{our_value} for {value}");

            let (ours_after, burns_after) = (ours.net.weights(), net.weights());
            for (name, tensor) in &burns_after.0 {
                assert_close(&ours_after.0[name].values, &tensor.values, 1e-5, name);
            }
            let mut tensors = Tensors::default();
            net.visit(&mut tensors);
            let mut of_ours = Tensors::default();
            ours.net.visit(&mut of_ours);
            let trained = architecture.tensors().into_iter().filter(|tensor| tensor.trained);
            for name in trained.map(|tensor| tensor.name) {
                let (ours_id, burns_id) = (of_ours.found[&name].id, tensors.found[&name].id);
                let pair = if tensors.found[&name].shape.len() == 1 {
                    let of = |set: &GradientsParams, id| set.get::<1>(id).map(Tensor::into_data);
                    (of(&ours.gradients, ours_id), of(&gradients, burns_id))
                } else {
                    let of = |set: &GradientsParams, id| set.get::<4>(id).map(Tensor::into_data);
                    (of(&ours.gradients, ours_id), of(&gradients, burns_id))
                };
                let values =
                    |data: Option<TensorData>| data.unwrap().try_into_vec::<f32>().unwrap();
                assert_close(&values(pair.0), &values(pair.1), 1e-3, &name);
            }
        }
    }
}
