//! What tests share: PyTorch's tensors, and comparisons.

use std::path::PathBuf;

use crate::architecture::Output;
use crate::train::{Batch, LossConfig};
use crate::{Architecture, Weights};

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

/// The loss of the fixtures `plain_steps` and `reference_steps`.
pub(crate) const LOSS: LossConfig =
    LossConfig { cross_entropy: 0.7, overlap: 1.5, false_positive: 0.2, false_negative: 0.8 };

/// The inputs `[2, 4, 12, 8]` and targets of the U-Net `plain` or `reference`.
pub(crate) fn batch(name: &str) -> Batch {
    let case = fixture(&format!("{name}_case"));
    let targets = case.get("target").unwrap().values.iter().map(|&class| class as u8);
    let inputs = case.get("input").unwrap().values.clone();
    Batch { inputs, targets: targets.collect(), count: 2 }
}

/// Whether training moves a tensor of the U-Net `name` by rounding alone: the gradient of a bias before a batch norm is
/// zero but for rounding, which AdamW magnifies, and the running means follow those biases.
pub(crate) fn follows_rounding(name: &str, tensor: &str) -> bool {
    ["conv1.bias", "conv2.bias", "running_mean"].iter().any(|end| tensor.ends_with(end))
        || (name == "reference" && tensor.ends_with("up.bias"))
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
