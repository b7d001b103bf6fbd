//! Rotations and shifts, and their files.

use std::fmt::Write as _;
use std::path::Path;

use deepmir_volume::{Affine, Grid, atomic};
use nalgebra::{Matrix3, Matrix4, Rotation3, Vector3};

use crate::ReconError;

/// Takes a point of the fixed image to the same anatomy in the moving one, both in RAS millimetres:
/// `moving = centre + R·(fixed − centre) + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RigidTransform {
    /// Axis of rotation times angle in radians.
    pub rotation_rad: [f64; 3],
    /// Shift in millimetres.
    pub shift_mm: [f64; 3],
    /// What is rotated about, millimetres.
    pub centre_mm: [f64; 3],
}

impl RigidTransform {
    /// As a matrix on RAS millimetres.
    pub fn affine(&self) -> Affine {
        let rotation = *Rotation3::new(Vector3::from(self.rotation_rad)).matrix();
        let centre = Vector3::from(self.centre_mm);
        let offset = centre + Vector3::from(self.shift_mm) - rotation * centre;
        let mut matrix = Matrix4::identity();
        matrix.fixed_view_mut::<3, 3>(0, 0).copy_from(&rotation);
        matrix.fixed_view_mut::<3, 1>(0, 3).copy_from(&offset);
        // A rotation has an inverse, unless its numbers are not finite.
        Affine::from_matrix(matrix).unwrap_or_else(|| Affine::from_spacing([1.0; 3], [0.0; 3]))
    }

    /// Angle of the rotation in degrees.
    pub fn angle_degrees(&self) -> f64 {
        Vector3::from(self.rotation_rad).norm().to_degrees()
    }

    /// As ITK reads it (elastix, ANTs, 3D Slicer): from fixed to moving points, in LPS millimetres.
    pub fn itk_text(&self) -> String {
        let flip = Matrix3::from_diagonal(&Vector3::new(-1.0, -1.0, 1.0));
        let affine = self.affine();
        let linear = flip * affine.linear() * flip;
        let rows = affine.rows();
        let offset = flip * Vector3::new(rows[0][3], rows[1][3], rows[2][3]);
        let mut text = String::from(
            "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\nParameters:",
        );
        for value in linear.transpose().iter().chain(offset.iter()) {
            let _ = write!(text, " {value:.12}");
        }
        text.push_str("\nFixedParameters: 0 0 0\n");
        text
    }

    /// As FSL's `flirt -applyxfm -init` reads it: from moving to fixed points, in scaled voxels
    /// counted from the right where the affine's determinant is positive.
    pub fn fsl_text(&self, fixed: &Grid, moving: &Grid) -> String {
        let to_moving = self.affine();
        let matrix = fsl_coordinates(fixed)
            .after(&fixed.affine().inverse())
            .after(&to_moving.inverse())
            .after(moving.affine())
            .after(&fsl_coordinates(moving).inverse());
        let line = |row: [f64; 4]| row.map(|value| format!("{value:.10}")).join("  ") + "\n";
        matrix.rows().map(line).concat()
    }

    /// Writes both files: `<stem>_xfm.txt` for ITK and `<stem>_xfm.mat` for FSL.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn write(
        &self,
        folder: &Path,
        stem: &str,
        fixed: &Grid,
        moving: &Grid,
    ) -> Result<(), ReconError> {
        let texts = [("txt", self.itk_text()), ("mat", self.fsl_text(fixed, moving))];
        for (ending, text) in texts {
            let path = folder.join(format!("{stem}_xfm.{ending}"));
            atomic::write(&path, text.as_bytes())
                .map_err(|source| ReconError::Write { path, source })?;
        }
        Ok(())
    }
}

/// From voxel indices to FSL's millimetres.
fn fsl_coordinates(grid: &Grid) -> Affine {
    let sizes = grid.voxel_sizes_mm();
    if grid.affine().linear().determinant() > 0.0 {
        let last = (grid.shape()[0] as f64 - 1.0) * sizes[0];
        Affine::from_spacing([-sizes[0], sizes[1], sizes[2]], [last, 0.0, 0.0])
    } else {
        Affine::from_spacing(sizes, [0.0; 3])
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::register) fn example() -> RigidTransform {
        RigidTransform {
            rotation_rad: [0.1, -0.2, 0.05],
            shift_mm: [3.0, -4.0, 5.0],
            centre_mm: [10.0, 20.0, -5.0],
        }
    }

    #[test]
    fn the_centre_moves_by_the_shift() {
        let moved = example().affine().apply([10.0, 20.0, -5.0]);
        for (got, want) in moved.into_iter().zip([13.0, 16.0, 0.0]) {
            assert!((got - want).abs() < 1e-12);
        }
    }

    #[test]
    fn itk_moves_the_mirrored_point_to_the_mirrored_place() {
        let text = example().itk_text();
        let line = text.lines().find(|line| line.starts_with("Parameters:")).unwrap();
        let values: Vec<f64> =
            line.split_whitespace().skip(1).map(|value| value.parse().unwrap()).collect();
        let ras = [7.0, -3.0, 11.0];
        let want = example().affine().apply(ras);
        let lps = [-ras[0], -ras[1], ras[2]];
        let moved: [f64; 3] = std::array::from_fn(|row| {
            (0..3).map(|column| values[3 * row + column] * lps[column]).sum::<f64>()
                + values[9 + row]
        });
        for (got, want) in [-moved[0], -moved[1], moved[2]].into_iter().zip(want) {
            assert!((got - want).abs() < 1e-9);
        }
    }

    #[test]
    fn fsl_takes_a_moving_voxel_to_its_fixed_voxel() {
        let fixed =
            Grid::new([20, 30, 10], Affine::from_spacing([2.0, 2.0, 3.0], [-20.0; 3])).unwrap();
        let moving =
            Grid::new([16, 18, 20], Affine::from_spacing([-2.5, 2.0, 1.5], [20.0, -9.0, 2.0]));
        let moving = moving.unwrap();
        let values: Vec<f64> = example()
            .fsl_text(&fixed, &moving)
            .split_whitespace()
            .map(|value| value.parse().unwrap())
            .collect();
        let fixed_voxel = [4.0, 7.0, 2.0];
        let place = example().affine().apply(fixed.affine().apply(fixed_voxel));
        let moving_voxel = moving.affine().inverse().apply(place);
        // The moving grid's determinant is negative: plain scaled voxels; the fixed one is flipped.
        let from = [2.5 * moving_voxel[0], 2.0 * moving_voxel[1], 1.5 * moving_voxel[2]];
        let want = [2.0 * (19.0 - fixed_voxel[0]), 2.0 * fixed_voxel[1], 3.0 * fixed_voxel[2]];
        for row in 0..3 {
            let got: f64 =
                (0..3).map(|column| values[4 * row + column] * from[column]).sum::<f64>()
                    + values[4 * row + 3];
            assert!((got - want[row]).abs() < 1e-6);
        }
    }
}
