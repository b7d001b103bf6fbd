//! Training steps on a GPU. Weights, moments and the average stay there: transferring them after each step would take
//! longer than the step.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use super::loss::loss;
use super::unet::UNet;
use crate::architecture::Output;
use crate::optimiser::{AdamW, BETA_1, BETA_2, Factors, Moments};
use crate::train::{Batch, StepSettings, TrainingEngine, TrainingState, UNKNOWN};
use crate::{NetError, Weights};

/// Steps between transfers of the loss. Each stalls the device until the next step is issued.
const READ_EVERY: u64 = 16;

/// A network in training on a Burn device.
pub(super) struct GpuTraining {
    settings: StepSettings,
    /// With autodiff.
    device: Device,
    net: UNet,
    moments: DeviceMoments,
    /// Without autodiff.
    average: Option<UNet>,
    /// The sum of the losses since they were last taken.
    losses: Option<Tensor<1>>,
}

/// [`Moments`] on the device: flattened, by the path of their tensor.
#[derive(Default)]
struct DeviceMoments {
    steps: u64,
    of_tensor: BTreeMap<String, [Tensor<1>; 2]>,
}

impl GpuTraining {
    /// # Errors
    /// If the weights do not fit the architecture.
    pub(super) fn new(
        settings: StepSettings,
        state: TrainingState,
        device: &Device,
    ) -> Result<Self, NetError> {
        let architecture = &settings.architecture;
        let flat = |values: &[f32]| Tensor::<1>::from_data(TensorData::from(values), device);
        let Moments { steps, first, second } = &state.moments;
        let of_tensor = first.iter().filter_map(|(name, first)| {
            Some((name.clone(), [flat(first), flat(second.get(name)?)]))
        });
        let moments = DeviceMoments { steps: *steps, of_tensor: of_tensor.collect() };
        let average = state.average.as_ref();
        let average =
            average.map(|weights| UNet::new(architecture, weights, device)).transpose()?;
        let with_autodiff = device.clone().autodiff();
        let net = UNet::new(architecture, &state.weights, &with_autodiff)?;
        Ok(Self { settings, device: with_autodiff, net, moments, average, losses: None })
    }

    /// One-hot targets `[batch, channels, height, width]`, zero where nothing is known.
    fn targets(&self, batch: &Batch) -> Tensor<4> {
        let [count, _, height, width] = self.settings.input_shape(batch);
        let architecture = &self.settings.architecture;
        let (area, channels) = (width * height, architecture.output_channels);
        let mut targets = vec![0.0; count * channels * area];
        for (n, &class) in batch.targets.iter().enumerate() {
            if class == UNKNOWN {
                continue;
            }
            let (image, pixel) = (n / area, n % area);
            match architecture.output {
                Output::Softmax => {
                    targets[(image * channels + usize::from(class)) * area + pixel] = 1.0;
                }
                Output::Sigmoid => targets[n] = f32::from(class),
            }
        }
        let targets = TensorData::new(targets, [count, channels, height, width]);
        Tensor::from_data(targets, &self.device)
    }

    /// 1 where the class is known, 0 elsewhere, `[batch, 1, height, width]`; `None` if it is everywhere.
    fn known(&self, batch: &Batch) -> Option<Tensor<4>> {
        if !batch.targets.contains(&UNKNOWN) {
            return None;
        }
        let [count, _, height, width] = self.settings.input_shape(batch);
        let known = batch.targets.iter().map(|&class| f32::from(u8::from(class != UNKNOWN)));
        let known = TensorData::new(known.collect::<Vec<f32>>(), [count, 1, height, width]);
        Some(Tensor::from_data(known, &self.device))
    }
}

impl TrainingEngine for GpuTraining {
    fn step(&mut self, batch: &Batch, rate: f64, average_rate: f32) -> Result<(), NetError> {
        let inputs = TensorData::new(batch.inputs.clone(), self.settings.input_shape(batch));
        let scores = self.net.forward(Tensor::from_data(inputs, &self.device));
        let output = self.settings.architecture.output;
        let loss =
            loss(scores, self.targets(batch), self.known(batch), output, &self.settings.loss);
        let gradients = GradientsParams::from_grads(loss.backward(), &self.net);
        let AdamW { epsilon, .. } = self.settings.adamw;
        let factors = self.settings.adamw.factors(rate, self.moments.steps);
        self.moments.steps += 1;
        let moments = &mut self.moments.of_tensor;
        let mut update = Update { factors, epsilon, gradients, moments, path: Vec::new() };
        self.net = self.net.clone().map(&mut update);
        if let Some(average) = &mut self.average {
            self.net.settle_statistics();
            let mut there = Flat::default();
            self.net.valid().visit(&mut there);
            let mut follow = Follow { there: there.0.into_iter(), rate: average_rate };
            *average = average.clone().map(&mut follow);
        }
        let loss = loss.inner();
        self.losses = Some(match self.losses.take() {
            Some(sum) => sum + loss,
            None => loss,
        });
        Ok(())
    }

    fn read_losses_every(&self) -> u64 {
        READ_EVERY
    }

    fn take_losses(&mut self) -> Result<f64, NetError> {
        let Some(sum) = self.losses.take() else { return Ok(0.0) };
        let data = sum.try_into_data();
        let data = data.map_err(|error| NetError::Device { reason: format!("{error:?}") })?;
        Ok(data.iter::<f32>().map(f64::from).sum())
    }

    fn validated_weights(&mut self) -> Result<Weights, NetError> {
        Ok(self.average.as_ref().unwrap_or(&self.net).weights())
    }

    fn state(&mut self) -> Result<TrainingState, NetError> {
        let mut moments = Moments { steps: self.moments.steps, ..Moments::default() };
        for (name, [first, second]) in &self.moments.of_tensor {
            for (tensor, values) in [(first, &mut moments.first), (second, &mut moments.second)] {
                values.insert(name.clone(), tensor.to_data().iter::<f32>().collect());
            }
        }
        let average = self.average.as_ref().map(UNet::weights);
        Ok(TrainingState { weights: self.net.weights(), moments, average })
    }
}

/// A step of AdamW in every tensor that has a gradient.
struct Update<'a> {
    factors: Factors,
    epsilon: f32,
    gradients: GradientsParams,
    moments: &'a mut BTreeMap<String, [Tensor<1>; 2]>,
    path: Vec<String>,
}

impl ModuleMapper for Update<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return param };
        let Factors { kept, rate, correction_1, correction_2 } = self.factors;
        let gradient: Tensor<1> = gradient.reshape([-1]);
        let squared = gradient.clone().square();
        let (first, second) = match self.moments.remove(&self.path.join(".")) {
            Some([first, second]) => (
                first * BETA_1 + gradient * (1.0 - BETA_1),
                second * BETA_2 + squared * (1.0 - BETA_2),
            ),
            None => (gradient * (1.0 - BETA_1), squared * (1.0 - BETA_2)),
        };
        let root = (second.clone() / correction_2).sqrt() + self.epsilon;
        let change = first.clone() / correction_1 / root * rate;
        self.moments.insert(self.path.join("."), [first, second]);
        param.map(|old| {
            let new = old.clone().inner() * kept;
            let change = change.reshape(new.shape());
            Tensor::from_inner(new - change).require_grad()
        })
    }
}

/// Collects tensors, flattened, in the order in which every network of an architecture is visited.
#[derive(Default)]
struct Flat(Vec<Tensor<1>>);

impl ModuleVisitor for Flat {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().reshape([-1]));
    }
}

/// Moves tensors towards collected ones.
struct Follow {
    there: std::vec::IntoIter<Tensor<1>>,
    rate: f32,
}

impl ModuleMapper for Follow {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(there) = self.there.next() else { return param };
        param.map(|here| {
            let there = there.reshape(here.shape());
            here.clone() + (there - here) * self.rate
        })
    }
}
