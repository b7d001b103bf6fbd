//! Voxel indices to millimetres and back.

use nalgebra::{Matrix3, Matrix4, Vector3, Vector4};

/// A 4×4 matrix from homogeneous voxel indices `(i, j, k, 1)` to RAS+ millimetres
/// (`x` to the right, `y` to the front, `z` to the top), as NIfTI's sform and qform give it.
///
/// ```
/// use deepmir_volume::Affine;
///
/// let affine = Affine::from_spacing([0.5, 0.5, 2.0], [-10.0, -10.0, 0.0]);
/// assert_eq!(affine.apply([20.0, 0.0, 3.0]), [0.0, -10.0, 6.0]);
/// assert_eq!(affine.voxel_volume_mm3(), 0.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine(Matrix4<f64>);

impl Affine {
    /// From the four rows of the matrix; `None` if the last row is not `0 0 0 1`, a value is not
    /// finite, or the matrix has no inverse (then voxels would share a place).
    pub fn from_rows(rows: [[f64; 4]; 4]) -> Option<Self> {
        Self::from_matrix(Matrix4::from_fn(|row, column| rows[row][column]))
    }

    /// As [`Affine::from_rows`], from a matrix.
    pub fn from_matrix(matrix: Matrix4<f64>) -> Option<Self> {
        let last_row_is_homogeneous =
            (0..3).all(|column| matrix[(3, column)] == 0.0) && (matrix[(3, 3)] - 1.0).abs() < 1e-12;
        let finite = matrix.iter().all(|value| value.is_finite());
        if !(last_row_is_homogeneous && finite) {
            return None;
        }
        let affine = Self(matrix);
        // Relative to the voxel size, so that tiny voxels are not mistaken for a flat grid.
        let scale: f64 = affine.voxel_sizes_mm().iter().product();
        let determinant = affine.linear().determinant().abs();
        (scale > 0.0 && determinant > 1e-6 * scale).then_some(affine)
    }

    /// Axis-aligned voxels of the given sizes, the centre of voxel `(0, 0, 0)` at `origin_mm`.
    ///
    /// # Panics
    /// If a size is zero or not finite.
    #[expect(clippy::expect_used, reason = "documented: sizes come from code, not from files")]
    pub fn from_spacing(spacing_mm: [f64; 3], origin_mm: [f64; 3]) -> Self {
        let mut matrix = Matrix4::identity();
        for axis in 0..3 {
            matrix[(axis, axis)] = spacing_mm[axis];
            matrix[(axis, 3)] = origin_mm[axis];
        }
        Self::from_matrix(matrix).expect("voxel sizes are finite and not zero")
    }

    /// The matrix itself.
    pub fn matrix(&self) -> &Matrix4<f64> {
        &self.0
    }

    /// The four rows.
    pub fn rows(&self) -> [[f64; 4]; 4] {
        std::array::from_fn(|row| std::array::from_fn(|column| self.0[(row, column)]))
    }

    /// The upper left 3×3 block: rotation, voxel size and shear, without the offset.
    pub fn linear(&self) -> Matrix3<f64> {
        self.0.fixed_view::<3, 3>(0, 0).into_owned()
    }

    /// Distance in millimetres between neighbouring voxels along each voxel axis.
    pub fn voxel_sizes_mm(&self) -> [f64; 3] {
        std::array::from_fn(|axis| self.0.fixed_view::<3, 1>(0, axis).norm())
    }

    /// Volume of one voxel in mm³.
    pub fn voxel_volume_mm3(&self) -> f64 {
        self.linear().determinant().abs()
    }

    /// Millimetres of a (possibly fractional) voxel index.
    pub fn apply(&self, ijk: [f64; 3]) -> [f64; 3] {
        let point = self.0 * Vector4::new(ijk[0], ijk[1], ijk[2], 1.0);
        [point.x, point.y, point.z]
    }

    /// A direction (no offset) of voxel axes in millimetres.
    pub fn apply_direction(&self, ijk: [f64; 3]) -> [f64; 3] {
        let direction = self.linear() * Vector3::from(ijk);
        [direction.x, direction.y, direction.z]
    }

    /// From millimetres to (fractional) voxel indices.
    pub fn inverse(&self) -> Self {
        // The constructors let no singular matrix through.
        Self(self.0.try_inverse().unwrap_or_else(Matrix4::identity))
    }

    /// `self` after `first`: the matrix product `self · first`.
    pub fn after(&self, first: &Self) -> Self {
        Self(self.0 * first.0)
    }

    /// Whether one of two affines has the axes of a right hand and the other those of a left hand, so that one image is
    /// the mirror image of the other if both are stored alike.
    pub fn is_mirrored(&self, other: &Self) -> bool {
        self.linear().determinant() * other.linear().determinant() < 0.0
    }

    /// The affine of the same grid counted from voxel `start` (which may lie outside).
    pub fn shifted(&self, start: [f64; 3]) -> Self {
        let origin = self.apply(start);
        let mut matrix = self.0;
        for axis in 0..3 {
            matrix[(axis, 3)] = origin[axis];
        }
        Self(matrix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_undoes_an_oblique_sheared_affine() {
        let affine = Affine::from_rows([
            [-0.7, 0.1, 0.2, 80.0],
            [0.05, 0.8, -0.3, -90.0],
            [0.1, 0.2, 1.5, -40.0],
            [0.0, 0.0, 0.0, 1.0],
        ])
        .unwrap();
        let there = affine.apply([3.5, -2.0, 17.0]);
        let back = affine.inverse().apply(there);
        for (got, want) in back.iter().zip([3.5, -2.0, 17.0]) {
            assert!((got - want).abs() < 1e-12);
        }
    }

    #[test]
    fn flat_or_broken_matrices_are_refused() {
        let flat = [
            [1.0, 2.0, 0.0, 0.0],
            [2.0, 4.0, 0.0, 0.0],
            [0.0, 0.0, 1.0, 0.0],
            [0.0, 0.0, 0.0, 1.0],
        ];
        assert!(Affine::from_rows(flat).is_none());
        assert!(Affine::from_rows([[0.0; 4], [0.0; 4], [0.0; 4], [0.0, 0.0, 0.0, 1.0]]).is_none());
        let mut nan = flat;
        nan[0][0] = f64::NAN;
        assert!(Affine::from_rows(nan).is_none());
    }

    #[test]
    fn microscopic_voxels_are_not_taken_for_flat_ones() {
        let affine = Affine::from_spacing([1e-3, 1e-3, 2e-3], [0.0; 3]);
        assert!((affine.voxel_volume_mm3() - 2e-9).abs() < 1e-20);
    }
}
