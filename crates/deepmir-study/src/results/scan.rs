//! One scan: the predictions of every cell against the truth.

use std::collections::HashMap;
use std::path::PathBuf;

use deepmir_cases::{Case, CaseFiles, Modality};
use deepmir_lesion::matching::MatchRule;
use deepmir_lesion::metrics::{Detections, SubjectScore, score};
use deepmir_lesion::{Candidate, LabelMap, Lesion, LesionClass, MeasuredImages, lesions_of};
use deepmir_volume::nifti::ReadOptions;

use crate::StudyError;
use crate::evaluate::{
    EvaluationOptions, known_predictions, retain_known, same_grid, without_small,
};
use crate::plan::cell::Cell;
use crate::plan::layout::StudyPlan;
use crate::results::mistakes::{Mistake, ScanContext, false_positives, missed};
use crate::results::paired::{Measured, OfClass, Paired};
use crate::results::strata::{Mimics, SITES, SiteCounts};
use crate::run::stored_predictions::{self, StoredPrediction};

/// The result of one cell on one scan.
#[derive(Clone, Debug)]
pub(crate) struct ScanResult {
    /// Position among the plan's arms.
    pub arm: usize,
    /// Position among the plan's folds.
    pub fold: usize,
    /// The training's seed.
    pub seed: u64,
    /// The scan.
    pub scan: String,
    /// Position among the units that are resampled: subjects, those of one anatomy together.
    pub unit: usize,
    /// Counts, volumes, confusion.
    pub score: SubjectScore,
    /// For each class of the arm, the curve's part.
    pub detections: Vec<(LesionClass, Detections)>,
    /// For each class of the arm and each of [`SITES`].
    pub sites: Vec<(LesionClass, [SiteCounts; SITES.len()])>,
    /// What the simulated calcifications and other mimics were predicted as, where they are listed.
    pub mimics: Mimics,
    /// False positives and misses.
    pub mistakes: Vec<Mistake>,
}

impl ScanResult {
    /// The curve's part of a class.
    pub(crate) fn detections_of(&self, class: LesionClass) -> Option<&Detections> {
        self.detections.iter().find(|(other, _)| *other == class).map(|(_, detections)| detections)
    }
}

/// A scan's images and truth.
pub(crate) struct Scene {
    pub case: Case,
    /// The truth, without what is too small to count.
    pub truth: LabelMap,
}

impl Scene {
    /// Reads a scan with every modality that some arm needs.
    pub(crate) fn read(
        plan: &StudyPlan,
        files: &CaseFiles,
        options: &EvaluationOptions,
    ) -> Result<Self, StudyError> {
        let mut needed: Vec<Modality> =
            plan.arms.iter().flat_map(|arm| arm.inputs.iter().copied()).collect();
        needed.sort_unstable();
        needed.dedup();
        let read = ReadOptions { nan_to_zero: plan.config.nan_to_zero };
        let case = files.read(&needed, &read)?;
        let truth = case.truth.clone().unwrap_or_else(|| LabelMap::empty(*case.grid()));
        Ok(Self { truth: without_small(&truth, options), case })
    }

    /// Its images to measure lesions in.
    pub(crate) fn measured(&self) -> MeasuredImages<'_> {
        MeasuredImages {
            swi: self.case.images.get(&Modality::Swi),
            qsm_ppm: self.case.images.get(&Modality::Qsm),
            t2w: self.case.images.get(&Modality::T2w),
            brain: Some(&self.case.brain),
            places: None,
        }
    }
}

/// Compares the stored predictions of some cells for a scan with its truth.
pub(crate) fn results(
    plan: &StudyPlan,
    files: &CaseFiles,
    unit: usize,
    cells: &[&Cell],
) -> Result<Vec<ScanResult>, StudyError> {
    let options = plan.config.evaluation_options();
    let scene = Scene::read(plan, files, &options)?;
    let truth_lesions = lesions_of(&scene.truth, options.connectivity);
    let truth_rows = scene.measured().measure(&scene.truth, &truth_lesions);
    let mimics = Mimics::listed(files)?;
    let one = |cell: &&Cell| -> Result<ScanResult, StudyError> {
        let folder = plan.folder(cell);
        let StoredPrediction { labels, mut candidates } =
            stored_predictions::read(&folder, &files.id)?;
        let truth_path: PathBuf = files.truth.clone().unwrap_or_default();
        same_grid(&truth_path, scene.truth.volume(), &folder, labels.volume())?;
        let unknown = scene.case.unknown.as_ref();
        let labels = without_small(&labels, &options);
        let known = known_predictions(labels, &scene.truth, unknown, &options);
        let labels = known.labels;
        retain_known(&mut candidates, &truth_lesions, unknown, options.rule);
        candidates.retain(|candidate| candidate.lesion.volume_mm3 >= options.min_volume_mm3);
        let classes = &plan.arm(cell).classes;
        let found = lesions_of(&labels, options.connectivity);
        let found_rows = scene.measured().measure(&labels, &found);
        let truth = Measured { lesions: &truth_lesions, rows: &truth_rows };
        let found = Measured { lesions: &found, rows: &found_rows };
        let context = ScanContext {
            truth: &scene.truth,
            candidates: &candidates,
            owners: owners(&candidates),
            mimics: &mimics,
            grid: *labels.grid(),
        };
        let mut result = ScanResult {
            arm: cell.arm,
            fold: cell.fold,
            seed: cell.seed,
            scan: files.id.clone(),
            unit,
            score: score(
                &files.id,
                &scene.truth,
                &labels,
                classes,
                options.rule,
                options.connectivity,
            )
            .with_left_out(&known.left_out),
            detections: Vec::new(),
            sites: Vec::new(),
            mimics: mimics.predicted(found.lesions, &scene.truth),
            mistakes: Vec::new(),
        };
        for &class in classes {
            let (truth, found) = (truth.of(class), found.of(class));
            let pairs = Paired::new(&truth, &found, options.rule);
            result.detections.push((class, curve(&truth, &candidates, class, options.rule)));
            result.sites.push((class, SiteCounts::of(&truth, &found, &pairs)));
            result.mistakes.extend(false_positives(&found, &pairs, &context));
            result.mistakes.extend(missed(&truth, &pairs, &context));
        }
        Ok(result)
    };
    cells.iter().map(one).collect()
}

fn curve(
    truth: &OfClass<'_>,
    candidates: &[Candidate],
    class: LesionClass,
    rule: MatchRule,
) -> Detections {
    let truth: Vec<&Lesion> = truth.iter().map(|(lesion, _)| *lesion).collect();
    let candidates: Vec<&Candidate> =
        candidates.iter().filter(|candidate| candidate.lesion.class == class).collect();
    Detections::new(&truth, &candidates, rule)
}

/// Which candidate each voxel belongs to.
fn owners(candidates: &[Candidate]) -> HashMap<usize, usize> {
    let voxels = candidates
        .iter()
        .enumerate()
        .flat_map(|(n, candidate)| candidate.lesion.voxels.iter().map(move |&voxel| (voxel, n)));
    voxels.collect()
}
