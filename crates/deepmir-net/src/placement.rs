//! From the prepared grid back to the subject's own grid.

use std::collections::HashSet;

use deepmir_lesion::Lesion;
use deepmir_volume::{
    BoundingBox, Grid, Interpolation, Orientation, Volume, resample, resample_labels,
};

/// Where a prepared volume belongs in the subject's own grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    pub(crate) orientation: Orientation,
    /// The whole image in RAS.
    pub(crate) ras: Grid,
    /// The part around the brain.
    pub(crate) part: BoundingBox,
    /// Whether the part was resampled.
    pub(crate) resampled: bool,
}

impl Placement {
    /// Resamples a map from the prepared grid to the subject's own grid and orientation; zero outside the cropped part.
    pub fn restore(&self, map: &Volume<f32>) -> Volume<f32> {
        let part_grid = self.part.grid_of(&self.ras);
        let mut whole = Volume::filled(self.ras, 0.0);
        if self.resampled {
            whole.paste(&resample(map, &part_grid, Interpolation::Linear, 0.0), &self.part);
        } else {
            whole.paste(map, &self.part);
        }
        self.orientation.from_ras(&whole)
    }

    /// Resamples disjoint regions from the prepared grid `from` to the subject's own: a region gets the voxels whose
    /// centres it contains. One that contains none gets the voxel at its own centre, unless another region has it.
    pub fn restore_regions(&self, regions: &[&Lesion], from: &Grid) -> Vec<Vec<usize>> {
        let mut numbers = Volume::filled(self.ras, 0);
        let part = numbers_on(regions, from, &self.part.grid_of(&self.ras));
        numbers.paste(&part, &self.part);
        voxels_of(&self.orientation.from_ras(&numbers), regions.len())
    }
}

/// Regions on another grid, numbered from 1. Each voxel belongs to the region of the nearest one; a region too small to be
/// nearest to any has the one at its centre, if that is free.
pub(crate) fn numbers_on(regions: &[&Lesion], from: &Grid, target: &Grid) -> Volume<u32> {
    let mut numbers = Volume::filled(*from, 0);
    for (number, region) in (1..).zip(regions) {
        region.voxels.iter().for_each(|&index| numbers.data_mut()[index] = number);
    }
    if target == from {
        return numbers;
    }
    let mut numbers = resample_labels(&numbers, target, 0);
    let there: HashSet<u32> = numbers.data().iter().copied().collect();
    let to_index = target.affine().inverse();
    for (number, region) in (1..).zip(regions).filter(|(number, _)| !there.contains(number)) {
        let centre = to_index.apply(region.centre_mm).map(f64::round);
        let inside =
            (0..3).all(|axis| centre[axis] >= 0.0 && centre[axis] < target.shape()[axis] as f64);
        if inside {
            let index = target.index(centre.map(|index| index as usize));
            let owner = &mut numbers.data_mut()[index];
            *owner = if *owner == 0 { number } else { *owner };
        }
    }
    numbers
}

/// The voxels of each numbered region.
pub(crate) fn voxels_of(numbers: &Volume<u32>, regions: usize) -> Vec<Vec<usize>> {
    let mut voxels = vec![Vec::new(); regions];
    for (index, &number) in numbers.data().iter().enumerate().filter(|(_, number)| **number != 0) {
        voxels[number as usize - 1].push(index);
    }
    voxels
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_lesion::LesionClass;
    use deepmir_volume::Affine;

    #[test]
    fn a_region_smaller_than_a_voxel_keeps_one_unless_another_has_it() {
        let grid =
            |mm: f64, n: usize| Grid::new([n; 3], Affine::from_spacing([mm; 3], [0.0; 3])).unwrap();
        let (fine, coarse) = (grid(0.5, 16), grid(2.0, 4));
        let at = |voxel: [usize; 3]| vec![fine.index(voxel)];
        // At (0.5, 0.5, 0.5), (3.5, 4, 4), (4.5, 4, 4) and, where no middle of a coarse voxel is, (2.5, 2.5, 2.5).
        let regions = [at([1; 3]), at([7, 8, 8]), at([9, 8, 8]), at([5; 3])];
        let lesions: Vec<Lesion> = regions
            .into_iter()
            .map(|voxels| Lesion::new(LesionClass::Cmb, voxels, &fine))
            .collect();
        let numbers = numbers_on(&lesions.iter().collect::<Vec<_>>(), &fine, &coarse);
        let voxels = voxels_of(&numbers, 4);
        let one = |voxel: [usize; 3]| vec![coarse.index(voxel)];
        assert_eq!(voxels, [one([0; 3]), one([2; 3]), vec![], one([1; 3])]);
    }
}
