//! What we read equals what nibabel reads: values, affines and orientations.

use crate::common::{assert_close, fixture, load};
use deepmir_volume::nifti::{self, AffineSource, ReadOptions};
use deepmir_volume::{Affine, Grid, Orientation, Volume};
use serde::Deserialize;

#[derive(Deserialize)]
struct Entry {
    file: String,
    shape: Vec<usize>,
    affine: [[f64; 4]; 4],
    codes: String,
    data: Vec<f64>,
}

#[derive(Deserialize)]
struct Reoriented {
    shape: [usize; 3],
    affine: [[f64; 4]; 4],
    data: Vec<i32>,
    codes: String,
    ras_shape: [usize; 3],
    ras_affine: [[f64; 4]; 4],
    ras_data: Vec<i32>,
}

#[track_caller]
fn assert_affine(got: &Affine, want: &[[f64; 4]; 4]) {
    for (got, want) in got.rows().iter().flatten().zip(want.iter().flatten()) {
        assert!((got - want).abs() < 1e-5, "{got} for {want}");
    }
}

#[test]
fn every_type_byte_order_and_container_reads_as_nibabel_reads_it() {
    let entries: Vec<Entry> = load("nifti.json");
    assert!(entries.len() > 28);
    for entry in entries.iter().filter(|entry| entry.file != "series.nii") {
        let image = nifti::read(&fixture(&entry.file)).unwrap();
        let shape = std::array::from_fn(|axis| entry.shape.get(axis).copied().unwrap_or(1));
        assert_eq!(image.volume.shape(), shape, "{}", entry.file);
        assert_affine(image.volume.grid().affine(), &entry.affine);
        assert_eq!(Orientation::of(image.volume.grid().affine()).codes(), entry.codes);
        assert_close(image.volume.data().iter().copied(), &entry.data, 1e-7);
    }
}

#[test]
fn a_series_reads_as_its_volumes_and_is_refused_where_one_is_wanted() {
    let entries: Vec<Entry> = load("nifti.json");
    let entry = entries.iter().find(|entry| entry.file == "series.nii").unwrap();
    let (header, volumes) =
        nifti::read_series(&fixture("series.nii"), &ReadOptions::default()).unwrap();
    assert_eq!((header.volume_count(), volumes.len()), (3, 3));
    assert_close(volumes.iter().flat_map(|volume| volume.data().iter().copied()), &entry.data, 0.0);
    let refused = nifti::read(&fixture("series.nii")).unwrap_err().to_string();
    assert!(refused.contains("3 volumes") && refused.contains("series.nii"), "{refused}");
}

#[test]
fn a_pair_may_be_named_by_either_file() {
    let by_header = nifti::read(&fixture("pair.hdr")).unwrap();
    let by_image = nifti::read(&fixture("pair.img")).unwrap();
    assert_eq!(by_header.volume, by_image.volume);
}

#[test]
fn the_source_of_the_affine_is_told() {
    for (file, source) in [
        ("scaled.nii", AffineSource::Sform),
        ("only_qform.nii", AffineSource::Qform),
        ("neither_form.nii", AffineSource::VoxelSizes),
    ] {
        assert_eq!(nifti::read_header(&fixture(file)).unwrap().affine_source(), source, "{file}");
    }
}

#[test]
fn all_48_orientations_come_to_ras_as_nibabel_brings_them() {
    let entries: Vec<Reoriented> = load("orientations.json");
    assert_eq!(entries.len(), 48);
    for entry in entries {
        let grid = Grid::new(entry.shape, Affine::from_rows(entry.affine).unwrap()).unwrap();
        let volume = Volume::new(grid, entry.data).unwrap();
        let orientation = Orientation::of(volume.grid().affine());
        assert_eq!(orientation.codes(), entry.codes);
        let ras = orientation.to_ras(&volume);
        assert_eq!(ras.shape(), entry.ras_shape);
        assert_eq!(ras.data(), entry.ras_data);
        assert_affine(ras.grid().affine(), &entry.ras_affine);
        assert_eq!(orientation.from_ras(&ras).data(), volume.data());
    }
}
