//! How near a reconstruction comes to a known truth.

use deepmir_volume::{Mask, Volume, gaussian, statistics};

/// Errors of a map in per cent of the truth's deviation from its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapError {
    /// Root of the summed squared differences, both maps without their means, over the truth's.
    pub nrmse_percent: f64,
    /// The same after the map was divided by `slope` (the measure of the QSM challenge 2.0).
    pub detrended_nrmse_percent: f64,
    /// Slope of the map over the truth, by least squares.
    pub slope: f64,
    /// Pearson's correlation.
    pub correlation: f64,
}

/// Compares a map with the truth over a mask. `None` if fewer than two voxels or either is constant.
pub fn map_error(map: &Volume<f32>, truth: &Volume<f32>, mask: &Mask) -> Option<MapError> {
    let voxels = || {
        let values = map.data().iter().zip(truth.data()).zip(mask.data());
        values.filter(|(_, inside)| **inside).map(|((&a, &b), _)| (f64::from(a), f64::from(b)))
    };
    let count = voxels().count() as f64;
    let (sum_a, sum_b) = voxels().fold((0.0, 0.0), |(x, y), (a, b)| (x + a, y + b));
    let (mean_a, mean_b) = (sum_a / count, sum_b / count);
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in voxels() {
        let (a, b) = (a - mean_a, b - mean_b);
        aa += a * a;
        bb += b * b;
        ab += a * b;
    }
    if !(count >= 2.0 && aa > 0.0 && bb > 0.0) {
        return None;
    }
    let slope = ab / bb;
    let detrended = aa / (slope * slope) - 2.0 * ab / slope + bb;
    Some(MapError {
        nrmse_percent: 100.0 * ((aa - 2.0 * ab + bb) / bb).max(0.0).sqrt(),
        detrended_nrmse_percent: 100.0 * (detrended / bb).max(0.0).sqrt(),
        slope,
        correlation: ab / (aa * bb).sqrt(),
    })
}

/// Structural similarity for susceptibility maps, at most 1: the mean over the mask of the
/// similarity within Gaussian windows (standard deviation 1.5 voxels), with constants for maps in
/// ppm, (0.01·1)² and (0.001·1)² (Milovic et al., "XSIM: a structural similarity index measure
/// optimized for MRI QSM", Magnetic Resonance in Medicine 93:411, 2025). `None` for an empty mask.
pub fn xsim(map: &Volume<f32>, truth: &Volume<f32>, mask: &Mask) -> Option<f64> {
    const C1: f64 = 1e-4;
    const C2: f64 = 1e-6;
    let sigma = map.grid().voxel_sizes_mm().map(|size| 1.5 * size);
    let window = |value: &dyn Fn(usize) -> f32| {
        let mut volume = map.clone();
        volume.data_mut().iter_mut().enumerate().for_each(|(index, to)| {
            *to = if mask.data()[index] { value(index) } else { 0.0 };
        });
        gaussian::smooth(&volume, sigma)
    };
    let (a, b) = (map.data(), truth.data());
    let means = [window(&|n| a[n]), window(&|n| b[n])];
    let squares = [window(&|n| a[n] * a[n]), window(&|n| b[n] * b[n]), window(&|n| a[n] * b[n])];
    let inside = (0..mask.data().len()).filter(|&index| mask.data()[index]);
    let similarity = inside.map(|index| {
        let [ma, mb] = [0, 1].map(|n| f64::from(means[n].data()[index]));
        let [aa, bb, ab] = [0, 1, 2].map(|n| f64::from(squares[n].data()[index]));
        (2.0 * ma * mb + C1) / (ma * ma + mb * mb + C1) * (2.0 * (ab - ma * mb) + C2)
            / (aa - ma * ma + bb - mb * mb + C2)
    });
    let (sum, count) =
        similarity.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// Slope of a map's means over the truth's, one point a region (nucleus), by least squares. `None`
/// with fewer than two regions that are not empty.
pub fn slope_over_means(map: &Volume<f32>, truth: &Volume<f32>, regions: &[Mask]) -> Option<f64> {
    let mean = |volume: &Volume<f32>, mask: &Mask| {
        let values = volume.data().iter().zip(mask.data()).filter(|(_, inside)| **inside);
        let (sum, count) =
            values.fold((0.0, 0.0), |(sum, count), (&v, _)| (sum + f64::from(v), count + 1.0));
        sum / count
    };
    let points: Vec<(f64, f64)> = regions
        .iter()
        .filter(|mask| mask.count() > 0)
        .map(|mask| (mean(truth, mask), mean(map, mask)))
        .collect();
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (along, square) = points.iter().fold((0.0, 0.0), |(along, square), point| {
        let apart = point.0 - x / count;
        (along + apart * (point.1 - y / count), square + apart * apart)
    });
    (points.len() >= 2 && square > 0.0).then(|| along / square)
}

/// Overlap of two masks: twice the common voxels over the sum of both.
pub fn dice(a: &Mask, b: &Mask) -> f64 {
    let common = a.data().iter().zip(b.data()).filter(|(a, b)| **a && **b).count();
    let sum = a.count() + b.count();
    if sum == 0 { 1.0 } else { 2.0 * common as f64 / sum as f64 }
}

/// A source of susceptibility whose place is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnownSource {
    /// Centre in RAS millimetres.
    pub centre_mm: [f64; 3],
    /// Volume in mm³.
    pub volume_mm3: f64,
}

/// Susceptibility times volume of a source, above what surrounds it: the sum over a ball of the
/// source's volume and `margin_mm` more radius, above the median of the shell of `margin_mm` around
/// it, in ppm·mm³. `None` if more than half of the source's own ball, or of the evaluated region, lies outside
/// the mask.
pub fn source_strength_ppm_mm3(
    chi_ppm: &Volume<f32>,
    mask: &Mask,
    source: &KnownSource,
    margin_mm: f64,
) -> Option<f64> {
    let grid = chi_ppm.grid();
    let radius = (source.volume_mm3 * 0.75 / std::f64::consts::PI).cbrt();
    let (inner, outer) = (radius + margin_mm, radius + 2.0 * margin_mm);
    let centre = grid.affine().inverse().apply(source.centre_mm);
    let sizes = grid.voxel_sizes_mm();
    let span: [(usize, usize); 3] = std::array::from_fn(|axis| {
        let reach = outer / sizes[axis] + 1.0;
        let last = grid.shape()[axis] as f64 - 1.0;
        let place = |at: f64| at.clamp(0.0, last) as usize;
        (place(centre[axis] - reach), place(centre[axis] + reach))
    });
    let (mut ball, mut shell, mut lost) = (Vec::new(), Vec::new(), 0);
    let (mut core, mut core_lost) = (0, 0);
    for k in span[2].0..=span[2].1 {
        for j in span[1].0..=span[1].1 {
            for i in span[0].0..=span[0].1 {
                let at = grid.position_mm([i, j, k]);
                let square: f64 =
                    (0..3).map(|axis| (at[axis] - source.centre_mm[axis]).powi(2)).sum();
                let distance = square.sqrt();
                if distance > outer {
                    continue;
                }
                let inside = mask[[i, j, k]];
                if distance <= radius {
                    core += 1;
                    core_lost += usize::from(!inside);
                }
                if !inside {
                    lost += 1;
                } else if distance <= inner {
                    ball.push(chi_ppm[[i, j, k]]);
                } else {
                    shell.push(chi_ppm[[i, j, k]]);
                }
            }
        }
    }
    let too_little = lost > ball.len() + shell.len() || 2 * core_lost > core;
    if ball.is_empty() || shell.is_empty() || too_little {
        return None;
    }
    let level = f64::from(statistics::median(&mut shell)?);
    let sum: f64 = ball.iter().map(|&value| f64::from(value) - level).sum();
    Some(sum * grid.voxel_volume_mm3())
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid};

    #[test]
    fn a_scaled_and_shifted_copy_has_no_error_once_detrended() {
        let grid = Grid::new([5, 6, 7], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let truth = Volume::from_fn(grid, |[i, j, k]| ((7 * i + 5 * j + 3 * k) % 11) as f32);
        let map = truth.map(|value| 0.5 * value + 3.0);
        let error = map_error(&map, &truth, &Volume::filled(grid, true)).unwrap();
        assert!((error.nrmse_percent - 50.0).abs() < 1e-6);
        assert!(error.detrended_nrmse_percent < 1e-4);
        assert!((error.slope - 0.5).abs() < 1e-9 && (error.correlation - 1.0).abs() < 1e-9);
        let everywhere = Volume::filled(grid, true);
        assert!((xsim(&truth, &truth, &everywhere).unwrap() - 1.0).abs() < 1e-4);
        assert!(xsim(&map, &truth, &everywhere).unwrap() < 0.9);
        assert!(xsim(&map, &truth, &Volume::filled(grid, false)).is_none());
        let regions = [1, 3, 5].map(|n| Volume::from_fn(grid, |[_, j, _]| j == n));
        assert!((slope_over_means(&map, &truth, &regions).unwrap() - 0.5).abs() < 1e-6);
        assert!(slope_over_means(&map, &truth, &regions[..1]).is_none());
        let constant = Volume::filled(grid, 1.0);
        assert!(map_error(&constant, &truth, &Volume::filled(grid, true)).is_none());
    }

    #[test]
    fn the_strength_of_a_ball_is_susceptibility_times_volume() {
        let grid = Grid::new([24; 3], Affine::from_spacing([0.5; 3], [-6.0; 3])).unwrap();
        let inside = |voxel| grid.position_mm(voxel).iter().map(|x| x * x).sum::<f64>() <= 4.0;
        let chi = Volume::from_fn(grid, |voxel| if inside(voxel) { -0.3 } else { 0.2 });
        let volume_mm3 = chi.data().iter().filter(|&&chi| chi < 0.0).count() as f64 / 8.0;
        let source = KnownSource { centre_mm: [0.0; 3], volume_mm3 };
        let strength =
            source_strength_ppm_mm3(&chi, &Volume::filled(grid, true), &source, 1.0).unwrap();
        assert!((strength + 0.5 * volume_mm3).abs() < 1e-4 * volume_mm3);
        assert!(
            source_strength_ppm_mm3(&chi, &Volume::filled(grid, false), &source, 1.0).is_none()
        );
    }
}
