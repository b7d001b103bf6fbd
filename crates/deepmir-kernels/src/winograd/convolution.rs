//! The description of a convolution.

use super::epilogue::Epilogue;
use crate::filter3x3::Filter;
use crate::source::Source;

/// A 3×3 convolution of some sources, concatenated along their channels.
pub(crate) struct Convolution<'a> {
    pub sources: &'a [Source<'a>],
    pub filter: Filter<'a>,
    /// One per block of output channels.
    pub epilogues: &'a [Epilogue<'a>],
    /// Whether partial sums of the outputs are wanted.
    pub sums: bool,
}
