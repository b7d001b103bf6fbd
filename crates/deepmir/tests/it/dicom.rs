//! From DICOM files to lesions and back.

use std::fs;
use std::path::Path;

use deepmir_volume::nifti;

use crate::support::{deepmir, finished, refused, text};

/// An element of an explicit little-endian file.
fn element(tag: [u16; 2], kind: &str, mut value: Vec<u8>) -> Vec<u8> {
    if value.len() % 2 == 1 {
        value.push(if kind == "UI" { 0 } else { b' ' });
    }
    let mut bytes: Vec<u8> = tag.iter().flat_map(|half| half.to_le_bytes()).collect();
    bytes.extend(kind.as_bytes());
    match kind {
        "OW" | "OB" => {
            bytes.extend([0, 0]);
            bytes.extend((value.len() as u32).to_le_bytes());
        }
        _ => bytes.extend((value.len() as u16).to_le_bytes()),
    }
    bytes.extend(value);
    bytes
}

/// Writes an SWI as a classic MR series, a slice a file, in the patient's directions.
fn write_series(swi: &Path, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let volume = nifti::read(swi).unwrap().volume;
    let [columns, rows, slices] = volume.shape();
    let sizes = volume.grid().voxel_sizes_mm();
    let text = |tag, kind, value: &str| element(tag, kind, value.as_bytes().to_vec());
    let short = |tag, value: usize| element(tag, "US", (value as u16).to_le_bytes().to_vec());
    let class = "1.2.840.10008.5.1.4.1.1.4";
    for k in 0..slices {
        let instance = format!("1.2.3.4.{k}");
        // Rows run from front to back, columns from right to left of the patient.
        let [x, y, z] = volume.grid().position_mm([columns - 1, rows - 1, k]);
        let mut pixels = Vec::new();
        for j in (0..rows).rev() {
            for i in (0..columns).rev() {
                pixels.extend((volume[[i, j, k]].max(0.0) * 1000.0).round().to_le_u16());
            }
        }
        let meta = [
            element([2, 1], "OB", vec![0, 1]),
            text([2, 2], "UI", class),
            text([2, 3], "UI", &instance),
            text([2, 0x10], "UI", "1.2.840.10008.1.2.1"),
        ]
        .concat();
        let data = [
            text([8, 8], "CS", "ORIGINAL\\PRIMARY\\M\\SWI"),
            text([8, 0x16], "UI", class),
            text([8, 0x18], "UI", &instance),
            text([8, 0x60], "CS", "MR"),
            text([8, 0x70], "LO", "A maker"),
            text([0x10, 0x10], "PN", "Secret^Name"),
            text([0x10, 0x20], "LO", "4711"),
            text([0x18, 0x20], "CS", "GR"),
            text([0x18, 0x23], "CS", "3D"),
            text([0x18, 0x50], "DS", &format!("{}", sizes[2])),
            text([0x18, 0x81], "DS", "20"),
            text([0x18, 0x87], "DS", "3"),
            text([0x20, 0xd], "UI", "1.2.3.1"),
            text([0x20, 0xe], "UI", "1.2.3.2"),
            text([0x20, 0x11], "IS", "5"),
            text([0x20, 0x13], "IS", &(k + 1).to_string()),
            text([0x20, 0x32], "DS", &format!("{}\\{}\\{z}", -x, -y)),
            text([0x20, 0x37], "DS", "1\\0\\0\\0\\1\\0"),
            text([0x20, 0x52], "UI", "1.2.3.3"),
            short([0x28, 2], 1),
            text([0x28, 4], "CS", "MONOCHROME2"),
            short([0x28, 0x10], rows),
            short([0x28, 0x11], columns),
            text([0x28, 0x30], "DS", &format!("{}\\{}", sizes[1], sizes[0])),
            short([0x28, 0x100], 16),
            short([0x28, 0x101], 16),
            short([0x28, 0x102], 15),
            short([0x28, 0x103], 0),
            element([0x7fe0, 0x10], "OW", pixels),
        ]
        .concat();
        let length = element([2, 0], "UL", (meta.len() as u32).to_le_bytes().to_vec());
        let file = [&[0; 128][..], b"DICM", &length, &meta, &data].concat();
        fs::write(folder.join(format!("{k:03}.dcm")), file).unwrap();
    }
}

trait ToBytes {
    fn to_le_u16(self) -> [u8; 2];
}

impl ToBytes for f32 {
    fn to_le_u16(self) -> [u8; 2] {
        (self as u16).to_le_bytes()
    }
}

#[test]
fn lesions_are_found_in_dicom_files_and_written_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let subject = deepmir_testing::write_subject(folder.path(), 1);
    let export = folder.path().join("export");
    write_series(&subject.swi, &export);
    let out = folder.path().join("out");
    let command = ["predict", "--dicom", text(&export), "-o", text(&out)];
    let (code, stdout, told) = finished(&deepmir(&command).output().unwrap());
    assert_eq!(code, 0, "{told}");
    assert!(!stdout.contains("Secret") && !told.contains("Secret"), "{stdout}{told}");
    let files = deepmir_testing::files_below(&out);
    let named = |folder: &str, ending: &str| {
        let ours = |path: &&std::path::PathBuf| {
            path.starts_with(out.join(folder)) && path.to_str().unwrap().ends_with(ending)
        };
        files.iter().find(ours).unwrap_or_else(|| panic!("no {folder}/*{ending}: {files:?}"))
    };
    // Voxels come back as they went, in the same places.
    let image = nifti::read(named("images", "_acq-swi_T2starw.nii.gz")).unwrap().volume;
    let given = nifti::read(&subject.swi).unwrap().volume;
    let place = image.grid().affine().inverse();
    for voxel in [[20, 25, 10], [40, 30, 12]] {
        let there = place.apply(given.grid().position_mm(voxel)).map(|at| at.round() as usize);
        assert!((image[there] - 1000.0 * given[voxel]).abs() <= 0.51);
    }
    named("results", "_desc-lesions.tsv");
    let report = fs::read(named("dicom", "_sr.dcm")).unwrap();
    assert!(report.windows(11).any(|bytes| bytes == b"Secret^Name"), "the patient's own study");
    refused(&command, &["images of another import", "images"]);
    refused(&[&command[..], &["--swi", "x.nii"]].concat(), &["--dicom", "--swi"]);
}
