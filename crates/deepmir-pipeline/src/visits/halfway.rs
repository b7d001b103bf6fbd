//! Both visits' images in the space halfway between them, where a place has the same voxels in both.

use std::collections::BTreeMap;

use deepmir_cases::{Case, Modality};
use deepmir_recon::register::{BothWays, resample_registered};
use deepmir_volume::{Affine, Grid, Interpolation, Mask, Volume, resample_moved};

use crate::PipelineError;

/// Voxels of the halfway space are as fine as the finer visit's in plane, within these limits, in millimetres.
const SPACING_MM: [f64; 2] = [0.6, 1.0];
/// Around both brains.
const MARGIN_MM: f64 = 5.0;

/// Two visits' images on one grid.
pub struct Halfway {
    /// To each visit's millimetres from those of the halfway space.
    pub to_visits: [Affine; 2],
    /// Each visit's images.
    pub images: [BTreeMap<Modality, Volume<f32>>; 2],
    /// Each visit's brain.
    pub brains: [Mask; 2],
}

impl Halfway {
    /// Resamples both visits, half of the movement each.
    ///
    /// # Errors
    /// Brains so far apart that their common grid would be no head's.
    pub fn new(cases: [&Case; 2], found: &BothWays) -> Result<Self, PipelineError> {
        let halves = found.from_halfway();
        let to_visits = halves.map(|half| half.affine());
        let grid = grid_around(cases, &to_visits)?;
        let resampled = [0, 1].map(|visit| {
            let each = cases[visit].images.iter().map(|(&modality, image)| {
                (modality, resample_registered(image, &grid, &halves[visit]))
            });
            each.collect::<BTreeMap<_, _>>()
        });
        let brains = [0, 1].map(|visit| {
            let inside = cases[visit].brain.map(|&inside| f32::from(inside));
            let share =
                resample_moved(&inside, &grid, &to_visits[visit], Interpolation::Linear, 0.0);
            share.map(|&share| share >= 0.5)
        });
        Ok(Self { to_visits, images: resampled, brains })
    }

    /// The grid of all images.
    pub fn grid(&self) -> &Grid {
        self.brains[0].grid()
    }

    /// Dice coefficient of the two brains as they lie: near 1 for two visits of one person.
    pub fn brain_agreement(&self) -> f64 {
        let both = self.brains[0].data().iter().zip(self.brains[1].data());
        let common = both.filter(|(one, other)| **one && **other).count();
        let all = self.brains[0].count() + self.brains[1].count();
        2.0 * common as f64 / all.max(1) as f64
    }

    /// The part of the brain that both visits show.
    pub fn common_brain(&self) -> Mask {
        let mut common = self.brains[0].clone();
        common.data_mut().iter_mut().zip(self.brains[1].data()).for_each(|(one, &other)| {
            *one &= other;
        });
        common
    }
}

fn grid_around(cases: [&Case; 2], to_visits: &[Affine; 2]) -> Result<Grid, PipelineError> {
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    let mut spacing = f64::INFINITY;
    for (case, to_visit) in cases.iter().zip(to_visits) {
        let grid = case.brain.grid();
        spacing = grid.voxel_sizes_mm().into_iter().fold(spacing, f64::min);
        let from_voxel = to_visit.inverse().after(grid.affine());
        for (index, _) in case.brain.data().iter().enumerate().filter(|(_, inside)| **inside) {
            let place = from_voxel.apply(grid.voxel(index).map(|at| at as f64));
            for axis in 0..3 {
                low[axis] = low[axis].min(place[axis]);
                high[axis] = high[axis].max(place[axis]);
            }
        }
    }
    let spacing = spacing.clamp(SPACING_MM[0], SPACING_MM[1]);
    let origin = low.map(|mm| mm - MARGIN_MM);
    let shape = [0, 1, 2]
        .map(|axis| ((high[axis] + MARGIN_MM - origin[axis]) / spacing).ceil() as usize + 1);
    Ok(Grid::new(shape, Affine::from_spacing([spacing; 3], origin))?)
}
