//! Fixtures made by `fixtures/make_fixtures.py`.

use std::path::PathBuf;

use serde::de::DeserializeOwned;

pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub fn load<T: DeserializeOwned>(name: &str) -> T {
    let text = std::fs::read_to_string(fixture(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
pub fn assert_close(got: impl IntoIterator<Item = f32>, want: &[f64], tolerance: f64) {
    let got: Vec<f32> = got.into_iter().collect();
    assert_eq!(got.len(), want.len());
    for (n, (&got, &want)) in got.iter().zip(want).enumerate() {
        let apart = (f64::from(got) - want).abs();
        assert!(apart <= tolerance * want.abs().max(1.0), "value {n}: {got} for {want}");
    }
}
