//! A network's tensors in and its gradients out, by name.

use std::collections::BTreeMap;

use crate::norm::Moments;
use crate::unet::architecture::UNetError;

/// The trained tensors of a network, by the names of
/// [`Architecture::tensors`](super::super::Architecture::tensors).
#[derive(Clone, Debug, Default)]
pub struct Parameters<'a>(BTreeMap<String, &'a [f32]>);

impl<'a> Parameters<'a> {
    /// # Errors
    /// If there is no tensor of that name, or it has another number of values.
    pub(crate) fn get(&self, name: &str, expected: usize) -> Result<&'a [f32], UNetError> {
        match self.0.get(name) {
            None => Err(UNetError::Missing(name.to_owned())),
            Some(values) if values.len() == expected => Ok(values),
            Some(values) => {
                Err(UNetError::Length { name: name.to_owned(), found: values.len(), expected })
            }
        }
    }
}

impl<'a> FromIterator<(String, &'a [f32])> for Parameters<'a> {
    fn from_iter<T: IntoIterator<Item = (String, &'a [f32])>>(tensors: T) -> Self {
        Self(tensors.into_iter().collect())
    }
}

/// Gradients of the trained tensors, by name. Vectors that are already there are written over.
#[derive(Clone, Debug, Default)]
pub struct Gradients(pub BTreeMap<String, Vec<f32>>);

impl Gradients {
    /// The vector of a name, with that many values of unspecified contents.
    pub(crate) fn room(&mut self, name: String, values: usize) -> &mut [f32] {
        let room = self.0.entry(name).or_default();
        room.resize(values, 0.0);
        room
    }

    /// Keeps finished values.
    pub(crate) fn put(&mut self, name: String, values: &[f32]) {
        self.room(name, values.len()).copy_from_slice(values);
    }
}

/// Mean and variance that each batch norm saw, by its name (`encoder.0.norm1`, …), to update
/// running statistics with.
pub type Statistics = BTreeMap<String, Moments>;
