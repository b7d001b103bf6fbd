//! Partial sums of reductions over pixels. Each task has its own; they are merged in a fixed order.

use crate::block::{Block, LANES};

/// Sums over some pixels of one channel block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartialSums {
    /// Subtracted from the values before they are squared, against cancellation.
    pub pivot: Block,
    /// Of values minus the pivot, or of gradients.
    pub sum: Block,
    /// Of the squares of values minus the pivot, or of gradients times values minus their mean.
    pub product: Block,
    /// Number of pixels.
    pub count: usize,
}

impl PartialSums {
    pub const ZERO: Self =
        Self { pivot: Block::ZERO, sum: Block::ZERO, product: Block::ZERO, count: 0 };

    /// The sums of one channel over all parts, in double precision: `(sum, product)`.
    pub fn total(parts: &[Self], blocks: usize, channel: usize) -> (f64, f64) {
        let (block, lane) = (channel / LANES, channel % LANES);
        parts.iter().skip(block).step_by(blocks).fold((0.0, 0.0), |(sum, product), part| {
            (sum + f64::from(part.sum.0[lane]), product + f64::from(part.product.0[lane]))
        })
    }
}
