//! The images that candidates are measured in.

use std::fmt;

use deepmir_lesion::{BrainExtent, LesionClass};
use deepmir_volume::distance::distance_to;
use deepmir_volume::{Grid, Mask, Volume};

use crate::blobs::{BlobDetector, laplacian_response, most_blobs};
use crate::neighbourhood::Neighbourhood;
use crate::{Blobs, DetectError};

/// Weight of the response in the susceptibility map (per 0.1 ppm) against that in SWI (per standard deviation of the
/// brain) where both are added.
const QSM_WEIGHT: f32 = 2.0;

/// Images of a subject on one grid, normalised as for the network, that candidates are measured in.
///
/// ```
/// use deepmir_detect::{Blobs, CandidateImages};
/// use deepmir_volume::{Affine, Grid, Volume};
///
/// // A dark ball of 1.5 mm radius in a uniform SWI.
/// let affine = Affine::from_spacing([1.0; 3], [-10.0; 3]);
/// let grid = Grid::new([21, 21, 21], affine).unwrap();
/// let swi = Volume::from_fn(grid, |voxel| {
///     let squared: f64 = grid.position_mm(voxel).iter().map(|mm| mm * mm).sum();
///     if squared <= 1.5 * 1.5 { -5.0 } else { 0.0 }
/// });
/// let brain = Volume::filled(grid, true);
/// let images = CandidateImages::new(&brain, Some(&swi), None, None);
/// let blobs = images.blobs(Blobs::SwiQsm);
/// assert_eq!(blobs.len(), 1);
/// assert!(blobs[0].contains(&grid.index([10, 10, 10])));
/// ```
#[derive(Clone, Debug)]
pub struct CandidateImages<'a> {
    pub(crate) swi: Option<&'a Volume<f32>>,
    pub(crate) qsm: Option<&'a Volume<f32>>,
    /// What a susceptibility of 1 in it stands for; `None` where its zero is not that of susceptibility.
    pub(crate) qsm_scale_ppm: Option<f32>,
    pub(crate) t2w: Option<&'a Volume<f32>>,
    pub(crate) brain: &'a Mask,
    /// Depth under the brain's surface.
    pub(crate) depth_mm: Volume<f32>,
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
    /// From the brain and the images that are available. SWI and T2w: the brain's median subtracted, divided by its
    /// spread. Susceptibility: divided by a fixed scale, zero where the map has no value.
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
            qsm_scale_ppm: None,
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

    /// Says what a susceptibility of 1 in the map stands for in ppm, where its zero is that of susceptibility.
    #[must_use]
    pub fn with_qsm_scale_ppm(mut self, scale_ppm: f32) -> Self {
        self.qsm_scale_ppm = Some(scale_ppm);
        self
    }

    /// Adds a patch classifier, whose log-odds become features.
    #[must_use]
    pub fn with_patch_scorer(mut self, scorer: &'a dyn PatchScorer) -> Self {
        self.patch_scorer = Some(scorer);
        self
    }

    /// The grid of the images.
    pub fn grid(&self) -> &Grid {
        self.brain.grid()
    }

    /// The voxels of the strongest blobs, ascending; no voxel belongs to two. How many depends on the brain's volume. [`Blobs::Qsm`] needs a susceptibility map;
    /// [`Blobs::SwiQsm`] uses SWI and susceptibility as far as they are available.
    pub fn blobs(&self, blobs: Blobs) -> Vec<Vec<usize>> {
        let qsm_blobs = self.qsm_blobs.as_ref();
        let [most_of_qsm, most_of_both] = most_blobs(self.brain);
        let swi = self.swi_response.clone().filter(|_| blobs == Blobs::SwiQsm);
        match (blobs, swi) {
            (Blobs::None, _) => Vec::new(),
            (_, None) => qsm_blobs.map(|blobs| blobs.regions(most_of_qsm)).unwrap_or_default(),
            (_, Some(mut both)) => {
                if let Some(qsm) = qsm_blobs {
                    let pairs = both.data_mut().iter_mut().zip(qsm.response().data());
                    pairs.for_each(|(both, qsm)| *both += QSM_WEIGHT * qsm);
                }
                BlobDetector::of_response(both).regions(most_of_both)
            }
        }
    }

    /// The neighbourhood of a region, given by its voxels on a `grid` of the same head.
    pub(crate) fn neighbourhood(&self, voxels: &[usize], grid: &Grid) -> Option<Neighbourhood> {
        Neighbourhood::of(voxels, grid, self.brain)
    }
}
