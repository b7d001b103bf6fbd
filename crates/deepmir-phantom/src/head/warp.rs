//! From a person's head to the label map it is made of: size, mirror, elastic displacement.

use deepmir_volume::Affine;
use nalgebra::Matrix4;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::config::PersonConfig;
use crate::noise::Noise;

/// Takes places in the head to places in the label map, both in millimetres.
#[derive(Clone, Debug)]
pub(crate) struct Warp {
    /// Size and mirror.
    affine: Affine,
    /// One noise field an axis.
    elastic: Vec<Noise>,
    amplitude_mm: f64,
}

impl Warp {
    /// Draws a warp about `centre_mm` of the label map, which becomes the head's origin.
    pub(crate) fn draw(
        person: &PersonConfig,
        centre_mm: [f64; 3],
        generator: &mut ChaCha8Rng,
    ) -> Self {
        let mirrored = generator.random::<f64>() < person.mirror_probability;
        let mut matrix = Matrix4::identity();
        for axis in 0..3 {
            let normal: f64 = StandardNormal.sample(generator);
            let size = 1.0 + person.size_spread * normal.clamp(-2.5, 2.5);
            matrix[(axis, axis)] = if axis == 0 && mirrored { -1.0 / size } else { 1.0 / size };
            matrix[(axis, 3)] = centre_mm[axis];
        }
        // Sizes are positive, so the matrix has an inverse.
        let affine = Affine::from_matrix(matrix)
            .unwrap_or_else(|| Affine::from_spacing([1.0; 3], centre_mm));
        let elastic = (0..3).map(|_| Noise::smooth(26.0, 32, 12.0, generator)).collect();
        Self { affine, elastic, amplitude_mm: person.elastic_mm / 3.0_f64.sqrt() }
    }

    /// The place in the label map.
    pub(crate) fn apply(&self, head_mm: [f64; 3]) -> [f64; 3] {
        let place = self.affine.apply(head_mm);
        if self.amplitude_mm == 0.0 {
            return place;
        }
        std::array::from_fn(|axis| {
            place[axis] + self.amplitude_mm * self.elastic[axis].value(head_mm)
        })
    }
}
