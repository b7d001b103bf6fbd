//! How much of a calcification is found, and the streaks around it.

use deepmir_volume::{BoundingBox, Mask, Volume};

/// The box of the calcification is wider by this many voxels on each side.
const CORE: usize = 3;

/// Each shell around that box.
const SHELL: usize = 4;

/// Steps of the threshold, in ppm, down to the last.
const STEP_PPM: f64 = 0.01;
const STEPS: usize = 350;

/// Deviation of the moment, in ppm times voxels, and streaking, as in the challenge: susceptibility below a threshold in
/// the calcification's box is calcification, with the threshold nearest to zero below which nothing lies in the two
/// shells around the box. Streaking is the standard deviation in the first shell that a line over the truth leaves, over
/// the mean of what was found. Both maps count as zero outside the region. `None` without a calcification; the streaking
/// also if nothing was found.
pub fn calcification(
    chi: &Volume<f32>,
    truth: &Volume<f32>,
    region: &Mask,
    calcified: &Mask,
) -> (Option<f64>, Option<f64>) {
    let (grid, data) = (region.grid(), region.data());
    let value = |map: &Volume<f32>, index: usize| {
        if data[index] { f64::from(map.data()[index]) } else { 0.0 }
    };
    let Some(bounds) = BoundingBox::around(calcified) else { return (None, None) };
    let inside = (0..data.len()).filter(|&index| calcified.data()[index]);
    let true_moment: f64 = inside.map(|index| value(truth, index)).sum();
    // How many voxels a place is outside the bounds, along the worst axis.
    let outside = |index: usize| {
        let apart = grid.voxel(index).into_iter().zip(bounds.start()).zip(bounds.end());
        apart
            .map(|((at, start), end)| start.saturating_sub(at).max((at + 1).saturating_sub(end)))
            .max()
    };
    let (mut core, mut first_shell, mut shells) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..data.len() {
        let apart = outside(index).unwrap_or(usize::MAX);
        if apart <= CORE {
            core.push(value(chi, index));
        } else if apart <= CORE + 2 * SHELL {
            shells.push(value(chi, index));
            if apart <= CORE + SHELL {
                first_shell.push((value(truth, index), value(chi, index)));
            }
        }
    }
    let least = shells.iter().copied().fold(f64::INFINITY, f64::min);
    let threshold = (0..=STEPS).map(|step| -(step as f64) * STEP_PPM).find(|step| least >= *step);
    let threshold = threshold.unwrap_or(-(STEPS as f64) * STEP_PPM);
    let found: Vec<f64> = core.into_iter().filter(|chi| *chi < threshold).collect();
    let moment: f64 = found.iter().sum();
    let deviation = (true_moment - moment).abs();
    if found.is_empty() || first_shell.len() < 2 {
        return (Some(deviation), None);
    }
    let mean_found = moment / found.len() as f64;
    (Some(deviation), Some(deviation_from_line(&first_shell) / mean_found.abs()))
}

/// Standard deviation of what a line by least squares leaves.
fn deviation_from_line(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x, y) = (x / count, y / count);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for point in points {
        let (a, b) = (point.0 - x, point.1 - y);
        xx += a * a;
        xy += a * b;
        yy += b * b;
    }
    let explained = if xx > 0.0 { xy * xy / xx } else { 0.0 };
    ((yy - explained).max(0.0) / count).sqrt()
}
