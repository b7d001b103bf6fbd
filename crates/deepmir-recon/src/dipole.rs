//! The field of a magnetic point dipole.

use crate::fourier::{Complex32, Fourier, multiply};

/// The dipole kernel 1/3 − (k·b)²/|k|² in a spectrum's layout, zero at k = 0 (Salomir et al. 2003;
/// Marques and Bowtell 2005): the field in ppm along the main field (unit vector `b0_direction`
/// along the voxel axes) is the susceptibility's spectrum times this.
pub fn dipole_kernel(
    fourier: &Fourier,
    voxel_sizes_mm: [f64; 3],
    b0_direction: [f64; 3],
) -> Vec<f32> {
    let sizes = voxel_sizes_mm.map(|size| size as f32);
    let b = b0_direction.map(|along| along as f32);
    fourier.kernel(|frequency| {
        let k: [f32; 3] = std::array::from_fn(|axis| frequency[axis] / sizes[axis]);
        let square: f32 = k.iter().map(|k| k * k).sum();
        if square == 0.0 {
            return 0.0;
        }
        let along: f32 = k.iter().zip(&b).map(|(k, b)| k * b).sum();
        1.0 / 3.0 - along * along / square
    })
}

/// The field that a susceptibility (x fastest, on the transforms' grid) makes, both in ppm. The
/// image repeats past its edges: leave room around what is magnetic.
pub fn field_of(fourier: &mut Fourier, kernel: &[f32], chi_ppm: &[f32], field_ppm: &mut [f32]) {
    let mut spectrum: Vec<Complex32> = fourier.spectrum();
    fourier.forward(chi_ppm, &mut spectrum);
    multiply(&mut spectrum, kernel);
    fourier.inverse(&mut spectrum, field_ppm);
}
