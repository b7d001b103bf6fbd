//! Where the head lies in the field, and what shape it has.

use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;

use super::class::Code;
use super::config::SpaceConfig;
use super::head::Head;
use super::noise::{Field, between, chance, normal};

/// A drawn place and shape of a head: an affine map and a smooth displacement.
pub(super) struct Pose {
    /// Takes millimetres from the field's middle to those from the brain's middle.
    linear: [[f32; 3]; 3],
    shift: [f32; 3],
    mirrored: bool,
    displacement: [Field; 3],
    displacement_mm: f32,
}

impl Pose {
    /// Draws a pose for a field of `shape` voxels of 1 mm.
    pub(super) fn draw(shape: [usize; 3], config: &SpaceConfig, rng: &mut ChaCha8Rng) -> Self {
        let far = chance(config.far_probability, rng);
        let most = if far { config.far_rotation_deg } else { config.rotation_deg }.to_radians();
        let mut linear = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        for axis in 0..3 {
            linear = times(&rotation(axis, between([-most, most], rng)), &linear);
        }
        let mut shape_change = [[0.0; 3]; 3];
        for (i, row) in shape_change.iter_mut().enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                *value = if i == j {
                    1.0 / between(config.scale, rng)
                } else {
                    between([-config.shear, config.shear], rng) / 2.0
                };
            }
        }
        linear = times(&shape_change, &linear);
        let mirrored = chance(config.mirror_probability, rng);
        if mirrored {
            linear[0] = linear[0].map(|value| -value);
        }
        let shift = [0.0; 3].map(|_: f32| between([-config.shift_mm, config.shift_mm], rng));
        let spacing = between(config.displacement_spacing_mm, rng);
        let displacement = [0; 3].map(|_| Field::draw(shape, spacing, rng));
        let part = normal(rng).abs().min(2.0) / 2.0;
        let [least, most] = config.displacement_mm;
        // A displacement as large as the knots' distance would fold the head.
        let displacement_mm = (least + part * (most - least)).min(0.12 * spacing);
        Self { linear, shift, mirrored, displacement, displacement_mm }
    }

    /// The codes of a head on `shape` voxels of 1 mm.
    pub(super) fn sample(&self, head: &Head, shape: [usize; 3]) -> Vec<u8> {
        let [nx, ny, nz] = shape;
        let middle = shape.map(|length| (length as f32 - 1.0) / 2.0);
        let centre = head.centre();
        let mut codes = vec![Code::AIR.0; nx * ny * nz];
        codes.par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
            let mut scratch = Vec::new();
            let mut moved = [0; 3].map(|_| vec![0.0_f32; nx]);
            for (j, row) in slice.chunks_exact_mut(nx).enumerate() {
                for (field, moved) in self.displacement.iter().zip(&mut moved) {
                    field.row(j, k, &mut scratch, moved);
                }
                let from_middle = [
                    -middle[0] - self.shift[0],
                    j as f32 - middle[1] - self.shift[1],
                    k as f32 - middle[2] - self.shift[2],
                ];
                let start: [f32; 3] = std::array::from_fn(|axis| {
                    let line = &self.linear[axis];
                    centre[axis] + (0..3).map(|from| line[from] * from_middle[from]).sum::<f32>()
                });
                let step = [self.linear[0][0], self.linear[1][0], self.linear[2][0]];
                for (i, code) in row.iter_mut().enumerate() {
                    *code = head.at(std::array::from_fn(|axis| {
                        start[axis] + i as f32 * step[axis] + self.displacement_mm * moved[axis][i]
                    }));
                }
                if self.mirrored {
                    row.iter_mut().for_each(|code| *code = Code(*code).mirrored().0);
                }
            }
        });
        codes
    }
}

fn rotation(axis: usize, angle: f32) -> [[f32; 3]; 3] {
    let (sine, cosine) = angle.sin_cos();
    let (a, b) = ((axis + 1) % 3, (axis + 2) % 3);
    let mut matrix = [[0.0; 3]; 3];
    matrix[axis][axis] = 1.0;
    matrix[a][a] = cosine;
    matrix[a][b] = -sine;
    matrix[b][a] = sine;
    matrix[b][b] = cosine;
    matrix
}

fn times(left: &[[f32; 3]; 3], right: &[[f32; 3]; 3]) -> [[f32; 3]; 3] {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| left[i][k] * right[k][j]).sum()))
}
