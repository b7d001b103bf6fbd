//! The training loop.

use std::path::PathBuf;
use std::time::Instant;

use deepmir_lesion::{DetectionRule, LesionClass};
use deepmir_volume::atomic;
use deepmir_volume::nifti::ReadOptions;
use rayon::prelude::*;

use super::TrainingConfig;
use super::checkpoint::Progress;
use super::fresh::{Arrivals, Fresh, StopAtEnd};
use super::history::Validation;
use super::loader::Loader;
use super::sampler::Sampler;
use super::saved::{SETTINGS, SavedSettings};
use super::state::{BEST, State};
use super::store::{StoredCase, stored_name};
use crate::bundle::{Bundle, FORMAT, ModelSettings, Provenance};
use crate::{Architecture, CaseFiles, DeviceChoice, NetError, Plan, Prepared, Weights};

/// Steps between checkpoints where validations are rarer.
const CHECKPOINT_EVERY: u64 = 200;

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
    /// Others to learn from, of another kind: [`SamplingConfig::companions`] says how often they are
    /// shown.
    ///
    /// [`SamplingConfig::companions`]: super::SamplingConfig::companions
    pub companions: Vec<CaseFiles>,
    /// Subjects to choose weights and thresholds on; there may be none if `rule` is given, and then
    /// the last weights are kept.
    pub validation: Vec<CaseFiles>,
    /// Thresholds chosen elsewhere, in place of those that suit the validation subjects best.
    pub rule: Option<DetectionRule>,
    /// Subjects that join the companions while training goes on.
    pub fresh: Option<Fresh>,
    /// Weights to begin with; fresh ones otherwise.
    pub start: Option<Weights>,
    /// Where checkpoints, tables and the model go.
    pub output: PathBuf,
    /// Where prepared subjects are kept: trainings on the same images may share it.
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
        self.keep_settings()?;
        let stored = self.prepare(events)?;
        let arrivals = Arrivals::new(self.fresh_count(), self.config.steps);
        let sampler = Sampler::new(&stored.training, &self.plan, &self.config)
            .joined_by(&stored.companions, &arrivals);
        let mut state = State::begin(self, &stored.validation, events)?;

        let first = state.progress.step;
        std::thread::scope(|scope| {
            let _stop = StopAtEnd(&arrivals);
            if let Some(fresh) = &self.fresh {
                scope.spawn(|| arrivals.make(|n| self.store(&fresh.source.subject(n)?)));
            }
            let steps = first..self.config.steps;
            let mut loader = Loader::start(scope, &sampler, steps, self.loader_threads());
            let mut started = Instant::now();
            while state.progress.step < self.config.steps {
                let Some(batch) = loader.next() else { break };
                let loss = state.step(&batch?)?;
                events(Event::Step { step: state.progress.step, loss });
                let last = state.progress.step == self.config.steps;
                if last || state.progress.step.is_multiple_of(self.config.validate_every) {
                    let seconds = started.elapsed().as_secs_f64();
                    let best = state.validate(seconds)?;
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
        if self.learned_from().next().is_none()
            || (self.validation.is_empty() && self.rule.is_none())
        {
            return fault(
                "training needs at least one subject to learn from and one to validate on"
                    .to_owned(),
            );
        }
        let both = self
            .learned_from()
            .find(|case| self.validation.iter().any(|other| other.id == case.id));
        if let Some(case) = both {
            return fault(format!("{} is both trained and validated on", case.id));
        }
        match self.learned_from().chain(&self.validation).find(|case| case.truth.is_none()) {
            Some(case) => fault(format!("{} has no label map to learn from", case.id)),
            None => Ok(()),
        }
    }

    fn learned_from(&self) -> impl Iterator<Item = &CaseFiles> {
        self.training.iter().chain(&self.companions)
    }

    fn settings(&self) -> SavedSettings {
        let ids = |cases: &[CaseFiles]| cases.iter().map(|case| case.id.clone()).collect();
        SavedSettings {
            program: program(),
            name: self.name.clone(),
            training_subjects: ids(&self.training),
            companions: ids(&self.companions),
            validation_subjects: ids(&self.validation),
            fresh_subjects: self.fresh_count(),
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
            let saved = SavedSettings { program: settings.program.clone(), ..saved };
            if saved != settings {
                let reason = format!(
                    "a training with other settings was begun here ({}); give another folder, or the \
                     settings in this file",
                    saved.unlike(&settings).join(", ")
                );
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
        let total = self.learned_from().count() + self.validation.len();
        let mut training = Vec::new();
        let pairs = rayon::current_num_threads().max(1);
        for cases in self.learned_from().collect::<Vec<_>>().chunks(pairs) {
            let prepared = cases.par_iter().map(|case| self.store(case));
            training.extend(prepared.collect::<Result<Vec<_>, NetError>>()?);
            events(Event::Prepared { done: training.len(), total });
        }
        let companions = training.split_off(self.training.len());
        let mut validation = Vec::new();
        for case in &self.validation {
            validation.push(self.prepare_one(case)?);
            let done = training.len() + companions.len() + validation.len();
            events(Event::Prepared { done, total });
        }
        Ok(Stored { training, companions, validation })
    }

    fn fresh_count(&self) -> usize {
        self.fresh.as_ref().map_or(0, |fresh| fresh.count)
    }

    /// Prepares a subject and keeps it in the cache, if it is not there.
    fn store(&self, case: &CaseFiles) -> Result<StoredCase, NetError> {
        let path = self.cache.join(stored_name(case, &self.plan, &self.read)?);
        if let Some(stored) = StoredCase::open(&case.id, &self.plan, &path)? {
            return Ok(stored);
        }
        // With the lesions of every class, so that trainings on one class find it, too.
        let plan = Plan { classes: LesionClass::ALL.to_vec(), ..self.plan.clone() };
        let prepared = Prepared::new(&case.read(&plan.inputs_of(case), &self.read)?, &plan)?;
        StoredCase::write(&prepared, &self.plan, &path)
    }

    fn prepare_one(&self, case: &CaseFiles) -> Result<Prepared, NetError> {
        Prepared::new(&case.read(&self.plan.inputs_of(case), &self.read)?, &self.plan)
    }

    /// Threads that cut patches: beside a card all cores are free for it, elsewhere it takes a
    /// fraction of a step's time.
    fn loader_threads(&self) -> usize {
        let threads = rayon::current_num_threads();
        if self.device.is_cpu() { threads.div_ceil(4) } else { threads }
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
            detection: self.rule.clone().unwrap_or_else(|| best.rule.clone()),
            provenance: Provenance {
                program: settings.program,
                data: self.data.clone(),
                training_subjects: [settings.training_subjects, settings.companions].concat(),
                validation_subjects: settings.validation_subjects,
                steps: best.step,
                validation_f1: best.f1,
            },
            weights: Vec::new(),
            closer_look: None,
        };
        let bundle = Bundle::new(settings, vec![Weights::read(&self.output.join(BEST))?])?;
        bundle.write(&self.output.join("model"))?;
        Ok(bundle)
    }
}

/// Prepared subjects.
struct Stored {
    training: Vec<StoredCase>,
    companions: Vec<StoredCase>,
    validation: Vec<Prepared>,
}

fn program() -> String {
    format!("deepmir {}", env!("CARGO_PKG_VERSION"))
}
