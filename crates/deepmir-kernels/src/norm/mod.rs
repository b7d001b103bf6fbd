//! Batch norm in training.

mod gradient;
mod relu;
mod statistics;

pub use gradient::{NormGradient, norm_gradient};
pub use relu::ReluGradient;
pub(crate) use relu::add_pooled;
pub use statistics::{Moments, Norm};

use crate::source::Source;

/// The batch norm and ReLU that a gradient passes in the backward pass: the ReLU gates it.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// The input of the norm.
    pub source: Source<'a>,
    /// The norm.
    pub norm: &'a Norm,
}
