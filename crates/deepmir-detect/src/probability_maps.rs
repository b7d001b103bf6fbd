//! Probability maps, and the candidates in them.

use deepmir_lesion::{BasalGanglia, Candidate, Lesion, LesionClass};
use deepmir_volume::components::{Connectivity, components};
use deepmir_volume::{Grid, Mask, Volume};

use crate::{Blobs, CandidateImages};

/// Probability maps of the classes that a model predicts, on one grid: at least one.
///
/// ```
/// use deepmir_detect::{DetectionRule, ProbabilityMaps};
/// use deepmir_lesion::LesionClass;
/// use deepmir_volume::{Affine, Grid, Volume};
///
/// let grid = Grid::new([5, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
/// let map = Volume::new(grid, vec![0.1, 0.6, 0.9, 0.2, 0.55]).unwrap();
/// let maps = ProbabilityMaps::new(vec![(LesionClass::Cmb, map)]).unwrap();
/// let rule = DetectionRule::half(&[LesionClass::Cmb]);
/// let (labels, lesions) = maps.detect(&rule.into(), None, None)?;
/// assert_eq!(labels.volume().data(), [0, 1, 1, 0, 1]);
/// assert_eq!(lesions.len(), 2);
/// # Ok::<(), deepmir_detect::DetectError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ProbabilityMaps {
    grid: Grid,
    maps: Vec<(LesionClass, Volume<f32>)>,
}

impl ProbabilityMaps {
    /// From a map of each class, with values from 0 to 1. `None` without a map, if a class comes twice, or if the maps
    /// are not on one grid.
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

    /// The probability of any lesion at a voxel.
    pub(crate) fn probability_of_any(&self, index: usize) -> f32 {
        self.maps.iter().map(|(_, map)| map.data()[index]).sum()
    }

    /// Every connected region (by faces, edges and corners) where the probability of any lesion is at least
    /// `threshold`, inside `brain` where one is given, in the order of [`lesions_of`]. With `basal_ganglia`, a
    /// region outside of them is a microbleed even where NHID is likelier; its probability is then that of any lesion.
    ///
    /// [`lesions_of`]: deepmir_lesion::lesions_of
    pub fn candidates(
        &self,
        threshold: f32,
        brain: Option<&Mask>,
        basal_ganglia: Option<&dyn BasalGanglia>,
    ) -> Vec<Candidate> {
        let mut any = Volume::filled(self.grid, false);
        for (index, inside) in any.data_mut().iter_mut().enumerate() {
            *inside = self.probability_of_any(index) >= threshold
                && brain.is_none_or(|brain| brain.data()[index]);
        }
        let regions = components(&any, false, Connectivity::TwentySix);
        self.as_candidates(regions.into_iter().map(|region| region.voxels), basal_ganglia)
    }

    /// The blobs of images as candidates; none where the images are on another grid than the maps.
    pub(crate) fn blob_candidates(
        &self,
        images: &CandidateImages<'_>,
        basal_ganglia: Option<&dyn BasalGanglia>,
        blobs: Blobs,
    ) -> Vec<Candidate> {
        let regions = if images.grid() == &self.grid { images.blobs(blobs) } else { Vec::new() };
        self.as_candidates(regions.into_iter(), basal_ganglia)
    }

    pub(crate) fn as_candidates(
        &self,
        regions: impl Iterator<Item = Vec<usize>>,
        basal_ganglia: Option<&dyn BasalGanglia>,
    ) -> Vec<Candidate> {
        let lesions = regions.map(|voxels| {
            let class = self.likelier_class(&voxels);
            let lesion = Lesion::new(class, voxels, &self.grid);
            let elsewhere = class == LesionClass::Nhid
                && basal_ganglia.is_some_and(|there| !there.may_hold(lesion.centre_mm));
            if elsewhere && self.of(LesionClass::Cmb).is_some() {
                Lesion { class: LesionClass::Cmb, ..lesion }
            } else {
                lesion
            }
        });
        let mut lesions: Vec<Lesion> = lesions.collect();
        Lesion::sort(&mut lesions);
        let restricted = basal_ganglia.is_some();
        lesions.into_iter().map(|lesion| self.candidate(lesion, restricted)).collect()
    }

    /// The class with more probability over the region.
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

    /// A region whose class was changed because of its place gets the probability of any lesion.
    pub(crate) fn candidate(&self, lesion: Lesion, placed: bool) -> Candidate {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::Affine;

    fn map(voxels: usize) -> Volume<f32> {
        let grid = Grid::new([voxels, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        Volume::filled(grid, 0.0)
    }

    #[test]
    fn maps_need_one_grid_and_different_classes() {
        assert!(ProbabilityMaps::new(Vec::new()).is_none());
        let twice = vec![(LesionClass::Cmb, map(3)), (LesionClass::Cmb, map(3))];
        assert!(ProbabilityMaps::new(twice).is_none());
        let two_grids = vec![(LesionClass::Cmb, map(3)), (LesionClass::Nhid, map(4))];
        assert!(ProbabilityMaps::new(two_grids).is_none());
        let both = vec![(LesionClass::Cmb, map(3)), (LesionClass::Nhid, map(3))];
        assert!(ProbabilityMaps::new(both).is_some());
    }
}
