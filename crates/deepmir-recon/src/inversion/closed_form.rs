//! Inversions in one step.

use deepmir_volume::{Grid, Volume};

use super::InversionInput;
use crate::dipole::dipole_kernel;
use crate::fourier::Fourier;
use crate::padding::{Padding, voxels_in};

/// Room around the image, so that fields do not come back in on the other side, millimetres.
pub(super) const MARGIN_MM: f64 = 10.0;

pub(super) fn thresholded(input: &InversionInput, threshold: f32) -> Volume<f32> {
    filtered(input, |fourier, grid| {
        let mut kernel = dipole_kernel(fourier, grid.voxel_sizes_mm(), input.b0_direction);
        let (mut passed, mut count) = (0.0_f64, 0_usize);
        for value in &mut kernel {
            let dipole = *value;
            *value =
                if dipole.abs() > threshold { 1.0 / dipole } else { dipole.signum() / threshold };
            passed += f64::from(dipole * *value);
            count += 1;
        }
        // What the small values lose of every point is given back.
        let scale = (count as f64 / passed.max(1.0)) as f32;
        kernel.iter_mut().for_each(|value| *value *= scale);
        kernel
    })
}

pub(super) fn smallest_gradients(input: &InversionInput, regularisation: f32) -> Volume<f32> {
    filtered(input, |fourier, grid| {
        let sizes = grid.voxel_sizes_mm();
        let mut kernel = dipole_kernel(fourier, sizes, input.b0_direction);
        let gradients = squared_gradient_kernel(fourier, sizes);
        for (value, &gradient) in kernel.iter_mut().zip(&gradients) {
            let denominator = *value * *value + regularisation * gradient;
            *value = if denominator > 0.0 { *value / denominator } else { 0.0 };
        }
        kernel
    })
}

/// The squared size of the gradient (forward differences over mm) of every frequency.
pub(super) fn squared_gradient_kernel(fourier: &Fourier, voxel_sizes_mm: [f64; 3]) -> Vec<f32> {
    let sizes = voxel_sizes_mm.map(|size| size as f32);
    fourier.kernel(|frequency| {
        (0..3)
            .map(|axis| {
                let half = (std::f32::consts::PI * frequency[axis]).sin() / sizes[axis];
                4.0 * half * half
            })
            .sum()
    })
}

fn filtered(
    input: &InversionInput,
    kernel: impl FnOnce(&Fourier, &Grid) -> Vec<f32>,
) -> Volume<f32> {
    let grid = input.local_field_ppm.grid();
    let padding = Padding::new(grid, voxels_in(grid, MARGIN_MM));
    let mut fourier = Fourier::new(padding.grid().shape());
    let kernel = kernel(&fourier, padding.grid());
    let mut chi = padding.pad(input.local_field_ppm, 0.0).into_data();
    fourier.filter(&mut chi, &kernel);
    padding.crop_data(&chi)
}
