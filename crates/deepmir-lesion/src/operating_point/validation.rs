//! Validation subjects, reduced to what choosing needs.

use deepmir_volume::components::Connectivity;
use rayon::prelude::*;

use super::EXTENTS;
use crate::candidate::apart_from;
use crate::second_look::{Features, LogOdds, Surroundings};
use crate::{BrainBox, Candidate, LabelMap, Lesion, LesionClass, ProbabilityMaps, lesions_of};

/// An extent at which a subject has more candidates than this is not tried: no one would look at so many, and
/// matching them takes minutes. Networks that have hardly learned anything have tens of thousands.
const MOST_CANDIDATES: usize = 2000;

/// One validation subject, reduced to what choosing needs: its true lesions and, for each extent
/// that is tried, its candidates. The probability maps need not be kept.
#[derive(Clone, Debug)]
pub struct ValidationSubject {
    pub(super) truth: Vec<Lesion>,
    /// In the order of the extents tried; none where there are too many candidates.
    pub(super) tried: Vec<Option<Tried>>,
    pub(super) with_images: bool,
    pub(super) deep: Option<BrainBox>,
}

/// A candidate as a second look learns from it.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// What was measured on it.
    pub features: Features,
    /// What it is.
    pub truth: Option<LesionClass>,
    /// Where it is.
    pub centre_mm: [f64; 3],
}

/// A subject at one extent.
#[derive(Clone, Debug, Default)]
pub(super) struct Tried {
    pub candidates: Vec<Candidate>,
    /// Spots of the images beside them, for a second look alone.
    pub spots: Vec<Candidate>,
    /// For each of both, where images were given, what was measured and what it is.
    pub examples: Vec<Measured>,
    /// The same of candidates seen otherwise, for each time that they were: a second look learns from them, too.
    pub further: Vec<Vec<Measured>>,
}

impl ValidationSubject {
    /// Reduces a subject's maps. Both are on one grid, and true lesions are 26-connected. With
    /// `deep`, rules have [`nhid_only_deep`]; with `images`, a second look can be chosen.
    ///
    /// [`nhid_only_deep`]: crate::DetectionRule::nhid_only_deep
    pub fn new(
        maps: &ProbabilityMaps,
        truth: &LabelMap,
        deep: Option<&BrainBox>,
        images: Option<&Surroundings<'_>>,
    ) -> Self {
        let truth = lesions_of(truth, Connectivity::TwentySix);
        let spots = images.map(|images| Spots::of(maps, images, &truth, deep));
        let at = |&extent: &f32| {
            let candidates = maps.candidates(extent, None, deep);
            if candidates.len() > MOST_CANDIDATES {
                return None;
            }
            let mut tried = Tried { candidates, ..Tried::default() };
            if let (Some(images), Some(spots)) = (images, &spots) {
                tried.examples = measured(&tried.candidates, maps, images, &truth);
                for (spot, example) in spots.beside(&tried.candidates) {
                    tried.spots.push(spot.clone());
                    tried.examples.push(example.clone());
                }
            }
            Some(tried)
        };
        let tried = EXTENTS.iter().map(at).collect();
        Self { truth, tried, with_images: images.is_some(), deep: deep.copied() }
    }

    /// Adds what the subject's candidates are like in other maps of it and other images, such as those of a
    /// network that was not given all of them: for a second look to learn from. Thresholds are not
    /// chosen on them.
    pub fn seen_again(&mut self, maps: &ProbabilityMaps, images: &Surroundings<'_>) {
        let deep = self.deep.as_ref();
        let spots = Spots::of(maps, images, &self.truth, deep);
        for (extent, tried) in EXTENTS.iter().zip(&mut self.tried) {
            let Some(tried) = tried else { continue };
            let candidates = maps.candidates(*extent, None, deep);
            if candidates.len() <= MOST_CANDIDATES {
                let mut further = measured(&candidates, maps, images, &self.truth);
                further.extend(spots.beside(&candidates).map(|(_, example)| example.clone()));
                tried.further.push(further);
            } else {
                tried.further.push(Vec::new());
            }
        }
    }

    /// Where the subject's candidates of an extent are that a second look sees, and what they are; with `again`, as
    /// they were seen that time ([`ValidationSubject::seen_again`], from 0). Nowhere at an extent that was not tried.
    pub fn sites(&self, extent: f32, again: Option<usize>) -> Vec<Site> {
        let Some(tried) = self.at(extent) else { return Vec::new() };
        let sites = tried.looks(again).iter();
        sites.map(|one| Site { centre_mm: one.centre_mm, truth: one.truth }).collect()
    }

    /// The true lesions that no candidate of an extent shares a voxel with.
    pub fn overlooked(&self, extent: f32) -> Vec<Site> {
        let candidates = self.at(extent).into_iter();
        let candidates = candidates.flat_map(|tried| tried.candidates.iter().chain(&tried.spots));
        let apart = apart_from(&candidates.cloned().collect::<Vec<_>>());
        let overlooked = self.truth.iter().filter(|lesion| apart(lesion));
        overlooked
            .map(|lesion| Site { centre_mm: lesion.centre_mm, truth: Some(lesion.class) })
            .collect()
    }

    /// Adds what a closer look says of the candidates of an extent, in the order of [`ValidationSubject::sites`].
    pub fn look_closer(&mut self, extent: f32, again: Option<usize>, odds: &[LogOdds]) {
        let place = EXTENTS.iter().position(|tried| *tried == extent);
        let tried = place.and_then(|place| self.tried[place].as_mut());
        let looks = match (tried, again) {
            (Some(tried), None) => Some(&mut tried.examples),
            (Some(tried), Some(again)) => tried.further.get_mut(again),
            (None, _) => None,
        };
        for (measured, odds) in looks.into_iter().flatten().zip(odds) {
            measured.features.look_closer(odds);
        }
    }

    pub(super) fn at(&self, extent: f32) -> Option<&Tried> {
        let place = EXTENTS.iter().position(|tried| *tried == extent)?;
        self.tried[place].as_ref()
    }
}

/// A place that a second look learns from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Site {
    /// Its middle.
    pub centre_mm: [f64; 3],
    /// What is there; nothing, or a lesion of a class.
    pub truth: Option<LesionClass>,
}

impl Tried {
    fn looks(&self, again: Option<usize>) -> &[Measured] {
        match again {
            None => &self.examples,
            Some(again) => self.further.get(again).map_or(&[], Vec::as_slice),
        }
    }
}

/// The spots of a subject's images with what was measured on them: the same at every extent.
struct Spots(Vec<(Candidate, Measured)>);

impl Spots {
    fn of(
        maps: &ProbabilityMaps,
        images: &Surroundings<'_>,
        truth: &[Lesion],
        deep: Option<&BrainBox>,
    ) -> Self {
        let spots = maps.spots(images, deep, true);
        let examples = measured(&spots, maps, images, truth);
        Self(spots.into_iter().zip(examples).collect())
    }

    /// Those that share no voxel with candidates.
    fn beside(&self, candidates: &[Candidate]) -> impl Iterator<Item = &(Candidate, Measured)> {
        let apart = apart_from(candidates);
        self.0.iter().filter(move |(spot, _)| apart(&spot.lesion))
    }
}

/// What was measured on each candidate, and what it is.
fn measured(
    candidates: &[Candidate],
    maps: &ProbabilityMaps,
    images: &Surroundings<'_>,
    truth: &[Lesion],
) -> Vec<Measured> {
    let measured = Features::of_all(candidates, maps, images);
    let with_truth = candidates.par_iter().zip(measured).map(|(candidate, features)| Measured {
        features,
        truth: truth_of(candidate, truth),
        centre_mm: candidate.lesion.centre_mm,
    });
    with_truth.collect()
}

/// What a candidate is: the class of the true lesion that it overlaps most.
pub(super) fn truth_of(candidate: &Candidate, truth: &[Lesion]) -> Option<LesionClass> {
    let shared = |lesion: &Lesion| {
        let is_there = |voxel: &&usize| lesion.voxels.binary_search(voxel).is_ok();
        candidate.lesion.voxels.iter().filter(is_there).count()
    };
    let most = truth.iter().map(|lesion| (shared(lesion), lesion.class)).max_by_key(|x| x.0)?;
    (most.0 > 0).then_some(most.1)
}
