//! Growing a mark from one place: what is like it and hangs together with it, within a sphere.

use std::collections::HashSet;

use deepmir_volume::{Volume, statistics};

/// The largest sphere that may be grown in: beyond this it is no lesion of the protocol.
pub const MOST_GROWTH_MM: f64 = 20.0;

/// Settings of region growing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegionGrowing {
    /// Radius of the sphere around the seed.
    pub radius_mm: f64,
    /// Lesions are brighter than what is around them (QSM), not darker (SWI).
    pub bright: bool,
    /// Where between the seed's value (0) and the surroundings' (1) the border is drawn.
    pub tolerance: f32,
}

/// The voxels (positions in the data, ascending) that hang together by faces with the seed, lie
/// within the sphere and are beyond a threshold between the seed's value and that of the surroundings:
/// the median over a sphere twice as wide, so that a lesion that fills its own is not taken for what
/// surrounds it. The seed's value is the most extreme one among it and its direct neighbours, so that a
/// click beside the darkest voxel does the same as one on it.
pub fn grow(image: &Volume<f32>, seed: usize, growth: &RegionGrowing) -> Vec<usize> {
    let grid = image.grid();
    let sign = if growth.bright { -1.0 } else { 1.0 };
    let value = |voxel: [usize; 3]| sign * image[voxel];
    let start = grid.voxel(seed);
    let centre = grid.position_mm(start);
    let within = |voxel: [usize; 3], radius_mm: f64| {
        let place = grid.position_mm(voxel);
        let squared: f64 = (0..3).map(|axis| (place[axis] - centre[axis]).powi(2)).sum();
        squared <= radius_mm * radius_mm
    };
    let inside = |voxel: [usize; 3]| within(voxel, growth.radius_mm);

    let wide_mm = 2.0 * growth.radius_mm;
    let sphere = sphere(grid, start, wide_mm);
    // Zero is what lies outside a skull-stripped brain.
    let mut around: Vec<f32> = sphere
        .iter()
        .copied()
        .filter(|&voxel| within(voxel, wide_mm) && image[voxel] != 0.0)
        .map(value)
        .collect();
    let Some(around) = statistics::median(&mut around) else { return Vec::new() };
    let extreme = neighbours(grid.shape(), start).map(value).fold(value(start), f32::min);
    if extreme >= around {
        return Vec::new();
    }
    let threshold = extreme + growth.tolerance.clamp(0.0, 1.0) * (around - extreme);

    let mut found = HashSet::from([seed]);
    let mut border = vec![start];
    while let Some(voxel) = border.pop() {
        for next in neighbours(grid.shape(), voxel) {
            let like = value(next) <= threshold && image[next] != 0.0;
            if like && inside(next) && found.insert(grid.index(next)) {
                border.push(next);
            }
        }
    }
    let mut found: Vec<usize> = found.into_iter().collect();
    found.sort_unstable();
    found
}

/// The voxels of a box around a sphere.
fn sphere(grid: &deepmir_volume::Grid, centre: [usize; 3], radius_mm: f64) -> Vec<[usize; 3]> {
    let (shape, sizes) = (grid.shape(), grid.voxel_sizes_mm());
    let range = |axis: usize| {
        let reach = (radius_mm / sizes[axis]).ceil() as usize;
        centre[axis].saturating_sub(reach)..(centre[axis] + reach + 1).min(shape[axis])
    };
    let mut voxels = Vec::new();
    for k in range(2) {
        for j in range(1) {
            voxels.extend(range(0).map(|i| [i, j, k]));
        }
    }
    voxels
}

/// The neighbours by faces.
fn neighbours(shape: [usize; 3], voxel: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..6).filter_map(move |side| {
        let (axis, forward) = (side / 2, side % 2 == 1);
        let mut next = voxel;
        next[axis] = if forward { voxel[axis] + 1 } else { voxel[axis].checked_sub(1)? };
        (next[axis] < shape[axis]).then_some(next)
    })
}

#[cfg(test)]
mod tests {
    use deepmir_volume::{Affine, Grid};

    use super::*;

    #[test]
    fn a_dark_ball_grows_whole_and_a_bright_one_by_the_other_sign() {
        let affine = Affine::from_spacing([0.5, 0.5, 1.0], [0.0; 3]);
        let grid = Grid::new([40, 40, 20], affine).unwrap();
        let apart = |voxel: [usize; 3], centre: [f64; 3]| {
            let place = grid.position_mm(voxel);
            (0..3).map(|axis| (place[axis] - centre[axis]).powi(2)).sum::<f64>().sqrt()
        };
        let ball = |voxel| apart(voxel, [10.0, 10.0, 10.0]) <= 2.0;
        let other = |voxel| apart(voxel, [15.5, 10.0, 10.0]) <= 2.0;
        for bright in [false, true] {
            let (lesion, tissue) = if bright { (0.6, 0.01) } else { (0.3, 1.0) };
            let image =
                Volume::from_fn(
                    grid,
                    |voxel| {
                        if ball(voxel) || other(voxel) { lesion } else { tissue }
                    },
                );
            let growth = RegionGrowing { radius_mm: 5.0, bright, tolerance: 0.5 };
            let expected: Vec<usize> = (0..grid.len()).filter(|&n| ball(grid.voxel(n))).collect();
            assert_eq!(grow(&image, grid.index([20, 20, 10]), &growth), expected);
            // One voxel beside it: its neighbour is taken for the seed's value.
            let beside = (0..40).find(|&i| ball([i, 20, 10])).unwrap() - 1;
            let found = grow(&image, grid.index([beside, 20, 10]), &growth);
            assert!(expected.iter().all(|voxel| found.contains(voxel)));
            // Plain tissue has nothing to grow.
            assert!(
                grow(&image, grid.index([5, 35, 3]), &RegionGrowing { radius_mm: 2.0, ..growth })
                    .is_empty()
            );
        }
    }
}
