//! The grids of a scan. The world is the scanner's: millimetres from its centre, the main field
//! along the third axis.

use deepmir_recon::fourier::good_length;
use deepmir_volume::{Affine, BoundingBox, Grid, VolumeError};
use nalgebra::{Matrix4, Rotation3, Vector3};

use crate::config::ScanConfig;
use crate::physics::field::box_size;

/// Sources closer than this to the field of view are drawn finely, in millimetres.
const MARGIN_MM: f64 = 8.0;

/// The scan's grid and the finer ones that it is drawn on.
#[derive(Clone, Debug)]
pub struct Geometry {
    /// The scan's own voxels.
    pub scan: Grid,
    /// Fine voxels over the same field of view.
    pub fine: Grid,
    /// Fine voxels over the field of view and a margin around it.
    pub wide: Grid,
    /// Where `fine` lies in `wide`.
    pub fine_in_wide: BoundingBox,
    /// The main field's direction along the voxel axes (a unit vector).
    pub b0_direction: [f64; 3],
}

impl Geometry {
    /// The grids for a protocol, the field of view centred on the scanner's centre.
    ///
    /// # Errors
    /// If a grid would be too large.
    pub fn new(scan: &ScanConfig) -> Result<Self, VolumeError> {
        let tilt = Rotation3::from_euler_angles(
            scan.tilt_deg[0].to_radians(),
            scan.tilt_deg[1].to_radians(),
            0.0,
        );
        let mut matrix = Matrix4::identity();
        matrix.fixed_view_mut::<3, 3>(0, 0).copy_from(tilt.matrix());
        for axis in 0..3 {
            matrix.column_mut(axis).scale_mut(scan.voxel_mm[axis]);
        }
        let middle: Vector3<f64> = scan.matrix.map(|length| (length as f64 - 1.0) / 2.0).into();
        let origin = -(matrix.fixed_view::<3, 3>(0, 0) * middle);
        matrix.fixed_view_mut::<3, 1>(0, 3).copy_from(&origin);
        let affine = Affine::from_matrix(matrix)
            .ok_or(VolumeError::Spacing { spacing_mm: scan.voxel_mm })?;
        let scan_grid = Grid::new(scan.matrix, affine)?;

        let lengths: [f64; 3] =
            std::array::from_fn(|axis| scan.matrix[axis] as f64 * scan.voxel_mm[axis]);
        let shape: [usize; 3] = std::array::from_fn(|axis| {
            let needed = (lengths[axis] / scan.fine_voxel_mm - 1e-6).ceil() as usize;
            good_length(needed.max(scan.matrix[axis]))
        });
        let spacing: [f64; 3] = std::array::from_fn(|axis| lengths[axis] / shape[axis] as f64);
        let fine = scan_grid.with_spacing(spacing)?;
        let wide_shape: [usize; 3] = std::array::from_fn(|axis| {
            box_size(shape[axis] + 2 * (MARGIN_MM / spacing[axis]).ceil() as usize)
        });
        let start: [usize; 3] = std::array::from_fn(|axis| (wide_shape[axis] - shape[axis]) / 2);
        let end = std::array::from_fn(|axis| start[axis] + shape[axis]);
        let wide =
            Grid::new(wide_shape, fine.affine().shifted(start.map(|index| -(index as f64))))?;
        let fine_in_wide =
            BoundingBox::new(start, end).ok_or(VolumeError::Shape { shape: wide_shape })?;
        let direction = tilt.inverse() * Vector3::z();
        let b0_direction = [direction.x, direction.y, direction.z];
        Ok(Self { scan: scan_grid, fine, wide, fine_in_wide, b0_direction })
    }
}

/// A rotation by angles in degrees about the three axes through the origin, then a shift.
pub(crate) fn rigid(angles_deg: [f64; 3], shift_mm: [f64; 3]) -> Affine {
    let [a, b, c] = angles_deg.map(f64::to_radians);
    let mut matrix = Rotation3::from_euler_angles(a, b, c).to_homogeneous();
    for axis in 0..3 {
        matrix[(axis, 3)] = shift_mm[axis];
    }
    Affine::from_matrix(matrix).unwrap_or_else(|| Affine::from_spacing([1.0; 3], shift_mm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_protocol_has_fine_voxels_of_half_a_millimetre() {
        let geometry = Geometry::new(&ScanConfig::default()).unwrap();
        assert_eq!(geometry.fine.shape(), [320, 384, 300]);
        let corner = |grid: &Grid| grid.affine().apply([-0.5; 3]);
        for (scan, fine) in corner(&geometry.scan).iter().zip(corner(&geometry.fine)) {
            assert!((scan - fine).abs() < 1e-9);
        }
        assert!(geometry.fine_in_wide.grid_of(&geometry.wide).same_as(&geometry.fine));
    }

    #[test]
    fn the_field_is_along_the_scanner_however_slices_lie() {
        let config = ScanConfig { tilt_deg: [20.0, -10.0], ..ScanConfig::default() };
        let geometry = Geometry::new(&config).unwrap();
        let size = geometry.scan.voxel_sizes_mm();
        let voxels = std::array::from_fn(|axis| geometry.b0_direction[axis] / size[axis]);
        let world = geometry.scan.affine().apply_direction(voxels);
        for (got, want) in world.iter().zip([0.0, 0.0, 1.0]) {
            assert!((got - want).abs() < 1e-9);
        }
    }
}
