//! Where the voxels are: the header's sform, qform and units.

use nalgebra::{Matrix3, Quaternion, Rotation3, UnitQuaternion};

use super::limits::product;
use crate::{Affine, Grid, Warning};

/// The first number of a quaternion is the root of what the squares of the others leave of 1. Near half a turn that is
/// the rounding of three single-precision numbers, and its root would turn the image by up to 0.07°. Below this (three
/// times the precision, as in nibabel; NIfTI's own library has 1e-7) it is zero.
const LEAST_SQUARE: f64 = 3.0 * f32::EPSILON as f64;
const COPY_GEOMETRY: &str =
    "copy the geometry of the original image into it, such as with `fslcpgeom`";
/// The volume of a voxel over that of a box of its edges: 1 where the axes are at right angles. A sform below it is
/// nearly flat. The gantry of a CT, which shears most, tilts by 30° and leaves 0.87.
const LEAST_UPRIGHT: f64 = 0.02;
/// Sizes of voxels that differ by more are not those of one image: a shear by 30° makes an edge longer by 1.15.
const OTHER_SIZE: f64 = 1.25;
/// Corners of an image by sform and qform that lie further apart make two places, in voxels.
const OTHER_PLACE_VOXELS: f64 = 1.0;

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

    /// Fields for an image of which only the sizes of voxels are known, in millimetres.
    pub(super) fn of_sizes(sizes_mm: [f64; 3]) -> Self {
        let identity = Affine::from_spacing([1.0; 3], [0.0; 3]);
        Self { qform_code: 0, sform_code: 0, pixdim: sizes_mm, ..Self::of(&identity) }
    }

    /// The affine in millimetres: the sform if its code is set, else the qform, else voxel sizes
    /// alone (centred on `shape`, x to the left, as nibabel takes it). What leaves a doubt is noted.
    pub(super) fn affine(
        &self,
        shape: [usize; 3],
        notes: &mut Vec<Warning>,
    ) -> Result<(Affine, AffineSource), String> {
        let mut note = |code: &str, message: String| notes.push(Warning::new(code, message));
        let qform = (self.qform_code > 0).then(|| self.qform_affine());
        if self.sform_code > 0 {
            if let Some(sform) = self.sform_affine() {
                match qform {
                    Some(Ok(qform)) => {
                        if let Some(apart) = disagreement(shape, &sform, &qform) {
                            note("forms_disagree", apart);
                        }
                    }
                    Some(Err(_)) => {}
                    None => {
                        if let Some(differ) = self.other_sizes(&sform) {
                            note("voxel_sizes_disagree", differ);
                        }
                    }
                }
                note_default(&sform, shape, notes);
                return Ok((sform, AffineSource::Sform));
            }
            let reason = format!("its sform {:?} is set and has no inverse", self.srow);
            return match qform {
                Some(Ok(qform)) => {
                    let remedy = "its qform was taken; write a right sform, such as with `fslorient -copyqform2sform`";
                    note("sform_unusable", format!("{reason}: {remedy}"));
                    Ok((qform, AffineSource::Qform))
                }
                Some(Err(fault)) => Err(format!("{reason}, and {fault}")),
                None => Err(format!(
                    "{reason}, and no qform is set; set one with `nib-conform` or FSL's `fslorient`"
                )),
            };
        }
        if let Some(qform) = qform {
            let qform = qform?;
            note_default(&qform, shape, notes);
            return Ok((qform, AffineSource::Qform));
        }
        self.check_pixdim()?;
        let sizes = self.sizes_mm();
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
        let message = "it has neither sform nor qform: which side is left is a guess";
        note("side_unknown", format!("{message}; {COPY_GEOMETRY}"));
        Ok((affine, AffineSource::VoxelSizes))
    }

    fn check_pixdim(&self) -> Result<(), String> {
        if self.pixdim.iter().all(|size| size.is_finite() && *size != 0.0) {
            return Ok(());
        }
        Err(format!("voxel sizes (pixdim) {:?} must be finite and not zero", self.pixdim))
    }

    /// The sizes that `pixdim` gives, which is negative in some files.
    fn sizes_mm(&self) -> [f64; 3] {
        self.pixdim.map(|size| size.abs() * self.millimetres())
    }

    /// The sform, if voxels are somewhere by it: none of its axes is zero, or nearly along another one.
    fn sform_affine(&self) -> Option<Affine> {
        let [x, y, z] = self.srow.map(|row| row.map(|value| value * self.millimetres()));
        let affine = Affine::from_rows([x, y, z, [0.0, 0.0, 0.0, 1.0]])?;
        let box_mm3: f64 = affine.voxel_sizes_mm().iter().product();
        (affine.voxel_volume_mm3() > LEAST_UPRIGHT * box_mm3).then_some(affine)
    }

    /// Says so if the voxel sizes of the sform are far from those of `pixdim`.
    fn other_sizes(&self, sform: &Affine) -> Option<String> {
        let (sizes, own) = (self.sizes_mm(), sform.voxel_sizes_mm());
        let far = |axis: usize| {
            let ratio = own[axis] / sizes[axis];
            !(1.0 / OTHER_SIZE..=OTHER_SIZE).contains(&ratio)
        };
        (self.check_pixdim().is_ok() && (0..3).any(far)).then(|| {
            format!(
                "its sform has voxels of {} mm and its pixdim {} mm: the sform was taken; write the right sizes into both",
                product(own),
                product(sizes)
            )
        })
    }

    fn qform_affine(&self) -> Result<Affine, String> {
        self.check_pixdim()?;
        let [b, c, d] = self.quaternion;
        let squares = b * b + c * c + d * d;
        if !squares.is_finite() || squares > 1.0 + 1e-4 {
            return Err(format!("the qform's quaternion {:?} is longer than 1", self.quaternion));
        }
        let a = if 1.0 - squares < LEAST_SQUARE { 0.0 } else { (1.0 - squares).sqrt() };
        let rotation =
            UnitQuaternion::from_quaternion(Quaternion::new(a, b, c, d)).to_rotation_matrix();
        // The standard allows only −1 and 1; files with 0 mean 1.
        let qfac = if self.qfac < 0.0 { -1.0 } else { 1.0 };
        let sizes = self.sizes_mm();
        let mut rows = [[0.0; 4]; 4];
        rows[3][3] = 1.0;
        for (row, values) in rows.iter_mut().take(3).enumerate() {
            for column in 0..3 {
                let sign = if column == 2 { qfac } else { 1.0 };
                values[column] = rotation[(row, column)] * sizes[column] * sign;
            }
            values[3] = self.offset[row] * self.millimetres();
        }
        Affine::from_rows(rows).ok_or_else(|| format!("the qform {rows:?} has no inverse"))
    }

    /// What `xyzt_units` says of the unit of length.
    pub(super) fn unit(&self) -> &'static str {
        match self.units & 7 {
            0 => "nothing",
            1 => "metres",
            2 => "millimetres",
            3 => "micrometres",
            _ => "no unit that there is",
        }
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

/// Says so if two affines put an image to places more than a voxel apart.
fn disagreement(shape: [usize; 3], sform: &Affine, qform: &Affine) -> Option<String> {
    let grid = |affine: &Affine| Grid::new(shape, *affine).ok();
    let (sform, qform) = (grid(sform)?, grid(qform)?);
    if sform.difference_voxels(&qform)? <= OTHER_PLACE_VOXELS {
        return None;
    }
    let apart_mm = sform.difference_mm(&qform)?;
    let mirrored = sform.affine().is_mirrored(qform.affine());
    let mirrored = if mirrored { ", and one is the mirror image of the other" } else { "" };
    Some(format!(
        "its sform and qform disagree: corners lie up to {apart_mm:.1} mm apart{mirrored}; the sform was taken: see which is \
         right, and copy it to the other, such as with `fslorient`"
    ))
}

/// Notes an affine of no rotation with the first voxel at the origin: programs write it that know voxel sizes at most. The
/// origin of a scanner, and that of an atlas, is inside the head.
fn note_default(affine: &Affine, shape: [usize; 3], notes: &mut Vec<Warning>) {
    let rows = affine.rows();
    let plain = (0..3).all(|row| (0..4).all(|column| row == column || rows[row][column] == 0.0));
    if plain && shape.iter().all(|&length| length > 1) {
        let message = format!(
            "its first voxel is at the origin and nothing is turned, as programs write that know no geometry: which side is \
             left may be a guess; {COPY_GEOMETRY}"
        );
        notes.push(Warning::new("side_unknown", message));
    }
}
