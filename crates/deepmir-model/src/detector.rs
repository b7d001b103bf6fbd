//! A detector: a model on a device, from a scan's files to scored candidates.

use std::sync::Arc;

use deepmir_cases::cohort::subject_of;
use deepmir_cases::{Case, CaseError, CaseFiles, FindBrain, Modality};
use deepmir_detect::candidate_classifier::Features;
use deepmir_detect::operating_point::{MeasuredSubject, ScoredSubject};
use deepmir_detect::{
    CandidateImages, Detection, DetectionRule, ProbabilityMaps, ScoredCandidates,
};
use deepmir_lesion::{BasalGanglia, Candidate, Lesion, is_unknown};
use deepmir_net::infer::{self, InferenceOptions, Network, probability_maps};
use deepmir_net::{DeviceChoice, PatchClassifier, Prepared};
use deepmir_onnx::OnnxNetwork;
use deepmir_volume::nifti::ReadOptions;
use deepmir_volume::{Grid, Mask, Warning};

use crate::bundle::{InputsOperatingPoint, inputs_of};
use crate::{Bundle, ModelError, imported};

/// A model on a device, ready to run.
pub struct Detector {
    bundle: Bundle,
    networks: Networks,
    patch_classifier: Option<PatchClassifier>,
    /// Of scans whose set of images has no thresholds of its own.
    detection: Detection,
    /// Of the others, in the order of the model's operating points.
    by_inputs: Vec<Detection>,
    /// Whether the features of candidates are measured although no classifier needs them: to fit one.
    features_are_wanted: bool,
    /// How networks are run.
    pub options: InferenceOptions,
    /// How images are read.
    pub read: ReadOptions,
    /// Finds the brain in a whole head without a mask; without it, such a scan is an error.
    pub find_brain: Option<Arc<dyn FindBrain>>,
    /// What was noticed in the files of scans that were [measured](Detector::measure).
    pub noticed: Vec<Warning>,
}

/// What makes the probability maps.
enum Networks {
    /// U-Nets of ours.
    Own(Vec<Box<dyn Network>>),
    Imported(Vec<OnnxNetwork>),
}

/// What a model finds in a subject, on the prepared grid.
#[derive(Clone, Debug)]
pub struct Detected {
    /// The images on their own grid.
    pub case: Case,
    /// The preprocessed images.
    pub prepared: Prepared,
    /// The probability maps.
    pub maps: ProbabilityMaps,
    /// Every candidate with its score, accepted or not.
    pub candidates: Vec<Candidate>,
    /// The features of each candidate; empty without a candidate classifier.
    pub features: Vec<Features>,
    /// The rule for the images that the scan has.
    pub rule: DetectionRule,
    /// Where it and the calibration of the scores come from, if the model has thresholds for just these images.
    pub operating_point: Option<InputsOperatingPoint>,
}

impl Detected {
    /// Resamples candidates from the prepared grid to the subject's own; each with its position in `candidates`. One
    /// whose only voxel belongs to another is left out.
    pub fn on_own_grid(&self, candidates: &[Candidate]) -> Vec<(usize, Candidate)> {
        let own: &Grid = self.case.grid();
        let regions: Vec<&Lesion> = candidates.iter().map(|candidate| &candidate.lesion).collect();
        let voxels = self.prepared.placement.restore_regions(&regions, self.prepared.grid());
        let there = candidates.iter().zip(voxels).enumerate();
        let there = there.filter(|(_, (_, voxels))| !voxels.is_empty());
        there.map(|(n, (candidate, voxels))| (n, candidate.on(voxels, own))).collect()
    }
}

impl Detector {
    /// Opens a model on a device.
    ///
    /// # Errors
    /// A device that is not there, or weights that do not fit.
    pub fn new(bundle: Bundle, device: DeviceChoice) -> Result<Self, ModelError> {
        let networks = match &bundle.settings.architecture {
            Some(architecture) => {
                Networks::Own(infer::networks(architecture, &bundle.members, device)?)
            }
            None if device.is_cpu() => Networks::Imported(bundle.imported_networks()?),
            None => {
                let name = &bundle.settings.name;
                let reason = format!("the networks of {name} run on the processor: --device cpu");
                return Err(ModelError::Config { reason });
            }
        };
        Ok(Self {
            networks,
            patch_classifier: bundle.patch_classifier()?,
            detection: bundle.settings.detection(),
            by_inputs: by_inputs(&bundle),
            bundle,
            features_are_wanted: false,
            options: InferenceOptions::default(),
            read: ReadOptions::default(),
            find_brain: None,
            noticed: Vec::new(),
        })
    }

    /// Measures the features of candidates from now on, also without a classifier.
    pub(crate) fn want_features(&mut self) {
        self.features_are_wanted = true;
    }

    /// Leaves out thresholds and calibration by set of images.
    pub(crate) fn without_operating_points(&mut self) -> Vec<InputsOperatingPoint> {
        self.by_inputs.clear();
        std::mem::take(&mut self.bundle.settings.operating_points)
    }

    /// The model.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The model's detection rule and candidate classifier, for scans whose set of images has no thresholds of its own; a
    /// scan's own rule is [`Detected::rule`].
    pub fn detection(&self) -> &Detection {
        &self.detection
    }

    /// Reads all images of a subject and scores its candidates. `progress` is called with the slices done and their
    /// total.
    ///
    /// # Errors
    /// Unreadable or missing images, different grids, no brain, a failing device.
    pub fn detect(
        &mut self,
        files: &CaseFiles,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Detected, ModelError> {
        let case = self.read_images(files)?;
        self.detect_in(case, None, progress)
    }

    /// Reads all images of a subject.
    ///
    /// # Errors
    /// Unreadable or missing images, different grids, no brain.
    pub fn read_images(&self, files: &CaseFiles) -> Result<Case, ModelError> {
        // Before minutes of reading.
        self.check_inputs(&files.id, |modality| files.images.contains_key(&modality))?;
        let given: Vec<Modality> = files.images.keys().copied().collect();
        Ok(files.read_finding(&given, &self.read, self.find_brain.as_deref())?)
    }

    /// As [`Detector::detect`], in images that were read. `nuclei` tells where iron deposits may lie, if the scan is
    /// parcellated.
    ///
    /// # Errors
    /// A missing image, a failing device.
    pub fn detect_in(
        &mut self,
        case: Case,
        nuclei: Option<&dyn BasalGanglia>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Detected, ModelError> {
        let settings = &self.bundle.settings;
        self.check_inputs(&case.id, |modality| case.images.contains_key(&modality))?;
        let prepared = Prepared::new(&case, &settings.plan)?;
        let maps = match &mut self.networks {
            Networks::Own(networks) => {
                let (plan, architecture) = (&settings.plan, settings.architecture()?);
                probability_maps(networks, &prepared, plan, architecture, &self.options, progress)?
            }
            Networks::Imported(networks) => {
                let mirrored = self.options.flips;
                imported::probability_maps(networks, &prepared, settings, mirrored, progress)?
            }
        };
        let place = self.operating_point_of(&case);
        let detection = place.map_or(&self.detection, |place| &self.by_inputs[place]);
        // On the prepared grid, where the rule was chosen: on another grid small lesions would have other sizes and
        // lower peaks.
        let scored = self.with_images(&prepared, |images| {
            maps.score_candidates(detection, Some(&prepared.brain), nuclei, images)
        })?;
        let (candidates, features) = (scored.candidates, scored.features);
        let rule = detection.rule.clone();
        let operating_point = place.map(|place| settings.operating_points[place].clone());
        Ok(Detected { case, prepared, maps, candidates, features, rule, operating_point })
    }

    /// Which of the model's operating points is that of a scan's images.
    fn operating_point_of(&self, case: &Case) -> Option<usize> {
        let settings = &self.bundle.settings;
        let inputs = inputs_of(case, &settings.plan);
        settings.operating_points.iter().position(|point| point.is_of(&inputs))
    }

    /// Scores regions of a scan's prepared grid as if they were its candidates, each with its features, in the same
    /// order.
    ///
    /// # Errors
    /// If the patch classifier fails.
    pub fn score_regions(
        &self,
        detected: &Detected,
        nuclei: Option<&dyn BasalGanglia>,
        regions: Vec<Vec<usize>>,
    ) -> Result<ScoredCandidates, ModelError> {
        let Detected { case, prepared, maps, .. } = detected;
        let place = self.operating_point_of(case);
        let detection = place.map_or(&self.detection, |place| &self.by_inputs[place]);
        Ok(self.with_images(prepared, |images| {
            maps.score_regions(detection, Some(&prepared.brain), nuclei, regions, images)
        })?)
    }

    /// Does something with the images that candidates are measured in, where there is a classifier to measure them
    /// for, or is to be one.
    fn with_images<T>(
        &self,
        prepared: &Prepared,
        score: impl FnOnce(Option<&CandidateImages<'_>>) -> T,
    ) -> T {
        let bound = self.patch_classifier.as_ref().map(|classifier| classifier.bind(prepared));
        let is_measured = self.features_are_wanted || self.detection.classifier.is_some();
        let images = is_measured.then(|| {
            let images = prepared.candidate_images(&self.bundle.settings.plan);
            match &bound {
                Some(scorer) => images.with_patch_scorer(scorer),
                None => images,
            }
        });
        score(images.as_ref())
    }

    fn check_inputs(&self, id: &str, is_there: impl Fn(Modality) -> bool) -> Result<(), CaseError> {
        let plan = &self.bundle.settings.plan;
        let missing =
            plan.inputs.iter().find(|&&modality| plan.needs(modality) && !is_there(modality));
        match missing {
            Some(&modality) => Err(CaseError::MissingModality { id: id.to_owned(), modality }),
            None => Ok(()),
        }
    }

    /// The candidates of one subject on its own grid, scored and measured, with its true lesions; apart from them
    /// those of which nobody knows whether they are lesions ([`is_unknown`]).
    ///
    /// # Errors
    /// As [`Detector::detect`].
    pub fn measure(
        &mut self,
        files: &CaseFiles,
        truth: Vec<Lesion>,
    ) -> Result<MeasuredSubject, ModelError> {
        let mut detected = self.detect(files, &mut |_, _| {})?;
        self.noticed.append(&mut detected.case.warnings);
        let extent = detected.rule.restricting_extent(&detected.prepared.brain);
        let mut features = std::mem::take(&mut detected.features);
        let is_known = |candidate: &Candidate| {
            let unknown = |mask: &Mask| is_unknown(&candidate.lesion, &truth, mask);
            !detected.case.unknown.as_ref().is_some_and(unknown)
        };
        let there = detected.on_own_grid(&detected.candidates).into_iter();
        let there = there.map(|(n, candidate)| {
            (candidate, features.get_mut(n).map(std::mem::take).unwrap_or_default())
        });
        let (known, unknown): (Vec<_>, Vec<_>) =
            there.partition(|(candidate, _): &(Candidate, Features)| is_known(candidate));
        let (candidates, features) = known.into_iter().unzip();
        let (unknown, unknown_features) = unknown.into_iter().unzip();
        let scored = ScoredSubject { truth, candidates, unknown };
        let group = Some(subject_of(&files.id));
        Ok(MeasuredSubject { scored, features, unknown_features, extent, group })
    }
}

/// The detection of each of a model's operating points.
fn by_inputs(bundle: &Bundle) -> Vec<Detection> {
    let settings = &bundle.settings;
    let detections = settings.operating_points.iter().map(|point| {
        let images: Vec<&str> = point.images.iter().map(String::as_str).collect();
        settings.detection_of(&images)
    });
    detections.collect()
}
