//! From one grid to another.
//!
//! The field of view is the union of the voxels' boxes: a point up to half a voxel beyond the
//! outermost voxel centres takes the edge's value, a point further out the value for outside.

mod bspline;

use rayon::prelude::*;

use crate::{Affine, Grid, Volume, VolumeError, gaussian};
use bspline::Cubic;

/// How values between voxel centres are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The nearest voxel's value.
    Nearest,
    /// Trilinear.
    Linear,
    /// Interpolating cubic B-spline (Unser, Aldroubi and Eden 1993): it passes through the voxel
    /// values and keeps detail that trilinear blurs; it may overshoot at sharp edges.
    CubicBSpline,
}

/// `volume` as seen on `target`, points outside its field of view being `outside`.
pub fn resample(
    volume: &Volume<f32>,
    target: &Grid,
    interpolation: Interpolation,
    outside: f32,
) -> Volume<f32> {
    let identity = Affine::from_spacing([1.0; 3], [0.0; 3]);
    resample_moved(volume, target, &identity, interpolation, outside)
}

/// As [`resample_moved`] by cubic B-splines, zero where `volume` was not imaged, and never below the smallest or above the
/// largest value it has: a spline overshoots at sharp edges.
pub fn resample_moved_in_range(
    volume: &Volume<f32>,
    target: &Grid,
    movement: &Affine,
) -> Volume<f32> {
    let (least, most) = volume
        .data()
        .iter()
        .fold((0.0_f32, 0.0_f32), |(least, most), &value| (least.min(value), most.max(value)));
    let mut result = resample_moved(volume, target, movement, Interpolation::CubicBSpline, 0.0);
    result.data_mut().iter_mut().for_each(|value| *value = value.clamp(least, most));
    result
}

/// As [`resample()`], the head having moved: `movement` takes a point in the target's millimetres
/// to the place in `volume`'s millimetres where its value is found.
pub fn resample_moved(
    volume: &Volume<f32>,
    target: &Grid,
    movement: &Affine,
    interpolation: Interpolation,
    outside: f32,
) -> Volume<f32> {
    let map = volume.grid().affine().inverse().after(movement).after(target.affine());
    match interpolation {
        Interpolation::Nearest => {
            let data = volume.data();
            gather(volume.grid(), target, &map, outside, |at| data[nearest(volume.grid(), at)])
        }
        Interpolation::Linear => {
            gather(volume.grid(), target, &map, outside, |at| linear(volume, at))
        }
        Interpolation::CubicBSpline => {
            let spline = Cubic::through(volume);
            gather(volume.grid(), target, &map, outside, |at| spline.at(at))
        }
    }
}

/// Nearest-neighbour resampling of labels (or anything else that must not be mixed).
pub fn resample_labels<T: Copy + Send + Sync>(
    volume: &Volume<T>,
    target: &Grid,
    outside: T,
) -> Volume<T> {
    let map = volume.grid().affine().inverse().after(target.affine());
    gather(volume.grid(), target, &map, outside, |at| volume.data()[nearest(volume.grid(), at)])
}

/// The same field of view with other voxel sizes. Along axes that become coarser the image is
/// first smoothed by what the larger voxel would have averaged (a Gaussian whose squared full
/// width at half maximum is the difference of the squared voxel sizes), so that no detail turns
/// into a moiré or vanishes between samples.
///
/// # Errors
/// If a size is not positive or the new grid would be too large.
pub fn resample_to_spacing(
    volume: &Volume<f32>,
    spacing_mm: [f64; 3],
    interpolation: Interpolation,
) -> Result<Volume<f32>, VolumeError> {
    let target = volume.grid().with_spacing(spacing_mm)?;
    let sigma_mm = anti_aliasing_sigma_mm(volume.grid().voxel_sizes_mm(), target.voxel_sizes_mm());
    if sigma_mm == [0.0; 3] {
        return Ok(resample(volume, &target, interpolation, 0.0));
    }
    let smooth = gaussian::smooth(volume, sigma_mm);
    Ok(resample(&smooth, &target, interpolation, 0.0))
}

fn anti_aliasing_sigma_mm(from: [f64; 3], to: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| {
        // A few per cent coarser is not worth a blur.
        if to[axis] > 1.05 * from[axis] {
            (to[axis].powi(2) - from[axis].powi(2)).sqrt() / gaussian::FWHM_PER_SIGMA
        } else {
            0.0
        }
    })
}

/// Fills the target with `sample(index)` at fractional source indices inside the field of view,
/// which have been clamped to the voxel centres' range.
fn gather<T: Copy + Send + Sync>(
    source: &Grid,
    target: &Grid,
    map: &Affine,
    outside: T,
    sample: impl Fn([f64; 3]) -> T + Sync,
) -> Volume<T> {
    let mut result = Volume::filled(*target, outside);
    let [nx, ny, _] = target.shape();
    let last = source.shape().map(|length| length as f64 - 1.0);
    // Affines read from 32-bit headers put edge voxels a hair outside.
    let margin = 0.5 + 1e-4;
    let step = map.apply_direction([1.0, 0.0, 0.0]);
    result.data_mut().par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
        for (j, row) in slice.chunks_exact_mut(nx).enumerate() {
            let start = map.apply([0.0, j as f64, k as f64]);
            for (i, value) in row.iter_mut().enumerate() {
                let at: [f64; 3] = std::array::from_fn(|axis| start[axis] + step[axis] * i as f64);
                if (0..3).all(|axis| at[axis] >= -margin && at[axis] <= last[axis] + margin) {
                    *value = sample(std::array::from_fn(|axis| at[axis].clamp(0.0, last[axis])));
                }
            }
        }
    });
    result
}

fn nearest(grid: &Grid, at: [f64; 3]) -> usize {
    let shape = grid.shape();
    // Ties go up everywhere, so that a shift by half a voxel is the same shift at every voxel.
    grid.index(std::array::from_fn(|axis| ((at[axis] + 0.5).floor() as usize).min(shape[axis] - 1)))
}

fn linear(volume: &Volume<f32>, at: [f64; 3]) -> f32 {
    let shape = volume.shape();
    let low: [usize; 3] = at.map(|index| index as usize);
    let high: [usize; 3] = std::array::from_fn(|axis| (low[axis] + 1).min(shape[axis] - 1));
    let part: [f32; 3] = std::array::from_fn(|axis| (at[axis] - low[axis] as f64) as f32);
    let data = volume.data();
    let row = |j: usize, k: usize| {
        let start = shape[0] * (j + shape[1] * k);
        data[start + low[0]] * (1.0 - part[0]) + data[start + high[0]] * part[0]
    };
    let plane = |k: usize| row(low[1], k) * (1.0 - part[1]) + row(high[1], k) * part[1];
    plane(low[2]) * (1.0 - part[2]) + plane(high[2]) * part[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(grid: Grid) -> Volume<f32> {
        Volume::from_fn(grid, |voxel| {
            let [x, y, z] = grid.position_mm(voxel);
            (2.0 * x - 3.0 * y + 0.5 * z) as f32
        })
    }

    fn oblique() -> Affine {
        Affine::from_rows([
            [0.9, -0.2, 0.1, -6.0],
            [0.25, 1.1, -0.15, -7.0],
            [-0.05, 0.1, 1.6, -8.0],
            [0.0, 0.0, 0.0, 1.0],
        ])
        .unwrap()
    }

    #[test]
    fn a_linear_ramp_is_kept_by_linear_and_cubic_interpolation() {
        let source = Grid::new([14, 15, 12], oblique()).unwrap();
        let target =
            Grid::new([5, 6, 4], Affine::from_spacing([0.8; 3], [-1.0, -1.5, -0.5])).unwrap();
        let truth = ramp(target);
        for interpolation in [Interpolation::Linear, Interpolation::CubicBSpline] {
            let got = resample(&ramp(source), &target, interpolation, f32::NAN);
            for (got, want) in got.data().iter().zip(truth.data()) {
                // The mirrored edge bends the spline near the boundary, by less each voxel inwards.
                let tolerance = if interpolation == Interpolation::Linear { 1e-4 } else { 0.05 };
                assert!((got - want).abs() < tolerance, "{interpolation:?}: {got} for {want}");
            }
        }
    }

    #[test]
    fn resampling_onto_the_own_grid_changes_nothing() {
        let grid = Grid::new([7, 1, 5], oblique()).unwrap();
        let volume = Volume::from_fn(grid, |[i, _, k]| ((i * 31 + k * 17) % 13) as f32);
        for interpolation in
            [Interpolation::Nearest, Interpolation::Linear, Interpolation::CubicBSpline]
        {
            let same = resample(&volume, &grid, interpolation, -1.0);
            for (a, b) in same.data().iter().zip(volume.data()) {
                assert!((a - b).abs() < 1e-4, "{interpolation:?}");
            }
        }
    }

    #[test]
    fn points_outside_the_field_of_view_get_the_given_value() {
        let grid = Grid::new([4, 4, 4], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let volume = Volume::filled(grid, 5.0);
        let target =
            Grid::new([10, 1, 1], Affine::from_spacing([1.0; 3], [-3.4, 1.0, 1.0])).unwrap();
        let got = resample(&volume, &target, Interpolation::Linear, -1.0);
        assert_eq!(got.data(), [-1.0, -1.0, -1.0, 5.0, 5.0, 5.0, 5.0, -1.0, -1.0, -1.0]);
    }

    #[test]
    fn coarser_voxels_average_and_keep_the_mean() {
        let grid = Grid::new([40, 40, 40], Affine::from_spacing([0.5; 3], [0.0; 3])).unwrap();
        let stripes = Volume::from_fn(grid, |[i, _, _]| if i % 2 == 0 { 0.0 } else { 2.0 });
        let coarse = resample_to_spacing(&stripes, [2.0; 3], Interpolation::Linear).unwrap();
        assert_eq!(coarse.shape(), [10, 10, 10]);
        // The mirrored edge doubles a stripe, so the outermost voxels are left out.
        for index in (0..coarse.data().len()).filter(|index| (1..9).contains(&(index % 10))) {
            let value = coarse.data()[index];
            assert!((value - 1.0).abs() < 0.05, "{value}");
        }
    }
}
