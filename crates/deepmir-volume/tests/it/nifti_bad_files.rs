//! Broken, foreign and hostile files: each a clear error that names the file, never a panic, and
//! never more memory than the file could fill.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::fixture;
use deepmir_volume::nifti::{self, ReadOptions};
use proptest::prelude::*;

/// A copy of `scaled.nii` (4 × 3 × 2 of 16-bit integers) with some header bytes changed.
fn altered(folder: &Path, changes: &[(usize, &[u8])]) -> PathBuf {
    let mut bytes = fs::read(fixture("scaled.nii")).unwrap();
    for (at, new) in changes {
        bytes[*at..at + new.len()].copy_from_slice(new);
    }
    let path = folder.join("altered.nii");
    fs::write(&path, bytes).unwrap();
    path
}

#[track_caller]
fn refused(path: &Path, words: &str) {
    let message = nifti::read(path).unwrap_err().to_string();
    let name = path.file_name().unwrap().to_string_lossy();
    assert!(message.contains(words), "no {words:?} in: {message}");
    assert!(message.contains(&*name), "no file name in: {message}");
}

#[test]
fn impossible_headers_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let i16s = |value: i16| value.to_le_bytes();
    let f32s = |value: f32| value.to_le_bytes();
    let case =
        |at: usize, bytes: &[u8], words: &str| refused(&altered(path, &[(at, bytes)]), words);

    case(40, &i16s(0), "number of axes");
    case(40, &i16s(8), "number of axes");
    case(44, &i16s(0), "an axis has no voxels");
    case(44, &i16s(-3), "an axis has no voxels");
    case(108, &f32s(-1e9), "vox_offset");
    case(108, &f32s(f32::NAN), "vox_offset");
    case(108, &f32s(1e9), "ends early");
    case(344, b"\0\0\0\0", "Analyze");
    case(70, &i16s(32), "complex data");
    case(70, &i16s(1792), "complex data");
    case(70, &i16s(128), "RGB");
    case(70, &i16s(1), "one-bit");
    case(70, &i16s(1536), "128-bit float");
    case(70, &i16s(4242), "code 4242");
}

#[test]
fn a_header_bomb_asks_for_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let most = i16::MAX.to_le_bytes();
    let long = altered(folder.path(), &[(42, &most), (44, &most), (46, &most)]);
    refused(&long, "field of view");
    let many = 600_i16.to_le_bytes();
    let huge = altered(folder.path(), &[(42, &many), (44, &many), (46, &many)]);
    refused(&huge, "ends early");
    let bytes = fs::read(&huge).unwrap();
    let axes = 7_i16.to_le_bytes();
    let dims = most.repeat(7);
    refused(&altered(folder.path(), &[(40, &axes), (42, &dims)]), "more voxels than any file");
    // Gzipped, where the length on disk says little.
    let path = folder.path().join("bomb.nii.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, &bytes).unwrap();
    fs::write(&path, encoder.finish().unwrap()).unwrap();
    refused(&path, "ends early");
}

#[test]
fn an_affine_without_an_inverse_is_refused_or_the_qform_taken() {
    let folder = tempfile::tempdir().unwrap();
    let zeros = [0; 48];
    let with_qform = altered(folder.path(), &[(280, &zeros), (252, &1_i16.to_le_bytes())]);
    assert!(nifti::read(&with_qform).is_ok());
    let without = altered(folder.path(), &[(280, &zeros), (252, &0_i16.to_le_bytes())]);
    refused(&without, "has no inverse, and no qform is set");
    let flat = altered(folder.path(), &[(254, &[0, 0]), (80, &[0; 4])]);
    refused(&flat, "pixdim");
}

#[test]
fn what_comes_in_place_of_an_image_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut dicom = vec![0; 400];
    dicom[128..132].copy_from_slice(b"DICM");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &fs::read(fixture("gzipped.nii.gz")).unwrap()).unwrap();
    let twice = gzip.finish().unwrap();
    let page = format!("\n<!DOCTYPE html><html>{}</html>", "Sign in ".repeat(60));
    let scaled = fs::read(fixture("scaled.nii")).unwrap();
    let gzipped = fs::read(fixture("gzipped.nii.gz")).unwrap();
    for (bytes, words) in [
        (&b""[..], "it is empty (0 bytes); copy or download it again"),
        (&[0; 4096], "begins with zeros alone, as an interrupted copy does"),
        (page.as_bytes(), "it is a web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "server's error"),
        (b"{\"message\": \"not found\"}", "JSON"),
        (b"PK\x03\x04\x14\0", "a zip archive; unpack"),
        (&dicom, "a DICOM file; convert the series with dcm2niix"),
        (&twice, "gzipped twice"),
        (b"BZh91AY&SY", "bzip2"),
        (&scaled[..200], "holds 200 bytes and a header takes 348"),
        (&gzipped[..40], "a header takes 348; copy or download it again"),
        (
            b"/annex/objects/MD5E-s636363--0c.nii.gz\n",
            "its content is not here (a pointer of git-annex)",
        ),
    ] {
        let path = folder.path().join("sub-01_swi.nii.gz");
        fs::write(&path, bytes).unwrap();
        refused(&path, words);
        let named_plain = folder.path().join("sub-01_swi.nii");
        fs::rename(&path, &named_plain).unwrap();
        refused(&named_plain, words);
    }
}

#[test]
fn truncated_and_damaged_files_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let raw = fs::read(fixture("scaled.nii")).unwrap();
    let gz = fs::read(fixture("gzipped.nii.gz")).unwrap();
    let cut = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    refused(&cut("cut.nii", &raw[..raw.len() - 1]), "ends early");
    refused(&cut("cut.nii.gz", &gz[..gz.len() - 30]), "ends early");
    refused(&cut("no_sum.nii.gz", &gz[..gz.len() - 4]), "ends early");
    let mut wrong_sum = gz.clone();
    let at = wrong_sum.len() - 6;
    wrong_sum[at] ^= 0xff;
    refused(&cut("wrong_sum.nii.gz", &wrong_sum), "damaged");
    refused(&cut("empty.nii", &[]), "0 bytes");
    refused(&cut("text.nii.gz", "a table, renamed\n".repeat(50).as_bytes()), "the text");
    refused(&cut("short.nii.gz", b"hello"), "5 bytes");
    refused(&folder.path().join("absent.nii"), "there is no such file in the folder");
    refused(folder.path(), "folder");
}

#[test]
fn a_pair_without_its_image_names_the_missing_file() {
    let folder = tempfile::tempdir().unwrap();
    let header = folder.path().join("alone.hdr");
    fs::copy(fixture("pair.hdr"), &header).unwrap();
    let message = nifti::read(&header).unwrap_err().to_string();
    assert!(message.contains("alone.img"), "{message}");
}

#[test]
fn non_finite_voxels_are_counted_or_read_as_zero() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nan.nii");
    let mut bytes = fs::read(fixture("little_f4.nii")).unwrap();
    bytes[352..356].copy_from_slice(&f32::NAN.to_le_bytes());
    bytes[360..364].copy_from_slice(&f32::NEG_INFINITY.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    refused(&path, "2 of 24 voxels");
    let read = nifti::read_with(&path, &ReadOptions { nan_to_zero: true }).unwrap().volume;
    assert_eq!((read.data()[0], read.data()[2]), (0.0, 0.0));
}

#[test]
fn fractions_are_no_labels() {
    let message = nifti::read_integers(&fixture("little_f4.nii")).unwrap_err().to_string();
    assert!(message.contains("no whole numbers"), "{message}");
}

#[test]
fn an_unwritable_place_is_named_and_left_clean() {
    let folder = tempfile::tempdir().unwrap();
    let volume = nifti::read(&fixture("scaled.nii")).unwrap().volume;
    let path = folder.path().join("no/such/folder/a.nii.gz");
    let message = nifti::write(&path, &volume, None).unwrap_err().to_string();
    assert!(message.contains("cannot write") && message.contains("a.nii.gz"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Random bytes thrown over a good header never panic and never hang.
    #[test]
    fn corrupted_headers_never_panic(
        changes in prop::collection::vec((0_usize..352, any::<u8>()), 1..12),
        version2 in any::<bool>(),
    ) {
        let name = if version2 { "version2.nii" } else { "scaled.nii" };
        let mut bytes = fs::read(fixture(name)).unwrap();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fuzzed.nii");
        fs::write(&path, bytes).unwrap();
        let _ = nifti::read(&path);
        let _ = nifti::read_series(&path, &ReadOptions { nan_to_zero: true });
        let _ = nifti::read_integers(&path);
    }
}
