//! Least-squares unwrapping: cheap, smooth, not exact.

use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;

use super::wrapped;
use crate::fourier::{Fourier, multiply};
use crate::padding::Padding;

/// The smooth phase whose differences between neighbours are nearest to the wrapped ones inside the
/// mask (Ghiglia and Romero, "Robust two-dimensional weighted and unweighted phase unwrapping that
/// uses fast transforms and iterative methods", 1994): the discrete Laplacian is inverted by Fourier
/// transforms. Never leaves a jump, but lowers steep fields and differs from the true phase by a
/// smooth field, which background removal takes away. Zero outside the mask.
pub fn unwrap_laplacian(phase: &Volume<f32>, mask: &Mask) -> Volume<f32> {
    let padding = Padding::new(phase.grid(), [1; 3]);
    let padded = padding.pad(phase, 0.0);
    let inside = padding.pad(mask, false);
    let [nx, ny, nz] = padded.shape();
    let strides = [1, nx, nx * ny];
    let (values, inside_data) = (padded.data(), inside.data());
    let mut curvature = vec![0.0_f32; values.len()];
    curvature.par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
        for (place, to) in slice.iter_mut().enumerate() {
            let here = k * nx * ny + place;
            let at = [place % nx, place / nx, k];
            if !inside_data[here] {
                continue;
            }
            for axis in 0..3 {
                let (stride, length) = (strides[axis], [nx, ny, nz][axis]);
                if at[axis] + 1 < length && inside_data[here + stride] {
                    *to += wrapped(values[here + stride] - values[here]);
                }
                if at[axis] > 0 && inside_data[here - stride] {
                    *to -= wrapped(values[here] - values[here - stride]);
                }
            }
        }
    });
    let mut fourier = Fourier::new([nx, ny, nz]);
    let inverse = fourier.kernel(|frequency| {
        let sum: f32 =
            frequency.iter().map(|&f| 2.0 * (std::f32::consts::TAU * f).cos() - 2.0).sum();
        if sum.abs() < 1e-9 { 0.0 } else { 1.0 / sum }
    });
    let mut spectrum = fourier.spectrum();
    fourier.forward(&curvature, &mut spectrum);
    multiply(&mut spectrum, &inverse);
    fourier.inverse(&mut spectrum, &mut curvature);
    let mut unwrapped = padding.crop_data(&curvature);
    unwrapped.data_mut().iter_mut().zip(mask.data()).for_each(|(value, &inside)| {
        if !inside {
            *value = 0.0;
        }
    });
    unwrapped
}
