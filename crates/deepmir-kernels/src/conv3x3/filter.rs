//! Weights of 3×3 convolutions: as PyTorch and Burn keep them, or packed.

use crate::block::{Block, LANES};
use crate::channels::Channels;
use crate::winograd::Weights3x3;

/// Which way a convolution's weights are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From inputs to outputs.
    Forward,
    /// From the outputs' gradient to the inputs': channels swapped, rows and columns reversed.
    Backward,
}

/// Weights to convolve with, a block of sixteen by sixteen channels at a time.
#[derive(Clone, Copy)]
pub(crate) enum Filter<'a> {
    /// `[out channel][in channel][3][3]`, cut into blocks on the fly.
    Plain { weights: &'a [f32], inputs: &'a Channels, outputs: &'a Channels, direction: Direction },
    /// Cut before.
    Packed(&'a PackedConv3x3),
}

impl<'a> Filter<'a> {
    /// Channels it reads, in [`Direction::Backward`] those of the gradient.
    pub fn reads(&self) -> &'a Channels {
        match self {
            Self::Plain { inputs, direction: Direction::Forward, .. } => inputs,
            Self::Plain { outputs, .. } => outputs,
            Self::Packed(packed) => &packed.inputs,
        }
    }

    /// Channels it writes.
    pub fn writes(&self) -> &'a Channels {
        match self {
            Self::Plain { outputs, direction: Direction::Forward, .. } => outputs,
            Self::Plain { inputs, .. } => inputs,
            Self::Packed(packed) => &packed.outputs,
        }
    }

    /// The memory of the weights from a block of channels on, where they were packed: what
    /// [`Filter::block`] will read next.
    pub fn memory(&self, write: usize, read: usize) -> &'a [Block] {
        match self {
            Self::Packed(packed) => {
                let at = write * packed.inputs.blocks() + read;
                packed.blocks.get(at..).unwrap_or_default().as_flattened().as_flattened()
            }
            Self::Plain { .. } => &[],
        }
    }

    /// The weights from one block of channels read to one block written.
    pub fn block<'s>(
        &'s self,
        write: usize,
        read: usize,
        room: &'s mut Weights3x3,
    ) -> &'s Weights3x3 {
        match self {
            Self::Packed(packed) => &packed.blocks[write * packed.inputs.blocks() + read],
            Self::Plain { weights, inputs, outputs, direction } => {
                let (output, input) = match direction {
                    Direction::Forward => (write, read),
                    Direction::Backward => (read, write),
                };
                *room = [[Block::ZERO; 9]; LANES];
                for (i, co) in outputs.of_block(output).enumerate() {
                    for (j, ci) in inputs.of_block(input).enumerate() {
                        let at = (co * inputs.total() + ci) * 9;
                        for (tap, weight) in weights[at..at + 9].iter().enumerate() {
                            match direction {
                                Direction::Forward => room[j][tap].0[i] = *weight,
                                Direction::Backward => room[i][8 - tap].0[j] = *weight,
                            }
                        }
                    }
                }
                room
            }
        }
    }
}

/// Weights of a 3×3 convolution, packed once for inference.
#[derive(Clone, Debug)]
pub struct PackedConv3x3 {
    pub(super) inputs: Channels,
    pub(super) outputs: Channels,
    /// `[out block][in block]`.
    blocks: Vec<Weights3x3>,
    /// Added to the outputs.
    pub(super) bias: Vec<Block>,
}

impl PackedConv3x3 {
    /// Packs `weights` of `[out channel][in channel][3][3]`, each output's times `scale` of it
    /// (a folded batch norm), and a bias an output. `inputs` are the channels of the maps that
    /// it will read.
    ///
    /// # Panics
    /// If the lengths do not fit together.
    #[must_use]
    pub fn new(weights: &[f32], inputs: &[usize], scale: Option<&[f32]>, bias: &[f32]) -> Self {
        let (inputs, outputs) = (Channels::new(inputs), Channels::new(&[bias.len()]));
        assert_eq!(
            weights.len(),
            9 * inputs.total() * outputs.total(),
            "weights of a 3×3 convolution"
        );
        let filter = Filter::Plain {
            weights,
            inputs: &inputs,
            outputs: &outputs,
            direction: Direction::Forward,
        };
        let mut blocks = Vec::with_capacity(outputs.blocks() * inputs.blocks());
        for output in 0..outputs.blocks() {
            let factors = scale.map(|scale| Block::from_slice(&scale[outputs.of_block(output)]));
            for input in 0..inputs.blocks() {
                let mut block = [[Block::ZERO; 9]; LANES];
                filter.block(output, input, &mut block);
                if let Some(factors) = &factors {
                    for weight in block.as_flattened_mut() {
                        for (weight, factor) in weight.0.iter_mut().zip(factors.0) {
                            *weight *= factor;
                        }
                    }
                }
                blocks.push(block);
            }
        }
        Self { bias: crate::source::channel_blocks(bias), inputs, outputs, blocks }
    }
}
