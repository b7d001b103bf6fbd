//! Several networks of one kind made one model.

use std::collections::BTreeSet;

use deepmir_lesion::operating_point::{self, OperatingPoint, ValidationSubject};
use deepmir_lesion::{BrainBox, LabelMap};
use deepmir_volume::nifti::ReadOptions;

use super::TrainingConfig;
use super::look_closer::{LearningToLook, Looking, Source};
use crate::bundle::{Bundle, ModelSettings, Provenance};
use crate::closer_look::CloserLookSettings;
use crate::infer::{InferenceOptions, networks, probability_maps};
use crate::{CaseFiles, DeviceChoice, Modality, NetError, Plan, Prepared, Weights};

/// How far choosing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choosing {
    /// This many subjects have been looked at.
    Subjects(usize),
    /// A network for a closer look is learning.
    CloserLook {
        /// Steps done, by all networks together.
        step: u64,
        /// Steps to do.
        of: u64,
    },
}

/// Joins the models of a cross-validation: the median of their probabilities will count, and the thresholds
/// are chosen anew on every subject as predicted by the one network that did not learn from it, with a
/// second look, and a closer one, where `config` asks for them and there is enough to learn from.
/// `held_out[n]` are the subjects that `models[n]` did not learn from; `config` is the training's;
/// `progress` hears how far it is. The looks of the model which they `began_with`, if it has any, learned from other
/// subjects: its closer look is kept where there is too little to learn one from, and its second look, which goes on
/// learning ([`operating_point::go_on`]), where that finds more in the subjects than a rule of their own.
///
/// # Errors
/// Models of different kinds, unreadable subjects, a failing device.
pub fn join_folds(
    models: &[Bundle],
    held_out: &[Vec<CaseFiles>],
    began_with: Option<&Bundle>,
    config: &TrainingConfig,
    device: DeviceChoice,
    read: &ReadOptions,
    progress: &mut dyn FnMut(Choosing),
) -> Result<Bundle, NetError> {
    let Some(first) = models.first() else {
        return Err(NetError::Config { reason: "there are no folds to join".to_owned() });
    };
    let ModelSettings { plan, architecture, .. } = &first.settings;
    let same = |model: &Bundle| {
        model.settings.plan == *plan && model.settings.architecture == *architecture
    };
    if !models.iter().all(same) {
        let reason = "the folds are of different kinds; train them with the same settings";
        return Err(NetError::Config { reason: reason.to_owned() });
    }
    let (mut subjects, mut sources) = (Vec::new(), Vec::new());
    for (model, cases) in models.iter().zip(held_out) {
        let mut networks = networks(architecture, &model.members, device)?;
        for case in cases {
            let prepared = Prepared::new(&case.read(&plan.inputs_of(case), read)?, plan)?;
            let options = InferenceOptions::default();
            let mut maps_of = |prepared: &Prepared| {
                let progress = &mut |_, _| {};
                probability_maps(&mut networks, prepared, plan, architecture, &options, progress)
            };
            let maps = maps_of(&prepared)?;
            let nothing = LabelMap::empty(*prepared.grid());
            let truth = prepared.truth.as_ref().unwrap_or(&nothing);
            let deep = if config.nhid_only_deep { BrainBox::of(&prepared.brain) } else { None };
            let images = config.second_look.then(|| prepared.surroundings(plan));
            let mut subject = ValidationSubject::new(&maps, truth, deep.as_ref(), images.as_ref());
            // Thresholds are chosen with every image; a second look learns what is seen without some, too: of each
            // subject one shortage by turns, as every further look takes as long as the first.
            let mut shortages = if config.second_look { plan.shortages() } else { Vec::new() };
            shortages.retain(|missing: &Vec<Modality>| {
                !missing.iter().any(|modality| prepared.lacking.contains(modality))
            });
            let mut missing = None;
            if !shortages.is_empty() {
                let shortage = shortages.swap_remove(subjects.len() % shortages.len());
                let prepared = prepared.clone().without(&shortage, plan);
                subject.seen_again(&maps_of(&prepared)?, &prepared.surroundings(plan));
                missing = Some(shortage);
            }
            subjects.push(subject);
            sources.push(Source { case, missing });
            progress(Choosing::Subjects(subjects.len()));
        }
    }
    let known = began_with.filter(|model| model.settings.plan.fits(plan));
    let choice = Choice { plan, known, config, read };
    let Chosen { point, closer_look, closer, source } =
        choice.make(&mut subjects, &sources, progress)?;
    let validation_f1 = point.mean_f1();
    let all = held_out.iter().flat_map(|cases| cases.iter().map(|case| case.id.clone()));
    let mut everyone: Vec<String> = all.collect();
    everyone.sort();
    let learned_from = models.iter().map(|model| &model.settings.provenance.training_subjects);
    let learned_from: BTreeSet<String> = learned_from.flatten().cloned().collect();
    let settings = ModelSettings {
        detection: point.rule,
        closer_look,
        provenance: Provenance {
            data: first.settings.provenance.data.clone() + &source,
            training_subjects: learned_from.into_iter().collect(),
            validation_subjects: everyone,
            validation_f1,
            ..first.settings.provenance.clone()
        },
        ..first.settings.clone()
    };
    let members = models.iter().flat_map(|model| model.members.iter().cloned()).collect();
    Bundle::with_closer_look(settings, members, closer)
}

/// What choosing is done by.
struct Choice<'a> {
    plan: &'a Plan,
    /// The model that the networks began with, if it reads the same images.
    known: Option<&'a Bundle>,
    config: &'a TrainingConfig,
    read: &'a ReadOptions,
}

/// What was chosen.
struct Chosen {
    point: OperatingPoint,
    closer_look: Option<CloserLookSettings>,
    closer: Vec<Weights>,
    /// In words, what was taken over.
    source: String,
}

impl Choice<'_> {
    /// A rule of the subjects' own, or that of the model which networks began with gone on with: which finds more.
    fn make(
        &self,
        subjects: &mut [ValidationSubject],
        sources: &[Source<'_>],
        progress: &mut dyn FnMut(Choosing),
    ) -> Result<Chosen, NetError> {
        // Apart from each other: what one's closer look says is not for the other's trees to learn from.
        let gone_on = self.gone_on(subjects, sources)?;
        let own = self.own(subjects, sources, progress)?;
        Ok(match gone_on {
            Some(gone_on) if gone_on.point.mean_f1() >= own.point.mean_f1() => gone_on,
            _ => own,
        })
    }

    fn own(
        &self,
        subjects: &mut [ValidationSubject],
        sources: &[Source<'_>],
        progress: &mut dyn FnMut(Choosing),
    ) -> Result<Chosen, NetError> {
        let Self { plan, known, config, read } = *self;
        let beta = config.threshold_beta;
        let mut point = operating_point::choose(subjects, &plan.classes, beta);
        let (mut closer_look, mut closer) = (None, Vec::new());
        let mut source = String::new();
        if let Some(settings) = &config.closer_look
            && point.rule.second_look.is_some()
        {
            let extent = point.rule.extent;
            let looking = Looking { plan, extent, read };
            let learning = LearningToLook { at: looking, config: settings, seed: config.seed };
            let mut steps = |step, of| progress(Choosing::CloserLook { step, of });
            closer = learning.run(subjects, sources, &mut steps)?;
            if !closer.is_empty() {
                closer_look = Some(settings.settings());
            } else if let Some(model) = known
                && let Some(look) = model.closer_look()?
            {
                looking.ask(&look, subjects, sources)?;
                (closer_look, closer) = (model.settings.closer_look.clone(), model.closer.clone());
                source = format!("; closer look of {}", model.settings.name);
            }
            if closer_look.is_some() {
                point = operating_point::choose_at(extent, subjects, &plan.classes, beta);
            }
        }
        Ok(Chosen { point, closer_look, closer, source })
    }

    /// The known model's second look goes on learning, and its closer look is asked as it is.
    fn gone_on(
        &self,
        subjects: &[ValidationSubject],
        sources: &[Source<'_>],
    ) -> Result<Option<Chosen>, NetError> {
        let Self { plan, config, read, .. } = *self;
        let looks_again =
            |model: &&Bundle| config.second_look && model.settings.detection.second_look.is_some();
        let Some(model) = self.known.filter(looks_again) else { return Ok(None) };
        let ModelSettings { detection, closer_look, name, .. } = &model.settings;
        let mut subjects = subjects.to_vec();
        if let Some(closer) = model.closer_look()? {
            Looking { plan, extent: detection.extent, read }.ask(
                &closer,
                &mut subjects,
                sources,
            )?;
        }
        let point = operating_point::go_on(detection, &subjects, config.threshold_beta);
        Ok(point.map(|point| Chosen {
            point,
            closer_look: closer_look.clone(),
            closer: model.closer.clone(),
            source: format!("; second look of {name}"),
        }))
    }
}
