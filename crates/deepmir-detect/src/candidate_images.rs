//! The images that candidates are measured in.

use std::collections::HashSet;
use std::fmt;

use deepmir_volume::components::{Component, Connectivity, components};
use deepmir_volume::distance::distance_to;
use deepmir_volume::statistics::median;
use deepmir_volume::{BoundingBox, Grid, Mask, Volume};

use crate::blobs::{BlobDetector, MAX_QSM_BLOBS, MAX_SWI_QSM_BLOBS, laplacian_response};
use deepmir_lesion::{BrainExtent, LesionClass};

use crate::{Blobs, DetectError, ProbabilityMaps};

/// What is around: tissue between these distances from the candidate, in millimetres. The first
/// millimetre is left out, as it is partly the candidate's.
const AROUND_MM: (f32, f32) = (1.0, 3.0);
/// How much standing out by 0.1 ppm in the susceptibility map counts against by a deviation of the brain's in SWI.
const QSM_WEIGHT: f32 = 2.0;
/// Room cut out on every side of a candidate, in millimetres.
const MARGIN_MM: f64 = 8.0;

/// Images of a subject on one grid, normalised as for the network, that candidates are measured in.
#[derive(Clone, Debug)]
pub struct CandidateImages<'a> {
    pub(crate) swi: Option<&'a Volume<f32>>,
    pub(crate) qsm: Option<&'a Volume<f32>>,
    pub(crate) t2w: Option<&'a Volume<f32>>,
    brain: &'a Mask,
    depth_mm: Volume<f32>,
    pub(crate) extent: Option<BrainExtent>,
    /// Bright blobs of the susceptibility map.
    pub(crate) qsm_blobs: Option<BlobDetector>,
    /// Response to dark blobs of SWI.
    pub(crate) swi_response: Option<Volume<f32>>,
    /// Response to dark blobs of T2w.
    pub(crate) t2w_response: Option<Volume<f32>>,
    pub(crate) patch_scorer: Option<&'a dyn PatchScorer>,
}

/// Log-odds of each class.
pub type ClassLogOdds = Vec<(LesionClass, f64)>;

/// Scores the patch of images around a candidate, as a small 3D network does.
pub trait PatchScorer: Send + Sync + fmt::Debug {
    /// For each centre, in RAS millimetres, the log-odds of each class that it predicts.
    ///
    /// # Errors
    /// If the network cannot be run.
    fn log_odds(&self, centres_mm: &[[f64; 3]]) -> Result<Vec<ClassLogOdds>, DetectError>;
}

impl<'a> CandidateImages<'a> {
    /// Of a brain and the images there are: SWI and T2w less the brain's median and over its spread,
    /// susceptibility over a fixed scale and zero where none is given.
    pub fn new(
        brain: &'a Mask,
        swi: Option<&'a Volume<f32>>,
        qsm: Option<&'a Volume<f32>>,
        t2w: Option<&'a Volume<f32>>,
    ) -> Self {
        let outside = brain.map(|inside| !inside);
        let dark = |image: Option<&Volume<f32>>| Some(laplacian_response(image?, brain, -1.0));
        Self {
            swi,
            qsm,
            t2w,
            brain,
            depth_mm: distance_to(&outside),
            extent: BrainExtent::of(brain),
            qsm_blobs: qsm.map(|qsm| BlobDetector::bright(qsm, brain)),
            swi_response: dark(swi),
            t2w_response: dark(t2w),
            patch_scorer: None,
        }
    }

    /// With a classifier of patches whose log-odds are features, too.
    #[must_use]
    pub fn with_patch_scorer(mut self, scorer: &'a dyn PatchScorer) -> Self {
        self.patch_scorer = Some(scorer);
        self
    }

    /// The grid of the images.
    pub fn grid(&self) -> &Grid {
        self.brain.grid()
    }

    /// The voxels of the strongest blobs, ascending, none in two. Of susceptibility there are none without a map; of SWI
    /// and susceptibility together, as many of the two count as there are, the map alone without SWI.
    pub fn blobs(&self, blobs: Blobs) -> Vec<Vec<usize>> {
        let qsm_blobs = self.qsm_blobs.as_ref();
        let swi = self.swi_response.clone().filter(|_| blobs == Blobs::SwiQsm);
        match (blobs, swi) {
            (Blobs::None, _) => Vec::new(),
            (_, None) => qsm_blobs.map(|blobs| blobs.regions(MAX_QSM_BLOBS)).unwrap_or_default(),
            (_, Some(mut both)) => {
                if let Some(qsm) = qsm_blobs {
                    let pairs = both.data_mut().iter_mut().zip(qsm.response().data());
                    pairs.for_each(|(both, qsm)| *both += QSM_WEIGHT * qsm);
                }
                BlobDetector::of_response(both).regions(MAX_SWI_QSM_BLOBS)
            }
        }
    }

    /// The part of the grid around a region, given by its voxels on another grid of the same head (or
    /// the same grid).
    pub(crate) fn site(&self, voxels: &[usize], grid: &Grid) -> Option<Site> {
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
        let beyond = collect(&|index| from_it.data()[index] > AROUND_MM.0);
        Some(Site { part, within, around, beyond, outside_share })
    }

    /// What hangs together (by faces, edges and corners) with the candidate's darkest voxel, or its brightest
    /// where `sign` is positive, and is nearer to that than to the median around; voxels of the site's part.
    /// `None` where the candidate does not stand out.
    pub(crate) fn segment(
        &self,
        image: &Volume<f32>,
        site: &Site,
        sign: f32,
    ) -> Option<Vec<usize>> {
        let part = image.crop(&site.part);
        let value = |index: usize| sign * part.data()[index];
        let most = site.within.iter().copied().max_by(|&a, &b| value(a).total_cmp(&value(b)))?;
        let mut around: Vec<f32> = site.around.iter().map(|&index| value(index)).collect();
        let level = 0.5 * (value(most) + median(&mut around)?);
        if value(most) <= level {
            return None;
        }
        let brain = self.brain.crop(&site.part);
        let prominent = Volume::from_fn(*part.grid(), |voxel| {
            let index = part.grid().index(voxel);
            brain.data()[index] && value(index) >= level
        });
        let segments = components(&prominent, false, Connectivity::TwentySix);
        let holds = |segment: &Component<bool>| segment.voxels.binary_search(&most).is_ok();
        segments.into_iter().find(holds).map(|segment| segment.voxels)
    }

    /// Highest probability of any lesion beyond a millimetre from the candidate.
    pub(crate) fn neighbour_probability(&self, site: &Site, maps: &ProbabilityMaps) -> f64 {
        let part = site.part.grid_of(self.brain.grid());
        let theirs = maps.grid();
        let to_theirs = theirs.affine().inverse();
        let any = |&index: &usize| {
            let at = to_theirs.apply(part.position_mm(part.voxel(index))).map(f64::round);
            let inside =
                (0..3).all(|axis| at[axis] >= 0.0 && at[axis] < theirs.shape()[axis] as f64);
            let index = inside.then(|| theirs.index(at.map(|at| at as usize)))?;
            Some(maps.iter().map(|(_, map)| f64::from(map.data()[index])).sum())
        };
        site.beyond.iter().filter_map(any).fold(0.0, f64::max)
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
    pub(crate) fn depth_mm(&self, site: &Site) -> Volume<f32> {
        self.depth_mm.crop(&site.part)
    }
}

/// A candidate and what is around it, in a small part of the grid.
pub(crate) struct Site {
    pub part: BoundingBox,
    /// The candidate's voxels in the part.
    pub within: Vec<usize>,
    /// Brain around it.
    pub around: Vec<usize>,
    /// Everything in the part further away than the first millimetre.
    pub beyond: Vec<usize>,
    /// How much of what is around is no brain.
    pub outside_share: f64,
}
