//! Measures of image quality, in which outliers show.

use std::collections::BTreeMap;

use deepmir_cases::{Case, CaseFiles, Contrast, Modality};
use deepmir_lesion::{CountInterval, LesionClass, RegionSource};
use deepmir_model::ModelSettings;
use deepmir_model::training_range::{deviation, inside, snr};
use deepmir_recon::{register, sign};
use deepmir_volume::{Mask, Volume, Warning, statistics};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::contents;
use super::range::RangeComparison;

/// A whole brain with its ventricles, in millilitres.
const BRAIN_ML: std::ops::RangeInclusive<f64> = 900.0..=2000.0;
/// Spread of susceptibility over a brain, in ppm: outside it, the map has other units or none.
const CHI_DEVIATION_PPM: std::ops::RangeInclusive<f64> = 0.005..=0.3;
/// More of the brain than this at the image's highest value was cut off there.
const CLIPPED: f64 = 0.005;
/// A slice this much darker than its neighbours lost its signal.
const DARK_SLICE: f32 = 0.5;

/// Measures of one scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Quality {
    /// Volume of the brain.
    #[serde(rename = "BrainVolume_ml")]
    pub brain_ml: f64,
    /// Median of the reference image in the brain over its noise, which is estimated from second
    /// differences along the first axis: slow changes of brightness do not count as noise.
    #[serde(rename = "SNR")]
    pub snr: Option<f64>,
    /// Normalised mutual information of the reference image and T2w as they lie, 1 to 2.
    pub registration_similarity: Option<f64>,
    /// Spread of susceptibility over the brain (1.4826 times the median absolute deviation).
    #[serde(rename = "ChiDeviation_ppm")]
    pub chi_deviation_ppm: Option<f64>,
    /// What the image in the place of the SWI shows, by its name and sidecar; `None` where there is none.
    #[serde(default)]
    pub contrast: Option<Contrast>,
    /// The scan beside those that the model learned from.
    #[serde(default)]
    pub training_range: RangeComparison,
    /// How many lesions of each class there are, with an interval; empty without a candidate classifier.
    #[serde(default)]
    pub count_intervals: BTreeMap<LesionClass, CountInterval>,
    /// What the regions of its lesions are from.
    #[serde(default)]
    pub region_source: RegionSource,
    /// What was noticed in the files and in the images: `brain_volume`, `clipped`, `dark_slices`, `chi_range`,
    /// `susceptibility_sign`, `outside_training_range` and those of the files.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

impl Quality {
    /// Measures a scan in the images that were read.
    pub fn of(case: &Case) -> Self {
        let brain = &case.brain;
        let reference = case.images.values().next();
        let brain_ml = brain.count() as f64 * brain.grid().voxel_volume_mm3() / 1000.0;
        let chi_deviation_ppm =
            case.images.get(&Modality::Qsm).and_then(|chi| deviation(inside(chi, brain)));
        let swi = case.images.get(&Modality::Swi);
        let t2w = case.images.get(&Modality::T2w);
        let registration_similarity =
            swi.zip(t2w).and_then(|(swi, t2w)| register::similarity(swi, brain, t2w));
        let mut warnings = case.warnings.clone();
        warnings.extend(contents::warning(case));
        if !BRAIN_ML.contains(&brain_ml) {
            let message = format!(
                "the brain measures {brain_ml:.0} mL, where {} to {} are usual: look at the mask's outline on the page",
                BRAIN_ML.start(),
                BRAIN_ML.end(),
            );
            warnings.push(Warning::new("brain_volume", message));
        }
        if swi.is_some_and(|swi| is_clipped(&inside(swi, brain))) {
            let message = "much of the SWI is at its highest value: the image was cut off there when it was converted";
            warnings.push(Warning::new("clipped", message));
        }
        if swi.is_some_and(|swi| has_dark_slices(swi, brain)) {
            let message = "the SWI has slices far darker than their neighbours: lesions there are missed or invented";
            warnings.push(Warning::new("dark_slices", message));
        }
        if let Some(ppm) = chi_deviation_ppm
            && !CHI_DEVIATION_PPM.contains(&ppm)
        {
            let message = format!(
                "susceptibility spreads by {ppm:.2e} ppm over the brain, where {} to {} are usual: is the map in ppm?",
                CHI_DEVIATION_PPM.start(),
                CHI_DEVIATION_PPM.end(),
            );
            warnings.push(Warning::new("chi_range", message));
        }
        warnings.extend(wrong_sign(case));
        Self {
            brain_ml,
            snr: reference.and_then(|image| snr(image, brain)),
            registration_similarity,
            chi_deviation_ppm,
            contrast: swi.map(|_| case.contrast),
            training_range: RangeComparison::default(),
            count_intervals: BTreeMap::new(),
            region_source: RegionSource::default(),
            warnings,
        }
    }

    /// With the scan beside the model's training range.
    pub(super) fn beside(mut self, range: RangeComparison) -> Self {
        self.warnings.extend(range.warning());
        self.training_range = range;
        self
    }

    /// With a warning of a contrast that the model did not learn from.
    pub(super) fn with_contrasts_of(mut self, settings: &ModelSettings) -> Self {
        let unknown = self.contrast.filter(|contrast| !settings.contrasts.contains(contrast));
        self.warnings.extend(unknown.map(|contrast| {
            let code = match contrast {
                Contrast::T2StarMagnitude => "magnitude_as_swi",
                Contrast::Swi => "swi_as_magnitude",
            };
            let message = format!(
                "lesions were looked for in a {} (by its name or sidecar), and the model {} did not learn from such: \
                 it may miss most microbleeds; use a model that did",
                contrast.in_words(),
                settings.name
            );
            Warning::new(code, message)
        }));
        self
    }

    /// The codes of the warnings, each once.
    pub fn codes(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = Vec::new();
        for warning in &self.warnings {
            if !codes.contains(&warning.code.as_str()) {
                codes.push(&warning.code);
            }
        }
        codes
    }

    /// As written beside the results, with what it was measured in.
    pub(crate) fn sheet(&self, files: &CaseFiles) -> serde_json::Value {
        let mut sheet = json!(self);
        if let (Some(fields), Some((modality, path))) =
            (sheet.as_object_mut(), files.images.first_key_value())
        {
            fields.insert("ReferenceModality".to_owned(), json!(modality.name()));
            fields.insert("Reference".to_owned(), json!(path));
            fields.insert("Mask".to_owned(), json!(files.mask));
        }
        sheet
    }

    /// As the page shows it.
    pub(crate) fn lines(&self) -> Vec<(String, String)> {
        let maybe = |value: Option<f64>, digits: usize| {
            value.map_or("n/a".to_owned(), |value| format!("{value:.digits$}"))
        };
        [
            ("contrast", self.contrast.map_or("n/a", Contrast::in_words).to_owned()),
            ("brain volume", format!("{:.0} mL", self.brain_ml)),
            ("signal to noise", maybe(self.snr, 1)),
            ("similarity of SWI and T2w", maybe(self.registration_similarity, 3)),
            ("spread of susceptibility", maybe(self.chi_deviation_ppm, 4) + " ppm"),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

/// Susceptibility whose sign what is dark in the SWI speaks against. Where the echoes told so already, that is enough.
fn wrong_sign(case: &Case) -> Option<Warning> {
    let (swi, chi) = (case.images.get(&Modality::Swi)?, case.images.get(&Modality::Qsm)?);
    let agreement = sign::agreement(swi, chi, &case.brain)?;
    let told = case.warnings.iter().any(|warning| warning.code == "phase_sign");
    (agreement < sign::LEAST_AGREEMENT && !told).then(|| {
        let message = format!(
            "what is dark in the SWI is diamagnetic in the susceptibility map (correlation {agreement:.2}): its sign is \
             probably inverted, and lesions are missed; multiply the map by -1, or reconstruct it from the echoes with \
             --invert-phase"
        );
        Warning::new("susceptibility_sign", message)
    })
}

fn is_clipped(values: &[f32]) -> bool {
    let highest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let there = values.iter().filter(|&&value| value == highest).count();
    there as f64 > CLIPPED * values.len() as f64 && there > 1
}

/// Slices along the third axis whose brain is far darker than that of both neighbours.
fn has_dark_slices(image: &Volume<f32>, brain: &Mask) -> bool {
    let depth = image.grid().shape()[2];
    let largest = (0..depth).map(|k| brain.slice(k).iter().filter(|&&inside| inside).count()).max();
    let medians: Vec<f32> = (0..depth)
        .filter_map(|k| {
            let voxels = image.slice(k).iter().zip(brain.slice(k));
            let mut values: Vec<f32> =
                voxels.filter(|&(_, &inside)| inside).map(|(&value, _)| value).collect();
            (5 * values.len() >= largest?).then(|| statistics::median(&mut values))?
        })
        .collect();
    medians
        .windows(3)
        .any(|three| three[1] < DARK_SLICE * three[0] && three[1] < DARK_SLICE * three[2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid};
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    /// A brain of 1000 with noise of deviation 50, brighter to one side.
    fn noisy() -> (Volume<f32>, Mask) {
        let grid = Grid::new([40, 40, 30], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let image = Volume::from_fn(grid, |[i, _, _]| {
            let noise: f32 = (0..12).map(|_| random.random::<f32>()).sum::<f32>() - 6.0;
            1000.0 + 10.0 * (i as f32 - 20.0) + 50.0 * noise
        });
        (image, Volume::filled(grid, true))
    }

    #[test]
    fn signal_to_noise_is_that_of_the_noise_drawn() {
        let (image, brain) = noisy();
        let found = snr(&image, &brain).unwrap();
        assert!((found / 20.0 - 1.0).abs() < 0.05, "{found}");
    }

    #[test]
    fn cut_off_and_dark_slices_are_seen() {
        let (mut image, brain) = noisy();
        assert!(!is_clipped(image.data()) && !has_dark_slices(&image, &brain));
        let cut = image.map(|value| value.min(1100.0));
        assert!(is_clipped(cut.data()));
        let area = 40 * 40;
        image.data_mut()[12 * area..13 * area].fill(10.0);
        assert!(has_dark_slices(&image, &brain));
    }
}
