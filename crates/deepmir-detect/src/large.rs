//! Regions that are too large for microbleeds, found in the images themselves.
//!
//! Networks learn lesions of up to 9 mm; a haemorrhage of 14 mm may get no probability at all. A microbleed measures at
//! most 10 mm by definition (Greenberg et al., "Cerebral microbleeds: a guide to detection and interpretation", 2009), so
//! what is larger is none, but it must not go unnoticed.
//!
//! The thresholds were chosen on simulated scans: two with nine bleeds of 8.6 to 14.3 mm, all of which are found, and
//! twelve of the cohort's without one, in which nothing is found but iron deposits. In sixteen others what is found
//! are cavernomas and deposits of at least 9 mm, and a great cerebral vein. How much of a region may lie at the brain's
//! surface was chosen on five more with nine bleeds of 12 to 27 mm (3 at the surface with 1 to 13 % of them there) and 32
//! without (what air darkens there: 23 % or more).

use deepmir_lesion::diameter_of_ball_mm;
use deepmir_volume::components::{Connectivity, components};
use deepmir_volume::distance::distance_to;
use deepmir_volume::gaussian::smooth;
use deepmir_volume::morphology::{not, open_mm};
use deepmir_volume::{BoundingBox, Grid, Mask, Volume, statistics};

/// A region is dark if SWI is below this share of the brain's median: in bleeds of that size 0.1 to 0.45.
const DARK: f32 = 0.65;
/// It is paramagnetic from this susceptibility on: bleeds of 0.3 ppm show 0.26; veins and nuclei of the size are below.
const PARAMAGNETIC_PPM: f32 = 0.15;
/// Width of the Gaussian that susceptibility is smoothed with, for streaks near large bleeds.
const SMOOTHING_MM: f64 = 0.8;
/// Opening with a ball of this radius cuts veins and sulci off.
const OPENING_MM: f32 = 2.5;
/// Smaller regions are for the networks: they find bleeds of 8 mm.
const MIN_DIAMETER_MM: f64 = 8.0;
/// Where susceptibility is not known, calcifications are as dark, and with their blooming up to 9 mm in size.
const MIN_DIAMETER_BY_SWI_ALONE_MM: f64 = 10.0;
/// Of a ball 1; of confluent veins 0.6 or less.
const MIN_INSCRIBED: f64 = 0.6;
/// The same by SWI alone.
const MIN_INSCRIBED_BY_SWI_ALONE: f64 = 0.7;
/// Near the brain's surface air makes SWI as dark, where no susceptibility tells them apart. Such regions are broadest at the
/// surface: of a bleed that touches it less lies within this depth,
const SHALLOW_MM: f32 = 3.0;
/// namely at most this share.
const MAX_SHALLOW_BY_SWI_ALONE: f64 = 0.15;

/// Dark, compact regions of the brain that are larger than microbleeds, ascending voxels each: paramagnetic where the
/// susceptibility map in ppm has values (it is zero where it has none).
///
/// ```
/// use deepmir_detect::large_regions;
/// use deepmir_volume::{Affine, Grid, Volume};
///
/// // A dark ball of 12 mm in a brain of 40 mm.
/// let grid = Grid::new([50; 3], Affine::from_spacing([1.0; 3], [-25.0; 3])).unwrap();
/// let ball = |voxel, radius: f64| {
///     grid.position_mm(voxel).iter().map(|mm| mm * mm).sum::<f64>() <= radius * radius
/// };
/// let brain = Volume::from_fn(grid, |voxel| ball(voxel, 20.0));
/// let swi = Volume::from_fn(grid, |voxel| if ball(voxel, 6.0) { 0.2 } else { 1.0 });
/// assert_eq!(large_regions(&swi, None, &brain).len(), 1);
/// // A map tells a calcification.
/// let diamagnetic = Volume::from_fn(grid, |voxel| if ball(voxel, 6.0) { -0.5 } else { 0.01 });
/// assert!(large_regions(&swi, Some(&diamagnetic), &brain).is_empty());
/// ```
pub fn large_regions(
    swi: &Volume<f32>,
    qsm_ppm: Option<&Volume<f32>>,
    brain: &Mask,
) -> Vec<Vec<usize>> {
    let Some(part) = BoundingBox::around(brain) else { return Vec::new() };
    let (whole, swi, brain) = (swi.grid(), swi.crop(&part), brain.crop(&part));
    let qsm_ppm = qsm_ppm.map(|map| map.crop(&part));
    let back = |index: usize| {
        let voxel = swi.grid().voxel(index);
        whole.index(std::array::from_fn(|axis| voxel[axis] + part.start()[axis]))
    };
    let inside = swi.data().iter().zip(brain.data()).filter(|&(_, &inside)| inside);
    let mut values: Vec<f32> = inside.map(|(&value, _)| value).collect();
    let Some(median) = statistics::median(&mut values) else { return Vec::new() };
    let smoothed = qsm_ppm.as_ref().map(|map| smooth(map, [SMOOTHING_MM; 3]));
    let unmapped = |index: usize| qsm_ppm.as_ref().is_none_or(|map| map.data()[index] == 0.0);
    let paramagnetic =
        |index: usize| smoothed.as_ref().is_some_and(|map| map.data()[index] > PARAMAGNETIC_PPM);
    let dark = Volume::from_fn(*swi.grid(), |voxel| {
        let index = swi.grid().index(voxel);
        brain.data()[index]
            && swi.data()[index] < DARK * median
            && (unmapped(index) || paramagnetic(index))
    });
    let opened = open_mm(&dark, OPENING_MM);
    let mut depth_mm: Option<Volume<f32>> = None;
    let mut regions = Vec::new();
    for component in components(&opened, false, Connectivity::TwentySix) {
        let voxels = component.voxels;
        let mapped = voxels.iter().filter(|&&index| !unmapped(index)).count();
        let by_swi_alone = 2 * mapped < voxels.len();
        let shape = Shape::of(&voxels, &dark);
        if !shape.is_large_and_compact(by_swi_alone) {
            continue;
        }
        if by_swi_alone {
            let depth_mm = depth_mm.get_or_insert_with(|| distance_to(&not(&brain)));
            let shallow =
                voxels.iter().filter(|&&index| depth_mm.data()[index] < SHALLOW_MM).count();
            if shallow as f64 > MAX_SHALLOW_BY_SWI_ALONE * voxels.len() as f64 {
                continue;
            }
        }
        regions.push(voxels.into_iter().map(back).collect());
    }
    regions
}

/// How large a region is, and the largest ball in it.
struct Shape {
    diameter_mm: f64,
    inscribed_mm: f64,
}

impl Shape {
    fn of(voxels: &[usize], dark: &Mask) -> Self {
        let grid = dark.grid();
        let volume_mm3 = voxels.len() as f64 * grid.voxel_volume_mm3();
        let inscribed_mm = 2.0 * f64::from(inscribed_radius_mm(voxels, grid));
        Self { diameter_mm: diameter_of_ball_mm(volume_mm3), inscribed_mm }
    }

    fn is_large_and_compact(&self, by_swi_alone: bool) -> bool {
        let (diameter_mm, inscribed) = if by_swi_alone {
            (MIN_DIAMETER_BY_SWI_ALONE_MM, MIN_INSCRIBED_BY_SWI_ALONE)
        } else {
            (MIN_DIAMETER_MM, MIN_INSCRIBED)
        };
        self.diameter_mm >= diameter_mm && self.inscribed_mm >= inscribed * self.diameter_mm
    }
}

/// The radius of the largest ball in a region, from voxel centre to the nearest centre outside.
fn inscribed_radius_mm(voxels: &[usize], grid: &Grid) -> f32 {
    let Some(part) =
        deepmir_volume::BoundingBox::around_voxels(voxels.iter().map(|&index| grid.voxel(index)))
    else {
        return 0.0;
    };
    let part = part.grown([1; 3], grid);
    let mut outside = Volume::filled(part.grid_of(grid), true);
    for &index in voxels {
        let voxel = grid.voxel(index);
        outside[std::array::from_fn(|axis| voxel[axis] - part.start()[axis])] = false;
    }
    let radii = distance_to(&outside);
    radii.data().iter().copied().filter(|radius| radius.is_finite()).fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::Affine;

    #[test]
    fn a_bleed_may_touch_the_surface_and_what_air_darkens_is_none() {
        let grid = Grid::new([60; 3], Affine::from_spacing([1.0; 3], [-30.0; 3])).unwrap();
        let within = |voxel, centre: [f64; 3], radius: f64| {
            let mm = grid.position_mm(voxel);
            (0..3).map(|axis| (mm[axis] - centre[axis]).powi(2)).sum::<f64>() <= radius * radius
        };
        let brain = Volume::from_fn(grid, |voxel| within(voxel, [0.0; 3], 26.0));
        let found = |centre: [f64; 3], radius: f64| {
            let swi = Volume::from_fn(
                grid,
                |voxel| {
                    if within(voxel, centre, radius) { 0.2 } else { 1.0 }
                },
            );
            large_regions(&swi, None, &brain).len()
        };
        // A ball that ends half a millimetre below the surface; another one in the middle.
        assert_eq!((found([0.0, 0.0, 17.5], 8.0), found([0.0; 3], 8.0)), (1, 1));
        // Round a place on the surface, as around an air cell.
        assert_eq!((found([0.0, 0.0, 26.0], 12.0), found([0.0, 0.0, 26.0], 18.0)), (0, 0));
    }
}
