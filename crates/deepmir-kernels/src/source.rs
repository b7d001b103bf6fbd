//! The input of a kernel: a map and the prologue that its values pass.

use crate::block::Map;
use crate::prologue::{Affine, Prologue};

/// A map to read. Convolutions that take several concatenate them along their channels.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The map.
    pub map: Map<'a>,
    /// What is done to its values.
    pub prologue: Prologue<'a>,
}

impl<'a> Source<'a> {
    /// A map as it is.
    #[must_use]
    pub const fn new(map: Map<'a>) -> Self {
        Self { map, prologue: Prologue::Identity }
    }

    /// A map whose values pass a batch norm and a ReLU as they are read.
    #[must_use]
    pub const fn norm_relu(map: Map<'a>, norm: &'a Affine) -> Self {
        Self { map, prologue: Prologue::NormRelu(norm) }
    }
}
