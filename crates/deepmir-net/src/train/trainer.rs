//! The training loop.

use std::time::Instant;

use deepmir_cases::{CaseFiles, Checksums};
use deepmir_volume::atomic;
use sha2::{Digest, Sha256};

use super::checkpoint::Progress;
use super::files::{checksums_of, files_of};
use super::lesions::TrainingSides;
use super::loader::Loader;
use super::preparing::Stored;
use super::sampler::Sampler;
use super::saved::{SETTINGS, SavedSettings};
use super::state::{BEST, State};
use super::synthetic::{StopAtEnd, SyntheticQueue};
use super::training::{Event, Trained, Training, program};
use crate::{NetError, Precision, Weights};

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
        let everyone = self.learned_from().chain(&self.validation);
        // The first image even where the plan has no use for it: it tells which scan this is.
        let files = everyone.flat_map(|case| {
            let read = files_of(case, &self.plan).into_iter().map(|(_, path)| path);
            read.chain(case.images.values().next().cloned())
        });
        let sums = Checksums::of(files)?;
        let settings = self.settings(&sums)?;
        self.check_settings(&settings)?;
        let stored = self.prepare(&sums, events)?;
        self.check_subjects(&stored, &sums, events)?;
        // Not before the subjects are known to be usable: mended files are no other files then.
        self.save_settings(&settings)?;
        let queue = SyntheticQueue::new(self.synthetic_count(), self.config.steps);
        let sampler = Sampler::new(&stored.training, &self.plan, &self.config)
            .with_extra_training(&stored.extra_training, &queue);
        let mut state = State::begin(self, &stored.validation, events)?;

        let first = state.progress.step;
        std::thread::scope(|scope| {
            let _stop = StopAtEnd(&queue);
            if let Some(synthetic) = &self.synthetic {
                scope.spawn(|| {
                    queue.fill(|n| Ok(self.store(&synthetic.source.subject(n)?, &sums)?.0))
                });
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
        self.finish(&state.progress, &sums)
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

    pub(super) fn learned_from(&self) -> impl Iterator<Item = &CaseFiles> {
        self.training.iter().chain(&self.extra_training)
    }

    fn settings(&self, sums: &Checksums) -> Result<SavedSettings, NetError> {
        let ids = |cases: &[CaseFiles]| cases.iter().map(|case| case.id.clone()).collect();
        let digest = |weights: &Weights| {
            let bytes = weights.to_safetensors(Precision::Single)?;
            let sum = Sha256::digest(&bytes);
            Ok::<_, NetError>(sum.iter().map(|byte| format!("{byte:02x}")).collect())
        };
        let everyone = self.learned_from().chain(&self.validation);
        Ok(SavedSettings {
            program: program(),
            name: self.name.clone(),
            training_subjects: ids(&self.training),
            extra_training: ids(&self.extra_training),
            validation_subjects: ids(&self.validation),
            synthetic_subjects: self.synthetic_count(),
            synthetic_settings: self
                .synthetic
                .as_ref()
                .map_or(String::new(), |synthetic| synthetic.source.settings()),
            initial_weights: self.start.as_ref().map(digest).transpose()?,
            nan_to_zero: self.read.nan_to_zero,
            config: self.config.clone(),
            architecture: self.architecture.clone(),
            plan: self.plan.clone(),
            files: checksums_of(everyone, &self.plan, sums),
        })
    }

    /// Checks that the settings and files of a training to resume are the same.
    fn check_settings(&self, settings: &SavedSettings) -> Result<(), NetError> {
        let Some(saved) = SavedSettings::read(&self.output)? else { return Ok(()) };
        let path = self.output.join(SETTINGS);
        match saved.refusal(settings) {
            Some(reason) => Err(NetError::Checkpoint { path, reason }),
            None => Ok(()),
        }
    }

    /// Writes the settings, unless they are there.
    fn save_settings(&self, settings: &SavedSettings) -> Result<(), NetError> {
        let path = self.output.join(SETTINGS);
        if path.exists() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.output)
            .map_err(|source| NetError::Write { path: self.output.clone(), source })?;
        let text = toml::to_string(settings)
            .map_err(|error| NetError::Config { reason: error.to_string() })?;
        atomic::write(&path, text.as_bytes()).map_err(|source| NetError::Write { path, source })
    }

    /// Checks that there are lesions on both sides, and no scan on both.
    fn check_subjects(
        &self,
        stored: &Stored,
        sums: &Checksums,
        events: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), NetError> {
        let learned_from: Vec<&CaseFiles> = self.learned_from().collect();
        let sides = TrainingSides {
            learned_from: &learned_from,
            validation: &self.validation,
            classes: &self.plan.classes,
            synthetic: self.synthetic_count() > 0,
        };
        for warning in stored.census(&self.plan).check(&sides)? {
            events(Event::Noticed(&warning));
        }
        for side in [&self.training, &self.extra_training] {
            if let Some(twins) = sums.twins(side, &self.validation) {
                events(Event::Noticed(&twins.warning()));
            }
        }
        Ok(())
    }

    fn synthetic_count(&self) -> usize {
        self.synthetic.as_ref().map_or(0, |synthetic| synthetic.count)
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
    fn finish(&self, progress: &Progress, sums: &Checksums) -> Result<Trained, NetError> {
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
            learned_images: self
                .learned_from()
                .filter_map(|case| sums.of_scan(case).map(str::to_owned))
                .collect(),
        })
    }
}
