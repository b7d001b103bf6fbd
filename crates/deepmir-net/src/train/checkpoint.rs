//! Checkpoints: a training on disk, to resume after an interruption at any moment.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use deepmir_volume::atomic;
use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};

use super::engine::TrainingState;
use super::history::History;
use crate::optimiser::Moments;
use crate::weights::{Tensor, Weights, serialize};
use crate::{Architecture, NetError, Precision};

/// The layout of the file, written in its metadata.
const FORMAT: &str = "2";

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

/// The content of a checkpoint file: tensors named `weights.…`, `first_moment.…`, `second_moment.…` and, where the
/// weights are averaged, `average.…`; the progress is metadata. Every engine resumes what any other began.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Checkpoint {
    pub progress: Progress,
    pub state: TrainingState,
}

impl Checkpoint {
    /// Writes one file, atomically.
    pub(super) fn write(self, path: &Path) -> Result<(), NetError> {
        let progress = toml::to_string(&self.progress)
            .map_err(|error| NetError::Config { reason: error.to_string() })?;
        let metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("progress".to_owned(), progress),
        ]);
        let TrainingState { weights, moments, average } = self.state;
        let flat = |values: BTreeMap<String, Vec<f32>>| {
            let tensor = |values: Vec<f32>| Tensor { shape: vec![values.len()], values };
            Weights(values.into_iter().map(|(name, values)| (name, tensor(values))).collect())
        };
        let parts = [
            ("weights", weights),
            ("first_moment", flat(moments.first)),
            ("second_moment", flat(moments.second)),
            ("average", average.unwrap_or_default()),
        ];
        let tensors = parts.into_iter().flat_map(|(part, Weights(tensors))| {
            tensors.into_iter().map(move |(name, tensor)| (format!("{part}.{name}"), tensor))
        });
        let tensors = Weights(tensors.collect());
        let bytes = serialize(&tensors, Precision::Single, Some(metadata))?;
        atomic::write(path, &bytes)
            .map_err(|source| NetError::Write { path: path.to_owned(), source })
    }

    /// Reads a file written by [`Checkpoint::write`] for a network of this architecture.
    pub(super) fn read(path: &Path, architecture: &Architecture) -> Result<Self, NetError> {
        let bytes = std::fs::read(path)
            .map_err(|source| NetError::Read { path: path.to_owned(), source })?;
        let foreign = |reason: String| NetError::Checkpoint { path: path.to_owned(), reason };
        let invalid = |reason: String| {
            foreign(format!(
                "the checkpoint is damaged or of another network ({reason}); delete it to begin the training again"
            ))
        };
        let (_, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|error| invalid(error.to_string()))?;
        let entry = |name: &str| metadata.metadata().as_ref().and_then(|entries| entries.get(name));
        if entry("format").map(String::as_str) != Some(FORMAT) {
            let reason = "another program or an earlier deepmir wrote this checkpoint, which cannot be \
                          resumed here; delete the file to begin the training again";
            return Err(foreign(reason.to_owned()));
        }
        let progress =
            entry("progress").ok_or_else(|| invalid("it holds no progress".to_owned()))?;
        let progress: Progress =
            toml::from_str(progress).map_err(|error| invalid(error.to_string()))?;
        let mut parts: BTreeMap<&str, Weights> = BTreeMap::new();
        let all = Weights::from_safetensors(&bytes).map_err(|error| invalid(error.to_string()))?;
        for (name, tensor) in all.0 {
            let known = ["weights", "first_moment", "second_moment", "average"];
            let part = name.split_once('.').and_then(|(part, name)| {
                Some((*known.iter().find(|known| **known == part)?, name.to_owned()))
            });
            let (part, name) = part.ok_or_else(|| invalid(format!("it has a tensor {name}")))?;
            parts.entry(part).or_default().0.insert(name, tensor);
        }
        let mut take = |part: &str| parts.remove(part).unwrap_or_default();
        let weights = take("weights");
        let average = Some(take("average")).filter(|average| !average.0.is_empty());
        for weights in [Some(&weights), average.as_ref()].into_iter().flatten() {
            weights.validate(architecture).map_err(|error| invalid(error.to_string()))?;
        }
        let mut moments = |part: &str| {
            let values = take(part).0.into_iter().map(|(name, tensor)| (name, tensor.values));
            let values: BTreeMap<String, Vec<f32>> = values.collect();
            for tensor in architecture.tensors().iter().filter(|tensor| tensor.trained) {
                let wanted = tensor.shape.iter().product::<usize>();
                let found = values.get(&tensor.name);
                if found.map(Vec::len) != Some(wanted) {
                    return Err(invalid(format!("its {part} of {} does not fit", tensor.name)));
                }
                if !found.is_some_and(|values| values.iter().all(|value| value.is_finite())) {
                    return Err(invalid(format!("its {part} of {} is no number", tensor.name)));
                }
            }
            Ok(values)
        };
        let (first, second) = (moments("first_moment")?, moments("second_moment")?);
        let moments = Moments { steps: progress.step, first, second };
        Ok(Self { progress, state: TrainingState { weights, moments, average } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset;

    fn checkpoint(architecture: &Architecture) -> Checkpoint {
        let weights = Weights::initial(architecture, 1);
        let trained = architecture.tensors().into_iter().filter(|tensor| tensor.trained);
        let first: BTreeMap<String, Vec<f32>> = trained
            .map(|tensor| {
                let count = tensor.shape.iter().product::<usize>();
                (tensor.name, (0..count).map(|n| n as f32 / 3.0).collect())
            })
            .collect();
        let moments = Moments { steps: 7, second: first.clone(), first };
        let average = Some(Weights::initial(architecture, 2));
        Checkpoint {
            progress: Progress { step: 7, loss_sum: 0.1, ..Progress::default() },
            state: TrainingState { weights, moments, average },
        }
    }

    #[test]
    fn a_checkpoint_comes_back_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let architecture = Architecture { widths: vec![4, 6], ..preset::deepmir().architecture };
        let mut written = checkpoint(&architecture);
        for average in [true, false] {
            if !average {
                written.state.average = None;
            }
            written.clone().write(&path).unwrap();
            assert_eq!(Checkpoint::read(&path, &architecture).unwrap(), written);
        }
    }

    #[test]
    fn checkpoints_of_other_versions_and_networks_are_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let architecture = Architecture { widths: vec![4, 6], ..preset::deepmir().architecture };
        let message = || Checkpoint::read(&path, &architecture).unwrap_err().to_string();

        // As versions up to 0.1 wrote them: parts as bytes, and no format.
        let progress = toml::to_string(&Progress::default()).unwrap();
        let metadata = HashMap::from([("progress".to_owned(), progress)]);
        let none = serialize(&Weights::default(), Precision::Single, Some(metadata)).unwrap();
        std::fs::write(&path, none).unwrap();
        for words in ["an earlier deepmir", "delete the file", "checkpoint.safetensors"] {
            assert!(message().contains(words), "{}", message());
        }
        let other = Architecture { widths: vec![4, 8], ..architecture.clone() };
        checkpoint(&other).write(&path).unwrap();
        assert!(message().contains("do not fit the network"), "{}", message());
        let mut broken = checkpoint(&architecture);
        broken.state.moments.second.get_mut("head.bias").unwrap().pop();
        broken.write(&path).unwrap();
        assert!(message().contains("second_moment of head.bias does not fit"), "{}", message());
        let mut wild = checkpoint(&architecture);
        wild.state.moments.first.get_mut("head.bias").unwrap()[0] = f32::NAN;
        wild.write(&path).unwrap();
        assert!(message().contains("first_moment of head.bias is no number"), "{}", message());
        let mut wild = checkpoint(&architecture);
        wild.state.weights.0.get_mut("head.bias").unwrap().values[0] = f32::NAN;
        wild.write(&path).unwrap();
        assert!(message().contains("NaN"), "{}", message());
        let whole = std::fs::read(&path).unwrap();
        for damaged in [b"nothing of the kind".as_slice(), &whole[..whole.len() / 2], b""] {
            std::fs::write(&path, damaged).unwrap();
            for words in ["checkpoint.safetensors", "delete it to begin"] {
                assert!(message().contains(words), "{}", message());
            }
        }
    }
}
