//! What tests share: PyTorch's tensors, and comparisons.

use std::path::PathBuf;

use crate::{Architecture, Weights, architecture::Output};

/// Tensors that a script in `tests/fixtures` made.
pub(crate) fn fixture(name: &str) -> Weights {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    Weights::read(&path.join(format!("{name}.safetensors"))).unwrap()
}

/// The tensors of a fixture whose names begin with `prefix`, without it.
pub(crate) fn with_prefix(fixture: &Weights, prefix: &str) -> Weights {
    let tensors = fixture
        .0
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone())));
    Weights(tensors.collect())
}

/// The architecture of the U-Nets `plain` and `reference` of `make_fixtures.py`.
pub(crate) fn unet(name: &str) -> Architecture {
    let reference = name == "reference";
    Architecture {
        input_channels: 4,
        widths: vec![3, 5, 6],
        output_channels: if reference { 1 } else { 3 },
        output: if reference { Output::Sigmoid } else { Output::Softmax },
        norm_after_concatenation: reference,
        norm_epsilon: if reference { 1e-3 } else { 1e-5 },
        norm_momentum: if reference { 0.01 } else { 0.1 },
    }
}

/// Within `tolerance` of the largest wanted value.
#[track_caller]
pub(crate) fn assert_close(got: &[f32], want: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let size = want.iter().fold(1e-3_f32, |size, value| size.max(value.abs()));
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= tolerance * size, "{what}: {got} for {want}");
    }
}
