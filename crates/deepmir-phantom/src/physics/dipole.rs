//! The field that susceptibility makes.

use deepmir_volume::Volume;

use super::fft::{SpectrumFilter, good_size};

/// The unit dipole's response to a spatial frequency: 1/3 − (k·b)²/|k|², and 0 at k = 0, where the
/// limit depends on the direction (a mean field is the scanner's to remove).
///
/// Marques and Bowtell, Concepts in Magnetic Resonance B 25:65 (2005); Salomir et al. (2003).
#[derive(Clone, Copy, Debug)]
pub struct DipoleResponse {
    spacing_mm: [f32; 3],
    b0_direction: [f32; 3],
}

impl DipoleResponse {
    /// For voxels of `spacing_mm` and the main field along the vector `b0_direction`, both along
    /// the voxel axes.
    pub fn new(spacing_mm: [f64; 3], b0_direction: [f64; 3]) -> Self {
        let length = b0_direction.iter().map(|part| part * part).sum::<f64>().sqrt();
        Self {
            spacing_mm: spacing_mm.map(|size| size as f32),
            b0_direction: b0_direction.map(|part| (part / length) as f32),
        }
    }

    /// The response at a frequency in cycles a voxel, of points in space. The highest frequency of
    /// an even axis stands for itself and its negative: it gets the mean of both.
    pub fn of_points(&self, frequency: [f32; 3]) -> f32 {
        let value = self.value(frequency);
        if frequency.iter().all(|part| part.abs() != 0.5) {
            return value;
        }
        let flipped = frequency.map(|part| if part.abs() == 0.5 { -part } else { part });
        0.5 * (value + self.value(flipped))
    }

    /// The response of voxels, which are boxes: frequencies above the grid's highest fold back, on
    /// each axis the nearest one with the weight that a box gives it (sinc², the two weights adding
    /// up to one). Without it an oblique field direction makes the response jump at the highest
    /// frequencies, and the field rings along the axes: 2.6 % instead of 0.3 % of a ball's field,
    /// two voxels from its edge.
    #[inline]
    pub fn of_voxels(&self, frequency: [f32; 3]) -> f32 {
        let folded = frequency.map(|part| if part >= 0.0 { part - 1.0 } else { part + 1.0 });
        // sin² is the same for both, so the weights are those of 1/f².
        let weights: [f32; 3] = std::array::from_fn(|axis| {
            let (near, far) = (frequency[axis].powi(2), folded[axis].powi(2));
            near / (near + far)
        });
        let mut sum = 0.0;
        for corner in 0..8_usize {
            let mut weight = 1.0;
            let mut at = frequency;
            for axis in 0..3 {
                if corner >> axis & 1 == 1 {
                    weight *= weights[axis];
                    at[axis] = folded[axis];
                } else {
                    weight *= 1.0 - weights[axis];
                }
            }
            if weight > 1e-4 {
                sum += weight * self.value(at);
            }
        }
        sum
    }

    #[inline]
    fn value(&self, frequency: [f32; 3]) -> f32 {
        let [x, y, z] = std::array::from_fn(|axis| frequency[axis] / self.spacing_mm[axis]);
        let [bx, by, bz] = self.b0_direction;
        let square = x * x + y * y + z * z;
        if square == 0.0 {
            return 0.0;
        }
        let along = x * bx + y * by + z * bz;
        1.0 / 3.0 - along * along / square
    }
}

/// The field shift in ppm of the main field that the susceptibility `chi_ppm` makes at every voxel
/// (with the Lorentz correction, so it is zero on average inside a sphere). Whatever lies in the
/// volume repeats outside it; leave room around the sources, or see [`super::field`].
///
/// `b0_direction` is a vector along the voxel axes.
pub fn dipole_field(chi_ppm: &Volume<f32>, b0_direction: [f64; 3]) -> Volume<f32> {
    let mut field = chi_ppm.clone();
    let response = DipoleResponse::new(chi_ppm.grid().voxel_sizes_mm(), b0_direction);
    SpectrumFilter::new(chi_ppm.shape()).apply(field.data_mut(), |k| response.of_voxels(k));
    field
}

/// The shape, at least `factor` times as large along each axis, that is good to transform.
pub fn padded_shape(shape: [usize; 3], factor: f64) -> [usize; 3] {
    shape.map(|length| good_size((length as f64 * factor).ceil() as usize))
}
