//! From probability maps to lesions: the rule that a model's thresholds belong to.
//!
//! A lesion is a connected region where the probability of *any* lesion reaches
//! [`DetectionRule::extent`]; its class is the one with more probability over the region; it
//! counts if its highest probability of that class reaches the class's peak threshold and it is
//! not smaller than the class's smallest volume. Two thresholds, as in hysteresis edge detection
//! (Canny 1986), separate *how large is it* from *is it there*; deciding the class for the whole
//! lesion keeps one deposit from being counted as a CMB and an NHID side by side. Where the rule has a
//! [`SecondLook`], that decides the class, and its probability takes the peak's place.

use std::collections::BTreeMap;

use deepmir_volume::components::{Connectivity, components};
use deepmir_volume::{Grid, Mask, Volume};
use serde::{Deserialize, Serialize};

use crate::candidate::apart_from;
use crate::lesion::{largest_piece, sort};
use crate::second_look::{Features, SecondLook, Surroundings};
use crate::{BrainBox, Candidate, LabelMap, Lesion, LesionClass};

/// Thresholds of one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassThreshold {
    /// A lesion's highest probability must reach this, or that of the second look, where there is one
    /// ([`Candidate::score`]).
    pub peak: f32,
    /// Smaller lesions are dropped.
    pub min_volume_mm3: f64,
    /// What cannot be so high across the slices is dropped: vessels that cross one slice, or two, look
    /// like microbleeds there ([`Candidate::height_mm`]).
    #[serde(default)]
    pub min_height_mm: f64,
}

/// When a region of a probability map is a lesion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectionRule {
    /// Voxels whose probability of any lesion reaches this belong to lesions.
    pub extent: f32,
    /// Iron deposits are those of pallidum and putamen: a region elsewhere that looks like one is a
    /// microbleed. Where the brain is not known this does nothing.
    #[serde(default)]
    pub nhid_only_deep: bool,
    /// Of a lesion, voxels whose probability of any lesion does not reach this are left out (if any does):
    /// where candidates begin faint, lesions would come out too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outline: Option<f32>,
    /// Whether the brightest spots of the susceptibility map are candidates, too, where no voxel of theirs reaches the
    /// extent ([`Surroundings::spots`]). Only for a second look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spots: bool,
    /// Whether spots are those that stand out most in SWI and in the susceptibility map together: models from before
    /// this was so know those of the map alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dark_spots: bool,
    /// For each class that the model tells, its thresholds.
    pub classes: BTreeMap<LesionClass, ClassThreshold>,
    /// What candidates are looked at with again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_look: Option<SecondLook>,
}

impl DetectionRule {
    /// Half the probability for extent and peak, every size: what argmax would give.
    pub fn half(classes: &[LesionClass]) -> Self {
        let threshold = ClassThreshold { peak: 0.5, min_volume_mm3: 0.0, min_height_mm: 0.0 };
        let classes = classes.iter().map(|&class| (class, threshold)).collect();
        Self {
            extent: 0.5,
            nhid_only_deep: false,
            outline: None,
            spots: false,
            dark_spots: false,
            classes,
            second_look: None,
        }
    }

    /// The thresholds of a class; `None` if the model does not tell it.
    pub fn threshold(&self, class: LesionClass) -> Option<ClassThreshold> {
        self.classes.get(&class).copied()
    }

    /// Whether a candidate counts as a lesion: if its class is one that the model tells, and passes.
    pub fn passes(&self, candidate: &Candidate) -> bool {
        let threshold = self.threshold(candidate.lesion.class);
        threshold.is_some_and(|threshold| candidate.passes(&threshold))
    }
}

/// Probability maps of the classes that a model tells, on one grid: at least one.
#[derive(Clone, Debug)]
pub struct ProbabilityMaps {
    grid: Grid,
    maps: Vec<(LesionClass, Volume<f32>)>,
}

impl ProbabilityMaps {
    /// A map for each class, each voxel from 0 to 1; `None` if there is no map, a class comes
    /// twice, or the maps are not on one grid.
    pub fn new(maps: Vec<(LesionClass, Volume<f32>)>) -> Option<Self> {
        let grid = *maps.first()?.1.grid();
        let fits = |n: usize| {
            let (class, map) = &maps[n];
            map.grid().same_as(&grid) && maps[..n].iter().all(|(other, _)| other != class)
        };
        (0..maps.len()).all(fits).then_some(Self { grid, maps })
    }

    /// The grid of every map.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The maps with their classes.
    pub fn iter(&self) -> impl Iterator<Item = (LesionClass, &Volume<f32>)> {
        self.maps.iter().map(|(class, map)| (*class, map))
    }

    /// The map of a class.
    pub fn of(&self, class: LesionClass) -> Option<&Volume<f32>> {
        self.iter().find(|(other, _)| *other == class).map(|(_, map)| map)
    }

    /// Every connected region (by faces, edges and corners) where the probability of any lesion is
    /// at least `extent`, inside `brain` where one is given. In the order of [`lesions_of`]. With
    /// `deep`, what looks like an iron deposit outside the basal ganglia is a microbleed, and its
    /// probability that of any lesion.
    ///
    /// [`lesions_of`]: crate::lesions_of
    pub fn candidates(
        &self,
        extent: f32,
        brain: Option<&Mask>,
        deep: Option<&BrainBox>,
    ) -> Vec<Candidate> {
        let mut any = Volume::filled(self.grid, false);
        for (index, inside) in any.data_mut().iter_mut().enumerate() {
            let sum: f32 = self.maps.iter().map(|(_, map)| map.data()[index]).sum();
            *inside = sum >= extent && brain.is_none_or(|brain| brain.data()[index]);
        }
        let regions = components(&any, false, Connectivity::TwentySix);
        self.as_candidates(regions.into_iter().map(|region| region.voxels), deep)
    }

    /// The spots of images on the maps' grid ([`Surroundings::spots`]) as candidates; none of others.
    pub(crate) fn spots(
        &self,
        images: &Surroundings<'_>,
        deep: Option<&BrainBox>,
        dark: bool,
    ) -> Vec<Candidate> {
        let spots = if images.grid() == &self.grid { images.spots(dark) } else { Vec::new() };
        self.as_candidates(spots.into_iter(), deep)
    }

    fn as_candidates(
        &self,
        regions: impl Iterator<Item = Vec<usize>>,
        deep: Option<&BrainBox>,
    ) -> Vec<Candidate> {
        let lesions = regions.map(|voxels| {
            let class = self.likelier_class(&voxels);
            let lesion = Lesion::new(class, voxels, &self.grid);
            let elsewhere = class == LesionClass::Nhid
                && deep.is_some_and(|brain| !brain.may_hold_iron_deposits(lesion.centre_mm));
            if elsewhere && self.of(LesionClass::Cmb).is_some() {
                Lesion { class: LesionClass::Cmb, ..lesion }
            } else {
                lesion
            }
        });
        let mut lesions: Vec<Lesion> = lesions.collect();
        sort(&mut lesions);
        lesions.into_iter().map(|lesion| self.candidate(lesion, deep.is_some())).collect()
    }

    fn likelier_class(&self, voxels: &[usize]) -> LesionClass {
        let mass = |map: &Volume<f32>| -> f64 {
            voxels.iter().map(|&index| f64::from(map.data()[index])).sum()
        };
        let (mut best, mut most) = (LesionClass::Cmb, f64::NEG_INFINITY);
        for (class, map) in &self.maps {
            let mass = mass(map);
            if mass > most {
                (best, most) = (*class, mass);
            }
        }
        best
    }

    /// A region of the other class by its place  is as probable as any lesion is there.
    fn candidate(&self, lesion: Lesion, placed: bool) -> Candidate {
        let moved = placed && self.likelier_class(&lesion.voxels) != lesion.class;
        let (mut peak, mut sum) = (0.0_f32, 0.0_f64);
        for &index in &lesion.voxels {
            let counted = self.maps.iter().filter(|(class, _)| moved || *class == lesion.class);
            let probability: f32 = counted.map(|(_, map)| map.data()[index]).sum();
            peak = peak.max(probability);
            sum += f64::from(probability);
        }
        let mean_probability = (sum / lesion.voxels.len().max(1) as f64) as f32;
        Candidate::new(lesion, peak, mean_probability, &self.grid)
    }

    /// The lesions that pass a rule, and the label map they make. A rule's second look needs `images`;
    /// without them its thresholds are taken as those of peaks.
    pub fn detect(
        &self,
        rule: &DetectionRule,
        brain: Option<&Mask>,
        images: Option<&Surroundings<'_>>,
    ) -> (LabelMap, Vec<Candidate>) {
        let found = self.called(self.reviewed(rule, brain, images), rule);
        (LabelMap::of(self.grid, found.iter().map(|candidate| &candidate.lesion)), found)
    }

    /// The candidates of a rule, after its second look where there are `images` for one, whether they pass
    /// or not. Spots can be candidates only where images are on the maps' grid.
    pub fn reviewed(
        &self,
        rule: &DetectionRule,
        brain: Option<&Mask>,
        images: Option<&Surroundings<'_>>,
    ) -> Vec<Candidate> {
        self.looked_at(rule, brain, images).0
    }

    /// [`ProbabilityMaps::reviewed`] with what the second look measured on each candidate; nothing without one.
    pub fn looked_at(
        &self,
        rule: &DetectionRule,
        brain: Option<&Mask>,
        images: Option<&Surroundings<'_>>,
    ) -> (Vec<Candidate>, Vec<Features>) {
        let deep = if rule.nhid_only_deep { brain.and_then(BrainBox::of) } else { None };
        let mut found = self.candidates(rule.extent, brain, deep.as_ref());
        let mut measured = Vec::new();
        if let (Some(look), Some(images)) = (&rule.second_look, images) {
            if rule.spots {
                let apart = apart_from(&found);
                let spots = self.spots(images, deep.as_ref(), rule.dark_spots);
                found.extend(spots.into_iter().filter(|spot| apart(&spot.lesion)));
            }
            measured = look.review(&mut found, self, images, deep.as_ref());
        }
        (found, measured)
    }

    /// Those of a rule's candidates that pass, outlined by it.
    pub fn called(&self, mut found: Vec<Candidate>, rule: &DetectionRule) -> Vec<Candidate> {
        found.retain(|candidate| rule.passes(candidate));
        for candidate in &mut found {
            // Another outline and another class have other probabilities.
            let lesion = self.outlined(&candidate.lesion, rule.outline.unwrap_or(rule.extent));
            let second_look = candidate.second_look;
            *candidate = Candidate { second_look, ..self.candidate(lesion, true) };
        }
        Candidate::sort(&mut found);
        found
    }

    /// A lesion without its faint voxels, and without what falls off it then.
    fn outlined(&self, lesion: &Lesion, outline: f32) -> Lesion {
        let any = |index: usize| self.maps.iter().map(|(_, map)| map.data()[index]).sum::<f32>();
        let voxels = lesion.voxels.iter().copied();
        let bright: Vec<usize> = voxels.filter(|&index| any(index) >= outline).collect();
        if bright.is_empty() || bright.len() == lesion.voxels.len() {
            return lesion.clone();
        }
        Lesion::new(lesion.class, largest_piece(&bright, &self.grid), &self.grid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::Affine;

    fn maps(cmb: &[f32], nhid: &[f32]) -> ProbabilityMaps {
        let grid = Grid::new([cmb.len(), 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let volume = |values: &[f32]| Volume::new(grid, values.to_vec()).unwrap();
        let maps = vec![(LesionClass::Cmb, volume(cmb)), (LesionClass::Nhid, volume(nhid))];
        ProbabilityMaps::new(maps).unwrap()
    }

    fn rule(extent: f32, peak: f32, min_volume_mm3: f64) -> DetectionRule {
        let threshold = ClassThreshold { peak, min_volume_mm3, min_height_mm: 0.0 };
        let classes = LesionClass::ALL.map(|class| (class, threshold)).into();
        DetectionRule { extent, classes, ..DetectionRule::half(&[]) }
    }

    #[test]
    fn the_whole_region_takes_the_class_with_more_probability() {
        // Two voxels lean to NHID, three to CMB; by voxel that would be two lesions.
        let maps = maps(&[0.0, 0.3, 0.3, 0.9, 0.9, 0.8, 0.0], &[0.0, 0.5, 0.4, 0.1, 0.0, 0.1, 0.0]);
        let (labels, found) = maps.detect(&rule(0.4, 0.5, 0.0), None, None);
        assert_eq!(labels.volume().data(), [0, 1, 1, 1, 1, 1, 0]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].peak_probability, 0.9);
        assert!((found[0].mean_probability - 0.64).abs() < 1e-6);
    }

    #[test]
    fn iron_deposits_lie_deep() {
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
        let (labels, _) = maps.detect(&rule, Some(&brain), None);
        assert_eq!(labels.class_at(cerebellum), Some(LesionClass::Nhid));
        rule.nhid_only_deep = true;
        let (labels, found) = maps.detect(&rule, Some(&brain), None);
        assert_eq!(labels.class_at(cerebellum), Some(LesionClass::Cmb));
        assert_eq!(labels.class_at(putamen), Some(LesionClass::Nhid));
        assert!((found[0].peak_probability - 0.88).abs() < 1e-6);
    }

    #[test]
    fn extent_says_how_large_and_peak_says_whether() {
        let maps = maps(&[0.3, 0.6, 0.3, 0.0, 0.35, 0.45, 0.3], &[0.0; 7]);
        let (labels, _) = maps.detect(&rule(0.25, 0.5, 0.0), None, None);
        assert_eq!(labels.volume().data(), [1, 1, 1, 0, 0, 0, 0]);
        let (labels, _) = maps.detect(&rule(0.5, 0.5, 0.0), None, None);
        assert_eq!(labels.volume().data(), [0, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn small_lesions_and_those_outside_the_brain_are_dropped() {
        let maps = maps(&[0.9, 0.9, 0.0, 0.9, 0.0, 0.9, 0.9], &[0.0; 7]);
        let (labels, _) = maps.detect(&rule(0.5, 0.5, 1.5), None, None);
        assert_eq!(labels.volume().data(), [1, 1, 0, 0, 0, 1, 1]);
        let mut brain = labels.volume().map(|_| true);
        brain.data_mut()[..2].fill(false);
        let (labels, _) = maps.detect(&rule(0.5, 0.5, 1.5), Some(&brain), None);
        assert_eq!(labels.volume().data(), [0, 0, 0, 0, 0, 1, 1]);
    }

    #[test]
    fn what_is_seen_in_too_few_slices_is_dropped_however_the_file_lies() {
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
        assert_eq!(maps.detect(&rule, None, None).1.len(), 2);
        let threshold = ClassThreshold { peak: 0.5, min_volume_mm3: 0.0, min_height_mm: 5.0 };
        rule.classes.insert(LesionClass::Cmb, threshold);
        let (_, found) = maps.detect(&rule, None, None);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].height_mm, &found[0].lesion.voxels[..]), (6.0, &high[..]));
    }

    #[test]
    fn maps_must_be_there_on_one_grid_one_a_class() {
        assert!(ProbabilityMaps::new(Vec::new()).is_none());
        let map = maps(&[0.0; 3], &[0.0; 3]).of(LesionClass::Cmb).unwrap().clone();
        let other = maps(&[0.0; 4], &[0.0; 4]).of(LesionClass::Cmb).unwrap().clone();
        let twice = vec![(LesionClass::Cmb, map.clone()), (LesionClass::Cmb, map.clone())];
        assert!(ProbabilityMaps::new(twice).is_none());
        assert!(
            ProbabilityMaps::new(vec![(LesionClass::Cmb, map), (LesionClass::Nhid, other)])
                .is_none()
        );
    }
}
