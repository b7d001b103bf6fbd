//! Regions that may be lesions.

use deepmir_volume::Grid;

use crate::Lesion;
use crate::lesion::order;

/// A region that may be a lesion, with its probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The region and its likelier class.
    pub lesion: Lesion,
    /// The highest probability of that class in the region.
    pub peak_probability: f32,
    /// The mean probability of that class over the region.
    pub mean_probability: f32,
    /// Largest possible height across axial slices, in millimetres: a region seen in n slices can
    /// reach half-way into the two adjacent ones.
    pub height_mm: f64,
    /// The probability of being a lesion, where a candidate classifier gave one.
    pub lesion_probability: Option<f32>,
}

impl Candidate {
    /// A region of `grid` with the network's probabilities.
    pub fn new(lesion: Lesion, peak_probability: f32, mean_probability: f32, grid: &Grid) -> Self {
        let height_mm = height_mm(&lesion.voxels, grid);
        Self { lesion, peak_probability, mean_probability, height_mm, lesion_probability: None }
    }

    /// The same with voxels of another grid.
    #[must_use]
    pub fn on(&self, voxels: Vec<usize>, grid: &Grid) -> Self {
        let height_mm = height_mm(&voxels, grid);
        Self { lesion: Lesion::new(self.lesion.class, voxels, grid), height_mm, ..self.clone() }
    }

    /// Sorts candidates into the order of [`lesions_of`](crate::lesions_of).
    pub fn sort(candidates: &mut [Self]) {
        candidates.sort_by(Self::table_order);
    }

    /// The order that [`Candidate::sort`] makes.
    pub fn table_order(&self, other: &Self) -> std::cmp::Ordering {
        order(&self.lesion, &other.lesion)
    }

    /// The score that detection thresholds apply to: the candidate classifier's probability of a lesion
    /// where there is one, else the peak of the probability map.
    pub fn score(&self) -> f32 {
        self.lesion_probability.unwrap_or(self.peak_probability)
    }
}

/// See [`Candidate::height_mm`]. Slices lie along the axis that points most upwards.
fn height_mm(voxels: &[usize], grid: &Grid) -> f64 {
    let upwards = grid.affine().rows()[2];
    let sizes = grid.voxel_sizes_mm();
    let along = |axis: usize| upwards[axis].abs() / sizes[axis];
    let axis = (0..3).max_by(|&a, &b| along(a).total_cmp(&along(b))).unwrap_or(2);
    let slices = voxels.iter().map(|&index| grid.voxel(index)[axis]);
    let (lowest, highest) =
        slices.fold((usize::MAX, 0), |(low, high), k| (low.min(k), high.max(k)));
    (highest.saturating_sub(lowest) + 2) as f64 * sizes[axis]
}
