//! Measuring the features of candidates.

use deepmir_lesion::shape::principal_axes_mm;
use deepmir_lesion::{Candidate, LesionClass};
use deepmir_volume::Grid;
use deepmir_volume::statistics::{mean_and_deviation, quantile};
use rayon::prelude::*;

use super::{Feature, Features};
use crate::neighbourhood::Neighbourhood;
use crate::{CandidateImages, DetectError, ProbabilityMaps};

const MAX_DEPTH_MM: f64 = 15.0;

impl Features {
    /// The features of a candidate of `maps`, without those of a patch classifier.
    pub fn of(candidate: &Candidate, maps: &ProbabilityMaps, images: &CandidateImages<'_>) -> Self {
        let mut features = Self::default();
        let lesion = &candidate.lesion;
        let grid = maps.grid();
        features.set(Feature::Volume, lesion.volume_mm3.ln());
        features.measure_probabilities(&lesion.voxels, maps);
        let [longest, middle, shortest] = principal_axes_mm(&lesion.voxels, grid);
        features.set(Feature::Elongation, longest / middle);
        features.set(Feature::Flatness, middle / shortest);
        if let Some(neighbourhood) = images.neighbourhood(&lesion.voxels, grid) {
            features.measure_place(&neighbourhood, maps, images);
            features.measure_blobs(&neighbourhood, images);
            features.measure_intensities(&neighbourhood, images);
        }
        if let Some(extent) = images.extent {
            let [lateral, anterior, superior] = extent.relative(lesion.centre_mm);
            features.set(Feature::MidlineDistance, lateral);
            features.set(Feature::AnteriorPosterior, anterior);
            features.set(Feature::InferiorSuperior, superior);
        }
        features.0.retain(|(_, value)| value.is_finite());
        features.sort();
        features
    }

    /// The features of each candidate of `maps`, with those of the patch classifier where there is one.
    ///
    /// # Errors
    /// If the patch classifier fails, or does not score every candidate.
    pub fn of_all(
        candidates: &[Candidate],
        maps: &ProbabilityMaps,
        images: &CandidateImages<'_>,
    ) -> Result<Vec<Self>, DetectError> {
        let measure = |candidate: &Candidate| Self::of(candidate, maps, images);
        let mut measured: Vec<Self> = candidates.par_iter().map(measure).collect();
        let Some(scorer) = images.patch_scorer else { return Ok(measured) };
        let centres: Vec<[f64; 3]> =
            candidates.iter().map(|candidate| candidate.lesion.centre_mm).collect();
        let odds = scorer.log_odds(&centres)?;
        if odds.len() != measured.len() {
            let reason = format!("it scored {} of {} candidates", odds.len(), measured.len());
            return Err(DetectError::PatchScorer { reason });
        }
        for (features, odds) in measured.iter_mut().zip(odds) {
            features.set_patch_log_odds(&odds);
        }
        Ok(measured)
    }

    fn measure_probabilities(&mut self, voxels: &[usize], maps: &ProbabilityMaps) {
        let (mut highest, mut sum, mut nhid) = (0.0_f64, 0.0, 0.0);
        for &index in voxels {
            let mut any = 0.0;
            for (class, map) in maps.iter() {
                let probability = f64::from(map.data()[index]);
                any += probability;
                nhid += if class == LesionClass::Nhid { probability } else { 0.0 };
            }
            highest = highest.max(any);
            sum += any;
        }
        // 2 for 0.99, 3 for 0.999: networks are often that sure.
        let nines = |probability: f64| -(1.0 - probability).max(1e-4).log10();
        self.set(Feature::Peak, nines(highest));
        self.set(Feature::Mean, nines(sum / voxels.len().max(1) as f64));
        if LesionClass::ALL.iter().all(|&class| maps.of(class).is_some()) {
            self.set(Feature::NhidShare, nhid / sum);
        }
    }

    fn measure_place(
        &mut self,
        neighbourhood: &Neighbourhood,
        maps: &ProbabilityMaps,
        images: &CandidateImages<'_>,
    ) {
        let neighbour_probability = neighbourhood.highest_probability_beyond(images.grid(), maps);
        self.set(Feature::NeighbourProbability, neighbour_probability);
        let depths = neighbourhood.values(&images.depth_mm, &neighbourhood.within);
        let depth = depths.into_iter().map(f64::from).fold(0.0, f64::max);
        self.set(Feature::Depth, depth.min(MAX_DEPTH_MM));
        self.set(Feature::Outside, neighbourhood.outside_share);
    }

    fn measure_blobs(&mut self, neighbourhood: &Neighbourhood, images: &CandidateImages<'_>) {
        let strongest = |response| {
            let responses = neighbourhood.values(response, &neighbourhood.within);
            responses.into_iter().fold(0.0, f32::max)
        };
        for (response, feature) in
            [(&images.swi_response, Feature::SwiBlob), (&images.t2w_response, Feature::T2wBlob)]
        {
            if let Some(response) = response {
                self.set(feature, f64::from(strongest(response)));
            }
        }
        if let Some(blobs) = &images.qsm_blobs {
            let strongest = strongest(blobs.response());
            self.set(Feature::ChiBlob, f64::from(strongest));
            self.set(Feature::ChiRank, (blobs.stronger(strongest) as f64).ln_1p());
        }
    }

    fn measure_intensities(&mut self, neighbourhood: &Neighbourhood, images: &CandidateImages<'_>) {
        let Neighbourhood { within, shell, .. } = neighbourhood;
        if let Some(qsm) = images.qsm {
            let values = neighbourhood.values(qsm, &[within.as_slice(), shell].concat());
            let unmapped = values.iter().filter(|&&value| value == 0.0).count();
            self.set(Feature::Unmapped, unmapped as f64 / values.len() as f64);
        }
        for (image, statistics, sign, segment) in [
            (images.swi, SWI, -1.0, Some(DARK_SEGMENT)),
            (images.t2w, T2W, -1.0, None),
            (images.qsm, QSM, 1.0, Some(IRON_SEGMENT)),
        ] {
            let Some(image) = image else { continue };
            if let Some(features) = segment
                && let Some(voxels) = neighbourhood.segment(image, images.brain, sign)
            {
                let grid = neighbourhood.part.grid_of(image.grid());
                self.measure_segment(&voxels, &grid, features);
            }
            let mut inside = neighbourhood.values(image, within);
            let mut around = neighbourhood.values(image, shell);
            for &(feature, statistic) in statistics {
                let value = match statistic {
                    Statistic::Within(q) => quantile(&mut inside, q).map(f64::from),
                    Statistic::MeanWithin => mean_and_deviation(&inside).map(|(mean, _)| mean),
                    Statistic::Around(q) => quantile(&mut around, q).map(f64::from),
                    Statistic::DeviationAround => mean_and_deviation(&around).map(|(_, sd)| sd),
                };
                self.0.extend(value.map(|value| (feature, value)));
            }
        }
    }

    fn measure_segment(
        &mut self,
        voxels: &[usize],
        grid: &Grid,
        [volume, length, elongation]: [Feature; 3],
    ) {
        let [longest, middle, _] = principal_axes_mm(voxels, grid);
        self.set(volume, (voxels.len() as f64 * grid.voxel_volume_mm3()).ln());
        self.set(length, longest);
        self.set(elongation, longest / middle);
    }
}

/// Volume, length and elongation of a segment.
const DARK_SEGMENT: [Feature; 3] =
    [Feature::DarkVolume, Feature::DarkLength, Feature::DarkElongation];
const IRON_SEGMENT: [Feature; 3] =
    [Feature::IronVolume, Feature::IronLength, Feature::IronElongation];

/// A statistic of an image's values in a candidate or around it.
#[derive(Clone, Copy)]
enum Statistic {
    /// A quantile.
    Within(f64),
    MeanWithin,
    /// A quantile.
    Around(f64),
    DeviationAround,
}

const SWI: &[(Feature, Statistic)] = &[
    (Feature::SwiLowest, Statistic::Within(0.0)),
    (Feature::SwiMean, Statistic::MeanWithin),
    (Feature::SwiAround, Statistic::Around(0.5)),
    (Feature::SwiSpread, Statistic::DeviationAround),
    (Feature::SwiDark, Statistic::Around(0.1)),
];
const T2W: &[(Feature, Statistic)] = &[
    (Feature::T2wLowest, Statistic::Within(0.0)),
    (Feature::T2wMean, Statistic::MeanWithin),
    (Feature::T2wAround, Statistic::Around(0.5)),
    (Feature::T2wSpread, Statistic::DeviationAround),
    (Feature::T2wBright, Statistic::Around(0.9)),
];
const QSM: &[(Feature, Statistic)] = &[
    (Feature::ChiLowest, Statistic::Within(0.0)),
    (Feature::ChiMean, Statistic::MeanWithin),
    (Feature::ChiHighest, Statistic::Within(1.0)),
    (Feature::ChiAround, Statistic::Around(0.5)),
    (Feature::ChiSpread, Statistic::DeviationAround),
    (Feature::ChiDark, Statistic::Around(0.05)),
];
