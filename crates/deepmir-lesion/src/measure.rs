//! Measurements of lesions: the rows of the lesion table.

use deepmir_volume::components::Connectivity;
use deepmir_volume::{Grid, Mask, Volume, morphology, statistics};

use crate::lesion::{cut_out, put_back};
use crate::shape::{elongation, sphericity};
use crate::{
    BombsSize, BrainExtent, Candidate, Certainty, FindPlace, LabelMap, Lesion, LesionClass,
    LesionRow, RegionSource,
};

/// Width of the shell around a lesion that its contrast is measured against.
const SHELL_MM: f64 = 2.0;
/// Least ratio of principal axes of a lesion that may be a piece of a vessel.
const LINEAR_ELONGATION: f64 = 2.5;

/// The images to measure lesions in, all on the lesions' grid.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeasuredImages<'a> {
    /// Susceptibility-weighted image.
    pub swi: Option<&'a Volume<f32>>,
    /// Susceptibility map in ppm.
    pub qsm_ppm: Option<&'a Volume<f32>>,
    /// T2-weighted image.
    pub t2w: Option<&'a Volume<f32>>,
    /// The brain.
    pub brain: Option<&'a Mask>,
    /// Where in the brain what lies. Without, regions are told by the box of [`Self::brain`].
    pub places: Option<&'a dyn FindPlace>,
}

impl MeasuredImages<'_> {
    /// Measures detected lesions, in the order given.
    pub fn measure_candidates(&self, labels: &LabelMap, found: &[Candidate]) -> Vec<LesionRow> {
        let brain_extent = self.brain_extent();
        let rows = found.iter().enumerate().map(|(n, candidate)| LesionRow {
            mean_probability: Some(f64::from(candidate.mean_probability)),
            max_probability: Some(f64::from(candidate.peak_probability)),
            certainty: candidate.lesion_probability.map(Certainty::of_probability),
            ..self.row(n + 1, &candidate.lesion, labels, brain_extent)
        });
        rows.collect()
    }

    /// Measures lesions without probabilities, such as manual ones, in the order given.
    pub fn measure(&self, labels: &LabelMap, lesions: &[Lesion]) -> Vec<LesionRow> {
        let brain_extent = self.brain_extent();
        let rows = lesions.iter().enumerate();
        rows.map(|(n, lesion)| self.row(n + 1, lesion, labels, brain_extent)).collect()
    }

    /// What the regions are from.
    pub fn region_source(&self) -> RegionSource {
        match self.places {
            Some(_) => RegionSource::Parcellation,
            None => RegionSource::BrainBox,
        }
    }

    fn brain_extent(&self) -> Option<BrainExtent> {
        self.brain.and_then(BrainExtent::of)
    }

    fn row(
        &self,
        lesion_id: usize,
        lesion: &Lesion,
        labels: &LabelMap,
        brain_extent: Option<BrainExtent>,
    ) -> LesionRow {
        let grid = labels.grid();
        let shell = shell_around(lesion, labels, self.brain);
        let mean_in = |image: &Volume<f32>| {
            statistics::mean(lesion.voxels.iter().map(|&index| image.data()[index]))
        };
        let contrast = |image: Option<&Volume<f32>>| {
            let image = image?;
            let mut around: Vec<f32> = shell.iter().map(|&index| image.data()[index]).collect();
            let around = f64::from(statistics::median(&mut around)?);
            (around > 0.0).then_some(mean_in(image)? / around - 1.0)
        };
        let chi_mean_ppm = self.qsm_ppm.and_then(|map| mean_susceptibility(map, lesion));
        let place = self.places.and_then(|places| places.at(lesion.centre_mm));
        let by_box = || brain_extent.map(|extent| extent.region(lesion.centre_mm));
        let is_cmb = lesion.class == LesionClass::Cmb;
        LesionRow {
            lesion_id,
            class: lesion.class,
            certainty: None,
            region: place.map(|place| place.region()).or_else(by_box),
            mars_region: place.map(|place| place.mars),
            lobe: place.and_then(|place| place.lobe),
            side: place.and_then(|place| place.side),
            x_mm: lesion.centre_mm[0],
            y_mm: lesion.centre_mm[1],
            z_mm: lesion.centre_mm[2],
            volume_mm3: lesion.volume_mm3,
            diameter_mm: lesion.diameter_mm(),
            bombs_size: BombsSize::of(lesion.diameter_mm()).filter(|_| is_cmb),
            n_voxels: lesion.voxels.len(),
            mean_probability: None,
            max_probability: None,
            chi_mean_ppm,
            chi_total_ppm_mm3: chi_mean_ppm.map(|chi| chi * lesion.volume_mm3),
            swi_contrast: contrast(self.swi),
            t2w_contrast: contrast(self.t2w),
            sphericity: sphericity(&lesion.voxels, grid),
            note: self.note(lesion, grid, chi_mean_ppm),
        }
    }

    fn note(&self, lesion: &Lesion, grid: &Grid, chi_mean_ppm: Option<f64>) -> Option<String> {
        let touches_edge = self.brain.is_some_and(|brain| {
            lesion.voxels.iter().any(|&index| at_edge(brain, grid.voxel(index)))
        });
        let flags = [
            (chi_mean_ppm.is_some_and(|chi| chi < 0.0), "diamagnetic"),
            (elongation(&lesion.voxels, grid) >= LINEAR_ELONGATION, "linear"),
            (touches_edge, "touches_mask_edge"),
        ];
        let raised: Vec<&str> =
            flags.iter().filter(|(raised, _)| *raised).map(|(_, flag)| *flag).collect();
        (!raised.is_empty()).then(|| raised.join(","))
    }
}

/// Mean over the lesion's voxels that have a susceptibility: maps are zero where it could not be computed (at
/// the brain's rim, near air). `None` if more than half of the lesion has none.
fn mean_susceptibility(map: &Volume<f32>, lesion: &Lesion) -> Option<f64> {
    let given = lesion.voxels.iter().map(|&index| map.data()[index]).filter(|&chi| chi != 0.0);
    let given: Vec<f32> = given.collect();
    if 2 * given.len() < lesion.voxels.len() { None } else { statistics::mean(given) }
}

/// Whether a voxel is outside the brain or shares a face with one that is.
fn at_edge(brain: &Mask, voxel: [usize; 3]) -> bool {
    let shape = brain.shape();
    let outside = |voxel: [usize; 3]| !brain[voxel];
    outside(voxel)
        || (0..3).any(|axis| {
            let mut neighbours = [None, None];
            neighbours[0] = voxel[axis].checked_sub(1);
            neighbours[1] = (voxel[axis] + 1 < shape[axis]).then_some(voxel[axis] + 1);
            neighbours.into_iter().any(|at| match at {
                Some(at) => {
                    let mut neighbour = voxel;
                    neighbour[axis] = at;
                    outside(neighbour)
                }
                None => true,
            })
        })
}

/// Positions of the voxels within 2 mm of a lesion (at least its direct neighbours) that belong to
/// no lesion and, if a mask is given, to the brain.
fn shell_around(lesion: &Lesion, labels: &LabelMap, brain: Option<&Mask>) -> Vec<usize> {
    let grid = labels.grid();
    let sizes = grid.voxel_sizes_mm();
    let margin = sizes.map(|size| (SHELL_MM / size).ceil() as usize + 1);
    let Some((part, inside)) = cut_out(&lesion.voxels, grid, margin) else { return Vec::new() };
    let mut near = morphology::dilate_mm(&inside, SHELL_MM as f32);
    let touching = morphology::dilate(&inside, Connectivity::Six);
    near.data_mut().iter_mut().zip(touching.data()).for_each(|(near, &too)| *near |= too);
    put_back(&near, &part, grid)
        .into_iter()
        .filter(|&index| {
            labels.class_at(index).is_none() && brain.is_none_or(|brain| brain.data()[index])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MarsRegion, Place, Region, Side, lesions_of};
    use deepmir_volume::Affine;

    fn grid() -> Grid {
        Grid::new([24, 20, 12], Affine::from_spacing([0.5, 0.5, 1.0], [0.0; 3])).unwrap()
    }

    fn block(
        x: std::ops::Range<usize>,
        y: std::ops::Range<usize>,
        z: std::ops::Range<usize>,
    ) -> LabelMap {
        let mut labels = LabelMap::empty(grid());
        let voxels: Vec<usize> = (0..grid().len())
            .filter(|&index| {
                let [i, j, k] = grid().voxel(index);
                x.contains(&i) && y.contains(&j) && z.contains(&k)
            })
            .collect();
        labels.paint(&voxels, LesionClass::Cmb);
        labels
    }

    #[test]
    fn susceptibility_contrast_and_volume_are_the_drawn_ones() {
        let labels = block(8..12, 8..12, 5..7);
        let swi = labels.volume().map(|&label| if label == 1 { 30.0 } else { 100.0 });
        let qsm = labels.volume().map(|&label| if label == 1 { 0.25 } else { 0.0 });
        let images = MeasuredImages { swi: Some(&swi), qsm_ppm: Some(&qsm), ..Default::default() };
        let rows = images.measure(&labels, &lesions_of(&labels, Connectivity::TwentySix));
        let row = &rows[0];
        assert_eq!((row.lesion_id, row.n_voxels, row.volume_mm3), (1, 32, 8.0));
        assert!((row.swi_contrast.unwrap() + 0.7).abs() < 1e-6);
        assert!((row.chi_mean_ppm.unwrap() - 0.25).abs() < 1e-6);
        assert!((row.chi_total_ppm_mm3.unwrap() - 2.0).abs() < 1e-6);
        assert_eq!((row.t2w_contrast, row.note.clone()), (None, None));
    }

    /// A brain with a thalamus on the left of x = 5 mm, and nothing that is known beyond.
    #[derive(Debug)]
    struct Half;

    impl FindPlace for Half {
        fn at(&self, point_mm: [f64; 3]) -> Option<Place> {
            let thalamus = Place { mars: MarsRegion::Thalamus, lobe: None, side: Some(Side::Left) };
            (point_mm[0] < 5.0).then_some(thalamus)
        }
    }

    #[test]
    fn a_parcellation_tells_the_place_and_the_box_what_it_leaves_open() {
        let mut labels = block(2..4, 9..11, 5..6);
        labels.paint(&[grid().index([20, 9, 5])], LesionClass::Nhid);
        let brain = Volume::filled(grid(), true);
        let lesions = lesions_of(&labels, Connectivity::TwentySix);
        let by_box = MeasuredImages { brain: Some(&brain), ..Default::default() };
        let rows = by_box.measure(&labels, &lesions);
        assert!(rows.iter().all(|row| row.region.is_some() && row.mars_region.is_none()));
        let images = MeasuredImages { places: Some(&Half), ..by_box };
        let [inside, outside] = images.measure(&labels, &lesions).try_into().unwrap();
        assert_eq!((inside.region, inside.side), (Some(Region::Deep), Some(Side::Left)));
        assert_eq!((inside.mars_region, inside.lobe), (Some(MarsRegion::Thalamus), None));
        assert_eq!((outside.mars_region, outside.side), (None, None));
        assert_eq!(outside.region, rows[1].region);
        assert_eq!((inside.bombs_size, outside.bombs_size), (Some(BombsSize::Below5), None));
    }

    #[test]
    fn only_a_classifiers_probability_tells_how_sure_a_lesion_is() {
        let labels = block(8..12, 8..12, 5..7);
        let lesion = lesions_of(&labels, Connectivity::TwentySix).remove(0);
        let sure = Candidate::new(lesion, 0.99, 0.9, &grid());
        let certainty = |lesion_probability| {
            let found = [Candidate { lesion_probability, ..sure.clone() }];
            MeasuredImages::default().measure_candidates(&labels, &found)[0].certainty
        };
        assert_eq!(certainty(None), None);
        assert_eq!(certainty(Some(0.95)), Some(Certainty::Definite));
        assert_eq!(certainty(Some(0.5)), Some(Certainty::Possible));
    }

    #[test]
    fn a_lesion_mostly_outside_the_map_has_no_susceptibility() {
        let labels = block(8..12, 8..12, 5..7);
        // 32 voxels; the map begins at x = `from`.
        let chi = |from: usize| {
            let inside = labels.volume();
            let qsm = Volume::from_fn(grid(), |voxel| {
                if voxel[0] >= from && inside[voxel] == 1 { 0.25 } else { 0.0 }
            });
            let images = MeasuredImages { qsm_ppm: Some(&qsm), ..Default::default() };
            let rows = images.measure(&labels, &lesions_of(&labels, Connectivity::TwentySix));
            (rows[0].chi_mean_ppm, rows[0].chi_total_ppm_mm3)
        };
        assert_eq!(chi(9), (Some(0.25), Some(2.0)));
        assert_eq!(chi(11), (None, None));
    }

    #[test]
    fn diamagnetic_linear_and_edge_lesions_are_flagged() {
        let labels = block(2..22, 9..11, 5..6);
        let qsm = labels.volume().map(|&label| if label == 1 { -0.1 } else { 0.02 });
        let brain = Volume::from_fn(grid(), |[i, _, _]| i < 22);
        let images =
            MeasuredImages { qsm_ppm: Some(&qsm), brain: Some(&brain), ..Default::default() };
        let rows = images.measure(&labels, &lesions_of(&labels, Connectivity::TwentySix));
        assert_eq!(rows[0].note.as_deref(), Some("diamagnetic,linear,touches_mask_edge"));
    }

    #[test]
    fn the_shell_leaves_out_other_lesions_and_what_is_not_brain() {
        let mut labels = block(8..12, 8..12, 5..7);
        labels.paint(&[grid().index([13, 9, 5])], LesionClass::Nhid);
        let brain = Volume::from_fn(grid(), |[_, j, _]| j >= 8);
        let lesion = &lesions_of(&labels, Connectivity::TwentySix)[0];
        let around = shell_around(lesion, &labels, Some(&brain));
        assert!(
            around.iter().all(|&index| labels.class_at(index).is_none() && brain.data()[index])
        );
        assert!(around.contains(&grid().index([12, 9, 5])));
        assert!(around.contains(&grid().index([9, 15, 5])), "2 mm away");
        assert!(!around.contains(&grid().index([9, 16, 5])), "2.5 mm away");
    }
}
