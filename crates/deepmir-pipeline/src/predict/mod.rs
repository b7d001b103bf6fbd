//! One scan: from image files to a label map, probability maps, a lesion table and a page.

pub mod candidates;
mod contents;
mod large;
mod methods;
mod microbleeds;
mod page;
mod parts;
pub mod quality;
pub mod range;
mod reasons;
mod regions;
mod rejected;
mod tilt;
mod viewer_files;
mod window;
mod write;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use deepmir_anatomy::Regions;
use deepmir_cases::{Case, CaseFiles, FindBrain, Modality, sha256};
use deepmir_detect::candidate_classifier::Features;
use deepmir_detect::{ClassThreshold, DetectionRule, ProbabilityMaps};
use deepmir_lesion::{
    BasalGanglia, Candidate, CountInterval, FindPlace, LabelMap, Lesion, LesionClass, LesionRow,
    MeasuredImages, numbered,
};
use deepmir_model::bundle::InputsOperatingPoint;
use deepmir_model::{Bundle, Detected, Detector};
use deepmir_net::{DeviceChoice, NetError, Prepared};
use deepmir_volume::{Volume, nifti};

use crate::PipelineError;
use crate::anatomy::Anatomy;
use crate::error::tolerate;
use crate::run::memory;
pub use large::LargeFinding;
use quality::Quality;
use range::RangeComparison;
pub use window::window;
pub use write::{Written, reference_name};

/// Brains smaller than this are parts of one.
const WHOLE_ML: f64 = 600.0;

/// A model ready to run, and what is made of its detections.
pub struct Predictor {
    /// The model.
    pub detector: Detector,
    /// Where in a brain one is.
    anatomy: Arc<Anatomy>,
    /// Whether a scan with any warning is an error and nothing is written for it.
    pub strict: bool,
    /// Whether files for other viewers are written too.
    pub viewer_files: bool,
    /// Memory that may be used; `None` for what is free.
    pub memory_gb: Option<f64>,
}

/// What was found in a scan, on its own grid.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The images.
    pub case: Case,
    /// Where which class is.
    pub labels: LabelMap,
    /// How probable each class is at each voxel.
    pub probabilities: ProbabilityMaps,
    /// Every candidate, accepted or not.
    pub candidates: Vec<Candidate>,
    /// What the candidate classifier judged each by; empty without one.
    pub features: Vec<Features>,
    /// The rule for the images that the scan has.
    pub rule: DetectionRule,
    /// Where the model has thresholds and calibration for just these images.
    pub operating_point: Option<InputsOperatingPoint>,
    /// Which of them are the lesions.
    pub accepted: Vec<bool>,
    /// The lesions, in the order of the table.
    pub found: Vec<Candidate>,
    /// The position among the candidates of that which each lesion is the mask of.
    pub candidate_of: Vec<Option<usize>>,
    /// What is too large for a microbleed; counted nowhere.
    pub large: Vec<LargeFinding>,
    /// The table.
    pub rows: Vec<LesionRow>,
    /// Mean paramagnetic and diamagnetic susceptibility of each lesion in ppm; `None` where they were not separated.
    pub parts: Option<Vec<[Option<f64>; 2]>>,
    /// Measures of the images.
    pub quality: Quality,
    /// Regions of the brain; `None` where its parts are not recognised, and `region` comes from the brain's box.
    pub regions: Option<Regions>,
    /// Whether the images were read from files, whose checksums tell what the result comes from; else they were in
    /// memory.
    pub from_files: bool,
}

impl Prediction {
    /// The lesions, in the order of the table.
    pub fn lesions(&self) -> impl Iterator<Item = &Lesion> {
        self.found.iter().map(|candidate| &candidate.lesion)
    }

    /// The instance map: each lesion's row number in the table. It keeps lesions apart that touch in the label map.
    pub fn instances(&self) -> Volume<u16> {
        numbered(self.lesions(), self.labels.grid())
    }
}

impl Predictor {
    /// Opens a model on a device.
    ///
    /// # Errors
    /// A device that is not there, or weights that do not fit.
    pub fn new(bundle: Bundle, device: DeviceChoice) -> Result<Self, PipelineError> {
        let mut detector = Detector::new(bundle, device)?;
        let anatomy = Arc::new(Anatomy::default());
        detector.find_brain = Some(Arc::clone(&anatomy) as Arc<dyn FindBrain>);
        Ok(Self { detector, anatomy, strict: false, viewer_files: false, memory_gb: None })
    }

    /// The model.
    pub fn bundle(&self) -> &Bundle {
        self.detector.bundle()
    }

    /// Finds the lesions of one scan. Images that the model does not need are measured in, where they are given.
    /// `progress` is called with the number of slices done and of all.
    ///
    /// # Errors
    /// Unreadable or missing images, different grids, no brain; any warning, if `strict`.
    pub fn predict(
        &mut self,
        files: &CaseFiles,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Prediction, PipelineError> {
        self.check_headers(files)?;
        let case = self.detector.read_images(files)?;
        let prediction = self.found_in(case, Some(files), progress)?;
        tolerate(&prediction.quality.warnings, self.strict)?;
        Ok(prediction)
    }

    /// As [`Predictor::predict`], in images that were read.
    ///
    /// # Errors
    /// A missing image; any warning, if `strict`.
    pub fn predict_in(
        &mut self,
        case: Case,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Prediction, PipelineError> {
        let prediction = self.found_in(case, None, progress)?;
        tolerate(&prediction.quality.warnings, self.strict)?;
        Ok(prediction)
    }

    /// As [`Predictor::predict`], with what the lesions were selected from.
    pub(crate) fn predict_and_keep(
        &mut self,
        files: &CaseFiles,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Prediction, Detected), PipelineError> {
        self.check_headers(files)?;
        let case = self.detector.read_images(files)?;
        let (detected, regions) = self.detected_in(case, progress)?;
        let prediction = self.finish(detected.clone(), regions, Some(files))?;
        tolerate(&prediction.quality.warnings, self.strict)?;
        Ok((prediction, detected))
    }

    fn found_in(
        &mut self,
        case: Case,
        files: Option<&CaseFiles>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Prediction, PipelineError> {
        let (detected, regions) = self.detected_in(case, progress)?;
        self.finish(detected, regions, files)
    }

    fn detected_in(
        &mut self,
        case: Case,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(Detected, Result<Regions, String>), PipelineError> {
        self.check_memory(&case)?;
        let no_image = || Err("there is no image".to_owned());
        let first = case.images.values().next();
        let regions = first.map_or_else(no_image, |image| self.anatomy.regions(image));
        let nuclei = regions.as_ref().ok().map(|regions| regions as &dyn BasalGanglia);
        let detected = self.detector.detect_in(case, nuclei, progress)?;
        Ok((detected, regions))
    }

    /// That the images fit in memory, by the header of one.
    fn check_headers(&self, files: &CaseFiles) -> Result<(), PipelineError> {
        let Some(path) = files.images.values().next() else { return Ok(()) };
        let header = nifti::read_header(path)?;
        let need_gb = memory::need_gb(header.grid(), 0, None, self.bundle().settings.plan.voxel_mm);
        memory::check(&files.id, need_gb, self.memory_gb)
    }

    /// That what is made of the images fits in memory: a brain mask or voxels of a wrong size can make it large.
    fn check_memory(&self, case: &Case) -> Result<(), PipelineError> {
        let prepared = Prepared::grid_of(case, &self.bundle().settings.plan)?;
        memory::check(&case.id, memory::predict_gb(case.grid(), &prepared), self.memory_gb)
    }

    /// Selects the lesions among what was detected, brings them to the scan's own grid and measures them.
    fn finish(
        &self,
        detected: Detected,
        regions: Result<Regions, String>,
        files: Option<&CaseFiles>,
    ) -> Result<Prediction, PipelineError> {
        let Detected { prepared, maps, candidates, .. } = &detected;
        let restored = maps.iter().map(|(class, map)| (class, prepared.placement.restore(map)));
        let probabilities = ProbabilityMaps::new(restored.collect())
            .ok_or_else(|| NetError::Config { reason: "the model predicts no class".to_owned() })?;
        let found = maps.accepted(candidates.clone(), &detected.rule);
        // The candidate that each lesion is the mask of: candidates share no voxel.
        let owner = |lesion: &Candidate| {
            let within = |candidate: &Candidate| {
                let first = lesion.lesion.voxels.first();
                first.is_some_and(|voxel| candidate.lesion.voxels.binary_search(voxel).is_ok())
            };
            candidates.iter().position(within)
        };
        let owners: Vec<Option<usize>> = found.iter().map(owner).collect();
        let candidates = sorted(&detected, candidates);
        let found = sorted(&detected, &found);
        // Measuring takes as much memory again as the prepared images, which are not needed any more.
        let Detected { case, prepared, maps, candidates: scored, features, rule, operating_point } =
            detected;
        drop((prepared, maps));
        let places = regions.as_ref().ok().map(|regions| regions as &dyn FindPlace);
        let images = MeasuredImages { places, ..measured_images(&case) };
        let all = candidates.iter().map(|(_, candidate)| candidate);
        let lesions = found.iter().map(|(_, lesion)| lesion);
        let (large, is_lesion) = large::sift(&case, &images, all, lesions);
        let found: Vec<(usize, Candidate)> = found
            .into_iter()
            .zip(is_lesion)
            .filter(|(_, is)| *is)
            .map(|(there, _)| there)
            .collect();
        let lesions: Vec<Option<usize>> = found.iter().map(|(n, _)| owners[*n]).collect();
        let accepted: Vec<bool> =
            candidates.iter().map(|(n, _)| lesions.contains(&Some(*n))).collect();
        let place = |owner: &Option<usize>| candidates.iter().position(|(n, _)| Some(*n) == *owner);
        let candidate_of: Vec<Option<usize>> = lesions.iter().map(place).collect();
        let features = candidates.iter().filter_map(|(n, _)| features.get(*n).cloned()).collect();
        let [candidates, found] = [candidates, found]
            .map(|there| there.into_iter().map(|(_, candidate)| candidate).collect::<Vec<_>>());
        let labels = LabelMap::of(*case.grid(), found.iter().map(|candidate| &candidate.lesion));
        let rows = images.measure_candidates(&labels, &found);
        let lesions = || found.iter().map(|candidate| &candidate.lesion);
        let mut warnings = Vec::new();
        let parts = match files {
            Some(files) => {
                let read = &self.detector.read;
                parts::of_lesions(files, case.grid(), lesions(), read, &mut warnings)?
            }
            None => None,
        };
        let settings = &self.bundle().settings;
        let range = RangeComparison::of(settings, &rule, &case, files, &scored);
        let (mut quality, from_files) =
            (Quality::of(&case).with_contrasts_of(settings).beside(range), files.is_some());
        quality.count_intervals = self.count_intervals(&rule, &candidates, &accepted, &quality);
        quality.region_source = images.region_source();
        quality.warnings.extend(warnings);
        quality.warnings.extend(tilt::warning(&case));
        quality.warnings.extend(large::warning(&large));
        quality.warnings.extend(regions::warning(regions.as_ref(), &case.brain, rows.len()));
        quality.warnings.extend(rejected::warning(&candidates, &accepted));
        Ok(Prediction {
            case,
            labels,
            probabilities,
            candidates,
            features,
            rule,
            operating_point,
            accepted,
            found,
            candidate_of,
            large,
            rows,
            parts,
            quality,
            regions: regions.ok(),
            from_files,
        })
    }

    /// The checksum of an image; `None` of one that was in memory.
    fn checksum(
        &self,
        prediction: &Prediction,
        path: &Path,
    ) -> Result<Option<String>, PipelineError> {
        Ok(prediction.from_files.then(|| sha256(path)).transpose()?)
    }

    /// How many lesions of each class there are, by the probabilities of all candidates but those that a rule other
    /// than the threshold rejects; empty where the model has no candidate classifier.
    fn count_intervals(
        &self,
        rule: &DetectionRule,
        candidates: &[Candidate],
        accepted: &[bool],
        quality: &Quality,
    ) -> BTreeMap<LesionClass, CountInterval> {
        if self.detector.detection().classifier.is_none() {
            return BTreeMap::new();
        }
        let distance = quality.training_range.distance.unwrap_or(0.0);
        let of_class = |(&class, threshold): (&LesionClass, &ClassThreshold)| {
            let probabilities = candidates.iter().zip(accepted).filter(|(candidate, accepted)| {
                let likely = candidate.score() >= threshold.detection_threshold;
                candidate.lesion.class == class && (**accepted || !likely)
            });
            let probabilities = probabilities.map(|(candidate, _)| f64::from(candidate.score()));
            (class, CountInterval::of(&probabilities.collect::<Vec<_>>(), distance))
        };
        rule.classes.iter().map(of_class).collect()
    }

    /// The probability of each lesion; `None` where the model has no candidate classifier.
    pub fn lesion_probabilities(&self, prediction: &Prediction) -> Option<Vec<f32>> {
        let classifier = self.detector.detection().classifier.as_ref();
        classifier.map(|_| prediction.found.iter().map(Candidate::score).collect())
    }
}

/// Candidates on the subject's own grid, in order, each with its position in `candidates`.
fn sorted(detected: &Detected, candidates: &[Candidate]) -> Vec<(usize, Candidate)> {
    let mut there = detected.on_own_grid(candidates);
    there.sort_by(|(_, a), (_, b)| a.table_order(b));
    there
}

/// A case's images to measure lesions in; a parcellation is the caller's to add.
pub fn measured_images(case: &Case) -> MeasuredImages<'_> {
    MeasuredImages {
        swi: case.images.get(&Modality::Swi),
        qsm_ppm: case.images.get(&Modality::Qsm),
        t2w: case.images.get(&Modality::T2w),
        brain: Some(&case.brain),
        places: None,
    }
}

/// Lesions of each class in a table.
pub fn counts(rows: &[LesionRow]) -> [(LesionClass, usize); 2] {
    LesionClass::ALL.map(|class| (class, rows.iter().filter(|row| row.class == class).count()))
}
