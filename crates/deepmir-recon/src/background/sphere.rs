//! Means over balls.

use crate::fourier::Fourier;

/// The spectrum of the mean over a ball of `radius_mm`, in a spectrum's layout: voxels whose centres
/// lie inside count equally. Real, since the ball is symmetric.
pub(super) fn ball_kernel(
    fourier: &mut Fourier,
    voxel_sizes_mm: [f64; 3],
    radius_mm: f64,
) -> Vec<f32> {
    let shape = fourier.shape();
    let mut ball = vec![0.0_f32; fourier.voxel_count()];
    let reach: [isize; 3] = std::array::from_fn(|axis| {
        let voxels = (radius_mm / voxel_sizes_mm[axis]) as isize;
        voxels.min((shape[axis] as isize - 1) / 2)
    });
    let mut count = 0.0;
    for k in -reach[2]..=reach[2] {
        for j in -reach[1]..=reach[1] {
            for i in -reach[0]..=reach[0] {
                let offset = [i, j, k];
                let square: f64 =
                    (0..3).map(|axis| (offset[axis] as f64 * voxel_sizes_mm[axis]).powi(2)).sum();
                if square <= radius_mm * radius_mm {
                    let at: [usize; 3] = std::array::from_fn(|axis| {
                        offset[axis].rem_euclid(shape[axis] as isize) as usize
                    });
                    ball[at[0] + shape[0] * (at[1] + shape[1] * at[2])] = 1.0;
                    count += 1.0;
                }
            }
        }
    }
    let mut spectrum = fourier.spectrum();
    fourier.forward(&ball, &mut spectrum);
    spectrum.iter().map(|value| value.re / count).collect()
}
