//! The field that susceptibility makes.

use deepmir_recon::dipole::DipoleResponse;
use deepmir_recon::fourier::Fourier;
use deepmir_volume::Volume;

/// The field shift in ppm of the main field that the susceptibility `chi_ppm` makes at every voxel
/// (with the Lorentz correction, so it is zero on average inside a sphere). Whatever lies in the
/// volume repeats outside it; leave room around the sources, or see [`super::field`].
///
/// `b0_direction` is a vector along the voxel axes.
pub fn dipole_field(chi_ppm: &Volume<f32>, b0_direction: [f64; 3]) -> Volume<f32> {
    let mut field = chi_ppm.clone();
    let response = DipoleResponse::new(chi_ppm.grid().voxel_sizes_mm(), b0_direction);
    Fourier::new(chi_ppm.shape()).filter_with(field.data_mut(), |k| response.of_voxels(k));
    field
}
