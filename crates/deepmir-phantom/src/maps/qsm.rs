//! Quantitative susceptibility maps.

use deepmir_volume::{BoundingBox, Grid, Mask, Volume, VolumeError, statistics};

use crate::physics::dipole::DipoleResponse;
use crate::physics::fft::{SpectrumFilter, good_size};

/// Weight of the gradient's square against the field's misfit, in mm².
const SMOOTHNESS_MM2: f32 = 2.5e-3;

/// Susceptibility in ppm, relative to the median of the mask and zero outside it, that fits a local
/// field in ppm best while its gradient stays small, in closed form: D·f̂ / (D² + λ·|2πk|²)
/// (Bilgic et al., Journal of Magnetic Resonance Imaging 40:181, 2014, without its weights).
///
/// # Errors
/// If the padded volume does not fit in memory.
pub fn invert(
    local_field_ppm: &Volume<f32>,
    mask: &Mask,
    b0_direction: [f64; 3],
) -> Result<Volume<f32>, VolumeError> {
    let mut masked = local_field_ppm.clone();
    masked.data_mut().iter_mut().zip(mask.data()).for_each(|(value, &inside)| {
        if !inside {
            *value = 0.0;
        }
    });
    let (mut padded, place) = padded(&masked)?;
    let sizes = padded.grid().voxel_sizes_mm();
    let response = DipoleResponse::new(sizes, b0_direction);
    SpectrumFilter::new(padded.shape()).apply(padded.data_mut(), |frequency| {
        let dipole = response.of_voxels(frequency);
        let wave: f32 = (0..3)
            .map(|axis| (std::f32::consts::TAU * frequency[axis] / sizes[axis] as f32).powi(2))
            .sum();
        if wave == 0.0 { 0.0 } else { dipole / (dipole * dipole + SMOOTHNESS_MM2 * wave) }
    });
    let mut chi = padded.crop(&place).with_grid(*local_field_ppm.grid())?;
    let mut inside: Vec<f32> = chi
        .data()
        .iter()
        .zip(mask.data())
        .filter_map(|(&value, &inside)| inside.then_some(value))
        .collect();
    let median = statistics::median(&mut inside).unwrap_or(0.0);
    chi.data_mut().iter_mut().zip(mask.data()).for_each(|(value, &inside)| {
        *value = if inside { *value - median } else { 0.0 };
    });
    Ok(chi)
}

/// The volume amid zeros, a quarter wider at least, and its place there.
pub(crate) fn padded(volume: &Volume<f32>) -> Result<(Volume<f32>, BoundingBox), VolumeError> {
    let shape = volume.shape().map(|length| good_size(length + (length / 4).max(16)));
    let start: [usize; 3] = std::array::from_fn(|axis| (shape[axis] - volume.shape()[axis]) / 2);
    let end = std::array::from_fn(|axis| start[axis] + volume.shape()[axis]);
    let affine = volume.grid().affine().shifted(start.map(|index| -(index as f64)));
    let mut padded = Volume::filled(Grid::new(shape, affine)?, 0.0_f32);
    let place = BoundingBox::new(start, end).ok_or(VolumeError::Shape { shape })?;
    padded.paste(volume, &place);
    Ok((padded, place))
}
