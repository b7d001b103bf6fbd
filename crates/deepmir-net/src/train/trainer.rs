//! The training loop.

use std::time::Instant;

use deepmir_cases::CaseFiles;
use deepmir_lesion::LesionClass;
use deepmir_volume::atomic;
use rayon::prelude::*;

use super::checkpoint::Progress;
use super::loader::Loader;
use super::sampler::Sampler;
use super::saved::{SETTINGS, SavedSettings};
use super::state::{BEST, State};
use super::store::{StoredCase, stored_name};
use super::synthetic::{StopAtEnd, SyntheticQueue};
use super::training::{Event, Trained, Training, program};
use crate::{NetError, Plan, Prepared, Weights};

/// Steps between checkpoints where validations are rarer.
const CHECKPOINT_EVERY: u64 = 200;

impl Training {
    /// Trains to the last step, or until validations no longer improve, from the last checkpoint in the output folder
    /// if there is one. Writes the table of validations (`history.tsv`) and the settings (`training.toml`). The same
    /// settings give the same weights, however often the training was interrupted.
    ///
    /// # Errors
    /// Contradicting settings, unreadable subjects, the folder of another training, a failing device, a full disk.
    pub fn run(&self, events: &mut dyn FnMut(Event<'_>)) -> Result<Trained, NetError> {
        self.validate()?;
        self.save_settings()?;
        let stored = self.prepare(events)?;
        let queue = SyntheticQueue::new(self.synthetic_count(), self.config.steps);
        let sampler = Sampler::new(&stored.training, &self.plan, &self.config)
            .with_extra_training(&stored.extra_training, &queue);
        let mut state = State::begin(self, &stored.validation, events)?;

        let first = state.progress.step;
        std::thread::scope(|scope| {
            let _stop = StopAtEnd(&queue);
            if let Some(synthetic) = &self.synthetic {
                scope.spawn(|| queue.fill(|n| self.store(&synthetic.source.subject(n)?)));
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

    fn validate(&self) -> Result<(), NetError> {
        let invalid = |reason| Err(NetError::Config { reason });
        self.plan.validate()?;
        self.architecture.validate()?;
        self.config.validate(self.architecture.size_multiple())?;
        if self.learned_from().next().is_none()
            || (self.validation.is_empty() && self.rule.is_none())
        {
            return invalid(
                "training needs at least one subject to learn from and one to validate on"
                    .to_owned(),
            );
        }
        let both = self
            .learned_from()
            .find(|case| self.validation.iter().any(|other| other.id == case.id));
        if let Some(case) = both {
            return invalid(format!("{} is both trained and validated on", case.id));
        }
        match self.learned_from().chain(&self.validation).find(|case| case.truth.is_none()) {
            Some(case) => invalid(format!("{} has no label map to learn from", case.id)),
            None => Ok(()),
        }
    }

    fn learned_from(&self) -> impl Iterator<Item = &CaseFiles> {
        self.training.iter().chain(&self.extra_training)
    }

    fn settings(&self) -> SavedSettings {
        let ids = |cases: &[CaseFiles]| cases.iter().map(|case| case.id.clone()).collect();
        SavedSettings {
            program: program(),
            name: self.name.clone(),
            training_subjects: ids(&self.training),
            extra_training: ids(&self.extra_training),
            validation_subjects: ids(&self.validation),
            synthetic_subjects: self.synthetic_count(),
            config: self.config.clone(),
            architecture: self.architecture.clone(),
            plan: self.plan.clone(),
        }
    }

    /// Writes the settings, or checks that those of the training to resume are the same.
    fn save_settings(&self) -> Result<(), NetError> {
        let path = self.output.join(SETTINGS);
        let settings = self.settings();
        if let Some(saved) = SavedSettings::read(&self.output)? {
            let saved = SavedSettings { program: settings.program.clone(), ..saved };
            if saved != settings {
                let reason = format!(
                    "a training with other settings was started here ({}); give another folder, or the \
                     settings in this file",
                    saved.differences(&settings).join(", ")
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
        let extra_training = training.split_off(self.training.len());
        let mut validation = Vec::new();
        for case in &self.validation {
            validation.push(self.prepare_one(case)?);
            let done = training.len() + extra_training.len() + validation.len();
            events(Event::Prepared { done, total });
        }
        Ok(Stored { training, extra_training, validation })
    }

    fn synthetic_count(&self) -> usize {
        self.synthetic.as_ref().map_or(0, |synthetic| synthetic.count)
    }

    /// Opens a subject in the cache; prepares and stores it there first if need be.
    fn store(&self, case: &CaseFiles) -> Result<StoredCase, NetError> {
        let path = self.cache.join(stored_name(case, &self.plan, &self.read)?);
        if let Some(stored) = StoredCase::open(&case.id, &self.plan, &path)? {
            return Ok(stored);
        }
        // With the lesions of every class, so that trainings on one class can use it, too.
        let plan = Plan { classes: LesionClass::ALL.to_vec(), ..self.plan.clone() };
        let prepared = Prepared::new(&case.read(&plan.inputs_of(case), &self.read)?, &plan)?;
        StoredCase::write(&prepared, &self.plan, &path)
    }

    fn prepare_one(&self, case: &CaseFiles) -> Result<Prepared, NetError> {
        Prepared::new(&case.read(&self.plan.inputs_of(case), &self.read)?, &self.plan)
    }

    /// Number of threads that cut patches: all where a GPU trains, a quarter where the CPU does.
    fn loader_threads(&self) -> usize {
        let threads = rayon::current_num_threads();
        if self.device.is_cpu() { threads.div_ceil(4) } else { threads }
    }

    fn out_of_patience(&self, progress: &Progress) -> bool {
        self.config.patience > 0 && progress.history.since_best() >= self.config.patience
    }

    /// The best validation's weights and rule.
    fn finish(&self, progress: &Progress) -> Result<Trained, NetError> {
        let Some(best) = progress.history.best() else {
            return Err(NetError::Config {
                reason: "training ended without a validation".to_owned(),
            });
        };
        Ok(Trained {
            weights: Weights::read(&self.output.join(BEST))?,
            rule: self.rule.clone().unwrap_or_else(|| best.rule.clone()),
            steps: best.step,
            validation_f1: best.f1,
        })
    }
}

/// The subjects of a training, prepared.
struct Stored {
    training: Vec<StoredCase>,
    extra_training: Vec<StoredCase>,
    validation: Vec<Prepared>,
}
