//! The state of a running training: optimiser steps, validations, checkpoints.

use deepmir_detect::operating_point::{self, ValidationSubject};
use deepmir_lesion::{BrainExtent, LabelMap, LesionClass};
use deepmir_volume::atomic;

use super::checkpoint::{Checkpoint, Progress};
use super::engine::{TrainingEngine, TrainingState, engine};
use super::history::Validation;
use super::sampler::Batch;
use super::training::{Event, Training};
use crate::infer::{InferenceOptions, networks, probability_maps};
use crate::optimiser::Moments;
use crate::{NetError, Prepared, Weights};

const CHECKPOINT: &str = "checkpoint.safetensors";
/// Weights of the best validation.
pub(super) const BEST: &str = "best.safetensors";

/// A running training.
pub(super) struct State<'a> {
    training: &'a Training,
    validation: &'a [Prepared],
    engine: Box<dyn TrainingEngine>,
    /// Steps whose losses the engine still holds.
    unread: u64,
    /// The mean loss of the steps read last.
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
        let path = training.output.join(CHECKPOINT);
        let resumed = path.exists();
        let Checkpoint { mut progress, state } = if resumed {
            Checkpoint::read(&path, &training.architecture)?
        } else {
            let weights = match &training.start {
                Some(weights) => weights.clone(),
                None => Weights::initial(&training.architecture, config.seed),
            };
            let average = (config.weight_average > 0.0).then(|| weights.clone());
            let state = TrainingState { weights, moments: Moments::default(), average };
            Checkpoint { progress: Progress::default(), state }
        };
        progress.history.first_candidate = (config.best_after * config.steps as f64) as u64;
        let engine = engine(training, state)?;
        if resumed {
            events(Event::Resumed { step: progress.step });
        }
        Ok(Self { training, validation, engine, unread: 0, loss: None, progress })
    }

    /// Takes one optimiser step. Returns the mean loss of the steps read last.
    pub(super) fn step(&mut self, batch: &Batch) -> Result<f64, NetError> {
        let config = &self.training.config;
        let rate = config.learning_rate_at(self.progress.step);
        self.progress.step += 1;
        // The decay is lower at first, so that initial weights fade quickly.
        let step = self.progress.step as f32;
        let decay = config.weight_average.min((1.0 + step) / (10.0 + step));
        self.engine.step(batch, rate, 1.0 - decay)?;
        self.unread += 1;
        if self.loss.is_none() || self.unread >= self.engine.read_losses_every() {
            self.read_losses()?;
        }
        Ok(self.loss.unwrap_or(f64::NAN))
    }

    fn read_losses(&mut self) -> Result<(), NetError> {
        if self.unread == 0 {
            return Ok(());
        }
        let sum = self.engine.take_losses()?;
        if !sum.is_finite() {
            return Err(NetError::Diverged {
                step: self.progress.step,
                folder: self.training.output.clone(),
            });
        }
        self.loss = Some(sum / self.unread as f64);
        self.progress.loss_sum += sum;
        self.progress.loss_count += self.unread;
        self.unread = 0;
        Ok(())
    }

    /// Validates, stores the weights if they are the best so far, and returns whether they are.
    pub(super) fn validate(&mut self, seconds: f64) -> Result<bool, NetError> {
        self.read_losses()?;
        let weights = self.engine.validated_weights()?;
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
            let unknown = case.unknown.as_ref();
            let extent = extent.as_ref();
            subjects.push(ValidationSubject::new(&maps, truth, unknown, extent, None)?);
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
        self.read_losses()?;
        let checkpoint =
            Checkpoint { progress: self.progress.clone(), state: self.engine.state()? };
        checkpoint.write(&self.training.output.join(CHECKPOINT))
    }
}
