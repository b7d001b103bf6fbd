//! Where the voxels are: the header's sform, qform and units.

use nalgebra::{Matrix3, Quaternion, Rotation3, UnitQuaternion};

use crate::Affine;

/// The header's spatial fields as they stand in the file, so that an output can carry the very
/// same ones as its input.
#[derive(Clone, Debug, PartialEq)]
pub struct Spatial {
    pub(super) qform_code: i32,
    pub(super) sform_code: i32,
    /// `pixdim[0]`: −1 if the third axis of the qform is flipped.
    pub(super) qfac: f64,
    /// `pixdim[1..=3]`.
    pub(super) pixdim: [f64; 3],
    /// `quatern_b`, `quatern_c`, `quatern_d`.
    pub(super) quaternion: [f64; 3],
    /// `qoffset_x`, `qoffset_y`, `qoffset_z`.
    pub(super) offset: [f64; 3],
    /// `srow_x`, `srow_y`, `srow_z`.
    pub(super) srow: [[f64; 4]; 3],
    /// `xyzt_units`: space in the lowest three bits, time above.
    pub(super) units: u8,
}

/// Which header fields gave the affine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AffineSource {
    /// The sform.
    Sform,
    /// The qform.
    Qform,
    /// Neither is set: voxel sizes alone, centred, x running to the left as Analyze had it. The
    /// side of a finding cannot be relied upon.
    VoxelSizes,
}

impl Spatial {
    /// Fields for a new image: sform, and qform too where the affine has no shear.
    pub fn of(affine: &Affine) -> Self {
        let rows = affine.rows();
        let pixdim = affine.voxel_sizes_mm();
        let mut directions = affine.linear();
        for (mut column, size) in directions.column_iter_mut().zip(pixdim) {
            column /= size;
        }
        let qfac = if directions.determinant() < 0.0 { -1.0 } else { 1.0 };
        directions.column_mut(2).scale_mut(qfac);
        let sheared = (directions.transpose() * directions - Matrix3::identity()).amax() > 1e-5;
        let quaternion =
            UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(directions));
        let sign = if quaternion.w < 0.0 { -1.0 } else { 1.0 };
        Self {
            qform_code: i32::from(!sheared),
            sform_code: 1,
            qfac,
            pixdim,
            quaternion: [quaternion.i * sign, quaternion.j * sign, quaternion.k * sign],
            offset: [rows[0][3], rows[1][3], rows[2][3]],
            srow: [rows[0], rows[1], rows[2]],
            units: 2,
        }
    }

    /// The affine in millimetres: the sform if its code is set, else the qform, else voxel sizes
    /// alone (centred on `shape`, x to the left, as nibabel takes it).
    pub(super) fn affine(&self, shape: [usize; 3]) -> Result<(Affine, AffineSource), String> {
        if self.sform_code > 0 {
            let [x, y, z] = self.srow.map(|row| row.map(|value| value * self.millimetres()));
            if let Some(affine) = Affine::from_rows([x, y, z, [0.0, 0.0, 0.0, 1.0]]) {
                return Ok((affine, AffineSource::Sform));
            }
            if self.qform_code <= 0 {
                return Err(format!(
                    "the sform {:?} has no inverse and no qform is set; set one with \
                     `nib-conform` or FSL's `fslorient`",
                    self.srow
                ));
            }
        }
        if !self.pixdim.iter().all(|size| size.is_finite() && *size != 0.0) {
            return Err(format!(
                "voxel sizes (pixdim) {:?} must be finite and not zero",
                self.pixdim
            ));
        }
        if self.qform_code > 0 {
            return Ok((self.qform_affine()?, AffineSource::Qform));
        }
        let sizes = self.pixdim.map(|size| size.abs() * self.millimetres());
        let spacing = [-sizes[0], sizes[1], sizes[2]];
        let origin: [f64; 3] =
            std::array::from_fn(|axis| -spacing[axis] * (shape[axis] as f64 - 1.0) / 2.0);
        let [x, y, z] = spacing;
        let rows = [
            [x, 0.0, 0.0, origin[0]],
            [0.0, y, 0.0, origin[1]],
            [0.0, 0.0, z, origin[2]],
            [0.0, 0.0, 0.0, 1.0],
        ];
        let affine = Affine::from_rows(rows).ok_or_else(|| {
            format!("voxel sizes (pixdim) {:?} are beyond what numbers can hold", self.pixdim)
        })?;
        Ok((affine, AffineSource::VoxelSizes))
    }

    fn qform_affine(&self) -> Result<Affine, String> {
        let [b, c, d] = self.quaternion;
        let squares = b * b + c * c + d * d;
        if !squares.is_finite() || squares > 1.0 + 1e-4 {
            return Err(format!("the qform's quaternion {:?} is longer than 1", self.quaternion));
        }
        let a = (1.0 - squares).max(0.0).sqrt();
        let rotation =
            UnitQuaternion::from_quaternion(Quaternion::new(a, b, c, d)).to_rotation_matrix();
        // The standard allows only −1 and 1; files with 0 mean 1.
        let qfac = if self.qfac < 0.0 { -1.0 } else { 1.0 };
        let scale = self.millimetres();
        let mut rows = [[0.0; 4]; 4];
        rows[3][3] = 1.0;
        for (row, values) in rows.iter_mut().take(3).enumerate() {
            for column in 0..3 {
                let sign = if column == 2 { qfac } else { 1.0 };
                values[column] = rotation[(row, column)] * self.pixdim[column].abs() * sign * scale;
            }
            values[3] = self.offset[row] * scale;
        }
        Affine::from_rows(rows).ok_or_else(|| format!("the qform {rows:?} has no inverse"))
    }

    /// Millimetres in the header's unit of length (unset means millimetres).
    fn millimetres(&self) -> f64 {
        match self.units & 7 {
            1 => 1e3,
            3 => 1e-3,
            _ => 1.0,
        }
    }
}
