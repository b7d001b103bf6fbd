//! Inference, with running statistics.

use std::collections::BTreeMap;

use super::layers::{convolve, flatten, norm_relu, pool, weights};
use super::{Architecture, dense};
use crate::arena::FeatureMap;
use crate::block::Shape;
use crate::engine::Engine;
use crate::error::KernelError;
use crate::layout::from_nchw;
use crate::parameters::Parameters;
use crate::prologue::Affine;

/// A trained classifier.
///
/// ```
/// use deepmir_kernels::classifier::{Architecture, Network};
/// use deepmir_kernels::{Engine, KernelError};
///
/// let architecture =
///     Architecture { inputs: 2, size: [4, 8, 8], widths: vec![4, 8], hidden: 6, outputs: 3 };
/// architecture.validate()?;
/// // Weights come by name, usually from a file; here all values are 0.1.
/// let tensors: std::collections::BTreeMap<_, _> =
///     architecture.tensors().into_iter().map(|t| (t.name.clone(), vec![0.1; t.values()])).collect();
/// let network = Network::new(&architecture, 1e-3, |name| tensors.get(name).cloned())?;
///
/// let batch = 5;
/// let patches = vec![0.5; batch * architecture.patch_values()];
/// let scores = network.scores(&Engine::new(), &patches, batch)?;
/// assert_eq!(scores.len(), batch * architecture.outputs);
/// # Ok::<(), KernelError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Network {
    architecture: Architecture,
    epsilon: f32,
    tensors: BTreeMap<String, Vec<f32>>,
}

impl Network {
    /// From tensors by the names of [`Architecture::tensors`]. Batch norms add `epsilon` to
    /// variances.
    ///
    /// # Errors
    /// If the architecture is invalid, or a tensor is missing or has the wrong length.
    pub fn new(
        architecture: &Architecture,
        epsilon: f32,
        mut tensor: impl FnMut(&str) -> Option<Vec<f32>>,
    ) -> Result<Self, KernelError> {
        architecture.validate()?;
        let mut tensors = BTreeMap::new();
        for wanted in architecture.tensors() {
            let values =
                tensor(&wanted.name).ok_or_else(|| KernelError::Missing(wanted.name.clone()))?;
            if values.len() != wanted.values() {
                let (found, expected) = (values.len(), wanted.values());
                return Err(KernelError::Length { name: wanted.name, found, expected });
            }
            tensors.insert(wanted.name, values);
        }
        Ok(Self { architecture: architecture.clone(), epsilon, tensors })
    }

    /// The scores (logits), `[patch][score]`, of `batch` patches of
    /// `[slice][channel][row][column]`.
    ///
    /// # Errors
    /// If `input` does not have as many values as that says.
    pub fn scores(
        &self,
        engine: &Engine,
        input: &[f32],
        batch: usize,
    ) -> Result<Vec<f32>, KernelError> {
        self.architecture.validate_input(input.len(), batch)?;
        let named = self.tensors.iter().map(|(name, values)| (name.clone(), values.as_slice()));
        let parameters: Parameters<'_> = named.collect();
        let [slices, height, width] = self.architecture.size;
        let mut map =
            engine.arena.map(Shape::new(batch * slices, self.architecture.inputs, height, width));
        from_nchw(input, map.view_mut());
        for (level, &channels) in self.architecture.widths.iter().enumerate() {
            for index in [1, 2] {
                map = self.convolution(engine, &parameters, level, index, channels, map)?;
            }
            let (pooled_in_plane, pooled) = pool(engine, level, &map);
            map = pooled.unwrap_or(pooled_in_plane);
        }
        let features = flatten(&map);
        let (_, scores) = dense::forward(&self.architecture, &parameters, &features, None)?;
        Ok(scores)
    }

    fn convolution(
        &self,
        engine: &Engine,
        parameters: &Parameters<'_>,
        level: usize,
        index: usize,
        channels: usize,
        input: FeatureMap,
    ) -> Result<FeatureMap, KernelError> {
        let slices = self.architecture.size_after(level)[0];
        let weights = weights(parameters, level, index, input.shape().channels, channels)?;
        let (_, output, _) = convolve(engine, weights, slices, channels, &input);
        let get =
            |part: &str| parameters.get(&format!("level.{level}.norm{index}.{part}"), channels);
        let (gamma, beta) = (get("gamma")?, get("beta")?);
        let (mean, variance) = (get("running_mean")?, get("running_var")?);
        let scales = gamma.iter().zip(variance).map(|(gamma, v)| gamma / (v + self.epsilon).sqrt());
        let scale: Vec<f32> = scales.collect();
        let shift: Vec<f32> = (0..channels).map(|c| beta[c] - mean[c] * scale[c]).collect();
        Ok(norm_relu(engine, &output, &Affine::new(&scale, &shift)))
    }
}
