//! From probability maps to lesions: candidates are scored, accepted and given their masks.

use std::collections::HashSet;

use deepmir_lesion::{BasalGanglia, Candidate, LabelMap, Lesion, largest_piece};
use deepmir_volume::Mask;

use crate::candidate_classifier::{Features, calibrate};
use crate::plausibility::withdraw_implausible;
use crate::{Blobs, CandidateImages, DetectError, Detection, DetectionRule, ProbabilityMaps};

/// Candidates, and what was measured on each.
#[derive(Clone, Debug, Default)]
pub struct ScoredCandidates {
    /// Every candidate, accepted or not.
    pub candidates: Vec<Candidate>,
    /// The features of each; empty without images to measure them in.
    pub features: Vec<Features>,
}

impl ProbabilityMaps {
    /// The label map of a detection, and its lesions. A candidate classifier needs `images`; without them detection
    /// thresholds apply to the peaks of the maps.
    ///
    /// # Errors
    /// As [`ProbabilityMaps::score_candidates`].
    pub fn detect(
        &self,
        detection: &Detection,
        brain: Option<&Mask>,
        images: Option<&CandidateImages<'_>>,
    ) -> Result<(LabelMap, Vec<Candidate>), DetectError> {
        let scored = self.score_candidates(detection, brain, None, images)?;
        let found = self.accepted(scored.candidates, &detection.rule);
        let labels = LabelMap::of(*self.grid(), found.iter().map(|candidate| &candidate.lesion));
        Ok((labels, found))
    }

    /// Every candidate of a detection, accepted or not, scored by the candidate classifier if the detection has one and
    /// there are `images`. A rule that restricts NHID goes by the `nuclei` of a parcellation, or else by the brain's
    /// extent. Blobs are candidates only if the images are on the maps' grid. Microbleeds that are diamagnetic
    /// in their middles, and blobs that are only the rim of a lesion, have a probability of 0.
    ///
    /// # Errors
    /// If the patch classifier fails.
    pub fn score_candidates(
        &self,
        detection: &Detection,
        brain: Option<&Mask>,
        nuclei: Option<&dyn BasalGanglia>,
        images: Option<&CandidateImages<'_>>,
    ) -> Result<ScoredCandidates, DetectError> {
        let rule = &detection.rule;
        let extent = brain.and_then(|brain| rule.restricting_extent(brain));
        let basal_ganglia = rule.basal_ganglia(nuclei, extent.as_ref());
        let mut candidates = self.candidates(rule.candidate_threshold, brain, basal_ganglia);
        let marked = candidates.len();
        if rule.blobs != Blobs::None
            && detection.classifier.is_some()
            && let Some(images) = images
        {
            let is_disjoint = disjoint_from(&candidates);
            let blobs = self.blob_candidates(images, basal_ganglia, rule.blobs);
            candidates.extend(blobs.into_iter().filter(|blob| is_disjoint(&blob.lesion)));
        }
        self.scored(candidates, marked, detection, basal_ganglia, images)
    }

    /// Scores given regions of voxels as if they were candidates, whatever the maps say there: what another scan of
    /// the same head shows is measured in this one. One candidate a region, in the same order.
    ///
    /// # Errors
    /// If the patch classifier fails.
    pub fn score_regions(
        &self,
        detection: &Detection,
        brain: Option<&Mask>,
        nuclei: Option<&dyn BasalGanglia>,
        regions: impl IntoIterator<Item = Vec<usize>>,
        images: Option<&CandidateImages<'_>>,
    ) -> Result<ScoredCandidates, DetectError> {
        let rule = &detection.rule;
        let extent = brain.and_then(|brain| rule.restricting_extent(brain));
        let basal_ganglia = rule.basal_ganglia(nuclei, extent.as_ref());
        // One by one: together they would be sorted.
        let one = |voxels| self.as_candidates(std::iter::once(voxels), basal_ganglia);
        let candidates: Vec<Candidate> = regions.into_iter().flat_map(one).collect();
        let all = candidates.len();
        self.scored(candidates, all, detection, basal_ganglia, images)
    }

    /// Candidates with their features, if there are `images`, and with the scores of the detection's classifier, if it has
    /// one. The first `marked` are regions that a network marked, the others blobs.
    fn scored(
        &self,
        mut candidates: Vec<Candidate>,
        marked: usize,
        detection: &Detection,
        basal_ganglia: Option<&dyn BasalGanglia>,
        images: Option<&CandidateImages<'_>>,
    ) -> Result<ScoredCandidates, DetectError> {
        let Detection { rule, classifier, calibration } = detection;
        let Some(images) = images else {
            return Ok(ScoredCandidates { candidates, features: Vec::new() });
        };
        let features = Features::of_all(&candidates, self, images)?;
        let Some(classifier) = classifier else {
            return Ok(ScoredCandidates { candidates, features });
        };
        classifier.classify_all(&mut candidates, &features, basal_ganglia);
        calibrate(&mut candidates, calibration);
        withdraw_implausible(&mut candidates, marked, rule, images, self.grid());
        Ok(ScoredCandidates { candidates, features })
    }

    /// The candidates that a rule accepts, reduced to its masks.
    pub fn accepted(&self, mut found: Vec<Candidate>, rule: &DetectionRule) -> Vec<Candidate> {
        found.retain(|candidate| rule.accepts(candidate));
        for candidate in &mut found {
            // Peak and mean are those of the final mask and class.
            let lesion = self.masked(&candidate.lesion, rule.mask_threshold());
            let lesion_probability = candidate.lesion_probability;
            *candidate = Candidate { lesion_probability, ..self.candidate(lesion, true) };
        }
        Candidate::sort(&mut found);
        found
    }

    /// The largest connected piece of a lesion where the probability of any lesion reaches a threshold; the whole
    /// lesion if no voxel reaches it.
    fn masked(&self, lesion: &Lesion, threshold: f32) -> Lesion {
        let voxels = lesion.voxels.iter().copied();
        let kept: Vec<usize> =
            voxels.filter(|&index| self.probability_of_any(index) >= threshold).collect();
        if kept.is_empty() || kept.len() == lesion.voxels.len() {
            return lesion.clone();
        }
        Lesion::new(lesion.class, largest_piece(&kept, self.grid()), self.grid())
    }
}

/// Whether a lesion shares no voxel with candidates.
pub(crate) fn disjoint_from(candidates: &[Candidate]) -> impl Fn(&Lesion) -> bool + use<> {
    let theirs = candidates.iter().flat_map(|candidate| &candidate.lesion.voxels);
    let theirs: HashSet<usize> = theirs.copied().collect();
    move |lesion| !lesion.voxels.iter().any(|voxel| theirs.contains(voxel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClassThreshold;
    use deepmir_lesion::LesionClass;
    use deepmir_volume::{Affine, Grid, Volume};

    fn maps(cmb: &[f32], nhid: &[f32]) -> ProbabilityMaps {
        let grid = Grid::new([cmb.len(), 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let volume = |values: &[f32]| Volume::new(grid, values.to_vec()).unwrap();
        let maps = vec![(LesionClass::Cmb, volume(cmb)), (LesionClass::Nhid, volume(nhid))];
        ProbabilityMaps::new(maps).unwrap()
    }

    fn rule(candidate_threshold: f32, detection_threshold: f32, min_volume_mm3: f64) -> Detection {
        let threshold = ClassThreshold { detection_threshold, min_volume_mm3, min_height_mm: 0.0 };
        let classes = LesionClass::ALL.map(|class| (class, threshold)).into();
        DetectionRule { candidate_threshold, classes, ..DetectionRule::half(&[]) }.into()
    }

    #[test]
    fn the_whole_region_takes_the_class_with_more_probability() {
        // Two voxels lean to NHID, three to CMB; by voxel that would be two lesions.
        let maps = maps(&[0.0, 0.3, 0.3, 0.9, 0.9, 0.8, 0.0], &[0.0, 0.5, 0.4, 0.1, 0.0, 0.1, 0.0]);
        let (labels, found) = maps.detect(&rule(0.4, 0.5, 0.0), None, None).unwrap();
        assert_eq!(labels.volume().data(), [0, 1, 1, 1, 1, 1, 0]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].peak_probability, 0.9);
        assert!((found[0].mean_probability - 0.64).abs() < 1e-6);
    }

    #[test]
    fn iron_deposits_lie_in_the_basal_ganglia() {
        let affine = Affine::from_spacing([2.0; 3], [-65.0, -80.0, -60.0]);
        let grid = Grid::new([66, 81, 61], affine).unwrap();
        let brain = Volume::filled(grid, true);
        let at = |place: [f64; 3]| {
            let voxel = affine.inverse().apply(place).map(|x| x.round() as usize);
            grid.index(voxel)
        };
        let (putamen, cerebellum) = (at([25.0, 16.0, 0.0]), at([20.0, -50.0, -40.0]));
        let mut nhid = Volume::filled(grid, 0.0);
        nhid.data_mut()[putamen] = 0.9;
        nhid.data_mut()[cerebellum] = 0.8;
        let maps = vec![
            (LesionClass::Cmb, nhid.map(|value| 0.1 * value)),
            (LesionClass::Nhid, nhid.clone()),
        ];
        let maps = ProbabilityMaps::new(maps).unwrap();
        let mut rule = rule(0.5, 0.5, 0.0);
        let (labels, _) = maps.detect(&rule, Some(&brain), None).unwrap();
        assert_eq!(labels.class_at(cerebellum), Some(LesionClass::Nhid));
        rule.rule.restrict_nhid_to_basal_ganglia = true;
        let (labels, found) = maps.detect(&rule, Some(&brain), None).unwrap();
        assert_eq!(labels.class_at(cerebellum), Some(LesionClass::Cmb));
        assert_eq!(labels.class_at(putamen), Some(LesionClass::Nhid));
        assert!((found[0].peak_probability - 0.88).abs() < 1e-6);

        // The nuclei of a parcellation come before the brain's extent.
        #[derive(Debug)]
        struct Turned;
        impl BasalGanglia for Turned {
            fn may_hold(&self, point_mm: [f64; 3]) -> bool {
                point_mm[2] < 0.0
            }
        }
        let scored = maps.score_candidates(&rule, Some(&brain), Some(&Turned), None).unwrap();
        let class_at = |voxel: usize| {
            let of = |one: &&Candidate| one.lesion.voxels == [voxel];
            scored.candidates.iter().find(of).map(|one| one.lesion.class)
        };
        assert_eq!(class_at(cerebellum), Some(LesionClass::Nhid));
        assert_eq!(class_at(putamen), Some(LesionClass::Cmb));
    }

    #[test]
    fn one_threshold_says_how_large_and_the_other_whether() {
        let maps = maps(&[0.3, 0.6, 0.3, 0.0, 0.35, 0.45, 0.3], &[0.0; 7]);
        let (labels, _) = maps.detect(&rule(0.25, 0.5, 0.0), None, None).unwrap();
        assert_eq!(labels.volume().data(), [1, 1, 1, 0, 0, 0, 0]);
        let (labels, _) = maps.detect(&rule(0.5, 0.5, 0.0), None, None).unwrap();
        assert_eq!(labels.volume().data(), [0, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn small_lesions_and_those_outside_the_brain_are_rejected() {
        let maps = maps(&[0.9, 0.9, 0.0, 0.9, 0.0, 0.9, 0.9], &[0.0; 7]);
        let (labels, _) = maps.detect(&rule(0.5, 0.5, 1.5), None, None).unwrap();
        assert_eq!(labels.volume().data(), [1, 1, 0, 0, 0, 1, 1]);
        let mut brain = labels.volume().map(|_| true);
        brain.data_mut()[..2].fill(false);
        let (labels, _) = maps.detect(&rule(0.5, 0.5, 1.5), Some(&brain), None).unwrap();
        assert_eq!(labels.volume().data(), [0, 0, 0, 0, 0, 1, 1]);
    }

    #[test]
    fn candidates_in_too_few_slices_are_rejected_whatever_the_orientation() {
        // Slices along the second axis, from top to bottom.
        let affine = Affine::from_rows([
            [1.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 1.0, 0.0],
            [0.0, -1.5, 0.0, 0.0],
            [0.0, 0.0, 0.0, 1.0],
        ]);
        let grid = Grid::new([8, 5, 1], affine.unwrap()).unwrap();
        let mut map = Volume::filled(grid, 0.0);
        let flat = [[0, 2, 0], [1, 2, 0], [2, 2, 0]].map(|voxel| grid.index(voxel));
        let high = [[5, 1, 0], [5, 2, 0], [5, 3, 0]].map(|voxel| grid.index(voxel));
        flat.iter().chain(&high).for_each(|&index| map.data_mut()[index] = 0.9);
        let maps = ProbabilityMaps::new(vec![(LesionClass::Cmb, map)]).unwrap();
        let mut rule = rule(0.5, 0.5, 0.0);
        assert_eq!(maps.detect(&rule, None, None).unwrap().1.len(), 2);
        let threshold =
            ClassThreshold { detection_threshold: 0.5, min_volume_mm3: 0.0, min_height_mm: 5.0 };
        rule.rule.classes.insert(LesionClass::Cmb, threshold);
        let (_, found) = maps.detect(&rule, None, None).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].height_mm, &found[0].lesion.voxels[..]), (6.0, &high[..]));
    }
}
