//! One scan: what a model calls with each set of inputs, against what was implanted.

use deepmir_cases::{Case, Modality};
use deepmir_lesion::matching::{MatchRule, match_lesions};
use deepmir_lesion::{Candidate, Lesion, LesionRow};
use deepmir_pipeline::predict::{Prediction, Predictor};

use super::truth::ScanTruth;
use crate::StudyError;
use crate::evaluate::same_grid;
use crate::plan::factors::joined;
use crate::qualify::rows::{CallPlace, CallRow, ImplantRow, rounded};

/// Candidates of a lower probability are not kept.
pub(crate) const LEAST_PROBABILITY: f32 = 0.05;

/// What came of a scan.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ScanRows {
    pub implants: Vec<ImplantRow>,
    /// Calls that are no implant's.
    pub calls: Vec<CallRow>,
}

/// The images of a scan, read once, given a model set by set.
pub(crate) struct Images {
    case: Case,
}

impl Images {
    pub(crate) fn new(case: Case) -> Self {
        Self { case }
    }

    /// Whether the scan has all of some modalities.
    pub(crate) fn has(&self, inputs: &[Modality]) -> bool {
        inputs.iter().all(|modality| self.case.images.contains_key(modality))
    }

    fn predict(
        &self,
        predictor: &mut Predictor,
        inputs: &[Modality],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Prediction, StudyError> {
        let mut case = self.case.clone();
        case.images.retain(|modality, _| inputs.contains(modality));
        Ok(predictor.predict_in(case, progress)?)
    }

    /// What is called with some inputs, against the truth.
    ///
    /// # Errors
    /// A truth on another grid; a failing model.
    pub(crate) fn against(
        &self,
        truth: &ScanTruth,
        predictor: &mut Predictor,
        inputs: &[Modality],
        rule: MatchRule,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<ScanRows, StudyError> {
        let image = std::path::Path::new(&self.case.id);
        same_grid(&truth.path, &truth.unknown, image, &self.case.brain)?;
        let prediction = self.predict(predictor, inputs, progress)?;
        Ok(compared(&self.case.id, &joined(inputs), truth, &prediction, rule))
    }

    /// What is called in a scan to which nothing was added.
    ///
    /// # Errors
    /// A failing model.
    pub(crate) fn untouched(
        &self,
        predictor: &mut Predictor,
        inputs: &[Modality],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<CallRow>, StudyError> {
        let prediction = self.predict(predictor, inputs, progress)?;
        let calls = prediction.found.iter().zip(&prediction.rows);
        let names = (self.case.id.as_str(), joined(inputs));
        let row = |(call, row): (&Candidate, &LesionRow)| {
            call_row(names.0, &names.1, call, Some(row), CallPlace::Untouched)
        };
        Ok(calls.map(row).collect())
    }
}

fn compared(
    scan: &str,
    inputs: &str,
    truth: &ScanTruth,
    prediction: &Prediction,
    rule: MatchRule,
) -> ScanRows {
    let calls: Vec<&Lesion> = prediction.lesions().collect();
    let called = owners(truth, &calls, rule);
    let open = Open::of(prediction);
    let implants = truth.sources.iter().zip(&truth.lesions).zip(&called);
    let implants = implants.map(|((source, lesion), call)| {
        let call = call.map(|call| &prediction.found[call]);
        let probability = call.map(|call| share(call.score()));
        ImplantRow {
            scan: scan.to_owned(),
            source_id: source.source_id,
            kind: source.kind.clone(),
            site: source.site.clone(),
            x_mm: rounded(source.x_mm, 2),
            y_mm: rounded(source.y_mm, 2),
            z_mm: rounded(source.z_mm, 2),
            diameter_mm: rounded(source.diameter_mm, 3),
            volume_mm3: rounded(source.volume_mm3, 3),
            chi_ppm: rounded(source.chi_ppm, 4),
            chi_volume_ppm_mm3: rounded(source.chi_ppm * source.volume_mm3, 4),
            n_voxels: source.n_voxels,
            inputs: inputs.to_owned(),
            found: call.is_some(),
            called: call.map(|call| call.lesion.class),
            probability,
            candidate_probability: open
                .best_at(lesion, rule)
                .into_iter()
                .chain(probability)
                .max_by(f64::total_cmp),
        }
    });
    let implants = implants.collect();
    let mut touched = vec![false; truth.unknown.data().len()];
    let voxels = truth.lesions.iter().flat_map(|lesion| &lesion.voxels);
    voxels.for_each(|&voxel| touched[voxel] = true);
    let place = |n: Option<usize>, lesion: &Lesion| {
        let is_any = |mask: &[bool]| lesion.voxels.iter().any(|&voxel| mask[voxel]);
        let is_matched = n.is_some_and(|n| called.contains(&Some(n)));
        match (is_matched || is_any(&touched), is_any(truth.unknown.data())) {
            (true, _) => None,
            (false, true) => Some(CallPlace::Unknown),
            (false, false) => Some(CallPlace::Elsewhere),
        }
    };
    let there = prediction.found.iter().zip(&prediction.rows).enumerate();
    let calls = there.filter_map(|(n, (call, row))| {
        Some(call_row(scan, inputs, call, Some(row), place(Some(n), &call.lesion)?))
    });
    let nearly = open.not_called.iter().filter_map(|candidate| {
        Some(call_row(scan, inputs, candidate, None, place(None, &candidate.lesion)?))
    });
    ScanRows { implants, calls: calls.chain(nearly).collect() }
}

/// Which call each source is found by: first lesions of either class, whatever class they are called; then mimics by
/// what is left.
fn owners(truth: &ScanTruth, calls: &[&Lesion], rule: MatchRule) -> Vec<Option<usize>> {
    let mut owners = vec![None; truth.sources.len()];
    let is_lesion =
        |n: &usize| truth.sources[*n].kind.parse::<deepmir_lesion::LesionClass>().is_ok();
    let (lesions, mimics): (Vec<usize>, Vec<usize>) = (0..truth.sources.len()).partition(is_lesion);
    for (group, rule) in [(lesions, rule), (mimics, MatchRule::Overlap)] {
        let free: Vec<usize> = (0..calls.len()).filter(|n| !owners.contains(&Some(*n))).collect();
        let there: Vec<&Lesion> = group.iter().map(|&n| &truth.lesions[n]).collect();
        let left: Vec<&Lesion> = free.iter().map(|&n| calls[n]).collect();
        for pair in match_lesions(&there, &left, rule) {
            owners[group[pair.truth]] = Some(free[pair.predicted]);
        }
    }
    owners
}

/// The candidates that are lesions at one threshold or another.
struct Open<'a> {
    all: Vec<&'a Candidate>,
    not_called: Vec<&'a Candidate>,
}

impl<'a> Open<'a> {
    /// A candidate that its probability would make a lesion, and that is none, was rejected for another reason (its
    /// size), and is none at any threshold.
    fn of(prediction: &'a Prediction) -> Self {
        let mut open = Self { all: Vec::new(), not_called: Vec::new() };
        for (candidate, &accepted) in prediction.candidates.iter().zip(&prediction.accepted) {
            let waits =
                prediction.rule.threshold(candidate.lesion.class).is_some_and(|threshold| {
                    (LEAST_PROBABILITY..threshold.detection_threshold).contains(&candidate.score())
                        && candidate.lesion.volume_mm3 >= threshold.min_volume_mm3
                        && candidate.height_mm >= threshold.min_height_mm
                });
            if accepted || waits {
                open.all.push(candidate);
            }
            if !accepted && waits {
                open.not_called.push(candidate);
            }
        }
        open
    }

    /// The highest probability of those that match a lesion.
    fn best_at(&self, lesion: &Lesion, rule: MatchRule) -> Option<f64> {
        let matches = |candidate: &&&Candidate| {
            !match_lesions(&[lesion], &[&candidate.lesion], rule).is_empty()
        };
        let scores = self.all.iter().filter(matches).map(|candidate| share(candidate.score()));
        scores.max_by(f64::total_cmp)
    }
}

fn call_row(
    scan: &str,
    inputs: &str,
    call: &Candidate,
    row: Option<&LesionRow>,
    place: CallPlace,
) -> CallRow {
    let [x_mm, y_mm, z_mm] = call.lesion.centre_mm.map(|mm| rounded(mm, 2));
    let region = row.and_then(|row| {
        let mars = row.mars_region.map(|region| region.name().to_owned());
        mars.or_else(|| row.region.map(|region| region.name().to_owned()))
    });
    CallRow {
        scan: scan.to_owned(),
        inputs: inputs.to_owned(),
        class: call.lesion.class,
        called: row.is_some(),
        place,
        probability: share(call.score()),
        x_mm,
        y_mm,
        z_mm,
        volume_mm3: rounded(call.lesion.volume_mm3, 2),
        region,
    }
}

fn share(probability: f32) -> f64 {
    rounded(f64::from(probability), 4)
}
