//! A synthetic head with microbleeds and vessels.

use deepmir_detect::operating_point::ValidationSubject;
use deepmir_detect::{CandidateImages, DetectError, Detection, ProbabilityMaps};
use deepmir_lesion::{LabelMap, LesionClass};
use deepmir_volume::{Affine, Grid, Mask, Volume};

/// A brain 44 mm across with four microbleeds in tissue and four vessels in fluid, all with a probability of 1. The
/// seed moves them and draws the noise.
#[derive(Debug)]
pub struct Head {
    pub maps: ProbabilityMaps,
    pub truth: LabelMap,
    pub swi: Volume<f32>,
    pub t2w: Volume<f32>,
    pub brain: Mask,
}

impl Head {
    pub fn new(seed: u32) -> Self {
        let affine = Affine::from_spacing([1.0, 1.0, 1.5], [-30.0, -30.0, -24.0]);
        let grid = Grid::new([60, 60, 32], affine).unwrap();
        let within = |voxel: [usize; 3], centre: [f64; 3], mm: f64| {
            let place = grid.position_mm(voxel);
            (0..3).map(|axis| (place[axis] - centre[axis]).powi(2)).sum::<f64>() <= mm * mm
        };
        let mut state = seed;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24) - 0.5
        };
        let brain = Volume::from_fn(grid, |voxel| within(voxel, [0.0; 3], 22.0));
        let mut truth = LabelMap::empty(grid);
        let mut map = Volume::filled(grid, 0.0);
        let mut swi = Volume::from_fn(grid, |_| random() as f32);
        let mut t2w = Volume::from_fn(grid, |_| random() as f32);
        let corners = [[-9.0, -9.0], [-9.0, 9.0], [9.0, -9.0], [9.0, 9.0]];
        for (n, [x, y]) in corners.into_iter().enumerate() {
            for (vessel, z) in [(false, -8.0), (true, 8.0)] {
                let centre = [x + 4.0 * random(), y + 4.0 * random(), z + 4.0 * random()];
                for index in 0..grid.len() {
                    let voxel = grid.voxel(index);
                    if vessel && within(voxel, centre, 4.0) {
                        t2w.data_mut()[index] += 5.0;
                    }
                    if within(voxel, centre, 1.8 + 0.2 * n as f64) {
                        map.data_mut()[index] = 1.0;
                        swi.data_mut()[index] -= 5.0;
                        t2w.data_mut()[index] = -2.0;
                        if !vessel {
                            truth.paint(&[index], LesionClass::Cmb);
                        }
                    } else if within(voxel, centre, 3.0) {
                        map.data_mut()[index] = 0.3;
                    }
                }
            }
        }
        let maps = ProbabilityMaps::new(vec![(LesionClass::Cmb, map)]).unwrap();
        Self { maps, truth, swi, t2w, brain }
    }

    pub fn images(&self) -> CandidateImages<'_> {
        CandidateImages::new(&self.brain, Some(&self.swi), None, Some(&self.t2w))
    }

    pub fn subject(&self, with_images: bool) -> ValidationSubject {
        self.subject_in(with_images.then(|| self.images()).as_ref()).unwrap()
    }

    pub fn subject_in(
        &self,
        images: Option<&CandidateImages<'_>>,
    ) -> Result<ValidationSubject, DetectError> {
        ValidationSubject::new(&self.maps, &self.truth, None, None, images)
    }

    /// The label map of a detection.
    pub fn detected(&self, detection: &Detection) -> Volume<u8> {
        let (labels, _) =
            self.maps.detect(detection, Some(&self.brain), Some(&self.images())).unwrap();
        labels.volume().clone()
    }
}
