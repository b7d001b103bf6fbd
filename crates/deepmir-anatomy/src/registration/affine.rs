//! The affine part of a registration: centres of gravity first, then the images of all parts.

use deepmir_lesion::Side;
use deepmir_volume::Affine;
use nalgebra::{Matrix4, SMatrix, SVector};
use rayon::prelude::*;

use super::image::{Lattice, PartImage};
use super::parts::Parts;
use super::{PART_WEIGHTS, Parcellation};
use crate::template::{Part, centre_mm};

/// Parts whose centres start the alignment; each side counts.
const CENTRED: [Part; 7] = [
    Part::LeftCerebrum,
    Part::RightCerebrum,
    Part::Striatum,
    Part::Pallidum,
    Part::Thalamus,
    Part::Hippocampus,
    Part::Cerebellum,
];

/// Fewer voxels have no centre to trust.
const LEAST_VOXELS: usize = 20;

/// Fewer centres do not tell how a head lies.
const LEAST_CENTRES: usize = 8;

/// Gauss-Newton steps.
const STEPS: usize = 12;

/// Steps go on while each lowers the cost to less than this part.
const STILL_IMPROVING: f64 = 0.995;

/// Points further apart than the lattice's are enough for twelve numbers.
const STRIDE: usize = 2;

/// The affine from a head's millimetres to the template's that brings the centres of its parts
/// closest to the template's; `None` if too many parts are missing.
pub(super) fn from_centres(parcellation: &Parcellation, parts: &Parts) -> Option<Affine> {
    let mut normal = Matrix4::zeros();
    let mut right = SMatrix::<f64, 4, 3>::zeros();
    let mut sides = [0; 2];
    for part in CENTRED {
        for side in [Side::Left, Side::Right] {
            let (count, centre) = parts.centre_mm(part, side, parcellation);
            let (true, Some(target)) = (count >= LEAST_VOXELS, centre_mm(part, side)) else {
                continue;
            };
            sides[side as usize] += 1;
            let here = homogeneous(centre);
            normal += here * here.transpose();
            right += here * SVector::<f64, 3>::from(target).transpose();
        }
    }
    if sides[0] + sides[1] < LEAST_CENTRES || sides.contains(&0) {
        return None;
    }
    let solved = normal.cholesky()?.solve(&right);
    from_coefficients(&solved)
}

fn homogeneous([x, y, z]: [f64; 3]) -> SVector<f64, 4> {
    SVector::from([x, y, z, 1.0])
}

/// An affine from its coefficients, a column for each coordinate; `None` if it mirrors or shrinks a
/// head as no two heads differ.
fn from_coefficients(columns: &SMatrix<f64, 4, 3>) -> Option<Affine> {
    let mut matrix = Matrix4::identity();
    for axis in 0..3 {
        matrix.row_mut(axis).copy_from(&columns.column(axis).transpose());
    }
    let affine = Affine::from_matrix(matrix)?;
    let growth = affine.linear().determinant();
    (0.4..2.5).contains(&growth).then_some(affine)
}

/// Improves an affine until the parts of the head lie on those of the template (least squares,
/// Gauss-Newton). `inside` tells which points of the head's lattice are in the field of view.
pub(super) fn refine(
    start: Affine,
    head: &PartImage,
    inside: &[bool],
    template: &PartImage,
) -> Option<Affine> {
    let lattice = head.lattice;
    let points: Vec<usize> = (0..lattice.len())
        .filter(|&position| inside[position] && is_sampled(&lattice, position))
        .collect();
    // Coordinates about the middle and of the order of one make the equations well posed.
    let middle: [f64; 3] = std::array::from_fn(|axis| {
        lattice.origin_mm[axis] + 0.5 * lattice.spacing_mm * lattice.shape[axis] as f64
    });
    let scaled = |place: [f64; 3]| {
        homogeneous(std::array::from_fn(|axis| (place[axis] - middle[axis]) / SCALE_MM))
    };
    let to_scaled = Affine::from_spacing([1.0 / SCALE_MM; 3], middle.map(|mm| -mm / SCALE_MM));
    let mut columns: SMatrix<f64, 4, 3> =
        start.after(&to_scaled.inverse()).matrix().fixed_rows::<3>(0).transpose();
    let mut best: Option<(f64, SMatrix<f64, 4, 3>)> = None;
    for _ in 0..STEPS {
        let equations = Equations::at(&columns, &points, head, template, scaled);
        let before = best.as_ref().map_or(f64::INFINITY, |(cost, _)| *cost);
        if equations.cost < before {
            best = Some((equations.cost, columns));
        }
        if equations.cost > STILL_IMPROVING * before {
            break;
        }
        let Some(step) = equations.solve() else { break };
        columns += step;
    }
    let (_, columns) = best?;
    let mut rows = Matrix4::identity();
    rows.fixed_rows_mut::<3>(0).copy_from(&columns.transpose());
    let affine = Affine::from_matrix(rows)?.after(&to_scaled);
    let growth = affine.linear().determinant();
    (0.4..2.5).contains(&growth).then_some(affine)
}

const SCALE_MM: f64 = 50.0;

fn is_sampled(lattice: &Lattice, position: usize) -> bool {
    lattice.indices(position).iter().all(|index| index % STRIDE == 0)
}

/// The normal equations of one step.
struct Equations {
    normal: SMatrix<f64, 12, 12>,
    right: SVector<f64, 12>,
    cost: f64,
}

impl Equations {
    fn at(
        columns: &SMatrix<f64, 4, 3>,
        points: &[usize],
        head: &PartImage,
        template: &PartImage,
        scaled: impl Fn([f64; 3]) -> SVector<f64, 4> + Sync,
    ) -> Self {
        // Sums of fixed pieces in a fixed order: the same for any number of threads.
        let pieces: Vec<Self> = points
            .par_chunks(1024)
            .map(|points| {
                let mut sum = Self::zero();
                for &position in points {
                    let here = scaled(head.lattice.place_mm(position));
                    let there = columns.transpose() * here;
                    sum.add(&head.data[position], template, here, [there.x, there.y, there.z]);
                }
                sum
            })
            .collect();
        pieces.into_iter().fold(Self::zero(), |mut sum, piece| {
            sum.normal += piece.normal;
            sum.right += piece.right;
            sum.cost += piece.cost;
            sum
        })
    }

    fn zero() -> Self {
        Self { normal: SMatrix::zeros(), right: SVector::zeros(), cost: 0.0 }
    }

    fn add(
        &mut self,
        head: &[f32; Part::COUNT],
        template: &PartImage,
        here: SVector<f64, 4>,
        there: [f64; 3],
    ) {
        let (value, slopes) = template.value_and_slopes(there);
        let (mut squares, mut pull) = (SMatrix::<f64, 3, 3>::zeros(), SVector::<f64, 3>::zeros());
        for part in 0..Part::COUNT {
            let weight = f64::from(PART_WEIGHTS[part]);
            let apart = f64::from(head[part] - value[part]);
            let slope: SVector<f64, 3> = SVector::from_fn(|axis, _| {
                f64::from(slopes[axis][part]) / template.lattice.spacing_mm
            });
            self.cost += weight * apart * apart;
            squares += slope * slope.transpose() * weight;
            pull += slope * (weight * apart);
        }
        let outer = here * here.transpose();
        for one in 0..3 {
            for other in 0..3 {
                let mut block = self.normal.fixed_view_mut::<4, 4>(4 * one, 4 * other);
                block += outer * squares[(one, other)];
            }
            let mut block = self.right.fixed_rows_mut::<4>(4 * one);
            block += here * pull[one];
        }
    }

    /// The step; `None` if the images do not determine it.
    fn solve(mut self) -> Option<SMatrix<f64, 4, 3>> {
        for index in 0..12 {
            self.normal[(index, index)] *= 1.001;
        }
        let step = self.normal.cholesky()?.solve(&self.right);
        Some(SMatrix::from_column_slice(step.as_slice()))
    }
}
