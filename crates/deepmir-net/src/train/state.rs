//! The state of a running training: optimiser steps, validations, checkpoints.

use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use deepmir_detect::operating_point::{self, ValidationSubject};
use deepmir_lesion::{BrainExtent, LabelMap, LesionClass};
use deepmir_volume::atomic;

use super::average::Average;
use super::checkpoint::{Checkpoint, Progress};
use super::history::Validation;
use super::loss;
use super::sampler::Batch;
use super::training::{Event, Training};
use crate::architecture::Output;
use crate::cpu::{CpuTraining, Differentiated};
use crate::infer::{InferenceOptions, networks, probability_maps};
use crate::{NetError, Prepared, UNet, Weights};

const CHECKPOINT: &str = "checkpoint.safetensors";
/// Weights of the best validation.
pub(super) const BEST: &str = "best.safetensors";

/// Steps between transfers of the loss from a device. Each stalls the device until the next step is issued.
const READ_EVERY: u64 = 16;

/// A running training.
pub(super) struct State<'a> {
    training: &'a Training,
    validation: &'a [Prepared],
    /// With autodiff.
    device: Device,
    /// The kernels, where training runs on the CPU.
    cpu: Option<CpuTraining>,
    /// `None` only while the optimiser holds it.
    net: Option<UNet>,
    optimiser: ModuleOptimizer,
    average: Option<Average>,
    /// The sum of losses that are still on the device, and its number of steps.
    unread: Option<(Tensor<1>, u64)>,
    /// The mean loss of the steps transferred last.
    loss: Option<f64>,
    pub progress: Progress,
}

impl<'a> State<'a> {
    /// Starts a training, from the checkpoint in its folder if there is one.
    pub(super) fn begin(
        training: &'a Training,
        validation: &'a [Prepared],
        events: &mut dyn FnMut(Event<'_>),
    ) -> Result<Self, NetError> {
        let config = &training.config;
        let weights = match &training.start {
            Some(weights) => weights.clone(),
            None => Weights::initial(&training.architecture, config.seed),
        };
        let device = training.device.open()?.autodiff();
        let cpu = training.device.is_cpu().then(|| CpuTraining::new(&training.architecture));
        let net = UNet::new(&training.architecture, &weights, &device)?;
        let optimiser =
            AdamWConfig::new().with_weight_decay(config.weight_decay).with_epsilon(1e-7).init();
        let mut state = Self {
            training,
            validation,
            device,
            cpu: cpu.transpose()?,
            net: None,
            optimiser,
            average: None,
            unread: None,
            loss: None,
            progress: Progress::default(),
        };
        let path = training.output.join(CHECKPOINT);
        if path.exists() {
            let checkpoint = Checkpoint::read(&path)?;
            let (net, optimiser) = checkpoint.restore(&path, net, state.optimiser)?;
            (state.net, state.optimiser) = (Some(net), optimiser);
            state.average =
                checkpoint.average.map(|weights| state.averaged(&weights)).transpose()?;
            state.progress = checkpoint.progress;
            events(Event::Resumed { step: state.progress.step });
        } else {
            state.net = Some(net);
            if config.weight_average > 0.0 {
                state.average = Some(state.averaged(&weights)?);
            }
        }
        state.progress.history.first_candidate = (config.best_after * config.steps as f64) as u64;
        Ok(state)
    }

    fn averaged(&self, weights: &Weights) -> Result<Average, NetError> {
        Average::new(&self.training.architecture, weights, &self.device.clone().inner())
    }

    fn net(&self) -> Result<&UNet, NetError> {
        self.net
            .as_ref()
            .ok_or_else(|| NetError::Config { reason: "training was interrupted".to_owned() })
    }

    /// Takes one optimiser step. Returns the mean loss of the steps transferred last.
    pub(super) fn step(&mut self, batch: &Batch) -> Result<f64, NetError> {
        let config = &self.training.config;
        let net = self
            .net
            .take()
            .ok_or_else(|| NetError::Config { reason: "training was interrupted".to_owned() })?;
        let (shape, targets) = self.targets(batch);
        let output = self.training.architecture.output;
        let of_scores = |scores| loss(scores, targets, output, &config.loss);
        let Differentiated { net, loss, gradients } = match &mut self.cpu {
            Some(cpu) => cpu.differentiate(net, &batch.inputs, shape, of_scores, &self.device)?,
            None => {
                let inputs = TensorData::new(batch.inputs.clone(), shape);
                let loss = of_scores(net.forward(Tensor::from_data(inputs, &self.device)));
                let gradients = GradientsParams::from_grads(loss.backward(), &net);
                Differentiated { net, loss: loss.inner(), gradients }
            }
        };
        let rate = config.learning_rate_at(self.progress.step);
        self.net = Some(self.optimiser.step(rate, net, gradients));
        self.progress.step += 1;
        self.update_average()?;
        self.unread = Some(match self.unread.take() {
            Some((sum, count)) => (sum + loss, count + 1),
            None => (loss, 1),
        });
        let every = if self.cpu.is_some() { 1 } else { READ_EVERY };
        if self.loss.is_none() || self.unread.as_ref().is_some_and(|(_, count)| *count == every) {
            self.read_loss()?;
        }
        Ok(self.loss.unwrap_or(f64::NAN))
    }

    /// Transfers the losses from the device.
    fn read_loss(&mut self) -> Result<(), NetError> {
        let Some((sum, count)) = self.unread.take() else { return Ok(()) };
        let sum = f64::from(sum.into_scalar::<f32>());
        if !sum.is_finite() {
            return Err(NetError::Diverged {
                step: self.progress.step,
                folder: self.training.output.clone(),
            });
        }
        self.loss = Some(sum / count as f64);
        self.progress.loss_sum += sum;
        self.progress.loss_count += count;
        Ok(())
    }

    /// The shape of a batch's inputs, and its targets one-hot.
    fn targets(&self, batch: &Batch) -> ([usize; 4], Tensor<4>) {
        let Training { plan, architecture, config, .. } = self.training;
        let [width, height] = config.patch;
        let (area, channels) = (width * height, architecture.output_channels);
        let mut targets = vec![0.0; batch.count * channels * area];
        for (n, &class) in batch.targets.iter().enumerate() {
            let (image, pixel) = (n / area, n % area);
            match architecture.output {
                Output::Softmax => {
                    targets[(image * channels + usize::from(class)) * area + pixel] = 1.0
                }
                Output::Sigmoid => targets[n] = f32::from(class),
            }
        }
        let targets = TensorData::new(targets, [batch.count, channels, height, width]);
        let shape = [batch.count, plan.input_channels(), height, width];
        (shape, Tensor::from_data(targets, &self.device))
    }

    /// Updates the running average of the weights. The decay is lower at first, so that initial weights fade quickly.
    fn update_average(&mut self) -> Result<(), NetError> {
        let Some(mut average) = self.average.take() else { return Ok(()) };
        let step = self.progress.step as f32;
        let decay = self.training.config.weight_average.min((1.0 + step) / (10.0 + step));
        average.follow(self.net()?, 1.0 - decay);
        self.average = Some(average);
        Ok(())
    }

    /// Validates, stores the weights if they are the best so far, and returns whether they are.
    pub(super) fn validate(&mut self, seconds: f64) -> Result<bool, NetError> {
        self.read_loss()?;
        let weights = match &self.average {
            Some(average) => average.weights(),
            None => self.net()?.weights(),
        };
        let Training { plan, architecture, config, output, .. } = self.training;
        let members = std::slice::from_ref(&weights);
        let mut networks = networks(architecture, members, self.training.device)?;
        let options = InferenceOptions::default();
        let mut subjects = Vec::with_capacity(self.validation.len());
        for case in self.validation {
            let maps = probability_maps(
                &mut networks,
                case,
                plan,
                architecture,
                &options,
                &mut |_, _| {},
            )?;
            let nothing = LabelMap::empty(*case.grid());
            let restricted = config.restrict_nhid_to_basal_ganglia;
            let extent = if restricted { BrainExtent::of(&case.brain) } else { None };
            let truth = case.truth.as_ref().unwrap_or(&nothing);
            subjects.push(ValidationSubject::new(&maps, truth, extent.as_ref(), None)?);
        }
        let point = operating_point::choose(&subjects, &plan.classes, config.threshold_beta);
        let progress = &mut self.progress;
        let validation = Validation {
            step: progress.step,
            training_loss: progress.loss_sum / progress.loss_count.max(1) as f64,
            learning_rate: config.learning_rate_at(progress.step.saturating_sub(1)),
            seconds,
            f1: point.mean_f1(),
            average_precision: point.mean_average_precision(),
            class_f1: point
                .f1
                .iter()
                .map(|(class, f1): &(LesionClass, _)| (*class, f1.unwrap_or(-1.0)))
                .collect(),
            rule: point.detection.rule,
        };
        (progress.loss_sum, progress.loss_count) = (0.0, 0);
        progress.history.validations.push(validation);
        let best = progress.history.since_best() == 0;
        let write = |name: &str, bytes: &[u8]| {
            let path = output.join(name);
            atomic::write(&path, bytes).map_err(|source| NetError::Write { path, source })
        };
        if best {
            write(BEST, &weights.to_safetensors(crate::Precision::Single)?)?;
        }
        write("history.tsv", self.progress.history.table().as_bytes())?;
        Ok(best)
    }

    /// Writes a checkpoint.
    pub(super) fn save(&mut self) -> Result<(), NetError> {
        self.read_loss()?;
        let average = self.average.as_ref().map(Average::weights);
        let checkpoint = Checkpoint::take(&self.progress, self.net()?, &self.optimiser, average)?;
        checkpoint.write(&self.training.output.join(CHECKPOINT))
    }
}
