//! Weights as PyTorch and Burn store them.

use super::Weights3x3;
use crate::block::{Block, LANES};
use crate::channels::Channels;

/// Which way a convolution's weights are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From inputs to outputs.
    Forward,
    /// From the outputs' gradient to the inputs': channels swapped, rows and columns reversed.
    Backward,
}

/// `[out channel][in channel][3][3]`.
#[derive(Clone, Copy)]
pub(crate) struct PlainFilter<'a> {
    pub weights: &'a [f32],
    pub inputs: &'a Channels,
    pub outputs: &'a Channels,
    pub direction: Direction,
}

impl<'a> PlainFilter<'a> {
    /// Channels it reads, in [`Direction::Backward`] those of the gradient.
    pub fn reads(&self) -> &'a Channels {
        match self.direction {
            Direction::Forward => self.inputs,
            Direction::Backward => self.outputs,
        }
    }

    /// Channels it writes.
    pub fn writes(&self) -> &'a Channels {
        match self.direction {
            Direction::Forward => self.outputs,
            Direction::Backward => self.inputs,
        }
    }

    /// Copies the weights from one block of channels read to one block written.
    pub fn fill(&self, write: usize, read: usize, block: &mut Weights3x3) {
        let Self { weights, inputs, outputs, direction } = self;
        let (output, input) = match direction {
            Direction::Forward => (write, read),
            Direction::Backward => (read, write),
        };
        *block = [[Block::ZERO; 9]; LANES];
        for (i, co) in outputs.of_block(output).enumerate() {
            for (j, ci) in inputs.of_block(input).enumerate() {
                let at = (co * inputs.total() + ci) * 9;
                for (tap, weight) in weights[at..at + 9].iter().enumerate() {
                    match direction {
                        Direction::Forward => block[j][tap].0[i] = *weight,
                        Direction::Backward => block[i][8 - tap].0[j] = *weight,
                    }
                }
            }
        }
    }
}
