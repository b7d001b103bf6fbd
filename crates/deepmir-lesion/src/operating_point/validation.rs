//! Validation subjects, reduced to what choosing needs.

use deepmir_volume::components::Connectivity;
use rayon::prelude::*;

use super::EXTENTS;
use crate::second_look::{Features, Surroundings};
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

/// A subject at one extent.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    pub candidates: Vec<Candidate>,
    /// For each of them, where images were given, what was measured and what it is.
    pub examples: Vec<(Features, Option<LesionClass>)>,
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
        let at = |&extent: &f32| {
            let candidates = maps.candidates(extent, None, deep);
            if candidates.len() > MOST_CANDIDATES {
                return None;
            }
            let examples = images.map(|images| {
                let measured = candidates.par_iter().map(|candidate| {
                    (Features::of(candidate, maps, images), truth_of(candidate, &truth))
                });
                measured.collect()
            });
            Some(Tried { examples: examples.unwrap_or_default(), candidates })
        };
        let tried = EXTENTS.iter().map(at).collect();
        Self { truth, tried, with_images: images.is_some(), deep: deep.copied() }
    }
}

/// What a candidate is: the class of the true lesion that it overlaps most.
fn truth_of(candidate: &Candidate, truth: &[Lesion]) -> Option<LesionClass> {
    let shared = |lesion: &Lesion| {
        let is_there = |voxel: &&usize| lesion.voxels.binary_search(voxel).is_ok();
        candidate.lesion.voxels.iter().filter(is_there).count()
    };
    let most = truth.iter().map(|lesion| (shared(lesion), lesion.class)).max_by_key(|x| x.0)?;
    (most.0 > 0).then_some(most.1)
}
