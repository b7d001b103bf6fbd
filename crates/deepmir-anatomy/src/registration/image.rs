//! Images of all parts at once, on lattices along the axes of millimetres.

use deepmir_volume::{Affine, Grid, Interpolation, Volume, resample_moved};
use rayon::prelude::*;

use crate::template::Part;

/// How much of a voxel each part fills.
pub(super) type Occupancies = [f32; Part::COUNT];

/// Occupancies on a [`Lattice`], the first axis running fastest.
pub(super) struct PartImage {
    pub(super) lattice: Lattice,
    pub(super) data: Vec<Occupancies>,
}

/// A regular lattice along the axes of millimetres, with cubic cells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lattice {
    pub(super) shape: [usize; 3],
    pub(super) origin_mm: [f64; 3],
    pub(super) spacing_mm: f64,
}

impl Lattice {
    /// Number of points.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Steps in the data to the next point along each axis.
    pub(super) fn strides(&self) -> [usize; 3] {
        [1, self.shape[0], self.shape[0] * self.shape[1]]
    }

    /// The indices of a position in the data.
    pub(super) fn indices(&self, position: usize) -> [usize; 3] {
        let [nx, ny, _] = self.shape;
        [position % nx, position / nx % ny, position / (nx * ny)]
    }

    /// Millimetres of a position in the data.
    pub(super) fn place_mm(&self, position: usize) -> [f64; 3] {
        let indices = self.indices(position);
        std::array::from_fn(|axis| self.origin_mm[axis] + self.spacing_mm * indices[axis] as f64)
    }

    /// The cell around a place and where in it the place lies; places outside go to the nearest face.
    pub(super) fn cell(&self, place_mm: [f64; 3]) -> Cell {
        let strides = self.strides();
        let mut cell = Cell { first: 0, steps: [0; 3], part: [0.0; 3] };
        for axis in 0..3 {
            let last = self.shape[axis] - 1;
            let at = (place_mm[axis] - self.origin_mm[axis]) / self.spacing_mm;
            let at = at.clamp(0.0, last as f64);
            let low = (at as usize).min(last.saturating_sub(1));
            cell.first += low * strides[axis];
            cell.steps[axis] = if last > 0 { strides[axis] } else { 0 };
            cell.part[axis] = (at - low as f64) as f32;
        }
        cell
    }

    /// As a grid of `deepmir-volume`; `None` if it has no points.
    pub(super) fn grid(&self) -> Option<Grid> {
        Grid::new(self.shape, Affine::from_spacing([self.spacing_mm; 3], self.origin_mm)).ok()
    }
}

/// A cell of a lattice, for trilinear interpolation.
pub(super) struct Cell {
    first: usize,
    steps: [usize; 3],
    part: [f32; 3],
}

impl Cell {
    /// The eight corners: position in the data and, for each axis, whether it is the upper one.
    fn corners(&self) -> impl Iterator<Item = (usize, [bool; 3])> + '_ {
        (0..8_usize).map(|bits| {
            let upper: [bool; 3] = std::array::from_fn(|axis| bits >> axis & 1 == 1);
            let steps: usize =
                (0..3).filter(|&axis| upper[axis]).map(|axis| self.steps[axis]).sum();
            (self.first + steps, upper)
        })
    }

    /// The weight of a corner along an axis.
    fn along(&self, axis: usize, upper: bool) -> f32 {
        if upper { self.part[axis] } else { 1.0 - self.part[axis] }
    }

    /// The interpolated value.
    pub(super) fn value<const N: usize>(&self, data: &[[f32; N]]) -> [f32; N] {
        let mut sum = [0.0; N];
        for (position, upper) in self.corners() {
            let weight: f32 = (0..3).map(|axis| self.along(axis, upper[axis])).product();
            let corner = &data[position];
            sum.iter_mut().zip(corner).for_each(|(sum, value)| *sum += weight * value);
        }
        sum
    }

    /// The interpolated value and its slopes along the axes, for each step of the lattice.
    pub(super) fn value_and_slopes<const N: usize>(
        &self,
        data: &[[f32; N]],
    ) -> ([f32; N], [[f32; N]; 3]) {
        let (mut sum, mut slopes) = ([0.0; N], [[0.0; N]; 3]);
        for (position, upper) in self.corners() {
            let along: [f32; 3] = std::array::from_fn(|axis| self.along(axis, upper[axis]));
            let corner = &data[position];
            let weight = along[0] * along[1] * along[2];
            sum.iter_mut().zip(corner).for_each(|(sum, value)| *sum += weight * value);
            for (axis, slope) in slopes.iter_mut().enumerate() {
                let across = along[(axis + 1) % 3] * along[(axis + 2) % 3];
                let signed = if upper[axis] { across } else { -across };
                slope.iter_mut().zip(corner).for_each(|(sum, value)| *sum += signed * value);
            }
        }
        (sum, slopes)
    }
}

impl PartImage {
    /// The parts' volumes seen on a lattice; `to_volume_mm` takes the lattice's millimetres to the
    /// volumes'. `None` if the lattice has no points.
    pub(super) fn of(
        parts: &[Volume<f32>],
        lattice: Lattice,
        to_volume_mm: &Affine,
    ) -> Option<Self> {
        let grid = lattice.grid()?;
        let mut data = vec![[0.0; Part::COUNT]; lattice.len()];
        for (number, part) in parts.iter().enumerate().take(Part::COUNT) {
            let seen = resample_moved(part, &grid, to_volume_mm, Interpolation::Linear, 0.0);
            let pairs = data.par_iter_mut().zip(seen.data());
            pairs.for_each(|(occupancies, &value)| occupancies[number] = value);
        }
        Some(Self { lattice, data })
    }

    /// The interpolated occupancies and their slopes for each step of the lattice.
    pub(super) fn value_and_slopes(&self, place_mm: [f64; 3]) -> (Occupancies, [Occupancies; 3]) {
        self.lattice.cell(place_mm).value_and_slopes(&self.data)
    }
}
