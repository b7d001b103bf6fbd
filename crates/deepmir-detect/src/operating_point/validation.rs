//! Validation subjects, reduced to their candidates.

use deepmir_lesion::{
    BrainExtent, Candidate, LabelMap, Lesion, LesionClass, is_unknown, lesions_of,
};
use deepmir_volume::Mask;
use deepmir_volume::components::Connectivity;
use rayon::prelude::*;

use super::CandidateThreshold;
use crate::candidate_classifier::Features;
use crate::detect::disjoint_from;
use crate::rule::by_extent;
use crate::{Blobs, CandidateImages, ClassLogOdds, DetectError, ProbabilityMaps};

/// A threshold is skipped if a subject has more candidates than this: nobody would review so many, and matching them takes
/// minutes. Networks early in training have tens of thousands.
const MAX_CANDIDATES: usize = 2000;

/// One validation subject, reduced to its true lesions and its candidates at each [`CandidateThreshold`]. The probability
/// maps need not be kept.
#[derive(Clone, Debug)]
pub struct ValidationSubject {
    pub(super) truth: Vec<Lesion>,
    /// In the order of [`CandidateThreshold::all`]; `None` if there are too many candidates.
    at_thresholds: Vec<Option<AtThreshold>>,
    pub(super) with_images: bool,
    /// The threshold at which alone candidates are measured, if not at all.
    only: Option<CandidateThreshold>,
    pub(super) extent: Option<BrainExtent>,
    /// The patient or anatomy, where several subjects may be of one: they are never scored by a classifier that learned
    /// from another of it.
    pub group: Option<String>,
    /// The name of the set of images that it has, where operating points are chosen by set.
    pub inputs: Option<String>,
    /// The same of each view without some of the images.
    pub(super) view_inputs: Vec<Option<String>>,
}

/// A candidate with its features and its true class.
#[derive(Clone, Debug)]
pub(super) struct MeasuredCandidate {
    pub features: Features,
    /// Its true class; `None` if it is no lesion.
    pub truth: Option<LesionClass>,
    pub centre_mm: [f64; 3],
}

/// The candidates and blobs in a view without some of the images.
#[derive(Clone, Debug, Default)]
pub(super) struct ViewCandidates {
    pub candidates: Vec<Candidate>,
    pub measured: Vec<MeasuredCandidate>,
}

/// A subject at one candidate threshold.
#[derive(Clone, Debug, Default)]
pub(super) struct AtThreshold {
    pub candidates: Vec<Candidate>,
    /// Blobs of the images that share no voxel with them, for a candidate classifier only.
    pub blobs: Vec<Candidate>,
    /// The candidates, then the blobs, with their features; empty without images.
    pub measured: Vec<MeasuredCandidate>,
    /// Each view without some of the images: more examples for a classifier.
    pub missing_modality_views: Vec<ViewCandidates>,
}

impl AtThreshold {
    /// Candidates and blobs.
    pub fn all_candidates(&self) -> Vec<Candidate> {
        [self.candidates.as_slice(), &self.blobs].concat()
    }

    fn of_view(&self, view: View) -> &[MeasuredCandidate] {
        match view {
            View::Complete => &self.measured,
            View::MissingModality(n) => {
                self.missing_modality_views.get(n).map_or(&[], |view| &view.measured)
            }
        }
    }
}

/// The images in which a subject's candidates were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// All images of the subject.
    Complete,
    /// The n-th view that [`ValidationSubject::add_missing_modality_view`] added, from 0.
    MissingModality(usize),
}

impl ValidationSubject {
    /// Reduces a subject's maps. `maps`, `truth` and `unknown` are on one grid; true lesions are 26-connected. Candidates
    /// of which nobody knows whether they are lesions, by the mask `unknown` ([`is_unknown`]), are left out: they are
    /// neither right nor wrong. With the brain's `extent`, rules [restrict NHID](crate::DetectionRule::restrict_nhid_to_basal_ganglia); with `images`, a candidate
    /// classifier can be fitted.
    ///
    /// # Errors
    /// If the images' patch classifier fails.
    pub fn new(
        maps: &ProbabilityMaps,
        truth: &LabelMap,
        unknown: Option<&Mask>,
        extent: Option<&BrainExtent>,
        images: Option<&CandidateImages<'_>>,
    ) -> Result<Self, DetectError> {
        Self::measured_at(None, maps, truth, unknown, extent, images)
    }

    /// As [`ValidationSubject::new`], with candidates measured at the candidate threshold `only`, if it is given, at which
    /// alone a classifier can then be fitted: measuring takes as long as predicting.
    ///
    /// # Errors
    /// As [`ValidationSubject::new`].
    pub fn measured_at(
        only: Option<CandidateThreshold>,
        maps: &ProbabilityMaps,
        truth: &LabelMap,
        unknown: Option<&Mask>,
        extent: Option<&BrainExtent>,
        images: Option<&CandidateImages<'_>>,
    ) -> Result<Self, DetectError> {
        let known = Known { truth: &lesions_of(truth, Connectivity::TwentySix), unknown };
        let blobs = images.map(|images| MeasuredBlobs::of(maps, images, known, extent));
        let blobs = blobs.transpose()?;
        let at = |threshold: CandidateThreshold| {
            let all = maps.candidates(threshold.value(), None, by_extent(extent));
            if all.len() > MAX_CANDIDATES {
                return Ok(None);
            }
            let mut at = AtThreshold { candidates: known.of(&all), ..AtThreshold::default() };
            let is_measured = only.is_none_or(|only| only == threshold);
            if let (Some(images), Some(blobs), true) = (images, &blobs, is_measured) {
                at.measured = measure(&at.candidates, maps, images, known.truth)?;
                for (blob, measured) in blobs.disjoint_from(&all) {
                    at.blobs.push(blob.clone());
                    at.measured.push(measured.clone());
                }
            }
            Ok(Some(at))
        };
        let at_thresholds =
            CandidateThreshold::all().map(at).collect::<Result<_, DetectError>>()?;
        Ok(Self {
            truth: known.truth.to_vec(),
            at_thresholds,
            with_images: images.is_some(),
            only,
            extent: extent.copied(),
            group: None,
            inputs: None,
            view_inputs: Vec::new(),
        })
    }

    /// Adds the subject's candidates in a view without some of the images, found in the maps of a network without them.
    /// Classifiers are fitted to them, too; thresholds are chosen on them for the set of images `inputs` only. `unknown` is
    /// as with [`ValidationSubject::new`].
    ///
    /// # Errors
    /// If the images' patch classifier fails.
    pub fn add_missing_modality_view(
        &mut self,
        maps: &ProbabilityMaps,
        unknown: Option<&Mask>,
        images: &CandidateImages<'_>,
        inputs: Option<&str>,
    ) -> Result<(), DetectError> {
        let extent = self.extent.as_ref();
        let known = Known { truth: &self.truth, unknown };
        let blobs = MeasuredBlobs::of(maps, images, known, extent)?;
        for (threshold, at) in CandidateThreshold::all().zip(&mut self.at_thresholds) {
            let Some(at) = at else { continue };
            let mut view = ViewCandidates::default();
            if self.only.is_some_and(|only| only != threshold) {
                at.missing_modality_views.push(view);
                continue;
            }
            let all = maps.candidates(threshold.value(), None, by_extent(extent));
            if all.len() <= MAX_CANDIDATES {
                view.candidates = known.of(&all);
                view.measured = measure(&view.candidates, maps, images, known.truth)?;
                for (blob, measured) in blobs.disjoint_from(&all) {
                    view.candidates.push(blob.clone());
                    view.measured.push(measured.clone());
                }
            }
            at.missing_modality_views.push(view);
        }
        self.view_inputs.push(inputs.map(str::to_owned));
        Ok(())
    }

    /// The places and true classes of the subject's candidates at a threshold in a view. Empty at a threshold with too
    /// many candidates.
    pub fn sites(&self, threshold: CandidateThreshold, view: View) -> Vec<Site> {
        let Some(at) = self.at(threshold) else { return Vec::new() };
        let sites = at.of_view(view).iter();
        sites.map(|one| Site { centre_mm: one.centre_mm, truth: one.truth }).collect()
    }

    /// The true lesions that share no voxel with a candidate at a threshold.
    pub fn missed_lesions(&self, threshold: CandidateThreshold) -> Vec<Site> {
        let candidates = self.at(threshold).map(AtThreshold::all_candidates).unwrap_or_default();
        let is_disjoint = disjoint_from(&candidates);
        let missed = self.truth.iter().filter(|lesion| is_disjoint(lesion));
        missed
            .map(|lesion| Site { centre_mm: lesion.centre_mm, truth: Some(lesion.class) })
            .collect()
    }

    /// Sets the log-odds of a patch classifier as features of the candidates at a threshold in a view, in the order of
    /// [`ValidationSubject::sites`].
    pub fn set_patch_log_odds(
        &mut self,
        threshold: CandidateThreshold,
        view: View,
        odds: &[ClassLogOdds],
    ) {
        let Some(at) = &mut self.at_thresholds[threshold.index()] else { return };
        let measured = match view {
            View::Complete => Some(&mut at.measured),
            View::MissingModality(n) => {
                at.missing_modality_views.get_mut(n).map(|view| &mut view.measured)
            }
        };
        for (measured, odds) in measured.into_iter().flatten().zip(odds) {
            measured.features.set_patch_log_odds(odds);
        }
    }

    pub(super) fn at(&self, threshold: CandidateThreshold) -> Option<&AtThreshold> {
        self.at_thresholds[threshold.index()].as_ref()
    }
}

/// What is known of a subject's lesions.
#[derive(Clone, Copy)]
struct Known<'a> {
    truth: &'a [Lesion],
    unknown: Option<&'a Mask>,
}

impl Known<'_> {
    /// The candidates without those of which nobody knows.
    fn of(&self, candidates: &[Candidate]) -> Vec<Candidate> {
        let is_known = |candidate: &&Candidate| {
            let unknown = |mask| is_unknown(&candidate.lesion, self.truth, mask);
            !self.unknown.is_some_and(unknown)
        };
        candidates.iter().filter(is_known).cloned().collect()
    }
}

/// The place of a candidate or lesion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Site {
    /// Its centre of mass, RAS+.
    pub centre_mm: [f64; 3],
    /// Its true class; `None` if it is no lesion.
    pub truth: Option<LesionClass>,
}

/// The blobs of a subject's images with their features: the same at every threshold.
struct MeasuredBlobs(Vec<(Candidate, MeasuredCandidate)>);

impl MeasuredBlobs {
    fn of(
        maps: &ProbabilityMaps,
        images: &CandidateImages<'_>,
        known: Known<'_>,
        extent: Option<&BrainExtent>,
    ) -> Result<Self, DetectError> {
        let blobs = known.of(&maps.blob_candidates(images, by_extent(extent), Blobs::SwiQsm));
        let measured = measure(&blobs, maps, images, known.truth)?;
        Ok(Self(blobs.into_iter().zip(measured).collect()))
    }

    /// Those that share no voxel with candidates.
    fn disjoint_from(
        &self,
        candidates: &[Candidate],
    ) -> impl Iterator<Item = &(Candidate, MeasuredCandidate)> {
        let is_disjoint = disjoint_from(candidates);
        self.0.iter().filter(move |(blob, _)| is_disjoint(&blob.lesion))
    }
}

/// The features and true class of each candidate.
fn measure(
    candidates: &[Candidate],
    maps: &ProbabilityMaps,
    images: &CandidateImages<'_>,
    truth: &[Lesion],
) -> Result<Vec<MeasuredCandidate>, DetectError> {
    let features = Features::of_all(candidates, maps, images)?;
    let measured = candidates.par_iter().zip(features).map(|(candidate, features)| {
        let truth = true_class(candidate, truth);
        MeasuredCandidate { features, truth, centre_mm: candidate.lesion.centre_mm }
    });
    Ok(measured.collect())
}

/// The class of the true lesion that a candidate overlaps most.
pub(super) fn true_class(candidate: &Candidate, truth: &[Lesion]) -> Option<LesionClass> {
    let shared = |lesion: &Lesion| {
        let is_there = |voxel: &&usize| lesion.voxels.binary_search(voxel).is_ok();
        candidate.lesion.voxels.iter().filter(is_there).count()
    };
    let most = truth.iter().map(|lesion| (shared(lesion), lesion.class)).max_by_key(|x| x.0)?;
    (most.0 > 0).then_some(most.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operating_point::choose;
    use deepmir_volume::{Affine, Grid, Volume};

    #[test]
    fn candidates_where_nobody_knows_are_neither_right_nor_wrong() {
        let grid = Grid::new([40, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let mut truth = LabelMap::empty(grid);
        truth.paint(&[3, 4, 20, 21], LesionClass::Cmb);
        let mut map = Volume::filled(grid, 0.0);
        // Two true ones, a sure one where nobody knows, a false one. Both true ones reach into unknown places.
        for (voxel, probability) in
            [(3, 0.8), (4, 0.8), (20, 0.9), (30, 0.95), (31, 0.95), (36, 0.2)]
        {
            map.data_mut()[voxel] = probability;
        }
        let maps = ProbabilityMaps::new(vec![(LesionClass::Cmb, map)]).unwrap();
        let unknown = Volume::from_fn(grid, |[i, _, _]| i < 3 || (21..35).contains(&i));
        let f1 = |unknown: Option<&Mask>| {
            let subject = ValidationSubject::new(&maps, &truth, unknown, None, None).unwrap();
            let threshold = CandidateThreshold::find(0.1).unwrap();
            let found = subject.at(threshold).unwrap().candidates.len();
            (found, choose(&[subject], &[LesionClass::Cmb], 1.0).mean_f1())
        };
        assert_eq!(f1(None), (4, 0.8));
        assert_eq!(f1(Some(&unknown)), (3, 1.0));
    }
}
