//! Training steps on the CPU.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use deepmir_kernels::Engine;
use deepmir_kernels::parameters::{Gradients, Parameters, Statistics};
use deepmir_kernels::unet::{self, Step};

use super::{engine, kernel_architecture, weights_error};
use crate::{Architecture, NetError, UNet};

/// Forward and backward passes of training steps on the kernels. Burn holds the weights, computes the loss and takes
/// the optimiser's steps; the gradient of the loss at the scores is where the kernels' backward pass begins.
#[derive(Debug)]
pub(crate) struct CpuTraining {
    architecture: unet::Architecture,
    momentum: f32,
    engine: Engine,
    gradients: Gradients,
}

/// The result of a forward and a backward pass.
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
            .map_err(weights_error)?;

        let data = TensorData::new(scores, [batch, outputs, height, width]);
        let scores = Tensor::<4>::from_data(data, device).require_grad();
        let loss = loss(scores.clone());
        let gradient = match scores.grad(&loss.backward()) {
            Some(gradient) => gradient.into_data().iter::<f32>().collect(),
            None => vec![0.0; batch * outputs * height * width],
        };

        let statistics = step.statistics().clone();
        step.backward(&self.engine, &parameters, &gradient, &mut self.gradients)
            .map_err(weights_error)?;
        let gradients = self.collect(&tensors, &device.clone().inner());
        let mut update =
            StatisticsUpdate { statistics: &statistics, momentum: self.momentum, path: Vec::new() };
        let net = net.map(&mut update);
        Ok(Differentiated { net, loss: loss.inner(), gradients })
    }

    /// The gradients, under the ids by which the optimiser knows their parameters.
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
pub(super) struct Parameter {
    pub id: ParamId,
    pub shape: Vec<usize>,
    values: Vec<f32>,
}

/// All tensors of a module, by path.
#[derive(Default)]
pub(super) struct Tensors {
    path: Vec<String>,
    pub found: BTreeMap<String, Parameter>,
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
