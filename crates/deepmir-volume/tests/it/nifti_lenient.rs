//! Headers that break the standard and that everybody else reads: they are read alike, and what leaves a doubt is noted.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::common::fixture;
use deepmir_volume::nifti::{self, AffineSource};
use deepmir_volume::{Affine, Warning};
use flate2::Compression;
use flate2::write::GzEncoder;

/// A folder with copies of `scaled.nii` (4 × 3 × 2 of 16-bit integers, its voxels at byte 352).
struct Files {
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
}

impl Files {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            bytes: fs::read(fixture("scaled.nii")).unwrap(),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A copy with some bytes of the header changed.
    fn altered(&self, changes: &[(usize, &[u8])]) -> PathBuf {
        self.write("altered.nii", &self.changed(changes))
    }

    fn changed(&self, changes: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for (at, new) in changes {
            bytes[*at..at + new.len()].copy_from_slice(new);
        }
        bytes
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Voxels and warnings.
fn read(path: &Path) -> (Vec<f32>, Vec<Warning>) {
    let image = nifti::read(path).unwrap();
    let warnings = image.header.warnings(path);
    (image.volume.into_data(), warnings)
}

fn codes(warnings: &[Warning]) -> Vec<&str> {
    warnings.iter().map(|warning| warning.code.as_str()).collect()
}

/// The voxels as they are stored: those of a file whose slope is 0.
fn stored(files: &Files) -> Vec<f32> {
    read(&files.altered(&[(112, &[0; 4])])).0
}

#[test]
fn a_slope_of_nan_means_not_scaled() {
    let files = Files::new();
    let stored = stored(&files);
    let nan = f32::NAN.to_le_bytes();
    assert_eq!(read(&files.altered(&[(112, &nan), (116, &nan)])), (stored.clone(), vec![]));
    let (voxels, warnings) = read(&files.altered(&[(112, &f32::INFINITY.to_le_bytes())]));
    assert_eq!((voxels, codes(&warnings)), (stored.clone(), vec!["scaling"]));
    let two = 2.0_f32.to_le_bytes();
    let (voxels, warnings) = read(&files.altered(&[(112, &two), (116, &nan)]));
    assert_eq!(voxels, stored.iter().map(|value| 2.0 * value).collect::<Vec<_>>());
    assert!(warnings[0].message.contains("altered.nii"), "{warnings:?}");
    let (_, warnings) = read(&files.altered(&[(112, &(-1.0_f32).to_le_bytes())]));
    assert!(warnings[0].message.contains("swaps bright and dark"), "{warnings:?}");
}

#[test]
fn zeros_after_gzip_data_are_padding_and_other_bytes_are_told() {
    let files = Files::new();
    let (plain, _) = read(&fixture("scaled.nii"));
    let gz = gzipped(&files.bytes);
    let padded = files.write("padded.nii.gz", &[&gz[..], &[0; 512]].concat());
    assert_eq!(read(&padded), (plain.clone(), vec![]));
    let (voxels, warnings) =
        read(&files.write("more.nii.gz", &[&gz[..], b"junk of a copy"].concat()));
    assert_eq!((voxels, codes(&warnings)), (plain.clone(), vec!["bytes_ignored"]));
    assert!(warnings[0].message.starts_with("14 bytes after its gzip data were ignored: "));
    let (head, tail) = files.bytes.split_at(355);
    let members = files.write("members.nii.gz", &[gzipped(head), gzipped(tail)].concat());
    assert_eq!(read(&members), (plain, vec![]));
}

#[test]
fn voxels_that_the_header_does_not_announce_are_told() {
    let files = Files::new();
    let (plain, _) = read(&fixture("scaled.nii"));
    let more = [&files.bytes[..], &[7; 48]].concat();
    for (name, bytes) in [("more.nii", more.clone()), ("more.nii.gz", gzipped(&more))] {
        let (voxels, warnings) = read(&files.write(name, &bytes));
        assert_eq!((&voxels, codes(&warnings)), (&plain, vec!["bytes_ignored"]), "{name}");
    }
    let zeros = [&files.bytes[..], &[0; 160]].concat();
    assert_eq!(read(&files.write("zeros.nii", &zeros)), (plain, vec![]));
}

#[test]
fn later_axes_of_no_voxels_are_one_volume() {
    let files = Files::new();
    let (plain, _) = read(&fixture("scaled.nii"));
    let i16s = |values: &[i16]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    for (axes, later) in
        [(4, [0, 0, 0, 0]), (5, [1, 0, 0, 0]), (7, [1, 1, 0, 1]), (4, [-1, 0, 0, 0])]
    {
        let path = files.altered(&[(40, &i16s(&[axes])), (48, &i16s(&later))]);
        assert_eq!(read(&path), (plain.clone(), vec![]), "{axes} {later:?}");
    }
    // What stands beyond the axes that there are plays no part, and neither do its sizes.
    let junk = files.altered(&[(48, &i16s(&[9, 9, 9, 9])), (92, &f32::NAN.to_le_bytes())]);
    assert_eq!(read(&junk), (plain, vec![]));
}

#[test]
fn voxels_begin_after_the_header_where_vox_offset_is_0() {
    let files = Files::new();
    let (plain, _) = read(&fixture("scaled.nii"));
    let zero = files.changed(&[(108, &[0; 4])]);
    let without_flag = [&zero[..348], &zero[352..]].concat();
    for (name, bytes) in [
        ("a.nii", zero.clone()),
        ("a.nii.gz", gzipped(&zero)),
        ("b.nii", without_flag.clone()),
        ("b.nii.gz", gzipped(&without_flag)),
        ("c.nii", files.changed(&[(108, &348_f32.to_le_bytes())])),
    ] {
        assert_eq!(read(&files.write(name, &bytes)), (plain.clone(), vec![]), "{name}");
    }
    let cut = files.write("cut.nii", &without_flag[..without_flag.len() - 1]);
    assert!(nifti::read(&cut).unwrap_err().to_string().contains("ends early"));
}

#[test]
fn a_single_file_that_says_it_is_a_pair_is_read_from_its_voxels() {
    let files = Files::new();
    let (plain, _) = read(&fixture("scaled.nii"));
    let pair = files.changed(&[(344, b"ni1\0"), (108, &[0; 4])]);
    for (name, bytes) in [("a.nii", pair.clone()), ("a.nii.gz", gzipped(&pair))] {
        let (voxels, warnings) = read(&files.write(name, &bytes));
        assert_eq!((&voxels, codes(&warnings)), (&plain, vec!["header_magic"]), "{name}");
    }
}

#[test]
fn a_header_of_another_size_is_known_by_its_magic() {
    let files = Files::new();
    let (plain, _) = read(&fixture("scaled.nii"));
    let (voxels, warnings) = read(&files.altered(&[(0, &[0; 4])]));
    assert_eq!((voxels, codes(&warnings)), (plain, vec!["header_size"]));
    let mut big = fs::read(fixture("big_i2.nii")).unwrap();
    big[..4].copy_from_slice(&352_i32.to_be_bytes());
    let (voxels, warnings) = read(&files.write("big.nii", &big));
    assert_eq!(voxels, read(&fixture("big_i2.nii")).0);
    assert!(warnings[0].message.starts_with("its sizeof_hdr is 352, not 348: "));
}

#[test]
fn a_quaternion_near_half_a_turn_is_half_a_turn() {
    let files = Files::new();
    let f32s = |values: &[f64]| -> Vec<u8> {
        values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect()
    };
    for degrees in 0..90 {
        // Half a turn about an axis that is tilted by half the tilt of the head.
        let (sin, cos) = (f64::from(degrees) / 2.0).to_radians().sin_cos();
        for quaternion in
            [[0.0, cos, sin], [cos, 0.0, sin], [cos, sin, 0.0], [0.6 * cos, 0.8 * cos, sin]]
        {
            let path = files.altered(&[
                (252, &1_i16.to_le_bytes()),
                (254, &[0, 0]),
                (76, &f32s(&[1.0, 0.75, 0.75, 1.5])),
                (256, &f32s(&quaternion)),
                (268, &f32s(&[0.0, 0.0, 0.0])),
            ]);
            let header = nifti::read_header(&path).unwrap();
            assert_eq!(header.affine_source(), AffineSource::Qform);
            let linear = header.grid().affine().linear();
            for row in 0..3 {
                for column in 0..3 {
                    let same = f64::from(u8::from(row == column));
                    let turned = 2.0 * quaternion[row] * quaternion[column] - same;
                    let want = turned * [0.75, 0.75, 1.5][column];
                    let apart = (linear[(row, column)] - want).abs();
                    assert!(apart < 1e-6, "{degrees}° {quaternion:?}: {apart}");
                }
            }
        }
    }
}

#[test]
fn an_image_that_says_nothing_of_its_sides_is_told() {
    let warnings =
        |path: &Path| -> Vec<Warning> { nifti::read_header(path).unwrap().warnings(path) };
    let neither = fixture("neither_form.nii");
    let told = warnings(&neither);
    assert_eq!(codes(&told), ["side_unknown"]);
    assert!(told[0].message.contains("which side is left is a guess"), "{told:?}");
    assert!(told[0].message.ends_with("neither_form.nii"), "{told:?}");
    for name in ["scaled.nii", "only_qform.nii", "version2.nii", "big_i2.nii"] {
        assert_eq!(warnings(&fixture(name)), vec![], "{name}");
    }
    // What programs write that know no geometry: the identity, with other voxel sizes perhaps.
    let files = Files::new();
    let rows = [[0.75, 0.0, 0.0, 0.0], [0.0, 0.75, 0.0, 0.0], [0.0, 0.0, 1.5, 0.0_f32]];
    let bytes: Vec<u8> = rows.into_iter().flatten().flat_map(f32::to_le_bytes).collect();
    assert_eq!(codes(&warnings(&files.altered(&[(280, &bytes)]))), ["side_unknown"]);
}

#[test]
fn an_sform_of_zeros_is_told_and_the_qform_taken() {
    let files = Files::new();
    let qform = (252, &1_i16.to_le_bytes()[..]);
    let flat = [[0.75, 0.74, 0.0, 3.0], [0.001, 0.0, 0.0, 4.0], [0.0, 0.0, 1.5, 5.0_f32]];
    let flat: Vec<u8> = flat.into_iter().flatten().flat_map(f32::to_le_bytes).collect();
    for sform in [vec![0; 48], f32::NAN.to_le_bytes().repeat(12), flat] {
        let path = files.altered(&[(280, &sform), qform]);
        let header = nifti::read_header(&path).unwrap();
        assert_eq!(header.affine_source(), AffineSource::Qform);
        let warnings: Vec<Warning> = header.warnings(&path);
        assert_eq!(codes(&warnings), ["sform_unusable"]);
        assert!(warnings[0].message.contains("its qform was taken"), "{warnings:?}");
        let no_qform = files.altered(&[(280, &sform), (252, &[0, 0])]);
        let told = nifti::read_header(&no_qform).unwrap_err().to_string();
        assert!(told.contains("has no inverse, and no qform is set"), "{told}");
        let bad_qform = files.altered(&[(280, &sform), qform, (256, &9_f32.to_le_bytes())]);
        let told = nifti::read_header(&bad_qform).unwrap_err().to_string();
        assert!(told.contains("has no inverse, and the qform's quaternion"), "{told}");
    }
}

#[test]
fn an_sform_and_a_qform_that_disagree_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let affine = Affine::from_spacing([0.75, 0.75, 1.5], [-80.0, -96.0, -75.0]);
    let grid = deepmir_volume::Grid::new([9, 8, 7], affine).unwrap();
    let bytes = nifti::encode(&deepmir_volume::Volume::filled(grid, 1_u8), None);
    let warnings = |changes: &[(usize, f32)]| -> Vec<Warning> {
        let mut bytes = bytes.clone();
        for &(at, value) in changes {
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        let path = folder.path().join("a.nii");
        fs::write(&path, bytes).unwrap();
        nifti::read_header(&path).unwrap().warnings(&path)
    };
    assert_eq!(warnings(&[]), vec![]);
    assert_eq!(warnings(&[(268, -80.5)]), vec![]);
    let told = warnings(&[(268, -70.0)]);
    assert_eq!(codes(&told), ["forms_disagree"]);
    assert!(
        told[0].message.contains("corners lie up to 10.0 mm apart; the sform was taken"),
        "{told:?}"
    );
    // The sform runs to the left, the qform to the right.
    let told = warnings(&[(280, -0.75), (292, -74.0)]);
    assert!(
        told[0].message.contains("apart, and one is the mirror image of the other"),
        "{told:?}"
    );
    // No qform, and pixdim in another unit than the sform.
    let code = f32::from_le_bytes([0, 0, 1, 0]);
    let told = warnings(&[(252, code), (80, 1.0), (84, 1.0), (88, 1.0)]);
    assert_eq!(codes(&told), ["voxel_sizes_disagree"]);
    assert!(
        told[0].message.contains("0.75 × 0.75 × 1.5 mm and its pixdim 1 × 1 × 1 mm"),
        "{told:?}"
    );
}

#[test]
fn units_that_give_no_head_are_refused() {
    let files = Files::new();
    for (units, told) in
        [(1, "732.4 × "), (1 | 8, "xyzt_units says metres"), (3, "xyzt_units says micrometres")]
    {
        let message = nifti::read(&files.altered(&[(123, &[units])])).unwrap_err().to_string();
        assert!(
            message.contains("cannot be a head's") && message.contains("altered.nii"),
            "{message}"
        );
        assert!(message.contains(told), "{message}");
    }
    for units in [0, 2, 10, 8, 6] {
        assert!(nifti::read(&files.altered(&[(123, &[units])])).is_ok(), "{units}");
    }
}
