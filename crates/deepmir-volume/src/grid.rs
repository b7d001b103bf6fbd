//! The lattice a volume lives on: how many voxels, and where they are.

use crate::{Affine, VolumeError};

/// The largest distance, in voxels, between corners of two grids that count as the same.
pub const SAME_GRID_TOLERANCE_VOXELS: f64 = 1e-2;

/// A shape and an affine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    shape: [usize; 3],
    affine: Affine,
}

impl Grid {
    /// A grid of `shape` voxels.
    ///
    /// # Errors
    /// If an axis has no voxels, or the number of voxels does not fit in memory's address range.
    pub fn new(shape: [usize; 3], affine: Affine) -> Result<Self, VolumeError> {
        let count = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length));
        match count {
            Some(count) if count > 0 && count <= isize::MAX as usize / 16 => {
                Ok(Self { shape, affine })
            }
            _ => Err(VolumeError::Shape { shape }),
        }
    }

    /// For shapes that are permutations or parts of an existing grid's.
    pub(crate) fn from_parts(shape: [usize; 3], affine: Affine) -> Self {
        Self { shape, affine }
    }

    /// Voxels along each axis.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Voxel indices to RAS+ millimetres.
    pub fn affine(&self) -> &Affine {
        &self.affine
    }

    /// Number of voxels.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Always false: a grid has voxels. Here because of [`Grid::len`].
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Position of voxel `[i, j, k]` in the data, the first axis running fastest.
    pub fn index(&self, [i, j, k]: [usize; 3]) -> usize {
        i + self.shape[0] * (j + self.shape[1] * k)
    }

    /// The voxel at a position in the data.
    pub fn voxel(&self, index: usize) -> [usize; 3] {
        let [nx, ny, _] = self.shape;
        [index % nx, index / nx % ny, index / (nx * ny)]
    }

    /// The centre of a voxel in RAS+ millimetres.
    pub fn position_mm(&self, voxel: [usize; 3]) -> [f64; 3] {
        self.affine.apply(voxel.map(|index| index as f64))
    }

    /// Voxel sizes in millimetres.
    pub fn voxel_sizes_mm(&self) -> [f64; 3] {
        self.affine.voxel_sizes_mm()
    }

    /// Volume of one voxel in mm³.
    pub fn voxel_volume_mm3(&self) -> f64 {
        self.affine.voxel_volume_mm3()
    }

    /// The eight corner voxels' indices.
    fn corners(&self) -> impl Iterator<Item = [f64; 3]> + use<> {
        let last = self.shape.map(|length| length as f64 - 1.0);
        (0..8).map(move |bits| {
            std::array::from_fn(|axis| if bits >> axis & 1 == 1 { last[axis] } else { 0.0 })
        })
    }

    /// How far apart the corners of two grids of one shape lie at most, in voxels of `self`;
    /// `None` if the shapes differ.
    pub fn difference_voxels(&self, other: &Self) -> Option<f64> {
        if self.shape != other.shape {
            return None;
        }
        let to_voxels = self.affine.inverse().after(&other.affine);
        let distance = |corner: [f64; 3]| {
            let moved = to_voxels.apply(corner);
            (0..3).map(|axis| (moved[axis] - corner[axis]).powi(2)).sum::<f64>().sqrt()
        };
        Some(self.corners().map(distance).fold(0.0, f64::max))
    }

    /// How far apart the corners of two grids of one shape lie at most, in millimetres; `None` if the shapes differ.
    pub fn difference_mm(&self, other: &Self) -> Option<f64> {
        if self.shape != other.shape {
            return None;
        }
        let distance = |corner: [f64; 3]| {
            let (one, two) = (self.affine.apply(corner), other.affine.apply(corner));
            (0..3).map(|axis| (one[axis] - two[axis]).powi(2)).sum::<f64>().sqrt()
        };
        Some(self.corners().map(distance).fold(0.0, f64::max))
    }

    /// Whether two grids are the same: equal shapes, corners within a hundredth of a voxel.
    pub fn same_as(&self, other: &Self) -> bool {
        self.difference_voxels(other).is_some_and(|most| most <= SAME_GRID_TOLERANCE_VOXELS)
    }

    /// Whether two grids that differ have their voxels at the same places, in another order: axes that run the other way, or
    /// are exchanged.
    pub fn is_reordered(&self, other: &Self) -> bool {
        let to_voxels = self.affine.inverse().after(&other.affine);
        let last = self.shape.map(|length| length as f64 - 1.0);
        let corners = other.corners().map(|corner| to_voxels.apply(corner));
        // Corners lie on corners, and no two on the same one.
        let mut seen = [false; 8];
        for corner in corners {
            let mut bits = 0;
            for axis in 0..3 {
                let at_end = (corner[axis] - last[axis]).abs() <= SAME_GRID_TOLERANCE_VOXELS;
                if !at_end && corner[axis].abs() > SAME_GRID_TOLERANCE_VOXELS {
                    return false;
                }
                bits |= usize::from(at_end) << axis;
            }
            seen[bits] = true;
        }
        let mut shapes = [self.shape, other.shape];
        shapes.iter_mut().for_each(|shape| shape.sort_unstable());
        shapes[0] == shapes[1] && seen == [true; 8] && !self.same_as(other)
    }

    /// The axis-aligned grid (along the same directions) that covers this one with voxels of
    /// `spacing_mm`: the box's outer faces stay where they are as nearly as whole voxels allow,
    /// and its centre exactly.
    ///
    /// # Errors
    /// If a size is not positive, or the new grid would have too many voxels.
    pub fn with_spacing(&self, spacing_mm: [f64; 3]) -> Result<Self, VolumeError> {
        if !spacing_mm.iter().all(|&size| size.is_finite() && size > 0.0) {
            return Err(VolumeError::Spacing { spacing_mm });
        }
        let old = self.voxel_sizes_mm();
        let shape: [usize; 3] = std::array::from_fn(|axis| {
            let extent_mm = self.shape[axis] as f64 * old[axis];
            (extent_mm / spacing_mm[axis]).round().max(1.0) as usize
        });
        let mut matrix = *self.affine.matrix();
        for axis in 0..3 {
            let factor = spacing_mm[axis] / old[axis];
            matrix.column_mut(axis).scale_mut(factor);
        }
        let centre = self.affine.apply(self.shape.map(|length| (length as f64 - 1.0) / 2.0));
        for axis in 0..3 {
            let half: f64 = (0..3)
                .map(|column| matrix[(axis, column)] * (shape[column] as f64 - 1.0) / 2.0)
                .sum();
            matrix[(axis, 3)] = centre[axis] - half;
        }
        let affine = Affine::from_matrix(matrix).ok_or(VolumeError::Spacing { spacing_mm })?;
        Self::new(shape, affine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(shape: [usize; 3]) -> Grid {
        Grid::new(shape, Affine::from_spacing([0.75, 0.75, 1.5], [-80.0, -96.0, -75.0])).unwrap()
    }

    #[test]
    fn a_hundredth_of_a_voxel_is_the_same_grid_and_a_tenth_is_not() {
        let here = grid([213, 256, 100]);
        let near = Grid::new(
            here.shape(),
            Affine::from_spacing([0.75, 0.75, 1.5], [-80.007, -96.0, -75.0]),
        );
        let far = Grid::new(
            here.shape(),
            Affine::from_spacing([0.75, 0.75, 1.5], [-80.075, -96.0, -75.0]),
        );
        assert!(here.same_as(&near.unwrap()));
        assert!(!here.same_as(&far.unwrap()));
        assert!(!here.same_as(&grid([213, 256, 101])));
    }

    #[test]
    fn voxels_in_another_order_are_told_from_mirror_images() {
        let here = grid([213, 256, 100]);
        let of = |shape, rows: [[f64; 4]; 3]| {
            let [x, y, z] = rows;
            Grid::new(shape, Affine::from_rows([x, y, z, [0.0, 0.0, 0.0, 1.0]]).unwrap()).unwrap()
        };
        let (y, z) = ([0.0, 0.75, 0.0, -96.0], [0.0, 0.0, 1.5, -75.0]);
        let to_the_left = of([213, 256, 100], [[-0.75, 0.0, 0.0, 79.0], y, z]);
        let exchanged = of([256, 213, 100], [[0.0, 0.75, 0.0, -80.0], [0.75, 0.0, 0.0, -96.0], z]);
        assert!(here.is_reordered(&to_the_left) && here.is_reordered(&exchanged));
        assert!(!here.is_reordered(&here));
        let mirrored = of([213, 256, 100], [[-0.75, 0.0, 0.0, 80.0], y, z]);
        assert!(!here.is_reordered(&mirrored));
        let told = |other: Grid| {
            VolumeError::GridMismatch(Box::new(crate::GridMismatch {
                reference: "swi.nii".into(),
                reference_grid: here,
                other: "qsm.nii".into(),
                other_grid: other,
                placeless: false,
                remedy: "resample".to_owned(),
            }))
            .to_string()
        };
        let message = told(to_the_left);
        assert!(message.contains(
            "stored in another order: RAS and LAS; see that left and right agree); resample"
        ));
        assert!(told(exchanged).contains("another order: RAS and ARS; see that"));
        let message = told(mirrored);
        assert!(
            message.contains("mirror images of each other, RAS and LAS, so that left is right")
        );
        assert!(!message.contains("resample"), "{message}");
    }

    #[test]
    fn a_tiny_scale_difference_shows_at_the_far_corner() {
        let here = grid([200, 200, 100]);
        let stretched = Grid::new(
            here.shape(),
            Affine::from_spacing([0.7501, 0.75, 1.5], [-80.0, -96.0, -75.0]),
        );
        assert!(!here.same_as(&stretched.unwrap()));
    }

    #[test]
    fn new_spacing_keeps_centre_and_extent() {
        let here = grid([213, 256, 100]);
        let coarse = here.with_spacing([1.0, 1.0, 1.0]).unwrap();
        assert_eq!(coarse.shape(), [160, 192, 150]);
        let centre = |grid: &Grid| {
            grid.affine().apply(grid.shape().map(|length| (length as f64 - 1.0) / 2.0))
        };
        for (a, b) in centre(&here).iter().zip(centre(&coarse)) {
            assert!((a - b).abs() < 1e-9);
        }
    }

    #[test]
    fn index_and_voxel_are_inverse() {
        let here = grid([3, 5, 7]);
        for index in 0..here.len() {
            assert_eq!(here.index(here.voxel(index)), index);
        }
    }

    #[test]
    fn impossible_shapes_are_refused() {
        let affine = Affine::from_spacing([1.0; 3], [0.0; 3]);
        assert!(Grid::new([0, 5, 5], affine).is_err());
        assert!(Grid::new([usize::MAX, 2, 2], affine).is_err());
    }
}
