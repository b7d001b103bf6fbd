//! What is written comes back, on the grid it came from.

use crate::common::fixture;
use deepmir_volume::nifti::{self, DataType, Voxel};
use deepmir_volume::{Affine, Grid, Orientation, Volume};
use proptest::prelude::*;

fn grid() -> Grid {
    let affine = Affine::from_rows([
        [-0.72, 0.0, 0.21, 80.5],
        [0.06, 0.79, -0.33, -90.25],
        [0.12, 0.19, 1.48, -40.0],
        [0.0, 0.0, 0.0, 1.0],
    ]);
    Grid::new([5, 4, 3], affine.unwrap()).unwrap()
}

fn round_trip<T: Voxel + Into<f64>>(values: impl Fn(usize) -> T, name: &str, data_type: DataType) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let volume = Volume::new(grid(), (0..grid().len()).map(values).collect::<Vec<T>>()).unwrap();
    nifti::write(&path, &volume, None).unwrap();
    let back = nifti::read(&path).unwrap();
    assert_eq!(back.header.data_type(), data_type);
    assert!(back.volume.grid().same_as(volume.grid()));
    for (&got, &want) in back.volume.data().iter().zip(volume.data()) {
        assert_eq!(got, Into::<f64>::into(want) as f32);
    }
}

#[test]
fn every_written_type_comes_back() {
    round_trip(|n| n as u8 * 4, "a.nii", DataType::U8);
    round_trip(|n| n as i8 - 30, "a.nii.gz", DataType::I8);
    round_trip(|n| n as u16 * 1000, "a.nii", DataType::U16);
    round_trip(|n| n as i16 * 500 - 15_000, "a.nii.gz", DataType::I16);
    round_trip(|n| n as u32 * 70_000, "a.nii", DataType::U32);
    round_trip(|n| n as i32 * 70_000 - 2_000_000, "a.nii.gz", DataType::I32);
    round_trip(|n| n as f32 * 0.37 - 5.0, "a.nii", DataType::F32);
    round_trip(|n| n as f64 * 0.37 - 5.0, "a.nii.gz", DataType::F64);
}

#[test]
fn an_output_carries_its_references_spatial_fields_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.nii.gz");
    for name in ["scaled.nii", "only_qform.nii", "neither_form.nii", "version2.nii", "big_i2.nii"] {
        let reference = nifti::read(&fixture(name)).unwrap();
        let labels = reference.volume.map(|&value| u8::from(value > 0.0));
        nifti::write(&path, &labels, Some(&reference.header)).unwrap();
        let back = nifti::read_integers(&path).unwrap();
        assert_eq!(back.header.affine_source(), reference.header.affine_source(), "{name}");
        assert!(back.volume.grid().same_as(reference.volume.grid()), "{name}");
        if name != "version2.nii" {
            assert_eq!(back.header.spatial(), reference.header.spatial(), "{name}");
        }
    }
}

#[test]
fn all_48_orientations_survive_ras_processing_and_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("native.nii.gz");
    let ras = Volume::from_fn(grid(), |[i, j, k]| (i + 10 * j + 100 * k) as i16);
    let ras = Orientation::of(ras.grid().affine()).to_ras(&ras);
    for orientation in Orientation::all() {
        let native = orientation.from_ras(&ras);
        nifti::write(&path, &native, None).unwrap();
        let read = nifti::read_integers(&path).unwrap().volume;
        assert_eq!(Orientation::of(read.grid().affine()), orientation);
        let again = orientation.from_ras(&orientation.to_ras(&read));
        assert_eq!(again, read);
        assert_eq!(read.map(|&value| value as i16).data(), native.data());
    }
}

#[test]
fn scaled_probabilities_are_within_half_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("probability.nii.gz");
    let volume = Volume::from_fn(grid(), |[i, j, k]| (i * 12 + j * 3 + k) as f32 / 60.0);
    nifti::write_scaled(&path, &volume, 1.0, None).unwrap();
    let back = nifti::read(&path).unwrap().volume;
    for (got, want) in back.data().iter().zip(volume.data()) {
        assert!((got - want).abs() <= 0.5 / 65_535.0 + 1e-7);
    }
}

#[test]
fn signed_values_stay_within_half_a_step_and_zero_stays_zero() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("phase.nii.gz");
    let most = std::f32::consts::PI;
    let volume = Volume::from_fn(grid(), |[i, j, k]| (i * 12 + j * 3 + k) as f32 / 10.0 - 2.0);
    nifti::write_scaled_signed(&path, &volume, most, None).unwrap();
    let back = nifti::read(&path).unwrap().volume;
    for (got, want) in back.data().iter().zip(volume.data()) {
        let want = want.clamp(-most, most);
        assert!((got - want).abs() <= 0.5 * most / 32_767.0 + 1e-6);
        assert!(want != 0.0 || *got == 0.0);
    }
}

#[test]
fn an_axis_too_long_for_version_1_is_written_as_version_2() {
    let grid = Grid::new([40_000, 1, 2], Affine::from_spacing([0.1; 3], [0.0; 3])).unwrap();
    let volume = Volume::from_fn(grid, |[i, _, k]| (i % 251 + k) as u8);
    let bytes = nifti::encode(&volume, None);
    assert_eq!(bytes[..4], 540_i32.to_le_bytes());
    assert_eq!(bytes[24..32], 40_000_i64.to_le_bytes());
    assert_eq!(&bytes[544..], volume.data());
}

proptest! {
    #[test]
    fn any_affine_survives_writing_and_reading(
        angles in prop::array::uniform3(-3.1_f64..3.1),
        sizes in prop::array::uniform3(0.1_f64..5.0),
        shear in -0.2_f64..0.2,
        origin in prop::array::uniform3(-200.0_f64..200.0),
        mirror in any::<bool>(),
    ) {
        let (sa, ca) = angles[0].sin_cos();
        let (sb, cb) = angles[1].sin_cos();
        let (sc, cc) = angles[2].sin_cos();
        let rotation = [
            [ca * cb, ca * sb * sc - sa * cc, ca * sb * cc + sa * sc],
            [sa * cb, sa * sb * sc + ca * cc, sa * sb * cc - ca * sc],
            [-sb, cb * sc, cb * cc],
        ];
        let mut rows = [[0.0; 4]; 4];
        rows[3][3] = 1.0;
        for row in 0..3 {
            for column in 0..3 {
                rows[row][column] = rotation[row][column] * sizes[column];
            }
            rows[row][1] += shear * rows[row][0];
            rows[row][3] = origin[row];
            if mirror {
                rows[row][0] = -rows[row][0];
            }
        }
        let affine = Affine::from_rows(rows).unwrap();
        let volume = Volume::filled(Grid::new([6, 7, 8], affine).unwrap(), 1_u8);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nii");
        nifti::write(&path, &volume, None).unwrap();
        let back = nifti::read_header(&path).unwrap();
        prop_assert!(back.grid().same_as(volume.grid()));
    }
}
