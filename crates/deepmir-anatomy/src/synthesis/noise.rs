//! Fast random numbers for voxels, and smooth random fields.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A stream of random numbers addressed by a seed and an index, so that every slice has its own. SplitMix64
/// (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(super) struct Stream(u64);

impl Stream {
    pub(super) fn new(seed: u64, index: usize) -> Self {
        let mut mixer = Self(seed ^ (index as u64 + 1).wrapping_mul(0xD1B5_4A32_D192_ED03));
        Self(mixer.next())
    }

    #[inline]
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// Nearly normal: the sum of four uniform numbers of 16 bits, of mean 0 and variance 1.
    #[inline]
    pub(super) fn normal(&mut self) -> f32 {
        let bits = self.next();
        let pairs = (bits & 0x0000_FFFF_0000_FFFF) + (bits >> 16 & 0x0000_FFFF_0000_FFFF);
        let sum = (pairs & 0xFFFF_FFFF) + (pairs >> 32);
        (sum as i32 - 131_070) as f32 * (1.732_050_8 / 65_536.0)
    }
}

/// A number between the two of a range.
pub(super) fn between(range: [f32; 2], rng: &mut ChaCha8Rng) -> f32 {
    range[0] + (range[1] - range[0]) * rng.random::<f32>()
}

/// True with a probability.
pub(super) fn chance(probability: f32, rng: &mut ChaCha8Rng) -> bool {
    rng.random::<f32>() < probability
}

/// A normal number of mean 0 and variance 1.
pub(super) fn normal(rng: &mut ChaCha8Rng) -> f32 {
    StandardNormal.sample(rng)
}

/// A smooth random field: a cubic B-spline with independent normal coefficients, of mean 0 and about variance 1.
#[derive(Clone, Debug)]
pub(super) struct Field {
    knots: [usize; 3],
    per_voxel: f32,
    coefficients: Vec<f32>,
}

impl Field {
    /// Voxels between the places where a row is computed; straight lines between them.
    const STRIDE: usize = 4;

    /// Draws a field over `shape` voxels with knots every `spacing` voxels.
    pub(super) fn draw(shape: [usize; 3], spacing: f32, rng: &mut ChaCha8Rng) -> Self {
        /// The mean over places of the sum of the squares of the B-spline's weights, to the power 3/2, is about 1/3.
        const TO_UNIT_VARIANCE: f32 = 3.0;
        let knots = shape.map(|length| ((length + Self::STRIDE) as f32 / spacing) as usize + 5);
        let count = knots.iter().product();
        let coefficients = (0..count).map(|_| TO_UNIT_VARIANCE * normal(rng)).collect();
        Self { knots, per_voxel: 1.0 / spacing, coefficients }
    }

    /// The field along the row `[.., y, z]`; `scratch` is any buffer.
    pub(super) fn row(&self, y: usize, z: usize, scratch: &mut Vec<f32>, row: &mut [f32]) {
        let [kx, ky, _] = self.knots;
        let (y0, wy) = self.weights(y);
        let (z0, wz) = self.weights(z);
        scratch.clear();
        scratch.resize(kx, 0.0);
        for (c, weight_z) in wz.into_iter().enumerate() {
            for (b, weight_y) in wy.into_iter().enumerate() {
                let start = kx * (y0 + b + ky * (z0 + c));
                let weight = weight_y * weight_z;
                let line = &self.coefficients[start..start + kx];
                scratch.iter_mut().zip(line).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        let at = |x: usize| {
            let (x0, wx) = self.weights(x);
            (0..4).map(|a| wx[a] * scratch[x0 + a]).sum::<f32>()
        };
        let mut start = at(0);
        for (block, values) in row.chunks_mut(Self::STRIDE).enumerate() {
            let end = at((block + 1) * Self::STRIDE);
            let step = (end - start) / Self::STRIDE as f32;
            for (n, value) in values.iter_mut().enumerate() {
                *value = start + n as f32 * step;
            }
            start = end;
        }
    }

    #[inline]
    fn weights(&self, voxel: usize) -> (usize, [f32; 4]) {
        let place = voxel as f32 * self.per_voxel;
        let first = place as usize;
        let t = place - first as f32;
        let s = 1.0 - t;
        let weights = [
            s * s * s / 6.0,
            (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0,
            (3.0 * s * s * s - 6.0 * s * s + 4.0) / 6.0,
            t * t * t / 6.0,
        ];
        (first, weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn moments(values: &[f32]) -> (f32, f32) {
        let count = values.len() as f32;
        let mean = values.iter().sum::<f32>() / count;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count)
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut stream = Stream::new(5, 3);
        let values: Vec<f32> = (0..200_000).map(|_| stream.normal()).collect();
        let (mean, variance) = moments(&values);
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn fields_are_smooth_and_of_unit_variance() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let field = Field::draw([160; 3], 10.0, &mut rng);
        let (mut scratch, mut row) = (Vec::new(), vec![0.0; 160]);
        let mut all = Vec::new();
        for y in (0..160).step_by(5) {
            for z in (0..160).step_by(5) {
                field.row(y, z, &mut scratch, &mut row);
                assert!(row.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.6));
                all.extend_from_slice(&row);
            }
        }
        let (mean, variance) = moments(&all);
        assert!(mean.abs() < 0.15 && (0.7..1.3).contains(&variance), "{mean} {variance}");
    }
}
