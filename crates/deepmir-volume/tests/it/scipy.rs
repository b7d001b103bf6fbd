//! Components, distances, filters and interpolation equal scipy's.

use std::collections::HashMap;

use crate::common::{assert_close, load};
use deepmir_volume::components::{Connectivity, components};
use deepmir_volume::distance::distance_to;
use deepmir_volume::{Affine, Grid, Interpolation, Mask, Volume, gaussian, morphology, resample};
use serde::Deserialize;

#[derive(Deserialize)]
struct Scipy {
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    mask: Vec<u8>,
    labels: HashMap<String, Vec<usize>>,
    distance_mm: Vec<f64>,
    dilated: HashMap<String, Vec<u8>>,
    eroded: HashMap<String, Vec<u8>>,
    shell: Vec<u8>,
    filled: Vec<u8>,
    image: Vec<f64>,
    sigma_mm: [f64; 3],
    smooth: Vec<f64>,
    coordinates: Vec<[f64; 3]>,
    linear: Vec<f64>,
    cubic: Vec<f64>,
}

const CONNECTIVITIES: [(&str, Connectivity); 3] =
    [("6", Connectivity::Six), ("18", Connectivity::Eighteen), ("26", Connectivity::TwentySix)];

impl Scipy {
    fn grid(&self) -> Grid {
        Grid::new(self.shape, Affine::from_spacing(self.spacing_mm, [0.0; 3])).unwrap()
    }

    fn mask(&self, values: &[u8]) -> Mask {
        Volume::new(self.grid(), values.iter().map(|&value| value != 0).collect()).unwrap()
    }

    fn image(&self) -> Volume<f32> {
        Volume::new(self.grid(), self.image.iter().map(|&value| value as f32).collect()).unwrap()
    }
}

#[test]
fn components_are_the_same_partition() {
    let scipy: Scipy = load("scipy.json");
    for (name, connectivity) in CONNECTIVITIES {
        let found = components(&scipy.mask(&scipy.mask), false, connectivity);
        let theirs = &scipy.labels[name];
        assert_eq!(found.len(), *theirs.iter().max().unwrap());
        for component in &found {
            let label = theirs[component.voxels[0]];
            let size = theirs.iter().filter(|&&other| other == label).count();
            assert_eq!(component.voxels.len(), size);
            assert!(component.voxels.iter().all(|&voxel| theirs[voxel] == label));
        }
    }
}

#[test]
fn distances_are_the_same() {
    let scipy: Scipy = load("scipy.json");
    let distance = distance_to(&scipy.mask(&scipy.mask));
    assert_close(distance.data().iter().copied(), &scipy.distance_mm, 1e-6);
}

#[test]
fn dilation_erosion_and_hole_filling_are_the_same() {
    let scipy: Scipy = load("scipy.json");
    let (mask, shell) = (scipy.mask(&scipy.mask), scipy.mask(&scipy.shell));
    for (name, connectivity) in CONNECTIVITIES {
        assert_eq!(morphology::dilate(&mask, connectivity), scipy.mask(&scipy.dilated[name]));
        assert_eq!(morphology::erode(&shell, connectivity), scipy.mask(&scipy.eroded[name]));
    }
    assert_eq!(morphology::fill_holes(&shell), scipy.mask(&scipy.filled));
}

#[test]
fn gaussian_smoothing_is_the_same() {
    let scipy: Scipy = load("scipy.json");
    let smooth = gaussian::smooth(&scipy.image(), scipy.sigma_mm);
    assert_close(smooth.data().iter().copied(), &scipy.smooth, 1e-5);
}

#[test]
fn interpolation_is_the_same() {
    let scipy: Scipy = load("scipy.json");
    for (interpolation, want) in
        [(Interpolation::Linear, &scipy.linear), (Interpolation::CubicBSpline, &scipy.cubic)]
    {
        let got = scipy.coordinates.iter().map(|&at| {
            let origin = scipy.grid().affine().apply(at);
            let point = Grid::new([1; 3], Affine::from_spacing([1.0; 3], origin)).unwrap();
            resample(&scipy.image(), &point, interpolation, f32::NAN).data()[0]
        });
        assert_close(got.collect::<Vec<_>>(), want, 1e-5);
    }
}
