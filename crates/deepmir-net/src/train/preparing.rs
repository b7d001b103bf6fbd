//! The subjects of a training, read and prepared.

use deepmir_cases::{CaseFiles, Checksums};
use deepmir_lesion::LesionClass;
use deepmir_volume::Warning;
use rayon::prelude::*;

use super::lesions::LesionCensus;
use super::store::{StoredCase, stored_name};
use super::training::{Event, Training};
use crate::{NetError, Plan, Prepared};

impl Training {
    pub(super) fn prepare(
        &self,
        sums: &Checksums,
        events: &mut dyn FnMut(Event<'_>),
    ) -> Result<Stored, NetError> {
        std::fs::create_dir_all(&self.cache)
            .map_err(|source| NetError::Write { path: self.cache.clone(), source })?;
        let total = self.learned_from().count() + self.validation.len();
        let mut training = Vec::new();
        let pairs = rayon::current_num_threads().max(1);
        for cases in self.learned_from().collect::<Vec<_>>().chunks(pairs) {
            let prepared = cases.par_iter().map(|case| self.store(case, sums));
            for (stored, warnings) in prepared.collect::<Result<Vec<_>, NetError>>()? {
                warnings.iter().for_each(|warning| events(Event::Noticed(warning)));
                training.push(stored);
            }
            events(Event::Prepared { done: training.len(), total });
        }
        let extra_training = training.split_off(self.training.len());
        let mut validation = Vec::new();
        for case in &self.validation {
            let (prepared, warnings) = self.prepare_one(case, &self.plan)?;
            warnings.iter().for_each(|warning| events(Event::Noticed(warning)));
            validation.push(prepared);
            let done = training.len() + extra_training.len() + validation.len();
            events(Event::Prepared { done, total });
        }
        Ok(Stored { training, extra_training, validation })
    }

    /// Opens a subject in the cache; prepares and stores it there first if need be. With what was noticed in its files.
    pub(super) fn store(
        &self,
        case: &CaseFiles,
        sums: &Checksums,
    ) -> Result<(StoredCase, Vec<Warning>), NetError> {
        let path = self.cache.join(stored_name(case, &self.plan, &self.read, sums)?);
        if let Some(stored) = StoredCase::open(&case.id, &self.plan, &path)? {
            return Ok((stored, Vec::new()));
        }
        // With the lesions of every class, so that trainings on one class can use it, too.
        let plan = Plan { classes: LesionClass::ALL.to_vec(), ..self.plan.clone() };
        let (prepared, warnings) = self.prepare_one(case, &plan)?;
        Ok((StoredCase::write(&prepared, &self.plan, &path)?, warnings))
    }

    fn prepare_one(
        &self,
        case: &CaseFiles,
        plan: &Plan,
    ) -> Result<(Prepared, Vec<Warning>), NetError> {
        let case = case.read(&plan.inputs_of(case), &self.read)?;
        Ok((Prepared::new(&case, plan)?, case.warnings))
    }
}

/// The subjects of a training, prepared.
pub(super) struct Stored {
    pub training: Vec<StoredCase>,
    pub extra_training: Vec<StoredCase>,
    pub validation: Vec<Prepared>,
}

impl Stored {
    /// The lesions that are left on the grids of the network.
    pub(super) fn census(&self, plan: &Plan) -> LesionCensus {
        let mut census = LesionCensus::default();
        for case in self.training.iter().chain(&self.extra_training) {
            census.insert(&case.id, case.lesions.iter().map(|site| site.class));
        }
        for case in &self.validation {
            let truth = case.truth.iter();
            let classes = plan.classes.iter().copied();
            let has = |class: &LesionClass| truth.clone().any(|truth| truth.count_of(*class) > 0);
            census.insert(&case.id, classes.filter(has));
        }
        census
    }
}
