//! The label maps of `fixtures/scores.json`, which several scripts measure.

use std::path::Path;

use deepmir_lesion::LabelMap;
use deepmir_volume::{Affine, Grid, Volume};
use serde::Deserialize;

#[derive(Deserialize)]
struct Maps {
    shape: [usize; 3],
    cases: Vec<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    truth: String,
    predicted: String,
}

/// The true and the predicted map of each case, in voxels of this size.
pub fn pairs(spacing_mm: [f64; 3]) -> Vec<[LabelMap; 2]> {
    let maps: Maps = serde_json::from_str(include_str!("../fixtures/scores.json")).unwrap();
    let grid = Grid::new(maps.shape, Affine::from_spacing(spacing_mm, [0.0; 3])).unwrap();
    let labels = |digits: &String| {
        let values = digits.bytes().map(|digit| i32::from(digit - b'0')).collect();
        LabelMap::from_integers(&Volume::new(grid, values).unwrap(), Path::new("fixture")).unwrap()
    };
    maps.cases.iter().map(|pair| [&pair.truth, &pair.predicted].map(labels)).collect()
}

/// Whether both are undefined, or the same but for rounding.
pub fn close(got: Option<f64>, want: Option<f64>) -> bool {
    match (got, want) {
        (Some(got), Some(want)) => (got - want).abs() < 1e-9,
        (got, want) => got == want,
    }
}
