//! The images around a candidate.

use std::collections::HashSet;

use deepmir_volume::distance::distance_to;
use deepmir_volume::{BoundingBox, Grid, Mask, Volume};

/// What is around: tissue between these distances from the candidate, in millimetres. The first
/// millimetre is left out, as it is partly the candidate's.
const AROUND_MM: (f32, f32) = (1.0, 3.0);
/// Room cut out on every side of a candidate, in millimetres.
const MARGIN_MM: f64 = 4.0;

/// Images of a subject on one grid, normalised as for the network, which a second look compares a
/// candidate with.
#[derive(Clone, Debug)]
pub struct Surroundings<'a> {
    pub(super) swi: Option<&'a Volume<f32>>,
    pub(super) qsm: Option<&'a Volume<f32>>,
    pub(super) t2w: Option<&'a Volume<f32>>,
    brain: &'a Mask,
    depth_mm: Volume<f32>,
}

impl<'a> Surroundings<'a> {
    /// Of a brain and the images there are: SWI and T2w less the brain's median and over its spread,
    /// susceptibility over a fixed scale and zero where none is given.
    pub fn new(
        brain: &'a Mask,
        swi: Option<&'a Volume<f32>>,
        qsm: Option<&'a Volume<f32>>,
        t2w: Option<&'a Volume<f32>>,
    ) -> Self {
        let outside = brain.map(|inside| !inside);
        Self { swi, qsm, t2w, brain, depth_mm: distance_to(&outside) }
    }

    /// The part of the grid around a region, given by its voxels on another grid of the same head (or
    /// the same grid).
    pub(super) fn site(&self, voxels: &[usize], grid: &Grid) -> Option<Site> {
        let own = self.brain.grid();
        let to_own = own.affine().inverse();
        let place = |index: usize| to_own.apply(grid.position_mm(grid.voxel(index)));
        let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for &index in voxels {
            for (axis, at) in place(index).into_iter().enumerate() {
                (low[axis], high[axis]) = (low[axis].min(at), high[axis].max(at));
            }
        }
        let sizes = own.voxel_sizes_mm();
        let limit = |at: f64, axis: usize| at.clamp(0.0, own.shape()[axis] as f64) as usize;
        let start =
            std::array::from_fn(|axis| limit((low[axis] - MARGIN_MM / sizes[axis]).floor(), axis));
        let end = std::array::from_fn(|axis| {
            limit((high[axis] + MARGIN_MM / sizes[axis]).ceil() + 1.0, axis)
        });
        let part = BoundingBox::new(start, end)?;
        let part_grid = part.grid_of(own);
        let inside = self.region(voxels, grid, &part_grid);
        let from_it = distance_to(&inside);
        let brain = self.brain.crop(&part);
        let near = |mm: f32| mm > AROUND_MM.0 && mm <= AROUND_MM.1;
        let shell = from_it.data().iter().filter(|&&mm| near(mm)).count();
        let collect = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
            (0..part_grid.len()).filter(|&index| wanted(index)).collect()
        };
        let around = collect(&|index| brain.data()[index] && near(from_it.data()[index]));
        let within = collect(&|index| inside.data()[index]);
        let outside_share = 1.0 - around.len() as f64 / shell.max(1) as f64;
        Some(Site { part, within, around, outside_share })
    }

    /// A region of another grid on this one's part: the voxels whose centres it holds; the nearest to
    /// its centre where it is smaller than a voxel.
    fn region(&self, voxels: &[usize], grid: &Grid, part: &Grid) -> Mask {
        let set: HashSet<usize> = voxels.iter().copied().collect();
        let to_theirs = grid.affine().inverse();
        let holds = |voxel: [usize; 3]| {
            let at = to_theirs.apply(part.position_mm(voxel)).map(f64::round);
            let inside = (0..3).all(|axis| at[axis] >= 0.0 && at[axis] < grid.shape()[axis] as f64);
            inside && set.contains(&grid.index(at.map(|at| at as usize)))
        };
        let mut region = Volume::from_fn(*part, holds);
        if region.count() == 0 {
            let count = voxels.len().max(1) as f64;
            let mut centre = [0.0; 3];
            for &index in voxels {
                let place = grid.position_mm(grid.voxel(index));
                (0..3).for_each(|axis| centre[axis] += place[axis] / count);
            }
            let at = part.affine().inverse().apply(centre);
            let nearest = std::array::from_fn(|axis| {
                at[axis].round().clamp(0.0, part.shape()[axis] as f64 - 1.0) as usize
            });
            let index = part.index(nearest);
            region.data_mut()[index] = true;
        }
        region
    }

    /// Depth under the brain's surface, in millimetres.
    pub(super) fn depth_mm(&self, site: &Site) -> Volume<f32> {
        self.depth_mm.crop(&site.part)
    }
}

/// A candidate and what is around it, in a small part of the grid.
pub(super) struct Site {
    pub part: BoundingBox,
    /// The candidate's voxels in the part.
    pub within: Vec<usize>,
    /// Brain around it.
    pub around: Vec<usize>,
    /// How much of what is around is no brain.
    pub outside_share: f64,
}
