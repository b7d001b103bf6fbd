//! Joining the networks of a cross-validation to one model.
//!
//! Each subject is read once and predicted out of fold, by the networks that did not learn from it. On these predictions
//! the candidate classifier is fitted and the operating point chosen, with a patch classifier where there are lesions
//! enough to train one.

mod patches;
mod select;

use std::collections::BTreeSet;
use std::ops::RangeFrom;
use std::path::Path;

use deepmir_cases::{CaseFiles, Groups, Modality};
use deepmir_detect::operating_point::{CandidateThreshold, ValidationSubject};
use deepmir_lesion::{BrainExtent, LabelMap};
use deepmir_net::infer::{InferenceOptions, Network, networks, probability_maps};
use deepmir_net::train::TrainingConfig;
use deepmir_net::{DeviceChoice, Plan, Prepared};
use deepmir_volume::nifti::ReadOptions;

use crate::bundle::{InputsOperatingPoint, inputs_of_files};
use crate::train::each_once;
use crate::{Bundle, ModelError, ModelSettings, Provenance, TrainingRange};
use patches::StoredImages;
use select::{Selected, Selection};

/// The progress of a cross-validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// This many subjects have been predicted.
    Subjects(usize),
    /// The networks of the patch classifier are being trained.
    PatchClassifier {
        /// Steps done, by all networks together.
        step: u64,
        /// Steps to do.
        of: u64,
    },
}

/// The models of the folds, and how they become one.
#[derive(Clone, Copy, Debug)]
pub struct CrossValidation<'a> {
    /// The models of the folds, which become an ensemble.
    pub models: &'a [Bundle],
    /// For each model, the subjects that it did not learn from.
    pub held_out: &'a [Vec<CaseFiles>],
    /// Which of them belong together, visits of one patient for instance: no classifier scores one and learns from
    /// another.
    pub groups: &'a Groups,
    /// The model that their training was initialised from, if any. It learned from other subjects: its patch classifier
    /// is kept where there are too few lesions to train one, and its candidate classifier, fine-tuned, where its F1 is
    /// not below that of a new one.
    pub init_from: Option<&'a Bundle>,
    /// How the models were trained.
    pub config: &'a TrainingConfig,
    /// Where the networks run.
    pub device: DeviceChoice,
    /// How images are read.
    pub read: &'a ReadOptions,
    /// An existing folder, in which prepared images are kept until the model is done.
    pub scratch: &'a Path,
}

/// A subject predicted out of fold.
struct OutOfFold {
    subject: ValidationSubject,
    /// The stored images, if a patch classifier may need them.
    images: Option<StoredImages>,
}

impl CrossValidation<'_> {
    /// Joins the models.
    ///
    /// # Errors
    /// Models of different kinds, unreadable subjects, a failing device, a full disk.
    pub fn run(&self, progress: &mut dyn FnMut(Progress)) -> Result<Bundle, ModelError> {
        let Some(first) = self.models.first() else {
            return Err(ModelError::Config { reason: "there are no folds to join".to_owned() });
        };
        let (plan, architecture) = (&first.settings.plan, first.settings.architecture()?);
        let same = |model: &Bundle| {
            let settings = &model.settings;
            settings.plan == *plan && settings.architecture.as_ref() == Some(architecture)
        };
        if !self.models.iter().all(same) {
            let reason = "the folds are of different kinds; train them with the same settings";
            return Err(ModelError::Config { reason: reason.to_owned() });
        }
        let known = self.init_from.filter(|model| model.settings.plan.fits(plan));
        if let Some(model) = known.filter(|model| model.settings.candidate_classifier.is_some()) {
            // An impossible fine-tuning is refused before minutes of prediction.
            CandidateThreshold::find(model.settings.detection.candidate_threshold)?;
        }
        let failed = |source| ModelError::Write { path: self.scratch.to_owned(), source };
        let folder = tempfile::Builder::new().prefix(".images.").tempdir_in(self.scratch);
        let folder = folder.map_err(failed)?;
        let keep = self.may_need_patches(known).then(|| folder.path());
        let threshold = |model: &Bundle| {
            CandidateThreshold::find(model.settings.detection.candidate_threshold).ok()
        };
        let only = known.and_then(threshold);

        let mut turns = 0..;
        let (mut subjects, mut images) = (Vec::new(), Vec::new());
        for (model, cases) in self.models.iter().zip(self.held_out) {
            let mut networks = networks(architecture, &model.members, self.device)?;
            for case in cases {
                let n = subjects.len();
                let keep = keep.map(|folder| (folder, n));
                let out_of_fold =
                    self.predict(case, &mut networks, &model.settings, keep, only, &mut turns)?;
                subjects.push(out_of_fold.subject);
                images.extend(out_of_fold.images);
                progress(Progress::Subjects(n + 1));
            }
        }
        let all = self.held_out.iter().flatten();
        for (subject, case) in subjects.iter_mut().zip(all) {
            subject.group = Some(self.groups.of_scan(&case.id));
        }
        let selection = Selection { plan, known, kept: only, config: self.config };
        let selected = selection.run(&mut subjects, &images, progress)?;
        self.assemble(first, selected)
    }

    fn may_need_patches(&self, known: Option<&Bundle>) -> bool {
        let known = known.is_some_and(|model| model.settings.patch_classifier.is_some());
        self.config.candidate_classifier && (self.config.patch_classifier.is_some() || known)
    }

    /// Predicts a subject with all images, and in views without some of the optional ones ([`views_of`]). Its images are kept in a folder
    /// under a number; candidates are measured at the threshold `only`, if there is one.
    fn predict(
        &self,
        case: &CaseFiles,
        networks: &mut [Box<dyn Network>],
        settings: &ModelSettings,
        keep: Option<(&Path, usize)>,
        only: Option<CandidateThreshold>,
        turns: &mut RangeFrom<usize>,
    ) -> Result<OutOfFold, ModelError> {
        let (plan, architecture) = (&settings.plan, settings.architecture()?);
        let config = self.config;
        let prepared = Prepared::new(&case.read(&plan.inputs_of(case), self.read)?, plan)?;
        let options = InferenceOptions::default();
        let mut maps_of = |prepared: &Prepared| {
            let progress = &mut |_, _| {};
            probability_maps(networks, prepared, plan, architecture, &options, progress)
        };
        let maps = maps_of(&prepared)?;
        let nothing = LabelMap::empty(*prepared.grid());
        let truth = prepared.truth.as_ref().unwrap_or(&nothing);
        let restricted = config.restrict_nhid_to_basal_ganglia;
        let extent = if restricted { BrainExtent::of(&prepared.brain) } else { None };
        let candidate_images = config.candidate_classifier.then(|| prepared.candidate_images(plan));
        let (unknown, images) = (prepared.unknown.clone(), candidate_images.as_ref());
        let unknown = unknown.as_ref();
        let mut subject =
            ValidationSubject::measured_at(only, &maps, truth, unknown, extent.as_ref(), images)?;
        drop(candidate_images);
        let stored =
            keep.map(|(folder, n)| StoredImages::write(&prepared, plan, folder, n)).transpose()?;
        subject.inputs = Some(inputs_of_files(case, plan, &[]));
        let views =
            if config.candidate_classifier { views_of(&prepared, plan, turns) } else { Vec::new() };
        for missing in &views {
            let prepared = prepared.clone().without(missing, plan);
            let images = prepared.candidate_images(plan);
            let inputs = inputs_of_files(case, plan, missing);
            let maps = maps_of(&prepared)?;
            subject.add_missing_modality_view(&maps, unknown, &images, Some(&inputs))?;
        }
        let images = stored.map(|stored| stored.with_views(&views, plan));
        Ok(OutOfFold { subject, images })
    }

    fn assemble(&self, first: &Bundle, selected: Selected) -> Result<Bundle, ModelError> {
        let Selected { point, patch_classifier, patch_members, source } = selected;
        let validation_f1 = point.mean_f1();
        let points = point.by_inputs.into_iter();
        let points = points.map(|(inputs, classes)| InputsOperatingPoint::new(&inputs, classes));
        let all = self.held_out.iter().flat_map(|cases| cases.iter().map(|case| case.id.clone()));
        let mut validation_subjects: Vec<String> = all.collect();
        validation_subjects.sort();
        let learned_from =
            self.models.iter().map(|model| &model.settings.provenance.training_subjects);
        let learned_from: BTreeSet<String> = learned_from.flatten().cloned().collect();
        let mut training_range = TrainingRange::default();
        let ranges = self.models.iter().filter_map(|model| model.settings.training_range.as_ref());
        ranges.for_each(|range| training_range.join(range));
        let images =
            self.models.iter().flat_map(|model| &model.settings.provenance.training_images);
        let images: BTreeSet<String> = images.cloned().collect();
        let contrasts = self.models.iter().flat_map(|model| &model.settings.contrasts);
        let contrasts = each_once(contrasts.copied());
        let settings = ModelSettings {
            contrasts,
            training_range: (!training_range.0.is_empty()).then_some(training_range),
            patch_classifier,
            provenance: Provenance {
                training_images: images.into_iter().collect(),
                data: first.settings.provenance.data.clone() + &source,
                training_subjects: learned_from.into_iter().collect(),
                validation_subjects,
                validation_f1,
                ..first.settings.provenance.clone()
            },
            ..first.settings.clone()
        };
        let members = self.models.iter().flat_map(|model| model.members.iter().cloned()).collect();
        let settings = settings.with_detection(point.detection).with_operating_points(points);
        Bundle::new(settings, members, patch_members)
    }
}

/// The images to leave out of a subject's views, of the optional ones that it has: all of them, as scans with the fewest images
/// are the hardest, and then some of them, one subset in turn. Every view takes as long as the complete one.
fn views_of(prepared: &Prepared, plan: &Plan, turns: &mut RangeFrom<usize>) -> Vec<Vec<Modality>> {
    let mut subsets = plan.missing_modality_subsets();
    subsets.retain(|missing| !missing.iter().any(|modality| prepared.missing.contains(modality)));
    // The last one is the largest.
    let mut views: Vec<Vec<Modality>> = subsets.pop().into_iter().collect();
    if !subsets.is_empty() {
        let turn = turns.next().unwrap_or_default();
        views.push(subsets.swap_remove(turn % subsets.len()));
    }
    views
}
