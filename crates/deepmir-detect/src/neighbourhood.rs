//! The neighbourhood of a candidate: its own voxels and those around it, in a small part of the images' grid.

use std::collections::HashSet;

use deepmir_volume::components::{Component, Connectivity, components};
use deepmir_volume::distance::distance_to;
use deepmir_volume::statistics::median;
use deepmir_volume::{BoundingBox, Grid, Mask, Volume};

use crate::ProbabilityMaps;

/// The shell: tissue between these distances from the candidate, in millimetres. The first millimetre is left out
/// because partial volume mixes it with the candidate.
const SHELL_MM: (f32, f32) = (1.0, 3.0);
/// Margin of the part on every side of the candidate, in millimetres.
const MARGIN_MM: f64 = 8.0;

/// A candidate and what is around it. Lists of voxels are positions in the data of the part.
pub(crate) struct Neighbourhood {
    /// The part of the images' grid.
    pub part: BoundingBox,
    /// The candidate's voxels.
    pub within: Vec<usize>,
    /// The brain's voxels in the shell.
    pub shell: Vec<usize>,
    /// Every voxel beyond the inner distance of the shell.
    pub beyond: Vec<usize>,
    /// Share of the shell that lies outside the brain.
    pub outside_share: f64,
}

impl Neighbourhood {
    /// Of a region, given by its voxels on a `grid` of the same head; the images' grid is the brain's. `None` where
    /// the region and its margin lie outside the images.
    pub fn of(voxels: &[usize], grid: &Grid, brain: &Mask) -> Option<Self> {
        let part = part_around(voxels, grid, brain.grid())?;
        let part_grid = part.grid_of(brain.grid());
        let region = resample(voxels, grid, &part_grid);
        let distance_mm = distance_to(&region);
        let brain = brain.crop(&part);
        let in_shell = |mm: f32| mm > SHELL_MM.0 && mm <= SHELL_MM.1;
        let shell_size = distance_mm.data().iter().filter(|&&mm| in_shell(mm)).count();
        let collect = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
            (0..part_grid.len()).filter(|&index| wanted(index)).collect()
        };
        let shell = collect(&|index| brain.data()[index] && in_shell(distance_mm.data()[index]));
        let within = collect(&|index| region.data()[index]);
        let beyond = collect(&|index| distance_mm.data()[index] > SHELL_MM.0);
        let outside_share = 1.0 - shell.len() as f64 / shell_size.max(1) as f64;
        Some(Self { part, within, shell, beyond, outside_share })
    }

    /// The values of an image at some voxels of the part.
    pub fn values(&self, image: &Volume<f32>, voxels: &[usize]) -> Vec<f32> {
        let image = image.crop(&self.part);
        voxels.iter().map(|&index| image.data()[index]).collect()
    }

    /// The dark segment of an image that the candidate belongs to, the bright one where `sign` is positive: the voxels
    /// of the brain that are connected (by faces, edges and corners) to the candidate's darkest voxel and nearer to it
    /// in value than to the median of the shell. `None` where the candidate is no darker than that median.
    pub fn segment(&self, image: &Volume<f32>, brain: &Mask, sign: f32) -> Option<Vec<usize>> {
        let image = image.crop(&self.part);
        let value = |index: usize| sign * image.data()[index];
        let most = self.within.iter().copied().max_by(|&a, &b| value(a).total_cmp(&value(b)))?;
        let mut shell: Vec<f32> = self.shell.iter().map(|&index| value(index)).collect();
        let level = 0.5 * (value(most) + median(&mut shell)?);
        if value(most) <= level {
            return None;
        }
        let brain = brain.crop(&self.part);
        let prominent = Volume::from_fn(*image.grid(), |voxel| {
            let index = image.grid().index(voxel);
            brain.data()[index] && value(index) >= level
        });
        let segments = components(&prominent, false, Connectivity::TwentySix);
        let holds = |segment: &Component<bool>| segment.voxels.binary_search(&most).is_ok();
        segments.into_iter().find(holds).map(|segment| segment.voxels)
    }

    /// The highest probability of any lesion beyond the inner distance of the shell. `grid` is that of the images.
    pub fn highest_probability_beyond(&self, grid: &Grid, maps: &ProbabilityMaps) -> f64 {
        let part = self.part.grid_of(grid);
        let to_maps = VoxelOf::new(maps.grid());
        let any = |&index: &usize| {
            let index = to_maps.containing(part.position_mm(part.voxel(index)))?;
            Some(maps.iter().map(|(_, map)| f64::from(map.data()[index])).sum())
        };
        self.beyond.iter().filter_map(any).fold(0.0, f64::max)
    }
}

/// The part of `images` around a region of another grid, with the margin.
fn part_around(voxels: &[usize], grid: &Grid, images: &Grid) -> Option<BoundingBox> {
    let to_images = images.affine().inverse();
    let place = |index: usize| to_images.apply(grid.position_mm(grid.voxel(index)));
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    for &index in voxels {
        for (axis, at) in place(index).into_iter().enumerate() {
            (low[axis], high[axis]) = (low[axis].min(at), high[axis].max(at));
        }
    }
    let sizes = images.voxel_sizes_mm();
    let limit = |at: f64, axis: usize| at.clamp(0.0, images.shape()[axis] as f64) as usize;
    let start =
        std::array::from_fn(|axis| limit((low[axis] - MARGIN_MM / sizes[axis]).floor(), axis));
    let end = std::array::from_fn(|axis| {
        limit((high[axis] + MARGIN_MM / sizes[axis]).ceil() + 1.0, axis)
    });
    BoundingBox::new(start, end)
}

/// A region of another grid on `part`: the voxels whose centres it holds, or the one nearest to its centre if it holds
/// none.
fn resample(voxels: &[usize], grid: &Grid, part: &Grid) -> Mask {
    let set: HashSet<usize> = voxels.iter().copied().collect();
    let to_grid = VoxelOf::new(grid);
    let mut region = Volume::from_fn(*part, |voxel| {
        to_grid.containing(part.position_mm(voxel)).is_some_and(|index| set.contains(&index))
    });
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

/// Finds the voxel of a grid that contains a place.
struct VoxelOf<'a> {
    grid: &'a Grid,
    to_voxels: deepmir_volume::Affine,
}

impl<'a> VoxelOf<'a> {
    fn new(grid: &'a Grid) -> Self {
        Self { grid, to_voxels: grid.affine().inverse() }
    }

    /// The position in the data of the voxel that contains a place in RAS millimetres; `None` outside the grid.
    fn containing(&self, place_mm: [f64; 3]) -> Option<usize> {
        let at = self.to_voxels.apply(place_mm).map(f64::round);
        let shape = self.grid.shape();
        let inside = (0..3).all(|axis| at[axis] >= 0.0 && at[axis] < shape[axis] as f64);
        inside.then(|| self.grid.index(at.map(|at| at as usize)))
    }
}
