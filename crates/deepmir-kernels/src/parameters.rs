//! The tensors of a network by name: their shapes, values, gradients and statistics.
//!
//! Both networks use these types: the [U-Net](crate::unet) and the [classifier](crate::classifier).

use std::collections::BTreeMap;

use crate::error::KernelError;
use crate::norm::Moments;

/// Name and shape of a tensor of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name, such as `encoder.0.conv1.weight`.
    pub name: String,
    /// Its axes: `[out, in, 3, 3]`, `[in, out, 2, 2]` for transposed convolutions.
    pub shape: Vec<usize>,
    /// Whether training changes it (running statistics are only tracked).
    pub trained: bool,
}

impl TensorSpec {
    /// Number of values.
    #[must_use]
    pub fn values(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The values of a network's trained tensors, by the names that its architecture lists.
#[derive(Clone, Debug, Default)]
pub struct Parameters<'a>(BTreeMap<String, &'a [f32]>);

impl<'a> Parameters<'a> {
    /// # Errors
    /// If there is no tensor of that name, or it has another number of values.
    pub(crate) fn get(&self, name: &str, expected: usize) -> Result<&'a [f32], KernelError> {
        match self.0.get(name) {
            None => Err(KernelError::Missing(name.to_owned())),
            Some(values) if values.len() == expected => Ok(values),
            Some(values) => {
                Err(KernelError::Length { name: name.to_owned(), found: values.len(), expected })
            }
        }
    }
}

impl<'a> FromIterator<(String, &'a [f32])> for Parameters<'a> {
    fn from_iter<T: IntoIterator<Item = (String, &'a [f32])>>(tensors: T) -> Self {
        Self(tensors.into_iter().collect())
    }
}

/// Gradients of the trained tensors, by name. A backward pass overwrites vectors that are already
/// there, so that a training loop allocates once.
#[derive(Clone, Debug, Default)]
pub struct Gradients(pub BTreeMap<String, Vec<f32>>);

impl Gradients {
    /// The vector of a name, resized to that many values, with unspecified contents.
    pub(crate) fn buffer(&mut self, name: String, values: usize) -> &mut [f32] {
        let buffer = self.0.entry(name).or_default();
        buffer.resize(values, 0.0);
        buffer
    }

    /// Stores the values of a name.
    pub(crate) fn set(&mut self, name: String, values: &[f32]) {
        self.buffer(name, values.len()).copy_from_slice(values);
    }
}

/// Mean and variance of the batch at each batch norm, by its name (`encoder.0.norm1`, …), to
/// update running statistics with.
pub type Statistics = BTreeMap<String, Moments>;
