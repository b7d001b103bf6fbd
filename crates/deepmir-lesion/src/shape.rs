//! The shape of a few voxels: how round, how elongated.

use std::f64::consts::PI;

use deepmir_volume::Grid;
use nalgebra::{Matrix3, Vector3};

/// How close to a ball a set of voxels (positions in the data of `grid`) is: the surface of the
/// ball of its volume divided by its own surface (Wadell 1935), from 0 to 1.
///
/// The surface is estimated with Crofton's formula: along 13 directions the crossings of the
/// boundary are counted, each direction weighted by its share of the sphere (Lehmann and Legland,
/// "Efficient N-dimensional surface estimation using Crofton formula", 2012). Counting voxel faces
/// instead would make every ball half again as large as it is. Lesions of a few voxels come out
/// at 1.
pub fn sphericity(voxels: &[usize], grid: &Grid) -> f64 {
    let volume = voxels.len() as f64 * grid.voxel_volume_mm3();
    let surface = surface_mm2(voxels, grid);
    if surface == 0.0 {
        return 0.0;
    }
    (PI.cbrt() * (6.0 * volume).powf(2.0 / 3.0) / surface).min(1.0)
}

/// The surface in mm², by Crofton's formula.
pub fn surface_mm2(voxels: &[usize], grid: &Grid) -> f64 {
    let inside: std::collections::HashSet<usize> = voxels.iter().copied().collect();
    let shape = grid.shape();
    let steps = half_of_neighbours();
    let directions = steps
        .map(|step| Vector3::from(grid.affine().apply_direction(step.map(|part| part as f64))));
    let weights = shares_of_the_sphere(&directions);
    let mut sum = 0.0;
    for ((step, direction), weight) in steps.iter().zip(&directions).zip(weights) {
        let mut crossings = 0_usize;
        for &index in voxels {
            let voxel = grid.voxel(index);
            for sign in [1, -1] {
                let neighbour: [Option<usize>; 3] = std::array::from_fn(|axis| {
                    voxel[axis].checked_add_signed(sign * step[axis]).filter(|&at| at < shape[axis])
                });
                let touches = matches!(neighbour, [Some(i), Some(j), Some(k)]
                    if inside.contains(&grid.index([i, j, k])));
                crossings += usize::from(!touches);
            }
        }
        // Lines of voxels along a direction pass through an area of volume / step length each.
        sum += weight * crossings as f64 * grid.voxel_volume_mm3() / direction.norm();
    }
    2.0 * sum
}

/// The length of the longest principal axis over that of the second: 1 for a ball or a disc,
/// large for a piece of vessel. The voxels' own extent is counted in, so a single voxel is no line.
pub fn elongation(voxels: &[usize], grid: &Grid) -> f64 {
    let [longest, middle, _] = principal_axes_mm(voxels, grid);
    longest / middle
}

/// Standard deviations along the principal axes, longest first, in millimetres, the voxels' own extent
/// counted in.
pub fn principal_axes_mm(voxels: &[usize], grid: &Grid) -> [f64; 3] {
    let places: Vec<Vector3<f64>> =
        voxels.iter().map(|&index| Vector3::from(grid.position_mm(grid.voxel(index)))).collect();
    let count = places.len().max(1) as f64;
    let centre = places.iter().sum::<Vector3<f64>>() / count;
    let mut covariance: Matrix3<f64> =
        places.iter().map(|place| (place - centre) * (place - centre).transpose()).sum();
    covariance /= count;
    // A uniform box has a variance of size²/12 along each of its axes.
    let box_axes = grid.affine().linear();
    covariance += box_axes * box_axes.transpose() / 12.0;
    let mut variances: [f64; 3] = covariance.symmetric_eigenvalues().into();
    variances.sort_by(|a, b| b.total_cmp(a));
    variances.map(f64::sqrt)
}

/// One of each pair of opposite neighbours: 13 directions.
fn half_of_neighbours() -> [[isize; 3]; 13] {
    [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [1, 1, 0],
        [1, -1, 0],
        [1, 0, 1],
        [1, 0, -1],
        [0, 1, 1],
        [0, 1, -1],
        [1, 1, 1],
        [1, 1, -1],
        [1, -1, 1],
        [1, -1, -1],
    ]
}

/// For each direction, the share of the sphere nearer to it (or its opposite) than to the others,
/// by assigning evenly spread points (a Fibonacci lattice). The shares depend on the voxel sizes.
fn shares_of_the_sphere(directions: &[Vector3<f64>; 13]) -> [f64; 13] {
    const POINTS: usize = 4000;
    let golden_angle = PI * (3.0 - 5.0_f64.sqrt());
    let unit = directions.map(|direction| direction.normalize());
    let mut shares = [0.0; 13];
    for n in 0..POINTS {
        let z = 1.0 - (2.0 * n as f64 + 1.0) / POINTS as f64;
        let (sin, cos) = (golden_angle * n as f64).sin_cos();
        let radius = (1.0 - z * z).sqrt();
        let point = Vector3::new(radius * cos, radius * sin, z);
        let (mut nearest, mut most) = (0, -1.0);
        for (number, direction) in unit.iter().enumerate() {
            let cosine = direction.dot(&point).abs();
            if cosine > most {
                (nearest, most) = (number, cosine);
            }
        }
        shares[nearest] += 1.0 / POINTS as f64;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::Affine;

    /// Voxels of an ellipsoid with the given half axes, off the lattice's points.
    fn ellipsoid(spacing: [f64; 3], half_axes: [f64; 3]) -> (Vec<usize>, Grid) {
        let shape =
            std::array::from_fn(|axis| (2.0 * half_axes[axis] / spacing[axis]) as usize + 6);
        let origin = std::array::from_fn(|axis| -(shape[axis] as f64) * spacing[axis] / 2.0 + 0.13);
        let grid = Grid::new(shape, Affine::from_spacing(spacing, origin)).unwrap();
        let inside = (0..grid.len()).filter(|&index| {
            let place = grid.position_mm(grid.voxel(index));
            (0..3).map(|axis| (place[axis] / half_axes[axis]).powi(2)).sum::<f64>() <= 1.0
        });
        (inside.collect(), grid)
    }

    #[test]
    fn a_balls_surface_is_found_in_cubic_and_flat_voxels() {
        for (spacing, tolerance) in
            [([0.25; 3], 0.02), ([0.5, 0.5, 1.0], 0.05), ([0.5, 0.5, 2.0], 0.12)]
        {
            let (voxels, grid) = ellipsoid(spacing, [4.0; 3]);
            let surface = surface_mm2(&voxels, &grid);
            let truth = 4.0 * PI * 16.0;
            assert!(
                (surface / truth - 1.0).abs() < tolerance,
                "{spacing:?}: {surface} for {truth}"
            );
            assert!(sphericity(&voxels, &grid) > 0.9);
        }
    }

    #[test]
    fn a_cigar_is_less_round_and_more_elongated_than_a_ball() {
        // Half axes 1.5, 1.5, 6 mm: sphericity 0.805 from the ellipsoid's surface, elongation 4.
        let (voxels, grid) = ellipsoid([0.25; 3], [1.5, 1.5, 6.0]);
        assert!(
            (sphericity(&voxels, &grid) - 0.805).abs() < 0.04,
            "{}",
            sphericity(&voxels, &grid)
        );
        assert!((elongation(&voxels, &grid) - 4.0).abs() < 0.15);
        let (ball, grid) = ellipsoid([0.25; 3], [3.0; 3]);
        assert!((elongation(&ball, &grid) - 1.0).abs() < 0.05);
    }

    #[test]
    fn one_voxel_is_round_enough_and_no_line() {
        let grid = Grid::new([3; 3], Affine::from_spacing([0.75, 0.75, 1.5], [0.0; 3])).unwrap();
        assert!(sphericity(&[13], &grid) > 0.8);
        assert!(elongation(&[13], &grid) < 2.1);
    }
}
