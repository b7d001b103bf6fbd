//! Patch classifiers: training them on the candidates of a cross-validation, and scoring those out of fold.

use std::path::{Path, PathBuf};

use deepmir_cases::Modality;
use deepmir_detect::operating_point::{CandidateThreshold, Site, ValidationSubject, View, units};
use deepmir_lesion::LesionClass;
use deepmir_net::patch_classifier::{Patch, PatchExample, PatchImages, train};
use deepmir_net::train::PatchClassifierConfig;
use deepmir_net::{NetError, PatchClassifier, Plan, Precision, Prepared, Weights};
use deepmir_volume::Grid;
use rayon::prelude::*;

/// A subject's images in a file, to cut patches from once the candidate threshold is known.
pub(super) struct StoredImages {
    path: PathBuf,
    grid: Grid,
    /// Positions of the images that the subject lacks.
    missing: Vec<usize>,
    /// Positions of the images that are missing in each further view.
    views: Vec<Vec<usize>>,
}

impl StoredImages {
    /// Stores the images of the n-th subject.
    pub fn write(
        prepared: &Prepared,
        plan: &Plan,
        folder: &Path,
        n: usize,
    ) -> Result<Self, NetError> {
        let path = folder.join(n.to_string());
        PatchImages::new(prepared).write(&path)?;
        let missing = positions(&prepared.missing, plan);
        Ok(Self { path, grid: *prepared.grid(), missing, views: Vec::new() })
    }

    /// Adds views with more of the images missing.
    pub fn with_views(self, views: &[Vec<Modality>], plan: &Plan) -> Self {
        let missing = |view: &Vec<Modality>| [&*self.missing, &*positions(view, plan)].concat();
        Self { views: views.iter().map(missing).collect(), ..self }
    }

    fn read(&self) -> Result<PatchImages, NetError> {
        PatchImages::read(&self.path, &self.grid)
    }
}

/// The positions of some modalities among a plan's inputs.
fn positions(modalities: &[Modality], plan: &Plan) -> Vec<usize> {
    let inputs = plan.inputs.iter().enumerate();
    inputs.filter(|(_, input)| modalities.contains(input)).map(|(n, _)| n).collect()
}

/// How the networks of a patch classifier are trained.
pub(super) struct PatchClassifierTraining<'a> {
    pub plan: &'a Plan,
    /// The candidate threshold.
    pub threshold: CandidateThreshold,
    pub config: &'a PatchClassifierConfig,
    /// Networks to start from, of the same architecture; none are random weights.
    pub start: &'a [Weights],
    pub seed: u64,
}

/// The patches of the candidates in a view.
struct ViewPatches {
    candidates: Vec<(Patch, Option<LesionClass>)>,
    /// Positions of the images that are missing.
    missing: Vec<usize>,
}

/// The patches of one subject.
struct Patches {
    complete: ViewPatches,
    /// Of the candidates in each view without some of the images.
    missing_modality: Vec<ViewPatches>,
    /// Of lesions that are no candidates.
    missed: Vec<(Patch, Option<LesionClass>)>,
}

impl Patches {
    /// Cuts the patches of a subject's candidates, with a margin for random shifts.
    fn cut(
        subject: &ValidationSubject,
        images: &StoredImages,
        threshold: CandidateThreshold,
        size: [usize; 3],
        shift: [usize; 3],
    ) -> Result<Self, NetError> {
        let stored = images.read()?;
        let roomy = std::array::from_fn(|axis| size[axis] + 2 * shift[axis]);
        let with_truth = |stored: &PatchImages, sites: Vec<Site>| {
            let cut = |site: &Site| (stored.cut(site.centre_mm, roomy), site.truth);
            sites.iter().map(cut).collect::<Vec<_>>()
        };
        let complete = ViewPatches {
            candidates: with_truth(&stored, subject.sites(threshold, View::Complete)),
            missing: images.missing.clone(),
        };
        let missed = with_truth(&stored, subject.missed_lesions(threshold));
        let views = images.views.iter().enumerate().map(|(n, missing)| {
            let stored = images.read()?.without(missing);
            let sites = subject.sites(threshold, View::MissingModality(n));
            Ok(ViewPatches { candidates: with_truth(&stored, sites), missing: missing.clone() })
        });
        let missing_modality = views.collect::<Result<_, NetError>>()?;
        Ok(Self { complete, missing_modality, missed })
    }

    /// All of them with their labels: what looks like a lesion without QSM is no candidate with it, and a network that
    /// reads scans without QSM must have seen it. `classes` are the classes of the outputs from 1 on.
    fn examples(&self, classes: &[LesionClass]) -> impl Iterator<Item = PatchExample<'_>> {
        let output_of = |truth: &Option<LesionClass>| {
            let place = truth.and_then(|truth| classes.iter().position(|&class| class == truth));
            place.map_or(0, |place| place + 1)
        };
        let missed = self.missed.iter().map(|one| (one, &self.complete));
        let views = std::iter::once(&self.complete).chain(&self.missing_modality);
        let candidates = views.flat_map(|view| view.candidates.iter().map(move |one| (one, view)));
        candidates.chain(missed).map(move |((patch, truth), view)| PatchExample {
            patch,
            output: output_of(truth),
            missing: &view.missing,
        })
    }

    /// Gives the subject's candidates the log-odds of a patch classifier.
    fn score(
        &self,
        classifier: &PatchClassifier,
        subject: &mut ValidationSubject,
        threshold: CandidateThreshold,
    ) -> Result<(), NetError> {
        let odds_of = |view: &ViewPatches| {
            classifier.log_odds(view.candidates.iter().map(|(patch, _)| patch))
        };
        subject.set_patch_log_odds(threshold, View::Complete, &odds_of(&self.complete)?);
        for (n, view) in self.missing_modality.iter().enumerate() {
            let odds = odds_of(view)?;
            subject.set_patch_log_odds(threshold, View::MissingModality(n), &odds);
        }
        Ok(())
    }
}

impl PatchClassifierTraining<'_> {
    /// Trains the networks, each on all subjects but those of one fold, and scores the candidates of that fold with it.
    /// Trains none where there are too few lesions, or where a network would see candidates of one kind only.
    /// `progress` is called with the steps done and their total.
    ///
    /// # Errors
    /// Images that cannot be read back, or a training that diverges.
    pub fn run(
        &self,
        subjects: &mut [ValidationSubject],
        images: &[StoredImages],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Vec<Weights>, NetError> {
        let Self { plan, threshold, config, start, seed } = *self;
        let sites = subjects.iter().flat_map(|subject| subject.sites(threshold, View::Complete));
        if sites.filter(|site| site.truth.is_some()).count() < config.min_lesions {
            return Ok(Vec::new());
        }
        let patches: Vec<Patches> = subjects
            .par_iter()
            .zip(images)
            .map(|(subject, images)| {
                Patches::cut(subject, images, threshold, config.size, config.shift)
            })
            .collect::<Result<_, _>>()?;
        let settings = config.settings();
        let subsets = plan.missing_modality_subsets();
        let droppable: Vec<Vec<usize>> =
            subsets.iter().map(|missing| positions(missing, plan)).collect();
        let units = units(subjects.iter().map(|subject| subject.group.as_deref()));
        let (folds, mut networks) = (config.networks, Vec::new());
        let examples_of = |fold: usize| -> Vec<PatchExample<'_>> {
            let others = patches.iter().zip(&units).filter(|(_, unit)| **unit % folds != fold);
            others.flat_map(|(of, _)| of.examples(&plan.classes)).collect()
        };
        let all_alike = |examples: &[PatchExample<'_>]| {
            examples.windows(2).all(|pair| pair[0].output == pair[1].output)
        };
        if (0..folds).any(|fold| all_alike(&examples_of(fold))) {
            return Ok(Vec::new());
        }
        for fold in 0..folds {
            let examples = examples_of(fold);
            let (done, of) = (fold as u64 * config.steps, folds as u64 * config.steps);
            let weights = train(
                &settings.architecture(plan),
                start.get(fold),
                &examples,
                &droppable,
                config,
                seed.wrapping_add(fold as u64),
                &mut |step| progress(done + step, of),
            )?;
            // As it will be read from a file.
            let weights = Weights::from_safetensors(&weights.to_safetensors(Precision::Half)?)?;
            let classifier = PatchClassifier::new(&settings, plan, std::slice::from_ref(&weights))?;
            let both = subjects.iter_mut().zip(&patches).zip(&units);
            for ((subject, patches), _) in both.filter(|(_, unit)| **unit % folds == fold) {
                patches.score(&classifier, subject, threshold)?;
            }
            networks.push(weights);
        }
        Ok(networks)
    }
}

/// Scores the candidates of all subjects with a patch classifier that learned from others.
///
/// # Errors
/// Images that cannot be read back.
pub(super) fn score_with(
    classifier: &PatchClassifier,
    threshold: CandidateThreshold,
    subjects: &mut [ValidationSubject],
    images: &[StoredImages],
) -> Result<(), NetError> {
    for (subject, images) in subjects.iter_mut().zip(images) {
        let patches = Patches::cut(subject, images, threshold, classifier.size(), [0; 3])?;
        patches.score(classifier, subject, threshold)?;
    }
    Ok(())
}
