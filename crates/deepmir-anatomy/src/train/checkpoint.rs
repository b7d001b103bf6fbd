//! A training on disk, to be resumed.

use std::collections::BTreeMap;
use std::path::Path;

use deepmir_net::optimiser::Moments;
use deepmir_net::{Precision, Tensor, Weights};
use deepmir_volume::atomic;

use crate::AnatomyError;
use crate::network::architecture_of;

/// Everything that steps change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    pub weights: Weights,
    pub moments: Moments,
    pub average: Weights,
}

/// The tensor that holds the number of steps: two halves of 20 bits, which 32-bit floats represent exactly.
const STEPS: &str = "steps";
const HALF: u64 = 1 << 20;

impl State {
    /// Writes one safetensors file, atomically: tensors `weights.…`, `first_moment.…`, `second_moment.…`,
    /// `average.…`, and the number of steps.
    pub fn write(&self, path: &Path) -> Result<(), AnatomyError> {
        let steps = self.moments.steps;
        let steps = vec![(steps / HALF) as f32, (steps % HALF) as f32];
        let mut all =
            BTreeMap::from([(STEPS.to_owned(), Tensor { shape: vec![2], values: steps })]);
        for (prefix, part) in [("weights", &self.weights), ("average", &self.average)] {
            all.extend(part.0.iter().map(|(name, one)| (format!("{prefix}.{name}"), one.clone())));
        }
        let Moments { first, second, .. } = &self.moments;
        for (prefix, part) in [("first_moment", first), ("second_moment", second)] {
            all.extend(part.iter().map(|(name, values)| {
                let tensor = Tensor { shape: vec![values.len()], values: values.clone() };
                (format!("{prefix}.{name}"), tensor)
            }));
        }
        let bytes = Weights(all).to_safetensors(Precision::Single)?;
        atomic::write(path, &bytes)
            .map_err(|source| AnatomyError::Write { path: path.to_owned(), source })
    }

    /// Reads it back.
    pub fn read(path: &Path) -> Result<Self, AnatomyError> {
        let wrong = |reason: String| AnatomyError::Checkpoint { path: path.to_owned(), reason };
        let file = Weights::read(path)?;
        let part = |prefix: &str| -> BTreeMap<String, Tensor> {
            let named = file.0.iter().filter_map(|(name, tensor)| {
                Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone()))
            });
            named.collect()
        };
        let (weights, average) = (Weights(part("weights.")), Weights(part("average.")));
        let architecture = architecture_of(&weights)?;
        let other = architecture_of(&average)?;
        let values = |prefix: &str| -> BTreeMap<String, Vec<f32>> {
            part(prefix).into_iter().map(|(name, tensor)| (name, tensor.values)).collect()
        };
        let (first, second) = (values("first_moment."), values("second_moment."));
        let fits = |moments: &BTreeMap<String, Vec<f32>>| {
            moments.len() == weights.0.len()
                && moments.iter().all(|(name, values)| {
                    weights.0.get(name).is_some_and(|one| one.values.len() == values.len())
                })
        };
        if architecture != other || !fits(&first) || !fits(&second) {
            return Err(wrong(
                "the checkpoint is incomplete; train into another folder".to_owned(),
            ));
        }
        let steps = match file.get(STEPS)?.values[..] {
            [high, low] => high as u64 * HALF + low as u64,
            _ => {
                return Err(wrong(
                    "the number of steps is missing; train into another folder".to_owned(),
                ));
            }
        };
        Ok(Self { weights, moments: Moments { steps, first, second }, average })
    }
}
