//! Where the template's places are in a head.

use deepmir_volume::{Affine, Volume};
use nalgebra::{DMatrix, Matrix4};

use crate::structure::Structure;

/// A structure and the centroid of its right half in MNI millimetres (x is 0 for those of the
/// middle, whose two halves are taken together).
const LANDMARKS: [(Structure, [f64; 3]); 13] = [
    (Structure::Thalamus, [11.5, -19.5, 7.0]),
    (Structure::Caudate, [14.5, 6.0, 10.0]),
    (Structure::Putamen, [26.0, 1.5, 0.0]),
    (Structure::OuterPallidum, [19.5, -4.5, -1.0]),
    (Structure::Hippocampus, [26.5, -22.5, -14.0]),
    (Structure::Amygdala, [23.0, -4.0, -19.5]),
    (Structure::VentralDiencephalon, [10.0, -14.0, -9.0]),
    (Structure::Accumbens, [9.5, 12.0, -7.0]),
    (Structure::CerebellarCortex, [26.0, -62.0, -36.0]),
    (Structure::WhiteMatter, [27.0, -19.0, 17.0]),
    (Structure::Cortex, [35.0, -20.0, 15.0]),
    (Structure::Brainstem, [0.0, -30.0, -33.0]),
    (Structure::FourthVentricle, [0.0, -45.0, -34.0]),
];

/// Pairs of places: in the head and in the template.
#[derive(Clone, Debug)]
pub(crate) struct Landmarks(Vec<([f64; 3], [f64; 3])>);

impl Landmarks {
    /// Finds the landmarks of a label map in RAS orientation.
    pub(crate) fn find(labels: &Volume<Structure>) -> Self {
        let sides = Centroids::of(labels);
        let mut pairs = Vec::new();
        for (structure, template) in LANDMARKS {
            let of = |side: usize| {
                let mut mean = sides.means[side][structure as usize];
                if structure == Structure::OuterPallidum {
                    mean.join(sides.means[side][Structure::InnerPallidum as usize]);
                }
                mean
            };
            let (left, right) = (of(0), of(1));
            if template[0] == 0.0 {
                let mut both = left;
                both.join(right);
                pairs.extend(both.mean().map(|place| (place, template)));
            } else {
                let mirrored = [-template[0], template[1], template[2]];
                pairs.extend(right.mean().map(|place| (place, template)));
                pairs.extend(left.mean().map(|place| (place, mirrored)));
            }
        }
        Self(pairs)
    }

    /// The affine map from the head's to the template's millimetres that fits best (least
    /// squares), landmarks within about `reach_mm` of the template place `near` counting most.
    pub(crate) fn to_template(&self, near: [f64; 3], reach_mm: f64) -> Affine {
        let count = self.0.len();
        let mut places = DMatrix::<f64>::zeros(count + 4, 4);
        let mut templates = DMatrix::<f64>::zeros(count + 4, 3);
        for (row, (place, template)) in self.0.iter().enumerate() {
            let square: f64 = (0..3).map(|axis| (template[axis] - near[axis]).powi(2)).sum();
            let weight = (-0.25 * square / reach_mm.powi(2)).exp().max(0.03);
            for axis in 0..3 {
                places[(row, axis)] = weight * place[axis];
                templates[(row, axis)] = weight * template[axis];
            }
            places[(row, 3)] = weight;
        }
        // A weak pull towards the usual size keeps few or flat landmarks from shearing the head.
        for axis in 0..3 {
            places[(count + axis, axis)] = 8.0;
            templates[(count + axis, axis)] = 8.0 / crate::builtin::TEMPLATE_SCALE;
        }
        let solution = places.svd(true, true).solve(&templates, 1e-9).unwrap_or_else(|_| {
            DMatrix::from_fn(4, 3, |row, column| f64::from(u8::from(row == column)))
        });
        let matrix = Matrix4::from_fn(|row, column| match row {
            3 => f64::from(u8::from(column == 3)),
            _ => solution[(column, row)],
        });
        Affine::from_matrix(matrix).unwrap_or_else(|| Affine::from_spacing([1.0; 3], [0.0; 3]))
    }
}

/// A running mean of places.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: [f64; 3],
    count: f64,
}

impl Mean {
    fn add(&mut self, place: [f64; 3]) {
        (0..3).for_each(|axis| self.sum[axis] += place[axis]);
        self.count += 1.0;
    }

    fn join(&mut self, other: Self) {
        (0..3).for_each(|axis| self.sum[axis] += other.sum[axis]);
        self.count += other.count;
    }

    fn mean(&self) -> Option<[f64; 3]> {
        (self.count > 0.0).then(|| self.sum.map(|sum| sum / self.count))
    }
}

/// Mean places of every structure left and right of the brain's middle.
struct Centroids {
    means: [[Mean; Structure::COUNT]; 2],
}

impl Centroids {
    /// Of every other voxel along the first axis.
    fn of(labels: &Volume<Structure>) -> Self {
        let [nx, ny, nz] = labels.shape();
        let each = |visit: &mut dyn FnMut(Structure, [f64; 3])| {
            for k in 0..nz {
                for j in 0..ny {
                    let row = &labels.data()[labels.grid().index([0, j, k])..][..nx];
                    for (i, &structure) in row.iter().enumerate().step_by(2) {
                        if structure.is_parenchyma() || structure == Structure::FourthVentricle {
                            visit(structure, labels.grid().position_mm([i, j, k]));
                        }
                    }
                }
            }
        };
        let mut all = Mean::default();
        each(&mut |_, place| all.add(place));
        let middle_mm = all.mean().map_or(0.0, |mean| mean[0]);
        let mut means = [[Mean::default(); Structure::COUNT]; 2];
        each(&mut |structure, place| {
            means[usize::from(place[0] > middle_mm)][structure as usize].add(place);
        });
        Self { means }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_affine_between_landmarks_is_found() {
        let truth = |[x, y, z]: [f64; 3]| [1.1 * x + 2.0, 1.05 * y - 0.1 * z, z + 0.1 * y - 7.0];
        let heads = [
            [10.0, 0.0, 3.0],
            [-10.0, 1.0, 4.0],
            [0.0, 30.0, 0.0],
            [2.0, -40.0, 5.0],
            [0.0, 3.0, 33.0],
            [20.0, -9.0, -30.0],
        ];
        let pairs = heads.map(|place| (place, truth(place))).to_vec();
        let map = Landmarks(pairs).to_template([0.0; 3], 1e6);
        for place in heads {
            for (got, want) in map.apply(place).iter().zip(truth(place)) {
                assert!((got - want).abs() < 0.3, "{got} {want}");
            }
        }
    }
}
