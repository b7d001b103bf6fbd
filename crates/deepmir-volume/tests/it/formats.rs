//! What we read of other programs' images equals what nibabel, pynrrd and ITK read, and bad ones are refused.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{assert_close, fixture, load};
use deepmir_volume::nifti::{self, AffineSource, ReadOptions};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Entry {
    file: String,
    shape: Vec<usize>,
    affine: [[f64; 4]; 4],
    data: Vec<f64>,
}

fn of_format(name: &str) -> PathBuf {
    fixture("formats").join(name)
}

#[test]
fn every_format_type_byte_order_and_packing_reads_as_its_own_library_reads_it() {
    let entries: Vec<Entry> = load("formats/formats.json");
    assert!(entries.len() > 30);
    for Entry { file, shape, affine, data } in entries {
        let path = of_format(&file);
        let (header, volumes) = nifti::read_series(&path, &ReadOptions::default()).unwrap();
        assert_eq!(header.grid().shape()[..], shape[..3], "{file}");
        assert_eq!(header.dims(), shape, "{file}");
        for (got, want) in header.grid().affine().rows().iter().flatten().zip(affine.as_flattened())
        {
            assert!((got - want).abs() < 2e-5, "{file}: {got} for {want}");
        }
        assert_eq!(header.affine_source(), AffineSource::Sform);
        assert!(header.warnings(&path).is_empty(), "{file}: {:?}", header.warnings(&path));
        assert_close(volumes.iter().flat_map(|one| one.data().iter().copied()), &data, 1e-7);
    }
}

#[test]
fn voxels_in_a_file_of_their_own_are_found() {
    for (header, voxels) in [
        ("formats/detached.nhdr", Some("detached.raw")),
        ("formats/packed.mhd", Some("packed.zraw")),
        ("formats/i2.mha", None),
        ("pair.hdr", Some("pair.img")),
        ("scaled.nii", None),
        ("none.mhd", None),
    ] {
        let found = nifti::voxels_beside(&fixture(header));
        let found = found.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
        assert_eq!(found, voxels, "{header}");
    }
}

#[test]
fn an_output_keeps_the_place_of_an_image_of_another_format() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["f32.mgz", "RAS_int16_raw.nrrd", "f8.mha"] {
        let image = nifti::read(&of_format(name)).unwrap();
        let path = folder.path().join(format!("{}.nii.gz", nifti::stem(Path::new(name))));
        nifti::write(&path, &image.volume, Some(&image.header)).unwrap();
        let again = nifti::read(&path).unwrap().volume;
        assert_eq!(again.data(), image.volume.data());
        assert!(again.grid().same_as(image.volume.grid()), "{name}");
    }
}

/// A copy of a fixture with one text in its header replaced by another.
#[track_caller]
fn altered(folder: &Path, name: &str, from: &str, to: &str) -> PathBuf {
    let bytes = fs::read(of_format(name)).unwrap();
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
    let path = folder.join(name);
    fs::write(&path, [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()).unwrap();
    path
}

#[test]
fn bad_files_are_refused_with_words() {
    let folder = tempfile::tempdir().unwrap();
    let case = |name: &str, from: &str, to: &str, words: &str| {
        let path = altered(folder.path(), name, from, to);
        let message = nifti::read(&path).unwrap_err().to_string();
        assert!(message.contains(words) && message.contains(name), "no {words:?} in: {message}");
    };
    let raw = "RAS_int16_raw.nrrd";
    for (from, to, words) in [
        ("type: int16", "type: block", "NRRD data of type \"block\""),
        ("type: int16", "kind: int16", "does not say its type"),
        ("dimension: 3", "dimension: 5", "of 5 axes"),
        ("sizes: 4 3 2", "sizes: 4 3", "not the lengths of 3 axes"),
        ("sizes: 4 3 2", "sizes: 4 3 0", "not the lengths of 3 axes"),
        ("sizes: 4 3 2", "sizes: 4 3 200", "ends early"),
        ("sizes: 4 3 2", "sizes: 99999999 99999999 9999", "more voxels than any file"),
        ("encoding: raw", "encoding: hex", "the encoding hex"),
        ("endian: little", "endian: middle", "byte order"),
        ("space: RAS", "space: 3D-right-handed", "has no left side"),
        ("space directions: (", "space directions: none (", "several values a voxel"),
        ("space directions: (", "space directions: (0,0,0) #", "no vectors"),
        ("space origin: (", "space origin: (1,", "space origin"),
        ("encoding: raw", "encoding: raw\ndata file: ../up.raw", "beside the header"),
        ("encoding: raw", "encoding: raw\ndata file: LIST", "several files"),
        ("encoding: raw", "encoding: raw\nline skip: 2", "line skip"),
        ("encoding: raw", "encoding: raw\nbyte skip: -3", "negative byte skip"),
        ("encoding: raw", "encoding: raw\nspace units: \"mm\" \"mm\" \"um\"", "um"),
        ("encoding: raw", "encoding: gzip", "damaged"),
    ] {
        case(raw, from, to, words);
    }
    for (from, to, words) in [
        ("NDims = 3", "NDims = 2", "of 2 axes"),
        ("DimSize = 4 3 2", "DimSize = 4 x 2", "not the lengths"),
        ("ElementSpacing = ", "ElementSpacing = 1 ", "4 numbers of elementspacing"),
        ("ElementType = MET_SHORT", "ElementType = MET_STRING", "MET_STRING"),
        ("BinaryData = True", "BinaryData = False", "text"),
        ("ElementDataFile = LOCAL", "ElementDataFile = /etc/passwd", "beside the header"),
        ("ElementDataFile = LOCAL", "ElementDataFile = slice%03d.raw 1 9 1", "several files"),
        ("CompressedData = False", "CompressedData = True", "damaged"),
        ("ElementType", "ElementNumberOfChannels = 3\nElementType", "several values a voxel"),
    ] {
        case("i2.mha", from, to, words);
    }
    let lonely = altered(folder.path(), "i2.mha", "= LOCAL", "= none.raw");
    assert!(nifti::read(&lonely).unwrap_err().to_string().ends_with("none.raw"));
    let series = nifti::read(&of_format("series.nrrd")).unwrap_err().to_string();
    assert!(series.contains("3 volumes"), "{series}");
    let mut bytes = fs::read(of_format("i32.mgh")).unwrap();
    bytes[23] = 9;
    let path = folder.path().join("other.mgh");
    fs::write(&path, &bytes).unwrap();
    assert!(nifti::read(&path).unwrap_err().to_string().contains("MGH data of type 9"));
    fs::write(&path, &bytes[..100]).unwrap();
    assert!(nifti::read(&path).unwrap_err().to_string().contains("284"));
}

#[test]
fn a_place_that_nobody_told_is_a_guess_and_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = altered(folder.path(), "RAS_int16_raw.nrrd", "space: RAS", "content: x");
    let text = fs::read(&path).unwrap();
    let at = text.windows(13).position(|part| part == b"space origin:").unwrap();
    fs::write(&path, [&text[..at], b"# pace origin:", &text[at + 13..]].concat()).unwrap();
    let header = nifti::read_header(&path).unwrap();
    assert_eq!(header.affine_source(), AffineSource::VoxelSizes);
    assert_eq!(header.warnings(&path)[0].code, "side_unknown");
    for (got, want) in header.grid().voxel_sizes_mm().iter().zip([0.7, 0.8, 1.5]) {
        assert!((got - want).abs() < 1e-6);
    }
    let mut bytes = fs::read(of_format("i32.mgh")).unwrap();
    bytes[28..30].fill(0);
    let path = folder.path().join("no-place.mgh");
    fs::write(&path, bytes).unwrap();
    assert_eq!(nifti::read_header(&path).unwrap().affine_source(), AffineSource::VoxelSizes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_makes_a_reader_panic(
        file in prop::sample::select(vec![
            "i32.mgh", "f32.mgz", "RAS_int16_raw.nrrd", "left-p_float32_gzip.nrrd", "packed.nhdr", "i2.mha", "i1.mha", "packed.mhd",
        ]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        length in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = fs::read(of_format(file)).unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(length) = length {
            bytes.truncate(length.index(bytes.len() + 1));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        fs::write(&path, bytes).unwrap();
        let _ = nifti::read(&path);
    }
}
