//! Batch norm in training.

mod gradient;
mod relu;
mod statistics;

pub use gradient::{NormGradient, norm_gradient};
pub use relu::ReluGradient;
pub(crate) use relu::add_pooled;
pub(crate) use statistics::Sums;
pub use statistics::{Moments, Norm};

use crate::source::Source;

/// A batch norm and ReLU that gradients pass on their way back.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// What the norm read.
    pub source: Source<'a>,
    /// The norm.
    pub norm: &'a Norm,
}
