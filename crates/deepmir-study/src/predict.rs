//! One subject: from image files to a label map, probability maps, a lesion table and a picture.

use std::path::{Path, PathBuf};

use deepmir_lesion::operating_point::{self, LookedAt};
use deepmir_lesion::second_look::Features;
use deepmir_lesion::{
    BrainBox, Candidate, DetectionRule, LabelMap, Lesion, LesionClass, LesionRow, MeasuredImages,
    ProbabilityMaps, table,
};
use deepmir_net::infer::{self, InferenceOptions, Network, probability_maps};
use deepmir_net::{
    Bundle, Case, CaseFiles, CloserLook, DeviceChoice, Modality, NetError, Prepared,
};
use deepmir_report::Mosaic;
use deepmir_volume::nifti::{self, ReadOptions};
use deepmir_volume::{Grid, atomic};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::StudyError;
use crate::bids::{self, BidsName, DerivedName};
use crate::candidates;
use crate::page::window;
use crate::quality::Quality;

/// A model ready to run.
pub struct Predictor {
    bundle: Bundle,
    networks: Vec<Box<dyn Network>>,
    closer: Option<CloserLook>,
    /// How slices are run.
    pub options: InferenceOptions,
    /// How images are read.
    pub read: ReadOptions,
}

/// What was found in a subject, on its own grid.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The images.
    pub case: Case,
    /// Where which class is.
    pub labels: LabelMap,
    /// How probable each class is at each voxel.
    pub probabilities: ProbabilityMaps,
    /// What was looked at, called a lesion or not.
    pub candidates: Vec<Candidate>,
    /// The lesions, in the order of the table.
    pub found: Vec<Candidate>,
    /// The table.
    pub rows: Vec<LesionRow>,
    /// What the images are like.
    pub quality: Quality,
}

/// A subject as the model judges it, on the prepared grid.
struct Judged {
    case: Case,
    prepared: Prepared,
    maps: ProbabilityMaps,
    candidates: Vec<Candidate>,
    /// What the second look measured on each; nothing without one.
    features: Vec<Features>,
}

/// Candidates of the prepared grid on the subject's own, with their numbers. One whose only voxel another has is left out.
fn brought_back(
    candidates: &[Candidate],
    prepared: &Prepared,
    own: &Grid,
) -> Vec<(usize, Candidate)> {
    let regions: Vec<&Lesion> = candidates.iter().map(|candidate| &candidate.lesion).collect();
    let voxels = prepared.placement.restore_regions(&regions, prepared.grid());
    let there = candidates.iter().zip(voxels).enumerate();
    let there = there.filter(|(_, (_, voxels))| !voxels.is_empty());
    there.map(|(n, (candidate, voxels))| (n, candidate.on(voxels, own))).collect()
}

/// [`brought_back`] in order.
fn sorted_back(candidates: &[Candidate], prepared: &Prepared, own: &Grid) -> Vec<Candidate> {
    let there = brought_back(candidates, prepared, own).into_iter();
    let mut there: Vec<Candidate> = there.map(|(_, candidate)| candidate).collect();
    Candidate::sort(&mut there);
    there
}

/// The files written for a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The label map.
    pub labels: PathBuf,
    /// The lesion table.
    pub table: PathBuf,
    /// The picture.
    pub mosaic: PathBuf,
    /// The page.
    pub report: PathBuf,
    /// Every file, these too.
    pub all: Vec<PathBuf>,
}

impl Predictor {
    /// Opens a model on a device.
    ///
    /// # Errors
    /// A device that is not there, or weights that do not fit.
    pub fn new(bundle: Bundle, device: DeviceChoice) -> Result<Self, StudyError> {
        let networks = infer::networks(&bundle.settings.architecture, &bundle.members, device)?;
        let options = InferenceOptions::default();
        let closer = bundle.closer_look()?;
        Ok(Self { bundle, networks, closer, options, read: ReadOptions::default() })
    }

    /// The model.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Finds the lesions of one subject. Images that the model does not need are measured in, where
    /// they are given. `progress` hears of slices done, and of how many.
    ///
    /// # Errors
    /// Unreadable or missing images, different grids, no brain.
    pub fn predict(
        &mut self,
        files: &CaseFiles,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Prediction, StudyError> {
        let Judged { case, prepared, maps, candidates, .. } = self.judge(files, progress)?;
        let restored = maps.iter().map(|(class, map)| (class, prepared.placement.restore(map)));
        let probabilities = ProbabilityMaps::new(restored.collect())
            .ok_or_else(|| NetError::Config { reason: "the model tells no class".to_owned() })?;
        let found = maps.called(candidates.clone(), &self.bundle.settings.detection);
        let [candidates, found] =
            [candidates, found].map(|there| sorted_back(&there, &prepared, case.grid()));
        let labels = LabelMap::of(*case.grid(), found.iter().map(|candidate| &candidate.lesion));
        let images = MeasuredImages {
            swi: case.images.get(&Modality::Swi),
            qsm_ppm: case.images.get(&Modality::Qsm),
            t2w: case.images.get(&Modality::T2w),
            brain: Some(&case.brain),
        };
        let rows = images.measure_candidates(&labels, &found);
        let quality = Quality::of(&case);
        Ok(Prediction { case, labels, probabilities, candidates, found, rows, quality })
    }

    /// Only what is looked at in one subject, called a lesion or not, on its own grid, with what the second look measured on
    /// each and the subject's `truth`.
    ///
    /// # Errors
    /// As [`Predictor::predict`].
    pub fn looked_at(
        &mut self,
        files: &CaseFiles,
        truth: Vec<Lesion>,
    ) -> Result<LookedAt, StudyError> {
        let Judged { case, prepared, candidates, mut features, .. } =
            self.judge(files, &mut |_, _| {})?;
        let deep = self.bundle.settings.detection.nhid_only_deep;
        let deep = if deep { BrainBox::of(&prepared.brain) } else { None };
        let there = brought_back(&candidates, &prepared, case.grid()).into_iter();
        let there = there.map(|(n, candidate)| {
            (candidate, features.get_mut(n).map(std::mem::take).unwrap_or_default())
        });
        let (candidates, features) = there.unzip();
        Ok(LookedAt { judged: operating_point::Judged { truth, candidates }, features, deep })
    }

    /// Reads all images of a subject and has the model judge it.
    fn judge(
        &mut self,
        files: &CaseFiles,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Judged, StudyError> {
        let settings = &self.bundle.settings;
        for &modality in &settings.plan.inputs {
            if settings.plan.needs(modality) && !files.images.contains_key(&modality) {
                return Err(NetError::MissingModality { id: files.id.clone(), modality }.into());
            }
        }
        let given: Vec<Modality> = files.images.keys().copied().collect();
        let case = files.read(&given, &self.read)?;
        let prepared = Prepared::new(&case, &settings.plan)?;
        let maps = probability_maps(
            &mut self.networks,
            &prepared,
            &settings.plan,
            &settings.architecture,
            &self.options,
            progress,
        )?;
        let rule = &settings.detection;
        let closer = self.closer.as_ref().map(|closer| closer.at(&prepared));
        let around = rule.second_look.as_ref().map(|_| {
            let around = prepared.surroundings(&settings.plan);
            match &closer {
                Some(closer) => around.looked_at_by(closer),
                None => around,
            }
        });
        // Lesions are found where the rule was chosen, on the prepared grid: brought back first, small ones would
        // be fainter, and of other sizes.
        let (candidates, features) = maps.looked_at(rule, Some(&prepared.brain), around.as_ref());
        Ok(Judged { case, prepared, maps, candidates, features })
    }

    /// Writes everything that was found into a folder, under names taken from the reference image
    /// (the SWI, where there is one).
    ///
    /// # Errors
    /// A folder that cannot be written to, or a full disk.
    pub fn write(
        &self,
        prediction: &Prediction,
        files: &CaseFiles,
        folder: &Path,
    ) -> Result<Written, StudyError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| StudyError::Write { path: folder.to_owned(), source })?;
        let name = reference_name(files);
        let path = |entities: &[(&str, &str)], suffix: &str, ending: &str| {
            folder.join(name.with(entities, suffix, ending))
        };
        const LESIONS: (&str, &str) = ("seg", "lesions");
        let header = Some(&prediction.case.header);

        let labels = path(&[LESIONS], "dseg", ".nii.gz");
        nifti::write(&labels, prediction.labels.volume(), header)?;
        let (names, sidecar) =
            (path(&[LESIONS], "dseg", ".tsv"), path(&[LESIONS], "dseg", ".json"));
        bids::write_label_table(&names)?;
        bids::write_json(&sidecar, &self.sidecar(files)?)?;
        let mut all = vec![labels.clone(), names, sidecar];
        for (class, map) in prediction.probabilities.iter() {
            let path = path(&[LESIONS, ("label", class.name())], "probseg", ".nii.gz");
            nifti::write_scaled(&path, map, 1.0, header)?;
            all.push(path);
        }
        let quality = folder.join(name.of_scan(&[("desc", "lesions")], "_qc.json"));
        bids::write_json(&quality, &prediction.quality.sheet(files))?;
        let rows = folder.join(name.of_scan(&[("desc", "lesions")], ".tsv"));
        self.write_rows(&rows, prediction)?;
        if self.bundle.settings.detection.second_look.is_some() {
            let candidates = folder.join(name.of_scan(&[("desc", "lesions")], "_candidates.tsv"));
            let Prediction { case, candidates: there, labels, .. } = prediction;
            let rule = &self.bundle.settings.detection;
            all.extend(candidates::write(&candidates, there, rule, labels.grid(), &case.header)?);
        }
        let mosaic = folder.join(name.of_scan(&[("desc", "lesions")], "_mosaic.png"));
        draw(prediction).write_png(&mosaic)?;
        let report = folder.join(name.of_scan(&[("desc", "lesions")], "_report.html"));
        let page = self.report(prediction, files)?.html()?;
        atomic::write(&report, page.as_bytes())
            .map_err(|source| StudyError::Write { path: report.clone(), source })?;
        all.extend([&quality, &rows, &mosaic, &report].map(Clone::clone));
        Ok(Written { labels, table: rows, mosaic, report, all })
    }

    /// The probability of each lesion; `None` where the model takes no second look.
    pub(crate) fn lesion_probabilities(&self, prediction: &Prediction) -> Option<Vec<f32>> {
        let second_look = &self.bundle.settings.detection.second_look;
        second_look.is_some().then(|| prediction.found.iter().map(Candidate::score).collect())
    }

    /// The lesion table, with the probability of each lesion where the model takes a second look.
    fn write_rows(&self, path: &Path, prediction: &Prediction) -> Result<(), StudyError> {
        let Some(probabilities) = self.lesion_probabilities(prediction) else {
            return Ok(table::write(path, &prediction.rows)?);
        };
        let cells: Vec<Vec<String>> =
            probabilities.iter().map(|probability| vec![format!("{probability:.4}")]).collect();
        Ok(table::write_with(path, &prediction.rows, &["lesion_probability"], &cells)?)
    }

    /// Where the result comes from: inputs and their checksums, the model, every setting.
    fn sidecar(&self, files: &CaseFiles) -> Result<serde_json::Value, StudyError> {
        let settings = &self.bundle.settings;
        let sources: Vec<&PathBuf> = files.images.values().chain(&files.mask).collect();
        let checksums = sources.iter().map(|path| sha256(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({
            "Description": "Lesions found by a neural network: research software, not a medical device",
            "Sources": sources,
            "SourcesSHA256": checksums,
            "Model": settings.name,
            "ModelId": self.bundle.id(),
            "ModelWeights": settings.weights,
            "Detection": DetectionRule { second_look: None, ..settings.detection.clone() },
            "SecondLook": settings.detection.second_look.is_some(),
            "CloserLook": settings.closer_look.is_some(),
            "Flips": self.options.flips,
            "NanToZero": self.read.nan_to_zero,
            "GeneratedBy": { "Name": "deepmir", "Version": env!("CARGO_PKG_VERSION") },
        }))
    }
}

pub(crate) fn sha256(path: &Path) -> Result<String, StudyError> {
    let bytes =
        std::fs::read(path).map_err(|source| StudyError::Read { path: path.to_owned(), source })?;
    Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The picture of a prediction: the SWI, or else the first image.
fn draw(prediction: &Prediction) -> deepmir_report::Canvas {
    let Prediction { case, labels, .. } = prediction;
    let shown = case.images.iter().next();
    let (modality, image) = match shown {
        Some((modality, image)) => (*modality, image.clone()),
        // A case has at least one image; the label map stands in.
        None => (Modality::Swi, labels.volume().map(|&label| f32::from(label))),
    };
    let window = window(modality, &image, &case.brain);
    Mosaic::new(&image, labels, &case.brain, window).draw()
}

/// The names of a subject's derivatives.
pub fn reference_name(files: &CaseFiles) -> DerivedName {
    match files.images.first_key_value() {
        Some((_, reference)) => BidsName::derived_from(reference),
        None => DerivedName::Other(files.id.clone()),
    }
}

/// Lesions of each class in a table.
pub fn counts(rows: &[LesionRow]) -> [(LesionClass, usize); 2] {
    LesionClass::ALL.map(|class| (class, rows.iter().filter(|row| row.class == class).count()))
}
