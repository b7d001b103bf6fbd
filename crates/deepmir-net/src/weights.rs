//! The weights of a network by name, independent of any framework.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use half::f16;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Role};
use crate::error::NetError;

/// A tensor: its shape and its values, the last axis running fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Vec<f32>,
}

/// Every tensor of a network, by the names of [`Architecture::tensors`].
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Weights(pub BTreeMap<String, Tensor>);

/// A weight file of a model, and its checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightFile {
    /// Its name in the bundle.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// The precision of weights on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats, to resume a training.
    Single,
    /// 16-bit floats, for models.
    Half,
}

impl Weights {
    /// Random initial weights: He-normal kernels (He et al. 2015: standard deviation √(2/inputs), truncated at two
    /// standard deviations as in Keras), zero biases, unit normalisation. The same seed gives the same weights.
    pub fn initial(architecture: &Architecture, seed: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let tensors = architecture.tensors().into_iter().map(|tensor| {
            let count = tensor.shape.iter().product();
            let values = match tensor.role {
                Role::Zero => vec![0.0; count],
                Role::One => vec![1.0; count],
                Role::Kernel { fan_in } => he_normal(fan_in, count, &mut generator),
            };
            (tensor.name, Tensor { shape: tensor.shape, values })
        });
        Self(tensors.collect())
    }

    /// A tensor by name.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, name: &str) -> Result<&Tensor, NetError> {
        self.0
            .get(name)
            .ok_or_else(|| NetError::Weights { reason: format!("there is no tensor {name}") })
    }

    /// Checks that these are exactly the tensors of an architecture, all finite.
    ///
    /// # Errors
    /// Naming the first that is missing, left over, of another shape, or not finite.
    pub fn validate(&self, architecture: &Architecture) -> Result<(), NetError> {
        let wanted = architecture.tensors().into_iter().map(|tensor| (tensor.name, tensor.shape));
        self.validate_tensors(&wanted.collect())
    }

    /// [`Weights::validate`] against names and shapes.
    ///
    /// # Errors
    /// As [`Weights::validate`].
    pub fn validate_tensors(&self, wanted: &BTreeMap<String, Vec<usize>>) -> Result<(), NetError> {
        let invalid = |reason: String| Err(NetError::Weights { reason });
        for (name, shape) in wanted {
            let found = self.get(name)?;
            if found.shape != *shape {
                return invalid(format!("{name} is {:?} where {shape:?} is wanted", found.shape));
            }
            if !found.values.iter().all(|value| value.is_finite()) {
                return invalid(format!("{name} holds NaN or infinite numbers"));
            }
        }
        match self.0.keys().find(|name| !wanted.contains_key(*name)) {
            Some(name) => {
                invalid(format!("there is a tensor {name} that the network does not have"))
            }
            None => Ok(()),
        }
    }

    /// The bytes of a safetensors file.
    ///
    /// # Errors
    /// If serialisation fails.
    pub fn to_safetensors(&self, precision: Precision) -> Result<Vec<u8>, NetError> {
        serialize(self, precision, None)
    }

    /// From the bytes of a safetensors file, of 16-bit or 32-bit floats.
    ///
    /// # Errors
    /// If the bytes are no safetensors file or hold other types.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, NetError> {
        let file = SafeTensors::deserialize(bytes).map_err(invalid)?;
        let tensors = file.iter().map(|(name, view)| {
            let values = match view.dtype() {
                Dtype::F32 => {
                    view.data().as_chunks().0.iter().map(|&raw| f32::from_le_bytes(raw)).collect()
                }
                Dtype::F16 => view
                    .data()
                    .as_chunks()
                    .0
                    .iter()
                    .map(|&raw| f16::from_le_bytes(raw).to_f32())
                    .collect(),
                other => {
                    return Err(NetError::Weights {
                        reason: format!("{name} is of type {other:?}"),
                    });
                }
            };
            Ok((name.to_owned(), Tensor { shape: view.shape().to_vec(), values }))
        });
        tensors.collect::<Result<_, _>>().map(Self)
    }

    /// Reads a safetensors file.
    ///
    /// # Errors
    /// If the file cannot be read or is none.
    pub fn read(path: &Path) -> Result<Self, NetError> {
        let bytes = std::fs::read(path)
            .map_err(|source| NetError::Read { path: path.to_owned(), source })?;
        Self::from_safetensors(&bytes)
    }
}

/// The bytes of a safetensors file of tensors, with metadata.
pub(crate) fn serialize(
    tensors: &Weights,
    precision: Precision,
    metadata: Option<HashMap<String, String>>,
) -> Result<Vec<u8>, NetError> {
    let encode = |values: &[f32]| -> Vec<u8> {
        match precision {
            Precision::Single => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Precision::Half => {
                values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect()
            }
        }
    };
    let dtype = match precision {
        Precision::Single => Dtype::F32,
        Precision::Half => Dtype::F16,
    };
    let encoded = tensors.0.iter().map(|(name, tensor)| (name, tensor, encode(&tensor.values)));
    let encoded: Vec<(&String, &Tensor, Vec<u8>)> = encoded.collect();
    let views = encoded
        .iter()
        .map(|(name, tensor, bytes)| {
            TensorView::new(dtype, tensor.shape.clone(), bytes).map(|view| (name.as_str(), view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(invalid)?;
    safetensors::serialize(views, metadata).map_err(invalid)
}

fn invalid(error: safetensors::SafeTensorError) -> NetError {
    NetError::Weights { reason: error.to_string() }
}

/// `count` values of a kernel: normal with standard deviation √(2/`fan_in`), truncated at two standard deviations.
#[expect(clippy::expect_used, reason = "a positive finite deviation makes a distribution")]
pub fn he_normal(fan_in: usize, count: usize, generator: &mut ChaCha8Rng) -> Vec<f32> {
    // Truncation reduces the standard deviation by 12 %; as in Keras, this is compensated.
    let deviation = (2.0 / fan_in as f32).sqrt() / 0.879_626;
    let normal = Normal::new(0.0, deviation).expect("a finite deviation");
    std::iter::repeat_with(|| normal.sample(generator))
        .filter(|value: &f32| value.abs() <= 2.0 * deviation)
        .take(count)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset;

    #[test]
    fn weights_survive_the_file_and_halves_are_near() {
        let architecture = preset::deepmir().architecture;
        let weights = Weights::initial(&architecture, 3);
        weights.validate(&architecture).unwrap();
        let single = weights.to_safetensors(Precision::Single).unwrap();
        assert_eq!(Weights::from_safetensors(&single).unwrap(), weights);
        let half = Weights::from_safetensors(&weights.to_safetensors(Precision::Half).unwrap());
        for (name, tensor) in half.unwrap().0 {
            for (half, full) in tensor.values.iter().zip(&weights.0[&name].values) {
                assert!((half - full).abs() <= full.abs() * 5e-4 + 1e-7);
            }
        }
    }

    #[test]
    fn initial_kernels_have_he_variance_and_depend_on_the_seed_alone() {
        let architecture = preset::deepmir().architecture;
        let weights = Weights::initial(&architecture, 1);
        assert_eq!(weights, Weights::initial(&architecture, 1));
        assert_ne!(weights, Weights::initial(&architecture, 2));
        let kernel = weights.get("encoder.2.conv2.weight").unwrap();
        let fan_in: usize = kernel.shape[1..].iter().product();
        let count = kernel.values.len() as f64;
        let variance = kernel.values.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / count;
        assert!((variance * fan_in as f64 / 2.0 - 1.0).abs() < 0.03);
    }

    #[test]
    fn a_missing_a_surplus_and_a_broken_tensor_are_named() {
        let architecture = preset::deepmir().architecture;
        let good = Weights::initial(&architecture, 0);
        let message = |weights: &Weights| weights.validate(&architecture).unwrap_err().to_string();
        let mut weights = good.clone();
        weights.0.remove("head.bias");
        assert!(message(&weights).contains("no tensor head.bias"));
        let mut weights = good.clone();
        weights.0.insert("tail.bias".to_owned(), good.0["head.bias"].clone());
        assert!(message(&weights).contains("tail.bias"));
        let mut weights = good.clone();
        weights.0.get_mut("head.bias").unwrap().values[0] = f32::NAN;
        assert!(message(&weights).contains("NaN"));
        let mut weights = good;
        weights.0.get_mut("head.bias").unwrap().shape = vec![7];
        assert!(message(&weights).contains("[7]"));
        assert!(Weights::from_safetensors(b"not at all").is_err());
    }
}
