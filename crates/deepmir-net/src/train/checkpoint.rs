//! Checkpoints: a training on disk, to resume after an interruption at any moment.

use std::collections::HashMap;
use std::path::Path;

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use deepmir_volume::atomic;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::history::History;
use crate::{NetError, Precision, UNet, Weights};

/// Everything besides weights and optimiser that a training needs to resume as if it had not been interrupted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Sum of losses since the last validation.
    pub loss_sum: f64,
    /// Number of steps in `loss_sum`.
    pub loss_count: u64,
    /// Validations so far.
    pub history: History,
}

/// The content of a checkpoint file.
pub(super) struct Checkpoint {
    pub progress: Progress,
    /// The averaged weights, where averaging is on.
    pub average: Option<Weights>,
    model: Vec<u8>,
    optimiser: Vec<u8>,
}

impl Checkpoint {
    /// Captures the state of a training.
    pub(super) fn take(
        progress: &Progress,
        net: &UNet,
        optimiser: &ModuleOptimizer,
        average: Option<Weights>,
    ) -> Result<Self, NetError> {
        // Burn applies the last update of running statistics lazily.
        net.settle_statistics();
        let invalid =
            |error: burn::store::RecordError| NetError::Weights { reason: error.to_string() };
        Ok(Self {
            progress: progress.clone(),
            average,
            model: net.clone().into_record().into_bytes().map_err(invalid)?.to_vec(),
            optimiser: optimiser.into_bytes().map_err(invalid)?.to_vec(),
        })
    }

    /// Writes one file, atomically.
    pub(super) fn write(&self, path: &Path) -> Result<(), NetError> {
        let average = match &self.average {
            Some(average) => average.to_safetensors(Precision::Single)?,
            None => Vec::new(),
        };
        let progress = toml::to_string(&self.progress)
            .map_err(|error| NetError::Config { reason: error.to_string() })?;
        let invalid =
            |error: safetensors::SafeTensorError| NetError::Weights { reason: error.to_string() };
        let part = |name: &'static str, bytes| {
            let view = TensorView::new(Dtype::U8, vec![<[u8]>::len(bytes)], bytes);
            view.map(|view| (name, view)).map_err(invalid)
        };
        let parts = [
            part("average", &average)?,
            part("model", &self.model)?,
            part("optimiser", &self.optimiser)?,
        ];
        let metadata = HashMap::from([("progress".to_owned(), progress)]);
        let bytes = safetensors::serialize(parts, Some(metadata)).map_err(invalid)?;
        atomic::write(path, &bytes)
            .map_err(|source| NetError::Write { path: path.to_owned(), source })
    }

    /// Reads a file written by [`Checkpoint::write`].
    pub(super) fn read(path: &Path) -> Result<Self, NetError> {
        let bytes = std::fs::read(path)
            .map_err(|source| NetError::Read { path: path.to_owned(), source })?;
        let invalid = |reason: String| NetError::Checkpoint { path: path.to_owned(), reason };
        let (_, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|error| invalid(error.to_string()))?;
        let progress = metadata.metadata().as_ref().and_then(|entries| entries.get("progress"));
        let progress = progress.ok_or_else(|| invalid("it holds no progress".to_owned()))?;
        let progress = toml::from_str(progress).map_err(|error| invalid(error.to_string()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| invalid(error.to_string()))?;
        let part = |name: &str| match file.tensor(name) {
            Ok(view) => Ok(view.data().to_vec()),
            Err(error) => Err(invalid(error.to_string())),
        };
        let average = part("average")?;
        Ok(Self {
            progress,
            average: if average.is_empty() {
                None
            } else {
                Some(Weights::from_safetensors(&average)?)
            },
            model: part("model")?,
            optimiser: part("optimiser")?,
        })
    }

    /// Restores a network and a new optimiser of the same configuration.
    pub(super) fn restore(
        &self,
        path: &Path,
        net: UNet,
        optimiser: ModuleOptimizer,
    ) -> Result<(UNet, ModuleOptimizer), NetError> {
        let invalid = |error: burn::store::RecordError| NetError::Checkpoint {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let record =
            ModuleRecord::from_bytes(Bytes::from_bytes_vec(self.model.clone())).map_err(invalid)?;
        let net = net.try_load_record(record).map_err(invalid)?;
        let optimiser =
            optimiser.from_bytes(Bytes::from_bytes_vec(self.optimiser.clone())).map_err(invalid)?;
        Ok((net, optimiser))
    }
}
