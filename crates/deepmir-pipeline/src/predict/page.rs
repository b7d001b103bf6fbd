//! The page of a prediction: pictures, measures, methods and provenance.

use deepmir_cases::{CaseFiles, Modality};
use deepmir_detect::ProbabilityMaps;
use deepmir_lesion::MarsRegion;
use deepmir_report::{
    Canvas, Shown, Structure, StructureMosaic, SubjectReport, brain_outline, checkerboard,
};
use deepmir_volume::{Volume, resample_labels};

use super::methods::methods;
use super::window::window;
use super::{Prediction, Predictor, large, microbleeds};
use crate::{PipelineError, program};

impl Predictor {
    /// The page of a prediction, for [`SubjectReport::html`]. A caller may add a true label map and tables.
    ///
    /// # Errors
    /// If an input cannot be read for its checksum.
    pub fn report<'a>(
        &self,
        prediction: &'a Prediction,
        files: &CaseFiles,
    ) -> Result<SubjectReport<'a>, PipelineError> {
        let case = &prediction.case;
        let named = |modality| match modality {
            Modality::Swi => case.contrast.in_words(),
            other => other.name(),
        };
        let images = case.images.iter().map(|(modality, volume)| Shown {
            name: named(*modality).to_owned(),
            volume,
            window: window(*modality, volume, &case.brain),
        });
        let settings = &self.bundle().settings;
        let mut provenance = vec![
            ("program".to_owned(), program()),
            ("model".to_owned(), format!("{} ({})", settings.name, self.bundle().id())),
            ("trained on".to_owned(), settings.provenance.data.clone()),
        ];
        for (modality, path) in &files.images {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            let from = match self.checksum(prediction, path)? {
                Some(checksum) => format!("{name}, SHA-256 {checksum}"),
                None => format!("{name}, from memory"),
            };
            provenance.push((modality.name().to_owned(), from));
        }
        let images: Vec<Shown<'a>> = images.collect();
        Ok(SubjectReport {
            id: files.id.clone(),
            checks: checks(prediction, &images),
            warnings: prediction.quality.warnings.iter().map(ToString::to_string).collect(),
            quality: prediction.quality.lines(),
            images,
            lesions: prediction.lesions().collect(),
            probability: any_class(&prediction.probabilities),
            brain: &case.brain,
            rows: &prediction.rows,
            lesion_probabilities: self.lesion_probabilities(prediction).unwrap_or_default(),
            truth: None,
            tables: microbleeds::page_table(prediction)
                .into_iter()
                .chain(large::page_table(&prediction.large))
                .collect(),
            methods: methods(settings, prediction, self.detector.options.flips),
            provenance,
        })
    }
}

/// Each finding that is too large for a microbleed, the brain mask outlined on the reference image, the regions that
/// lesions are counted by, and a checkerboard of that image and T2w.
fn checks(prediction: &Prediction, images: &[Shown<'_>]) -> Vec<(String, Canvas)> {
    let brain = &prediction.case.brain;
    let Some((reference, others)) = images.split_first() else { return Vec::new() };
    let outline = format!("{}, brain mask outlined", reference.name);
    let mut checks = large::pictures(&prediction.large, images, brain.grid());
    checks.push((outline, brain_outline(reference, brain)));
    if let Some(regions) = &prediction.regions {
        let title = format!("{}, regions of MARS as a network outlines them", reference.name);
        let structures = MarsRegion::ALL.map(|region| Structure {
            number: region as u8 + 1,
            name: region.name().to_owned(),
            colour: region.colour(),
        });
        let labels = resample_labels(regions.mars(), brain.grid(), 0);
        let (image, window) = (reference.volume, reference.window);
        let mosaic = StructureMosaic::new(image, &labels, brain, structures.to_vec(), window);
        checks.push((title, mosaic.draw()));
    }
    if let Some(t2w) = others.iter().find(|other| other.name == Modality::T2w.name()) {
        let title = format!(
            "{} and {} in a checkerboard: edges are continuous where the two are aligned",
            reference.name, t2w.name
        );
        checks.push((title, checkerboard(reference, t2w, brain)));
    }
    checks
}

/// The probability of a lesion of any class; the classes are mutually exclusive.
fn any_class(maps: &ProbabilityMaps) -> Option<Volume<f32>> {
    let mut sum: Option<Volume<f32>> = None;
    for (_, map) in maps.iter() {
        match &mut sum {
            None => sum = Some(map.clone()),
            Some(sum) => {
                sum.data_mut().iter_mut().zip(map.data()).for_each(|(sum, value)| *sum += value);
            }
        }
    }
    sum
}
