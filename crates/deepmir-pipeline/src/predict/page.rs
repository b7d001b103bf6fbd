//! The page of a prediction: pictures, measures, and how they came about.

use deepmir_cases::{Case, CaseFiles, Modality};
use deepmir_detect::{ClassThreshold, ProbabilityMaps};
use deepmir_lesion::LesionClass;
use deepmir_model::bundle::ModelSettings;
use deepmir_report::{Canvas, Shown, SubjectReport, Window, brain_outline, checkerboard};
use deepmir_volume::{Mask, Volume};

use super::{Prediction, Predictor, sha256};
use crate::PipelineError;
use crate::program;

/// Grey values as each kind of image is usually shown.
pub fn window(modality: Modality, image: &Volume<f32>, brain: &Mask) -> Window {
    match modality {
        Modality::Qsm => Window::QSM,
        Modality::Swi | Modality::T2w => Window::of_brain(image, brain),
    }
}

impl Predictor {
    /// The page of a prediction, for [`SubjectReport::html`]; the caller may add a truth and tables.
    ///
    /// # Errors
    /// If an input cannot be read again for its checksum.
    pub fn report<'a>(
        &self,
        prediction: &'a Prediction,
        files: &CaseFiles,
    ) -> Result<SubjectReport<'a>, PipelineError> {
        let case = &prediction.case;
        let images = case.images.iter().map(|(modality, volume)| Shown {
            name: modality.name().to_owned(),
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
            let checksum = sha256(path)?;
            provenance.push((modality.name().to_owned(), format!("{name}, SHA-256 {checksum}")));
        }
        let images: Vec<Shown<'a>> = images.collect();
        Ok(SubjectReport {
            id: files.id.clone(),
            checks: checks(&images, &case.brain),
            quality: prediction.quality.lines(),
            images,
            labels: &prediction.labels,
            probability: any_class(&prediction.probabilities),
            brain: &case.brain,
            rows: &prediction.rows,
            lesion_probabilities: self.lesion_probabilities(prediction).unwrap_or_default(),
            truth: None,
            tables: Vec::new(),
            methods: methods(settings, &prediction.case, self.detector.options.flips),
            provenance,
        })
    }
}

/// The brain's outline on the reference image, and that image and T2w by turns.
fn checks(images: &[Shown<'_>], brain: &Mask) -> Vec<(String, Canvas)> {
    let Some((reference, others)) = images.split_first() else { return Vec::new() };
    let outline = format!("{}, the brain as deepmir takes it outlined", reference.name);
    let mut checks = vec![(outline, brain_outline(reference, brain))];
    if let Some(t2w) = others.iter().find(|other| other.name == Modality::T2w.name()) {
        let title = format!(
            "{} and {} by turns: edges run on where they are aligned",
            reference.name, t2w.name
        );
        checks.push((title, checkerboard(reference, t2w, brain)));
    }
    checks
}

/// The probability of a lesion of any class; classes exclude one another.
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

/// A paragraph for a paper.
fn methods(settings: &ModelSettings, case: &Case, flips: bool) -> String {
    let long = |class: &LesionClass| match class {
        LesionClass::Cmb => "cerebral microbleeds (CMB)",
        LesionClass::Nhid => "non-hemorrhage iron deposits (NHID)",
    };
    let plan = &settings.plan;
    let classes: Vec<&str> = plan.classes.iter().map(long).collect();
    let inputs: Vec<&str> = plan
        .inputs
        .iter()
        .filter(|input| case.images.contains_key(input))
        .map(|input| input.name())
        .collect();
    let voxels = match plan.voxel_mm {
        Some([x, y, z]) => format!("resampled to {x} × {y} × {z} mm, "),
        None => String::new(),
    };
    let members = match settings.weights.len() {
        0 | 1 => "one network".to_owned(),
        count => format!("the median of {count} networks"),
    };
    let flips = if flips { ", each run over four mirror images of every slice," } else { "" };
    let thresholds = |wording: &dyn Fn(&ClassThreshold) -> String| {
        let classes = plan.classes.iter();
        let each = classes.filter_map(|&class| {
            let threshold = settings.detection.threshold(class)?;
            Some(format!(
                "{:.2} for {}{}",
                threshold.detection_threshold,
                class.name(),
                wording(&threshold)
            ))
        });
        each.collect::<Vec<_>>().join(" and ")
    };
    let called = if settings.candidate_classifier.is_some() {
        let mask_threshold = settings.detection.mask_threshold();
        let patches = match settings.patch_classifier.as_ref().map(|patches| patches.weights.len())
        {
            Some(count) => format!(
                " The log-odds of {count} small 3D networks that saw the patch of images around each were features, too."
            ),
            None => String::new(),
        };
        format!(
            "were candidates, measured by size, shape, place, probabilities, and the images in them and around them.{patches} \
             Gradient boosted trees gave each its class and its probability of being a lesion, and \
             those of {} or more were accepted as lesions, with the voxels where a lesion's probability reached \
             {mask_threshold:.2}.",
            thresholds(&|_| String::new()),
        )
    } else {
        let sizes = |threshold: &ClassThreshold| {
            let high = match threshold.min_height_mm {
                0.0 => String::new(),
                height => {
                    format!(", up to {height:.1} mm high or more with half of the next slices")
                }
            };
            format!(" (at least {:.1} mm³{high})", threshold.min_volume_mm3)
        };
        format!(
            "were called lesions where it peaked at {} or more, and given the class with more \
             probability.",
            thresholds(&sizes),
        )
    };
    format!(
        "{} were segmented with {} (model {}) from {}. Images were {voxels}cut to the brain and \
         normalised; axial slices with {} of context were given to {members}{flips} of U-Net design \
         (Ronneberger et al. 2015) after Rashid et al. (2021, https://doi.org/10.1038/s41598-021-93427-x). \
         26-connected regions in which the probability of a lesion reached {:.2} {called}",
        capitalised(&classes.join(" and ")),
        program(),
        settings.name,
        inputs.join(", "),
        plan.context_slices,
        settings.detection.candidate_threshold,
    )
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
