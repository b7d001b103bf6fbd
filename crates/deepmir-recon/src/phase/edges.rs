//! How far neighbouring voxels can be trusted to differ by less than half a turn.

use std::f32::consts::PI;

use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;

use super::wrapped;
use crate::scan::Echo;

/// For every voxel, the weights of its edges to the next voxel along x, y and z: 255 for the most
/// trusted, 0 for none (at the image's edge).
///
/// As in ROMEO (Dymerska et al., "Phase unwrapping with a rapid opensource minimum spanning tree
/// algorithm", 2021), a weight is the product of three coherences: of the phase in space, of its
/// growth over two echoes, and of the magnitude.
pub struct EdgeWeights {
    weights: Vec<[u8; 3]>,
    shape: [usize; 3],
}

/// What one edge looks at.
struct Pair<'a> {
    phase: &'a [f32],
    /// Another echo's phase and the ratio of the first echo's time to the other's.
    other: Option<(&'a [f32], f32)>,
    magnitude: &'a [f32],
}

impl EdgeWeights {
    /// Of one wrapped phase and a magnitude; of `other` (a second echo's phase, and the first
    /// echo's time over the second's) too if given.
    pub fn new(
        phase: &Volume<f32>,
        other: Option<(&Volume<f32>, f32)>,
        magnitude: &Volume<f32>,
    ) -> Self {
        let shape = phase.shape();
        let [nx, ny, nz] = shape;
        let strides = [1, nx, nx * ny];
        let pair = Pair {
            phase: phase.data(),
            other: other.map(|(volume, ratio)| (volume.data(), ratio)),
            magnitude: magnitude.data(),
        };
        let mut weights = vec![[0; 3]; phase.data().len()];
        weights.par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
            for (place, weights) in slice.iter_mut().enumerate() {
                let (i, j) = (place % nx, place / nx);
                let here = k * nx * ny + place;
                for (axis, inside) in [i + 1 < nx, j + 1 < ny, k + 1 < nz].into_iter().enumerate() {
                    if inside {
                        let weight = pair.weight(here, here + strides[axis]);
                        weights[axis] = 1 + (254.0 * weight) as u8;
                    }
                }
            }
        });
        Self { weights, shape }
    }

    /// Of the first echo of several, together with the second.
    pub fn of_echoes(echoes: &[Echo]) -> Self {
        let first = &echoes[0];
        let other = echoes
            .get(1)
            .map(|echo| (&echo.phase_rad, (first.echo_time_s / echo.echo_time_s) as f32));
        Self::new(&first.phase_rad, other, &first.magnitude)
    }

    /// The weights of the edges from a voxel to the next ones along x, y and z.
    pub fn of(&self, voxel: usize) -> [u8; 3] {
        self.weights[voxel]
    }

    /// Voxels along each axis.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The mean weight (0 to 255) of the edges of a voxel.
    pub(super) fn mean(&self, voxel: usize) -> f32 {
        let [nx, ny, nz] = self.shape;
        let (i, j, k) = (voxel % nx, voxel / nx % ny, voxel / (nx * ny));
        let (mut sum, mut count) = (0.0, 0.0);
        let places = [(i, nx, 1), (j, ny, nx), (k, nz, nx * ny)];
        for (axis, (at, length, stride)) in places.into_iter().enumerate() {
            if at > 0 {
                sum += f32::from(self.weights[voxel - stride][axis]);
                count += 1.0;
            }
            if at + 1 < length {
                sum += f32::from(self.weights[voxel][axis]);
                count += 1.0;
            }
        }
        if count > 0.0 { sum / count } else { 0.0 }
    }
}

impl Pair<'_> {
    fn weight(&self, a: usize, b: usize) -> f32 {
        let difference = wrapped(self.phase[b] - self.phase[a]);
        let in_space = 1.0 - difference.abs() / PI;
        let over_time = match self.other {
            Some((other, ratio)) => {
                let expected = wrapped(other[b] - other[a]) * ratio;
                (1.0 - (difference - expected).abs()).max(0.0)
            }
            None => 1.0,
        };
        let (low, high) =
            (self.magnitude[a].min(self.magnitude[b]), self.magnitude[a].max(self.magnitude[b]));
        let of_magnitude = if high > 0.0 { (low / high).powi(2) } else { 0.0 };
        in_space * over_time * of_magnitude
    }
}

/// The phase quality of every voxel, 0 to 1: the mean of its edges' weights. High in tissue, low in
/// air, bone and where the field is too steep for the voxels.
pub fn phase_quality(echoes: &[Echo]) -> Volume<f32> {
    let edges = EdgeWeights::of_echoes(echoes);
    let mut quality = Volume::filled(*echoes[0].magnitude.grid(), 0.0_f32);
    quality.data_mut().par_iter_mut().enumerate().for_each(|(voxel, value)| {
        *value = edges.mean(voxel) / 255.0;
    });
    quality
}

/// Positions of the true voxels.
pub(super) fn positions(mask: &Mask) -> Vec<u32> {
    mask.data().iter().zip(0..).filter(|(inside, _)| **inside).map(|(_, place)| place).collect()
}
