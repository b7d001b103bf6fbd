//! The page of a prediction: pictures, measures, methods and provenance.

use deepmir_cases::{CaseFiles, Modality};
use deepmir_lesion::MarsRegion;
use deepmir_report::{
    Canvas, Paint, Pane, Shown, Structure, StructureMosaic, SubjectReport, brain_outline,
    checkerboard,
};
use deepmir_volume::resample_labels;

use super::methods::methods;
use super::window::window;
use super::{Prediction, Predictor, large, microbleeds, reasons};
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
        let near_misses = reasons::near_misses(prediction);
        Ok(SubjectReport {
            id: files.id.clone(),
            checks: checks(prediction, &images),
            warnings: prediction.quality.warnings.iter().map(ToString::to_string).collect(),
            quality: prediction.quality.lines(),
            panes: panes(prediction, &images),
            images,
            lesions: prediction.lesions().collect(),
            brain: &case.brain,
            mars: prediction.regions.as_ref().map(|regions| regions.mars()),
            rows: &prediction.rows,
            lesion_probabilities: self.lesion_probabilities(prediction).unwrap_or_default(),
            parts: prediction.parts.clone().unwrap_or_default(),
            reasons: reasons::of_lesions(prediction),
            near_misses,
            count_intervals: prediction.quality.count_intervals.clone(),
            large_findings: prediction.large.len(),
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

/// Susceptibility is shown in one window everywhere.
const CHI_LIMIT_PPM: f32 = 0.3;

/// What close-ups show: each image, and after the first its projection of lowest values.
fn panes<'a>(prediction: &'a Prediction, images: &[Shown<'a>]) -> Vec<Pane<'a>> {
    let mut panes = Vec::new();
    for (modality, shown) in prediction.case.images.keys().zip(images) {
        let mut add = |name: String, paint| {
            panes.push(Pane { name, volume: shown.volume, paint });
        };
        match modality {
            Modality::Qsm => add(shown.name.clone(), Paint::Diverging(CHI_LIMIT_PPM)),
            Modality::Swi => {
                add(shown.name.clone(), Paint::Grey(shown.window));
                add(format!("{}, minIP of 10 mm", shown.name), Paint::Lowest(shown.window));
            }
            Modality::T2w => add(shown.name.clone(), Paint::Grey(shown.window)),
        }
    }
    panes
}
