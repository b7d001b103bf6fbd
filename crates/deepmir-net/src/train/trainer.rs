//! The training loop.

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use deepmir_lesion::operating_point::{self, ValidationSubject};
use deepmir_lesion::{LabelMap, LesionClass};
use deepmir_volume::atomic;
use deepmir_volume::nifti::ReadOptions;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, Progress};
use super::history::Validation;
use super::loader::Loader;
use super::sampler::{Batch, Sampler};
use super::store::StoredCase;
use super::{TrainingConfig, loss};
use crate::architecture::Output;
use crate::bundle::{Bundle, FORMAT, ModelSettings, Provenance};
use crate::infer::{BurnNetwork, InferenceOptions, Network, probability_maps};
use crate::{Architecture, CaseFiles, DeviceChoice, NetError, Plan, Prepared, UNet, Weights};

/// Steps between checkpoints where validations are rarer.
const CHECKPOINT_EVERY: u64 = 200;
const CHECKPOINT: &str = "checkpoint.safetensors";
const BEST: &str = "best.safetensors";
const SETTINGS: &str = "training.toml";

/// What is trained, on whom, and where it is kept.
#[derive(Clone, Debug)]
pub struct Training {
    /// The model's name.
    pub name: String,
    /// What it is trained on, in words, for the model's provenance.
    pub data: String,
    /// From images to input.
    pub plan: Plan,
    /// The network.
    pub architecture: Architecture,
    /// How it is trained.
    pub config: TrainingConfig,
    /// Subjects to learn from.
    pub training: Vec<CaseFiles>,
    /// Subjects to choose weights and thresholds on.
    pub validation: Vec<CaseFiles>,
    /// Weights to begin with; fresh ones otherwise.
    pub start: Option<Weights>,
    /// Where checkpoints, tables and the model go.
    pub output: PathBuf,
    /// Where prepared subjects are kept while training.
    pub cache: PathBuf,
    /// Where the arithmetic runs.
    pub device: DeviceChoice,
    /// How images are read.
    pub read: ReadOptions,
}

/// What happens while training, for progress bars and logs.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// Subjects read and prepared so far.
    Prepared {
        /// So many.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// A training goes on after this step.
    Resumed {
        /// Steps done before.
        step: u64,
    },
    /// A step was taken.
    Step {
        /// Steps done.
        step: u64,
        /// Its loss.
        loss: f64,
    },
    /// A validation was made.
    Validated {
        /// Its result.
        validation: &'a Validation,
        /// Whether it is the best so far.
        best: bool,
    },
    /// Training ends before its last step.
    StoppedEarly {
        /// Steps done.
        step: u64,
    },
}

/// The settings that a training in a folder was begun with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSettings {
    /// The program.
    pub program: String,
    /// The model's name.
    pub name: String,
    /// Subjects to learn from.
    pub training_subjects: Vec<String>,
    /// Subjects to validate on.
    pub validation_subjects: Vec<String>,
    /// How it is trained.
    pub config: TrainingConfig,
    /// The network.
    pub architecture: Architecture,
    /// From images to input.
    pub plan: Plan,
}

impl SavedSettings {
    /// The settings saved in a training's folder; `None` if it holds no training.
    ///
    /// # Errors
    /// If the file cannot be read or understood.
    pub fn read(output: &Path) -> Result<Option<Self>, NetError> {
        let path = output.join(SETTINGS);
        match std::fs::read_to_string(&path) {
            Ok(text) => match toml::from_str(&text) {
                Ok(settings) => Ok(Some(settings)),
                Err(error) => Err(NetError::Checkpoint { path, reason: error.to_string() }),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(NetError::Read { path, source }),
        }
    }
}

impl Training {
    /// Trains to the end, from the last checkpoint in the output folder if there is one, and writes
    /// the model (`model/`), the table of validations (`history.tsv`) and the settings
    /// (`training.toml`). The same settings give the same weights, however often the training was
    /// stopped.
    ///
    /// # Errors
    /// Contradicting settings, unreadable subjects, another training's folder, a failing device, a
    /// full disk.
    pub fn run(&self, events: &mut dyn FnMut(Event<'_>)) -> Result<Bundle, NetError> {
        self.check()?;
        let device = self.device.open()?;
        self.keep_settings()?;
        let stored = self.prepare(events)?;
        let sampler = Sampler::new(&stored.training, &self.plan, &self.config);
        let mut state = State::begin(self, &device.clone().autodiff(), events)?;

        let first = state.progress.step;
        std::thread::scope(|scope| {
            let steps = first..self.config.steps;
            let mut loader = Loader::start(scope, &sampler, steps, loader_threads());
            let mut started = Instant::now();
            while state.progress.step < self.config.steps {
                let Some(batch) = loader.next() else { break };
                let loss = state.step(&batch?)?;
                events(Event::Step { step: state.progress.step, loss });
                let last = state.progress.step == self.config.steps;
                if last || state.progress.step.is_multiple_of(self.config.validate_every) {
                    let seconds = started.elapsed().as_secs_f64();
                    let best = state.validate(&stored.validation, &device, seconds)?;
                    if let Some(validation) = state.progress.history.validations.last() {
                        events(Event::Validated { validation, best });
                    }
                    state.save()?;
                    started = Instant::now();
                    if self.out_of_patience(&state.progress) {
                        events(Event::StoppedEarly { step: state.progress.step });
                        break;
                    }
                } else if state.progress.step.is_multiple_of(CHECKPOINT_EVERY) {
                    state.save()?;
                }
            }
            Ok::<_, NetError>(())
        })?;
        self.finish(&state.progress)
    }

    fn check(&self) -> Result<(), NetError> {
        let fault = |reason| Err(NetError::Config { reason });
        let multiple = self.architecture.size_multiple();
        let contradiction = self
            .plan
            .fault()
            .or_else(|| self.architecture.fault())
            .or_else(|| self.config.fault(multiple));
        if let Some(reason) = contradiction {
            return fault(reason);
        }
        if self.training.is_empty() || self.validation.is_empty() {
            return fault(
                "training needs at least one subject to learn from and one to validate on"
                    .to_owned(),
            );
        }
        let both = self
            .training
            .iter()
            .find(|case| self.validation.iter().any(|other| other.id == case.id));
        if let Some(case) = both {
            return fault(format!("{} is both trained and validated on", case.id));
        }
        match self.training.iter().chain(&self.validation).find(|case| case.truth.is_none()) {
            Some(case) => fault(format!("{} has no label map to learn from", case.id)),
            None => Ok(()),
        }
    }

    fn settings(&self) -> SavedSettings {
        let ids = |cases: &[CaseFiles]| cases.iter().map(|case| case.id.clone()).collect();
        SavedSettings {
            program: program(),
            name: self.name.clone(),
            training_subjects: ids(&self.training),
            validation_subjects: ids(&self.validation),
            config: self.config.clone(),
            architecture: self.architecture.clone(),
            plan: self.plan.clone(),
        }
    }

    /// Writes the settings, or sees that those of the training to go on with are the same.
    fn keep_settings(&self) -> Result<(), NetError> {
        let path = self.output.join(SETTINGS);
        let settings = self.settings();
        if let Some(saved) = SavedSettings::read(&self.output)? {
            if (SavedSettings { program: settings.program.clone(), ..saved }) != settings {
                let reason = "a training with other settings was begun here; give another folder, \
                              or the settings in this file"
                    .to_owned();
                return Err(NetError::Checkpoint { path, reason });
            }
            return Ok(());
        }
        std::fs::create_dir_all(&self.output)
            .map_err(|source| NetError::Write { path: self.output.clone(), source })?;
        let text = toml::to_string(&settings)
            .map_err(|error| NetError::Config { reason: error.to_string() })?;
        atomic::write(&path, text.as_bytes()).map_err(|source| NetError::Write { path, source })
    }

    fn prepare(&self, events: &mut dyn FnMut(Event<'_>)) -> Result<Stored, NetError> {
        std::fs::create_dir_all(&self.cache)
            .map_err(|source| NetError::Write { path: self.cache.clone(), source })?;
        let total = self.training.len() + self.validation.len();
        let mut stored = Stored { training: Vec::new(), validation: Vec::new() };
        let pairs = rayon::current_num_threads().max(1);
        for cases in self.training.chunks(pairs) {
            let prepared = cases.par_iter().map(|case| {
                let prepared = self.prepare_one(case)?;
                let path = self.cache.join(format!("{}.case", case.id));
                StoredCase::write(&prepared, &self.plan, &path)
            });
            stored.training.extend(prepared.collect::<Result<Vec<_>, NetError>>()?);
            events(Event::Prepared { done: stored.training.len(), total });
        }
        for case in &self.validation {
            stored.validation.push(self.prepare_one(case)?);
            events(Event::Prepared {
                done: stored.training.len() + stored.validation.len(),
                total,
            });
        }
        Ok(stored)
    }

    fn prepare_one(&self, case: &CaseFiles) -> Result<Prepared, NetError> {
        Prepared::new(&case.read(&self.plan.inputs, &self.read)?, &self.plan)
    }

    fn out_of_patience(&self, progress: &Progress) -> bool {
        self.config.patience > 0 && progress.history.since_best() >= self.config.patience
    }

    /// Makes the model of the best validation.
    fn finish(&self, progress: &Progress) -> Result<Bundle, NetError> {
        let Some(best) = progress.history.best() else {
            return Err(NetError::Config {
                reason: "training ended without a validation".to_owned(),
            });
        };
        let settings = self.settings();
        let settings = ModelSettings {
            format: FORMAT,
            name: self.name.clone(),
            description: format!("Trained by {} on {}.", settings.program, self.data),
            licence: "NOASSERTION".to_owned(),
            plan: self.plan.clone(),
            architecture: self.architecture.clone(),
            detection: best.rule.clone(),
            provenance: Provenance {
                program: settings.program,
                data: self.data.clone(),
                training_subjects: settings.training_subjects,
                validation_subjects: settings.validation_subjects,
                steps: best.step,
                validation_f1: best.f1,
            },
            weights: Vec::new(),
        };
        let bundle = Bundle::new(settings, vec![Weights::read(&self.output.join(BEST))?])?;
        bundle.write(&self.output.join("model"))?;
        Ok(bundle)
    }
}

/// Prepared subjects.
struct Stored {
    training: Vec<StoredCase>,
    validation: Vec<Prepared>,
}

/// A training under way.
struct State<'a> {
    training: &'a Training,
    device: Device,
    /// Taken out while the optimiser works on it.
    net: Option<UNet>,
    optimiser: ModuleOptimizer,
    average: Option<Weights>,
    progress: Progress,
}

impl<'a> State<'a> {
    fn begin(
        training: &'a Training,
        device: &Device,
        events: &mut dyn FnMut(Event<'_>),
    ) -> Result<Self, NetError> {
        let config = &training.config;
        let weights = match &training.start {
            Some(weights) => weights.clone(),
            None => Weights::initial(&training.architecture, config.seed),
        };
        let net = UNet::new(&training.architecture, &weights, device)?;
        let optimiser =
            AdamWConfig::new().with_weight_decay(config.weight_decay).with_epsilon(1e-7).init();
        let mut state = Self {
            training,
            device: device.clone(),
            net: None,
            optimiser,
            average: (config.weight_average > 0.0).then_some(weights),
            progress: Progress::default(),
        };
        let path = training.output.join(CHECKPOINT);
        if path.exists() {
            let checkpoint = Checkpoint::read(&path)?;
            let (net, optimiser) = checkpoint.restore(&path, net, state.optimiser)?;
            (state.net, state.optimiser) = (Some(net), optimiser);
            (state.average, state.progress) = (checkpoint.average, checkpoint.progress);
            events(Event::Resumed { step: state.progress.step });
        } else {
            state.net = Some(net);
        }
        Ok(state)
    }

    fn net(&self) -> Result<&UNet, NetError> {
        self.net
            .as_ref()
            .ok_or_else(|| NetError::Config { reason: "training was interrupted".to_owned() })
    }

    /// One optimiser step; its loss.
    fn step(&mut self, batch: &Batch) -> Result<f64, NetError> {
        let config = &self.training.config;
        let net = self
            .net
            .take()
            .ok_or_else(|| NetError::Config { reason: "training was interrupted".to_owned() })?;
        let (inputs, targets) = self.tensors(batch);
        let scores = net.forward(inputs);
        let loss = loss(scores, targets, self.training.architecture.output, &config.loss);
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        let rate = config.learning_rate_at(self.progress.step);
        let net = self.optimiser.step(rate, net, gradients);
        self.net = Some(net);
        let loss = f64::from(loss.into_scalar::<f32>());
        self.progress.step += 1;
        if !loss.is_finite() {
            return Err(NetError::Diverged {
                step: self.progress.step,
                folder: self.training.output.clone(),
            });
        }
        self.progress.loss_sum += loss;
        self.progress.loss_count += 1;
        self.update_average()?;
        Ok(loss)
    }

    fn tensors(&self, batch: &Batch) -> (Tensor<4>, Tensor<4>) {
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
        let shape = |channels| [batch.count, channels, height, width];
        let inputs = TensorData::new(batch.inputs.clone(), shape(plan.input_channels()));
        let targets = TensorData::new(targets, shape(channels));
        (Tensor::from_data(inputs, &self.device), Tensor::from_data(targets, &self.device))
    }

    /// Moves the running average towards the weights, faster at first so that it forgets where it
    /// began.
    fn update_average(&mut self) -> Result<(), NetError> {
        let Some(mut average) = self.average.take() else { return Ok(()) };
        let step = self.progress.step as f32;
        let decay = self.training.config.weight_average.min((1.0 + step) / (10.0 + step));
        let weights = self.net()?.weights();
        for (name, tensor) in &weights.0 {
            if let Some(mean) = average.0.get_mut(name) {
                for (mean, value) in mean.values.iter_mut().zip(&tensor.values) {
                    *mean += (1.0 - decay) * (value - *mean);
                }
            }
        }
        self.average = Some(average);
        Ok(())
    }

    /// Validates, keeps the weights if they are the best so far, and says whether they are.
    fn validate(
        &mut self,
        cases: &[Prepared],
        device: &Device,
        seconds: f64,
    ) -> Result<bool, NetError> {
        let weights = match &self.average {
            Some(average) => average.clone(),
            None => self.net()?.weights(),
        };
        let Training { plan, architecture, config, output, .. } = self.training;
        let network = BurnNetwork::new(architecture, &weights, device)?;
        let mut networks: Vec<Box<dyn Network>> = vec![Box::new(network)];
        let options = InferenceOptions::default();
        let mut subjects = Vec::with_capacity(cases.len());
        for case in cases {
            let maps = probability_maps(
                &mut networks,
                case,
                plan,
                architecture,
                &options,
                &mut |_, _| {},
            )?;
            let nothing = LabelMap::empty(*case.grid());
            subjects.push(ValidationSubject::new(&maps, case.truth.as_ref().unwrap_or(&nothing)));
        }
        let point = operating_point::choose(&subjects, &plan.classes);
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
            rule: point.rule,
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

    fn save(&self) -> Result<(), NetError> {
        let checkpoint =
            Checkpoint::take(&self.progress, self.net()?, &self.optimiser, self.average.as_ref())?;
        checkpoint.write(&self.training.output.join(CHECKPOINT))
    }
}

fn program() -> String {
    format!("deepmir {}", env!("CARGO_PKG_VERSION"))
}

/// Cutting patches takes a fraction of a step's time.
fn loader_threads() -> usize {
    rayon::current_num_threads().div_ceil(4)
}
