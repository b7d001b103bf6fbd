//! The tissue's signal without the noise on it.

use deepmir_recon::fourier::Complex32;
use deepmir_volume::{Affine, Grid, Mask, Volume, gaussian, statistics};

/// Standard deviation in voxels of the Gaussian that local means are taken with.
const SMOOTHING_VOXELS: f64 = 1.0;

/// A local variance up to this many times that of noise is noise: the estimate of one scatters about it.
const NOISE_EXCESS: f32 = 1.3;

/// Response of the operator of Immerkær to noise of standard deviation one, and the median of its absolute value.
const OPERATOR_NORM: f32 = 6.0;
const NORMAL_MEDIAN: f32 = 0.674_49;

/// Standard deviation of the noise in each part of a complex image, in its own unit: the median response, inside the
/// mask, to an operator within slices that does not see slopes and curvatures (Immerkær, Computer Vision and Image
/// Understanding 64:300, 1996). `value` gives one part at a position.
pub(super) fn noise_level(mask: &Mask, value: impl Fn(usize) -> f32) -> f32 {
    let [nx, ny, nz] = mask.shape();
    let mut responses = Vec::new();
    // A few hundred thousand voxels tell a median.
    let every = (nz / 24).max(1);
    for k in (0..nz).step_by(every) {
        for j in 1..ny.saturating_sub(1) {
            for i in 1..nx.saturating_sub(1) {
                let here = mask.grid().index([i, j, k]);
                let inside = mask.data()[here]
                    && [here - 1, here + 1, here - nx, here + nx].iter().all(|&n| mask.data()[n]);
                if !inside {
                    continue;
                }
                let row = |at: usize| value(at - 1) - 2.0 * value(at) + value(at + 1);
                responses.push((row(here - nx) - 2.0 * row(here) + row(here + nx)).abs());
            }
        }
    }
    statistics::median(&mut responses).unwrap_or(0.0) / (OPERATOR_NORM * NORMAL_MEDIAN)
}

/// The signal of a box of voxels without its noise, as far as the two can be told apart: the local mean, and of what
/// departs from it the part that is more than noise (Lee, IEEE Transactions on Pattern Analysis 2:165, 1980). `noise` is
/// that of each part of the complex signal. Phases may turn from voxel to voxel.
pub(super) fn denoised(signal: &[Complex32], shape: [usize; 3], noise: f32) -> Vec<Complex32> {
    if noise <= 0.0 {
        return signal.to_vec();
    }
    let Ok(grid) = Grid::new(shape, Affine::from_spacing([1.0; 3], [0.0; 3])) else {
        return signal.to_vec();
    };
    let smooth = |part: &dyn Fn(usize) -> f32| -> Vec<f32> {
        let values = (0..signal.len()).map(part).collect();
        match Volume::new(grid, values) {
            Ok(volume) => gaussian::smooth(&volume, [SMOOTHING_VOXELS; 3]).into_data(),
            Err(_) => Vec::new(),
        }
    };
    // Turned back by the smooth signal's phase, neighbours agree.
    let (real, imaginary) = (smooth(&|n| signal[n].re), smooth(&|n| signal[n].im));
    let turned: Vec<Complex32> = real
        .iter()
        .zip(&imaginary)
        .map(|(&re, &im)| {
            let length = re.hypot(im);
            if length > 0.0 {
                Complex32::new(re / length, im / length)
            } else {
                Complex32::new(1.0, 0.0)
            }
        })
        .collect();
    let flat: Vec<Complex32> = signal.iter().zip(&turned).map(|(s, t)| s * t.conj()).collect();
    let (real, imaginary) = (smooth(&|n| flat[n].re), smooth(&|n| flat[n].im));
    let apart: Vec<Complex32> = flat
        .iter()
        .zip(real.iter().zip(&imaginary))
        .map(|(value, (&re, &im))| value - Complex32::new(re, im))
        .collect();
    let variance = smooth(&|n| apart[n].norm_sqr());
    let least = 2.0 * NOISE_EXCESS * noise * noise;
    (0..signal.len())
        .map(|n| {
            let kept = (1.0 - least / variance[n].max(least)).max(0.0);
            (flat[n] - apart[n] * (1.0 - kept)) * turned[n]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn noise_is_measured_and_taken_off_and_edges_stay() {
        let shape = [24, 20, 12];
        let grid = Grid::new(shape, Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let mut generator = stream(1, Purpose::Noise, 0);
        let mut normal = || -> f32 { StandardNormal.sample(&mut generator) };
        let clean: Vec<Complex32> = (0..grid.len())
            .map(|index| {
                let [i, j, k] = grid.voxel(index).map(|n| n as f32);
                let (sine, cosine) = (0.4 * i + 0.1 * j - 0.2 * k).sin_cos();
                let amplitude = if i < 12.0 { 100.0 } else { 40.0 };
                Complex32::new(amplitude * cosine, amplitude * sine)
            })
            .collect();
        let noisy: Vec<Complex32> = clean
            .iter()
            .map(|value| value + Complex32::new(2.0 * normal(), 2.0 * normal()))
            .collect();
        let mask = Volume::filled(grid, true);
        let level = noise_level(&mask, |n| noisy[n].re);
        assert!((level / 2.0 - 1.0).abs() < 0.1, "{level}");
        let found = denoised(&noisy, shape, level);
        let error = |columns: std::ops::Range<usize>| {
            let here = |n: &usize| {
                let [i, j, k] = grid.voxel(*n);
                columns.contains(&i) && (3..17).contains(&j) && (3..9).contains(&k)
            };
            let squares: Vec<f32> =
                (0..grid.len()).filter(here).map(|n| (found[n] - clean[n]).norm_sqr()).collect();
            (squares.iter().sum::<f32>() / squares.len() as f32 / 2.0).sqrt()
        };
        // Inside, most of the noise of 2 is gone; at the edge, the signal stays within it.
        assert!(error(3..9) < 1.0 && error(15..21) < 1.0, "{} {}", error(3..9), error(15..21));
        assert!(error(11..13) < 2.5, "{}", error(11..13));
        // Without noise, nothing changes.
        for (got, want) in denoised(&clean, shape, 0.0).iter().zip(&clean) {
            assert!((got - want).norm() < 1e-3);
        }
    }
}
