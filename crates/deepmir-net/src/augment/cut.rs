//! Geometric augmentation, applied while a patch is cut.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::AugmentConfig;
use super::random::{factor, symmetric};

/// Where a patch is cut: an affine map from patch pixels to slice pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// The slice's pixel at the patch's centre.
    pub centre: [f64; 2],
    /// Rows of the 2×2 matrix from patch offsets to slice offsets.
    pub matrix: [[f64; 2]; 2],
    /// Whether the order of slices is reversed.
    pub flip_slices: bool,
}

impl Cut {
    /// Neither rotated nor scaled.
    pub fn plain(centre: [f64; 2]) -> Self {
        Self { centre, matrix: [[1.0, 0.0], [0.0, 1.0]], flip_slices: false }
    }

    /// Rotated, scaled and mirrored at random.
    pub fn random(centre: [f64; 2], config: &AugmentConfig, generator: &mut ChaCha8Rng) -> Self {
        let angle = symmetric(config.rotation_degrees, generator).to_radians();
        let scale = factor(config.scale, generator);
        let mut sign = |on: bool| if on && generator.random_bool(0.5) { -1.0 } else { 1.0 };
        let (across, along) = (sign(config.flip_left_right), sign(config.flip_front_back));
        let flip_slices = sign(config.flip_bottom_top) < 0.0;
        let (sin, cos) = angle.sin_cos();
        Self {
            centre,
            matrix: [
                [cos * scale * across, -sin * scale * along],
                [sin * scale * across, cos * scale * along],
            ],
            flip_slices,
        }
    }

    /// The slice position of patch pixel `(u, v)` of a patch of `size`.
    pub fn source(&self, u: usize, v: usize, size: [usize; 2]) -> [f64; 2] {
        let du = u as f64 - (size[0] as f64 - 1.0) / 2.0;
        let dv = v as f64 - (size[1] as f64 - 1.0) / 2.0;
        [
            self.centre[0] + self.matrix[0][0] * du + self.matrix[0][1] * dv,
            self.centre[1] + self.matrix[1][0] * du + self.matrix[1][1] * dv,
        ]
    }

    /// Where the centre must lie so that slice pixel `there` falls on patch pixel `(u, v)`.
    pub fn centred_so_that(mut self, there: [f64; 2], u: f64, v: f64, size: [usize; 2]) -> Self {
        let du = u - (size[0] as f64 - 1.0) / 2.0;
        let dv = v - (size[1] as f64 - 1.0) / 2.0;
        self.centre = [
            there[0] - self.matrix[0][0] * du - self.matrix[0][1] * dv,
            there[1] - self.matrix[1][0] * du - self.matrix[1][1] * dv,
        ];
        self
    }

    /// The same cut, shifted by some slice pixels.
    pub fn moved(mut self, by: [f64; 2]) -> Self {
        self.centre = [self.centre[0] + by[0], self.centre[1] + by[1]];
        self
    }
}
