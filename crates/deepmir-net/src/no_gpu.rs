//! In place of the GPUs, in a build without the feature `gpu`.

use crate::infer::Network;
use crate::train::{StepSettings, TrainingEngine, TrainingState};
use crate::{Architecture, DeviceChoice, NetError, Weights};

/// Whether `auto` finds a GPU.
pub(crate) fn is_available() -> bool {
    false
}

/// Networks on a GPU.
pub(crate) fn networks(
    _: &Architecture,
    _: &[Weights],
    _: DeviceChoice,
) -> Result<Vec<Box<dyn Network>>, NetError> {
    Err(missing())
}

/// A training on a GPU.
pub(crate) fn training(
    _: StepSettings,
    _: TrainingState,
    _: DeviceChoice,
) -> Result<Box<dyn TrainingEngine>, NetError> {
    Err(missing())
}

fn missing() -> NetError {
    let reason = "this deepmir was built without GPU support; build it with \
                  `cargo build --release --features gpu`, or use --device cpu";
    NetError::Config { reason: reason.to_owned() }
}
