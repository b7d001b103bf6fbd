//! The range of scans that a model learned from, and how far a scan lies outside it.

use std::collections::BTreeMap;
use std::path::Path;

use deepmir_cases::{Case, CaseFiles, Modality, bids};
use deepmir_detect::DetectionRule;
use deepmir_lesion::Candidate;
use deepmir_volume::nifti::ReadOptions;
use deepmir_volume::{Mask, Volume, statistics};
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// A scan this far outside is warned of: half beyond the range's end. Less is no sign of anything, since a range may come from
/// a dozen scans.
pub const FAR: f64 = 0.5;
/// More training scans add little to their range; reading each takes a second.
const MOST_SCANS: usize = 40;
/// Median absolute deviation to standard deviation, of a normal distribution.
const MAD_TO_DEVIATION: f64 = 1.4826;

/// What is measured in a scan: positive numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Geometric mean of the two smaller voxel sizes, in millimetres.
    InPlaneMm,
    /// The largest voxel size, in millimetres.
    SliceMm,
    /// Field strength by the sidecar, in tesla.
    FieldStrengthT,
    /// Echo time of the SWI by its sidecar, in milliseconds.
    EchoTimeMs,
    /// Median of the SWI in the brain over its noise.
    SwiSnr,
    /// 95th percentile of the SWI in the brain over its median.
    SwiHighest,
    /// Median of the SWI in the brain over its fifth percentile.
    SwiLowest,
    /// Robust standard deviation of susceptibility where it is not zero, in ppm.
    ChiDeviationPpm,
    /// 95th percentile of T2w in the brain over its median.
    T2wHighest,
    /// Of the candidates that networks or candidate classifier take for a lesion, those that only one of both does, as
    /// share and one: 1 to 2.
    Disagreement,
}

impl Measure {
    /// As the file of a model and messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::InPlaneMm => "in_plane_mm",
            Self::SliceMm => "slice_mm",
            Self::FieldStrengthT => "field_strength_t",
            Self::EchoTimeMs => "echo_time_ms",
            Self::SwiSnr => "swi_snr",
            Self::SwiHighest => "swi_highest",
            Self::SwiLowest => "swi_lowest",
            Self::ChiDeviationPpm => "chi_deviation_ppm",
            Self::T2wHighest => "t2w_highest",
            Self::Disagreement => "disagreement",
        }
    }
}

/// The measures of one scan.
pub type ScanMeasures = BTreeMap<Measure, f64>;

/// Lowest and highest value of each measure over the scans that a model learned from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrainingRange(pub BTreeMap<Measure, [f64; 2]>);

impl TrainingRange {
    /// Takes a scan into the range.
    pub fn add(&mut self, scan: &ScanMeasures) {
        for (&measure, &value) in scan {
            let [low, high] = self.0.entry(measure).or_insert([value; 2]);
            (*low, *high) = (low.min(value), high.max(value));
        }
    }

    /// The range over training scans: all, or [`MOST_SCANS`] of them at equal distances. Scans that cannot be read are
    /// left out; a training has read them before.
    pub fn of(cases: &[CaseFiles], inputs: &[Modality], read: &ReadOptions) -> Self {
        let mut range = Self::default();
        let step = cases.len().div_ceil(MOST_SCANS).max(1);
        for files in cases.iter().step_by(step) {
            let there: Vec<Modality> =
                inputs.iter().copied().filter(|input| files.images.contains_key(input)).collect();
            if let Ok(case) = files.read(&there, read) {
                range.add(&measures(&case, Some(files)));
            }
        }
        range
    }

    /// How far a value lies outside: 0 within the range, else by how much of the range's nearer end it exceeds or falls
    /// short of it. `None` for a measure that the range does not have.
    pub fn distance(&self, measure: Measure, value: f64) -> Option<f64> {
        let &[low, high] = self.0.get(&measure)?;
        let (above, below) = (value / high - 1.0, low / value - 1.0);
        Some(match measure {
            // Less noise is no fault, and agreement is none.
            Measure::SwiSnr => below.max(0.0),
            Measure::Disagreement => above.max(0.0),
            _ => above.max(below).max(0.0),
        })
    }

    /// Takes another range into this one.
    pub fn join(&mut self, other: &Self) {
        for (&measure, ends) in &other.0 {
            ends.iter().for_each(|&end| self.add(&ScanMeasures::from([(measure, end)])));
        }
    }

    /// Checks the ranges of a model's file.
    pub(crate) fn validate(&self) -> Result<(), ModelError> {
        let wrong = |[low, high]: [f64; 2]| {
            !(low.is_finite() && high.is_finite() && 0.0 < low && low <= high)
        };
        match self.0.iter().find(|(_, range)| wrong(**range)) {
            Some((measure, [low, high])) => Err(ModelError::Config {
                reason: format!(
                    "training_range.{} is [{low}, {high}]; give two positive numbers, the lower first",
                    measure.name()
                ),
            }),
            None => Ok(()),
        }
    }
}

/// Measures a scan's images; what only sidecars tell is left out without `files`.
pub fn measures(case: &Case, files: Option<&CaseFiles>) -> ScanMeasures {
    let mut found = ScanMeasures::new();
    let mut sizes = case.grid().voxel_sizes_mm();
    sizes.sort_by(f64::total_cmp);
    found.insert(Measure::InPlaneMm, (sizes[0] * sizes[1]).sqrt());
    found.insert(Measure::SliceMm, sizes[2]);
    let percentiles = |modality| {
        let mut inside = inside(case.images.get(&modality)?, &case.brain);
        let mut at = |q| statistics::quantile(&mut inside, q).map(f64::from);
        Some([at(0.05)?, at(0.5)?, at(0.95)?])
    };
    if let Some([low, middle, high]) = percentiles(Modality::Swi) {
        found.insert(Measure::SwiHighest, high / middle);
        found.insert(Measure::SwiLowest, middle / low);
    }
    if let Some([_, middle, high]) = percentiles(Modality::T2w) {
        found.insert(Measure::T2wHighest, high / middle);
    }
    let swi = case.images.get(&Modality::Swi);
    found.extend(swi.and_then(|swi| snr(swi, &case.brain)).map(|snr| (Measure::SwiSnr, snr)));
    if let Some(chi) = case.images.get(&Modality::Qsm) {
        let there = inside(chi, &case.brain).into_iter().filter(|&value| value != 0.0).collect();
        found.extend(deviation(there).map(|ppm| (Measure::ChiDeviationPpm, ppm)));
    }
    let swi = files.and_then(|files| files.images.get(&Modality::Swi));
    found.extend(swi.into_iter().flat_map(|swi| of_sidecar(swi)));
    found.retain(|_, value| value.is_finite() && *value > 0.0);
    found
}

/// The share of candidates about which networks and candidate classifier disagree, and one; `None` without either's
/// candidates.
pub fn disagreement(candidates: &[Candidate], rule: &DetectionRule) -> Option<f64> {
    let (mut either, mut both) = (0_usize, 0_usize);
    for candidate in candidates {
        let threshold = rule.threshold(candidate.lesion.class)?.detection_threshold;
        let network = candidate.peak_probability >= rule.candidate_threshold;
        let classifier = candidate.lesion_probability? >= threshold;
        either += usize::from(network || classifier);
        both += usize::from(network && classifier);
    }
    (either > 0).then(|| 2.0 - both as f64 / either as f64)
}

/// Median of an image in the brain over its noise, which is estimated from second differences along the first axis: slow
/// changes of brightness do not count as noise.
pub fn snr(image: &Volume<f32>, brain: &Mask) -> Option<f64> {
    let width = image.grid().shape()[0];
    let mut second = Vec::new();
    for (row, mask) in image.data().chunks_exact(width).zip(brain.data().chunks_exact(width)) {
        let threes = row.windows(3).zip(mask.windows(3));
        second.extend(
            threes
                .filter(|(_, mask)| mask.iter().all(|&inside| inside))
                .map(|(values, _)| (values[0] - 2.0 * values[1] + values[2]).abs()),
        );
    }
    let noise = MAD_TO_DEVIATION * f64::from(statistics::median(&mut second)?) / 6.0_f64.sqrt();
    let signal = f64::from(statistics::median(&mut inside(image, brain))?);
    (noise > 0.0).then(|| signal / noise)
}

/// Standard deviation by the median absolute deviation.
pub fn deviation(mut values: Vec<f32>) -> Option<f64> {
    let median = statistics::median(&mut values)?;
    values.iter_mut().for_each(|value| *value = (*value - median).abs());
    statistics::median(&mut values).map(|mad| MAD_TO_DEVIATION * f64::from(mad))
}

/// The voxels of an image inside the brain.
pub fn inside(image: &Volume<f32>, brain: &Mask) -> Vec<f32> {
    let voxels = image.data().iter().zip(brain.data());
    voxels.filter(|&(_, &inside)| inside).map(|(&value, _)| value).collect()
}

/// Field strength and echo time by the sidecar beside an image, where they are what a scanner can have.
fn of_sidecar(image: &Path) -> Vec<(Measure, f64)> {
    let sidecar = bids::sidecar_fields(image);
    let number = |key: &str| sidecar.get(key).and_then(serde_json::Value::as_f64);
    let field = number("MagneticFieldStrength").filter(|tesla| (0.01..=20.0).contains(tesla));
    let echo = number("EchoTime").filter(|seconds| (0.0005..=0.2).contains(seconds));
    let field = field.map(|tesla| (Measure::FieldStrengthT, tesla));
    field.into_iter().chain(echo.map(|seconds| (Measure::EchoTimeMs, 1000.0 * seconds))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::nifti;

    fn range() -> TrainingRange {
        let mut range = TrainingRange::default();
        for (in_plane, snr) in [(0.5, 20.0), (1.0, 70.0)] {
            range
                .add(&ScanMeasures::from([(Measure::InPlaneMm, in_plane), (Measure::SwiSnr, snr)]));
        }
        range
    }

    #[test]
    fn distance_is_what_lies_beyond_the_nearer_end() {
        let range = range();
        for (value, distance) in [(0.75, 0.0), (1.0, 0.0), (1.8, 0.8), (0.25, 1.0)] {
            let found = range.distance(Measure::InPlaneMm, value).unwrap();
            assert!((found - distance).abs() < 1e-9, "{value}: {found}");
        }
        // Less noise is no fault, more is.
        assert_eq!(range.distance(Measure::SwiSnr, 500.0), Some(0.0));
        assert_eq!(range.distance(Measure::SwiSnr, 10.0), Some(1.0));
        assert_eq!(range.distance(Measure::SliceMm, 3.0), None);
    }

    #[test]
    fn a_range_is_read_back_and_an_empty_one_refused() {
        let text = toml::to_string(&range()).unwrap();
        assert!(text.contains("in_plane_mm = [0.5, 1.0]"), "{text}");
        assert_eq!(toml::from_str::<TrainingRange>(&text).unwrap(), range());
        assert!(range().validate().is_ok());
        let wrong = TrainingRange([(Measure::SliceMm, [3.0, 1.0])].into());
        assert!(wrong.validate().unwrap_err().to_string().contains("slice_mm"));
    }

    #[test]
    fn noise_and_voxels_are_measured() {
        use deepmir_volume::{Affine, Grid};
        let affine = Affine::from_spacing([0.5, 0.8, 2.0], [0.0; 3]);
        let grid = Grid::new([40, 40, 30], affine).unwrap();
        let noise = |[i, j, k]: [usize; 3]| ((i * 7919 + j * 104_729 + k * 1_299_709) % 101) as f32;
        let swi = Volume::from_fn(grid, |voxel| 1000.0 + 2.0 * noise(voxel));
        let brain = Volume::filled(grid, true);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("swi.nii.gz");
        let sidecar = r#"{"MagneticFieldStrength": 7, "EchoTime": 0.014}"#;
        std::fs::write(folder.path().join("swi.json"), sidecar).unwrap();
        let images = BTreeMap::from([(Modality::Swi, path)]);
        let files = CaseFiles {
            id: "scan".to_owned(),
            images,
            mask: None,
            truth: None,
            unknown: None,
            contrast: None,
        };
        nifti::write(&files.images[&Modality::Swi], &swi, None).unwrap();
        let header = nifti::read_header(&files.images[&Modality::Swi]).unwrap();
        let images = BTreeMap::from([(Modality::Swi, swi)]);
        let case = Case {
            id: "scan".to_owned(),
            header,
            images,
            brain,
            contrast: deepmir_cases::Contrast::Swi,
            brain_source: deepmir_cases::BrainSource::Given,
            truth: None,
            unknown: None,
            warnings: Vec::new(),
        };
        let found = measures(&case, Some(&files));
        assert!((found[&Measure::InPlaneMm] - 0.4_f64.sqrt()).abs() < 1e-6);
        assert_eq!(found[&Measure::SliceMm], 2.0);
        assert_eq!(found[&Measure::FieldStrengthT], 7.0);
        assert!((found[&Measure::EchoTimeMs] - 14.0).abs() < 1e-9);
        assert!((found[&Measure::SwiHighest] - 1190.0 / 1100.0).abs() < 0.01);
    }
}
