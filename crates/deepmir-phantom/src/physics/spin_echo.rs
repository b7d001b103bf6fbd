//! The T2-weighted spin-echo signal.

use deepmir_recon::fourier::Complex32;
use deepmir_volume::{Affine, Grid, Interpolation, Volume, resample_moved};

use super::kspace::KSpaceCrop;

/// Spin-echo signal relative to full magnetisation: (1−exp(−TR/T1))·exp(−TE·R2).
pub fn spin_echo(repetition_time_s: f64, echo_time_s: f64, t1_s: f64, r2_hz: f64) -> f64 {
    (1.0 - (-repetition_time_s / t1_s).exp()) * (-echo_time_s * r2_hz).exp()
}

/// The image on `grid` of a finely drawn object, which is first sampled on `fine`, a fine grid over
/// the same field of view; `movement` takes millimetres of the image to millimetres of the object.
pub fn image(object: &Volume<f32>, fine: &Grid, grid: &Grid, movement: &Affine) -> Vec<Complex32> {
    let moved = resample_moved(object, fine, movement, Interpolation::Linear, 0.0);
    let crop = KSpaceCrop::new(fine.shape(), grid.shape());
    let mut images = crop.reduce(1, |k, slices| {
        for (to, &from) in slices[0].iter_mut().zip(moved.slice(k)) {
            *to = Complex32::new(from, 0.0);
        }
    });
    images.swap_remove(0)
}
