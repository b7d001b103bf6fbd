//! The features of a candidate.

use deepmir_volume::statistics::{mean_and_deviation, quantile};
use deepmir_volume::{Grid, Volume};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{CandidateImages, ClassLogOdds, DetectError, ProbabilityMaps};

use deepmir_lesion::shape::principal_axes_mm;

use deepmir_lesion::{Candidate, LesionClass};

/// Something measured on a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// Natural logarithm of its volume in mm³.
    Volume,
    /// −log₁₀ of what its highest probability of any lesion lacks to 1, at most 4.
    Peak,
    /// The same of its mean probability of any lesion.
    Mean,
    /// NHID's share of its probability.
    NhidShare,
    /// Its longest principal axis over the second.
    Elongation,
    /// Its second principal axis over the third.
    Flatness,
    /// Lowest SWI in it.
    SwiLowest,
    /// Mean SWI in it.
    SwiMean,
    /// Median SWI around it.
    SwiAround,
    /// Deviation of SWI around it.
    SwiSpread,
    /// A tenth of SWI around it is darker.
    SwiDark,
    /// Lowest T2w in it.
    T2wLowest,
    /// Mean T2w in it.
    T2wMean,
    /// Median T2w around it.
    T2wAround,
    /// Deviation of T2w around it: large in sulci, where veins lie in fluid.
    T2wSpread,
    /// A tenth of T2w around it is brighter: fluid.
    T2wBright,
    /// Lowest susceptibility in it.
    ChiLowest,
    /// Mean susceptibility in it.
    ChiMean,
    /// Highest susceptibility in it.
    ChiHighest,
    /// Median susceptibility around it.
    ChiAround,
    /// Deviation of susceptibility around it.
    ChiSpread,
    /// How deep its middle lies under the brain's surface, in millimetres, at most 15.
    Depth,
    /// How much of what is around it is no brain.
    Outside,
    /// Natural logarithm of the volume in mm³ of the dark segment of SWI that it is part of: of what hangs
    /// together with its darkest voxel and is nearer to that than to the median around it, in a box 8 mm around.
    DarkVolume,
    /// Longest principal axis of that segment in millimetres: long in veins, of which a network marks a
    /// part only.
    DarkLength,
    /// That axis over the second.
    DarkElongation,
    /// As [`Feature::DarkVolume`], of the susceptibility that hangs together with its highest.
    IronVolume,
    /// Longest principal axis of that.
    IronLength,
    /// That axis over the second.
    IronElongation,
    /// Highest probability of any lesion from 1 mm away to the edge of a box 8 mm around it: veins come in pieces.
    NeighbourProbability,
    /// Distance from the midline, as a part of the brain's width.
    MidlineDistance,
    /// From the brain's back to its front, 0 to 1.
    AnteriorPosterior,
    /// From its bottom to its top, 0 to 1.
    InferiorSuperior,
    /// How much it stands out as a dark spot of SWI: the most in it of the Laplacian of Gaussians as wide as
    /// microbleeds.
    SwiBlob,
    /// The same of bright spots of the susceptibility map.
    ChiBlob,
    /// The same of dark spots of T2w.
    T2wBlob,
    /// Natural logarithm of one more than the spots of the scan's susceptibility map that stand out more.
    ChiRank,
    /// A twentieth of the susceptibility around it is lower: the streaks of an inversion, or calcium.
    ChiDark,
    /// How much of it and of what is around it has a susceptibility of exactly zero: most ways of removing the background
    /// field lose the brain's edge.
    Unmapped,
    /// Log-odds of a microbleed by the [patch classifier](crate::PatchScorer).
    PatchCmb,
    /// Log-odds of an iron deposit by it.
    PatchNhid,
}

impl Feature {
    /// As in models: `swi-lowest`.
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }
}

/// Values of the features that could be measured; the order is that of [`Feature`].
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Features(Vec<(Feature, f64)>);

impl Features {
    /// Those of a candidate of `maps`.
    pub fn of(candidate: &Candidate, maps: &ProbabilityMaps, images: &CandidateImages<'_>) -> Self {
        let mut features = Self::default();
        let lesion = &candidate.lesion;
        let grid = maps.grid();
        features.set(Feature::Volume, lesion.volume_mm3.ln());
        features.of_probabilities(&lesion.voxels, maps);
        let [longest, middle, shortest] = principal_axes_mm(&lesion.voxels, grid);
        features.set(Feature::Elongation, longest / middle);
        features.set(Feature::Flatness, middle / shortest);
        features.of_images(&lesion.voxels, maps, images);
        if let Some(extent) = images.extent {
            let [lateral, anterior, superior] = extent.relative(lesion.centre_mm);
            features.set(Feature::MidlineDistance, lateral);
            features.set(Feature::AnteriorPosterior, anterior);
            features.set(Feature::InferiorSuperior, superior);
        }
        features.0.retain(|(_, value)| value.is_finite());
        features.0.sort_by_key(|(feature, _)| *feature);
        features
    }

    /// Those of candidates of `maps`, with the log-odds of the patch classifier where there is one.
    ///
    /// # Errors
    /// If the patch classifier fails.
    pub fn of_all(
        candidates: &[Candidate],
        maps: &ProbabilityMaps,
        images: &CandidateImages<'_>,
    ) -> Result<Vec<Self>, DetectError> {
        let measure = |candidate: &Candidate| Self::of(candidate, maps, images);
        let mut measured: Vec<Self> = candidates.par_iter().map(measure).collect();
        if let Some(scorer) = images.patch_scorer {
            let centres: Vec<[f64; 3]> =
                candidates.iter().map(|candidate| candidate.lesion.centre_mm).collect();
            for (features, odds) in measured.iter_mut().zip(scorer.log_odds(&centres)?) {
                features.set_patch_log_odds(&odds);
            }
        }
        Ok(measured)
    }

    /// Adds the log-odds of a patch classifier, in place of earlier ones.
    pub fn set_patch_log_odds(&mut self, odds: &ClassLogOdds) {
        for &(class, value) in odds {
            let feature = match class {
                LesionClass::Cmb => Feature::PatchCmb,
                LesionClass::Nhid => Feature::PatchNhid,
            };
            self.0.retain(|(other, _)| *other != feature);
            self.set(feature, value);
        }
        self.0.sort_by_key(|(feature, _)| *feature);
    }

    /// A feature's value.
    pub fn get(&self, feature: Feature) -> Option<f64> {
        self.0.iter().find(|(other, _)| *other == feature).map(|(_, value)| *value)
    }

    /// The values of these, NaN for one that could not be measured.
    pub(super) fn row(&self, names: &[Feature]) -> Vec<f32> {
        names.iter().map(|&name| self.get(name).map_or(f32::NAN, |value| value as f32)).collect()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Feature, f64)> {
        self.0.iter().copied()
    }

    /// From values.
    pub fn from_values(values: Vec<(Feature, f64)>) -> Self {
        Self(values)
    }

    fn set(&mut self, feature: Feature, value: f64) {
        self.0.push((feature, value));
    }

    fn of_probabilities(&mut self, voxels: &[usize], maps: &ProbabilityMaps) {
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
        let nines = |probability: f64| -(1.0 - probability).max(1e-4).log10();
        self.set(Feature::Peak, nines(highest));
        self.set(Feature::Mean, nines(sum / voxels.len().max(1) as f64));
        if LesionClass::ALL.iter().all(|&class| maps.of(class).is_some()) {
            self.set(Feature::NhidShare, nhid / sum);
        }
    }

    fn of_images(
        &mut self,
        voxels: &[usize],
        maps: &ProbabilityMaps,
        images: &CandidateImages<'_>,
    ) {
        let Some(site) = images.site(voxels, maps.grid()) else { return };
        self.set(Feature::NeighbourProbability, images.neighbour_probability(&site, maps));
        let depth = images.depth_mm(&site);
        let depths = site.within.iter().map(|&index| f64::from(depth.data()[index]));
        self.set(Feature::Depth, depths.fold(0.0, f64::max).min(15.0));
        self.set(Feature::Outside, site.outside_share);
        let values = |image: &Volume<f32>, places: &[usize]| -> Vec<f32> {
            let image = image.crop(&site.part);
            places.iter().map(|&index| image.data()[index]).collect()
        };
        let most = |map: &Volume<f32>| values(map, &site.within).into_iter().fold(0.0, f32::max);
        for (map, feature) in
            [(&images.swi_response, Feature::SwiBlob), (&images.t2w_response, Feature::T2wBlob)]
        {
            self.0.extend(map.as_ref().map(|map| (feature, f64::from(most(map)))));
        }
        if let Some(blobs) = &images.qsm_blobs {
            let most = most(blobs.response());
            self.set(Feature::ChiBlob, f64::from(most));
            self.set(Feature::ChiRank, (blobs.stronger(most) as f64).ln_1p());
        }
        if let Some(qsm) = images.qsm {
            let there = values(qsm, &[site.within.as_slice(), &site.around].concat());
            let unmapped = there.iter().filter(|&&value| value == 0.0).count();
            self.set(Feature::Unmapped, unmapped as f64 / there.len() as f64);
        }
        for (image, wanted, sign, segment) in [
            (images.swi, OF_SWI, -1.0, Some(OF_DARK)),
            (images.t2w, OF_T2W, -1.0, None),
            (images.qsm, OF_SUSCEPTIBILITY, 1.0, Some(OF_IRON)),
        ] {
            let Some(image) = image else { continue };
            if let Some(features) = segment
                && let Some(voxels) = images.segment(image, &site, sign)
            {
                self.of_segment(&voxels, &site.part.grid_of(image.grid()), features);
            }
            let (mut within, mut around) =
                (values(image, &site.within), values(image, &site.around));
            for &(feature, measure) in wanted {
                let value = match measure {
                    Measure::Within(q) => quantile(&mut within, q).map(f64::from),
                    Measure::MeanWithin => mean_and_deviation(&within).map(|(mean, _)| mean),
                    Measure::Around(q) => quantile(&mut around, q).map(f64::from),
                    Measure::DeviationAround => mean_and_deviation(&around).map(|(_, sd)| sd),
                };
                self.0.extend(value.map(|value| (feature, value)));
            }
        }
    }

    fn of_segment(
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
const OF_DARK: [Feature; 3] = [Feature::DarkVolume, Feature::DarkLength, Feature::DarkElongation];
const OF_IRON: [Feature; 3] = [Feature::IronVolume, Feature::IronLength, Feature::IronElongation];

/// What is measured on an image.
#[derive(Clone, Copy)]
enum Measure {
    /// A quantile in the candidate.
    Within(f64),
    MeanWithin,
    /// A quantile around it.
    Around(f64),
    DeviationAround,
}

const OF_SWI: &[(Feature, Measure)] = &[
    (Feature::SwiLowest, Measure::Within(0.0)),
    (Feature::SwiMean, Measure::MeanWithin),
    (Feature::SwiAround, Measure::Around(0.5)),
    (Feature::SwiSpread, Measure::DeviationAround),
    (Feature::SwiDark, Measure::Around(0.1)),
];
const OF_T2W: &[(Feature, Measure)] = &[
    (Feature::T2wLowest, Measure::Within(0.0)),
    (Feature::T2wMean, Measure::MeanWithin),
    (Feature::T2wAround, Measure::Around(0.5)),
    (Feature::T2wSpread, Measure::DeviationAround),
    (Feature::T2wBright, Measure::Around(0.9)),
];
const OF_SUSCEPTIBILITY: &[(Feature, Measure)] = &[
    (Feature::ChiLowest, Measure::Within(0.0)),
    (Feature::ChiMean, Measure::MeanWithin),
    (Feature::ChiHighest, Measure::Within(1.0)),
    (Feature::ChiAround, Measure::Around(0.5)),
    (Feature::ChiSpread, Measure::DeviationAround),
    (Feature::ChiDark, Measure::Around(0.05)),
];
