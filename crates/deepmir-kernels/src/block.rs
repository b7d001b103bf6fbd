//! The inner layout: sixteen channels of a pixel side by side.
//!
//! Between kernels a feature map is stored as `[batch][channel block][row][column][16]`: vectors
//! run over channels, a pixel's neighbour is the next 64 bytes, and joining two maps along their
//! channels is putting one list of planes behind the other. A channel count that is no multiple
//! of sixteen is padded, and **the padding lanes of every map are zero**: all kernels keep that.

use std::ops::{Deref, DerefMut};

use crate::arena::Buffer;

/// Channels a block holds.
pub const LANES: usize = 16;

/// Sixteen channels of one pixel, on a cache line of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct Block(pub [f32; LANES]);

impl Block {
    /// Sixteen zeros.
    pub const ZERO: Self = Self([0.0; LANES]);

    /// Sixteen values from a list that may be shorter; the rest is zero.
    #[must_use]
    pub fn from_slice(values: &[f32]) -> Self {
        let mut block = Self::ZERO;
        for (lane, value) in block.0.iter_mut().zip(values) {
            *lane = *value;
        }
        block
    }
}

/// The size of a batch of feature maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Maps in the batch.
    pub batch: usize,
    /// Channels of each, without padding.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// A shape from its four numbers, in the order of NCHW.
    #[must_use]
    pub const fn new(batch: usize, channels: usize, height: usize, width: usize) -> Self {
        Self { batch, channels, height, width }
    }

    /// Values of an NCHW tensor of this shape.
    #[must_use]
    pub const fn values(&self) -> usize {
        self.batch * self.channels * self.height * self.width
    }

    /// Pixels of one plane.
    #[must_use]
    pub const fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Blocks of sixteen channels.
    #[must_use]
    pub const fn channel_blocks(&self) -> usize {
        self.channels.div_ceil(LANES)
    }

    /// [`Block`]s of a whole batch.
    #[must_use]
    pub const fn blocks(&self) -> usize {
        self.batch * self.channel_blocks() * self.pixels()
    }

    /// The same with another number of channels.
    #[must_use]
    pub const fn with_channels(self, channels: usize) -> Self {
        Self { channels, ..self }
    }
}

/// A batch of feature maps that is read.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    shape: Shape,
    blocks: &'a [Block],
}

impl<'a> Map<'a> {
    /// Looks at `blocks` as a batch of feature maps.
    ///
    /// # Panics
    /// If there are not exactly [`Shape::blocks`] of them.
    #[must_use]
    pub fn new(shape: Shape, blocks: &'a [Block]) -> Self {
        assert_eq!(blocks.len(), shape.blocks(), "blocks of a feature map of {shape:?}");
        Self { shape, blocks }
    }

    /// Its shape.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// All its blocks.
    #[must_use]
    pub const fn blocks(&self) -> &'a [Block] {
        self.blocks
    }

    /// The plane of one channel block of one image: `height × width` blocks.
    #[must_use]
    pub fn plane(&self, image: usize, channel_block: usize) -> &'a [Block] {
        let pixels = self.shape.pixels();
        let index = image * self.shape.channel_blocks() + channel_block;
        &self.blocks[index * pixels..][..pixels]
    }

    /// Images `first .. first + count` of the batch.
    #[must_use]
    pub fn images(&self, first: usize, count: usize) -> Self {
        let shape = Shape { batch: count, ..self.shape };
        let image = self.shape.channel_blocks() * self.shape.pixels();
        Self::new(shape, &self.blocks[first * image..][..count * image])
    }
}

/// A batch of feature maps that is written.
#[derive(Debug)]
pub struct MapMut<'a> {
    shape: Shape,
    blocks: &'a mut [Block],
}

impl<'a> MapMut<'a> {
    /// Looks at `blocks` as a batch of feature maps.
    ///
    /// # Panics
    /// If there are not exactly [`Shape::blocks`] of them.
    #[must_use]
    pub fn new(shape: Shape, blocks: &'a mut [Block]) -> Self {
        assert_eq!(blocks.len(), shape.blocks(), "blocks of a feature map of {shape:?}");
        Self { shape, blocks }
    }

    /// Its shape.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// All its blocks.
    pub const fn blocks(&mut self) -> &mut [Block] {
        self.blocks
    }

    /// Images `first .. first + count` of the batch.
    pub fn images(&mut self, first: usize, count: usize) -> MapMut<'_> {
        let shape = Shape { batch: count, ..self.shape };
        let image = self.shape.channel_blocks() * self.shape.pixels();
        MapMut::new(shape, &mut self.blocks[first * image..][..count * image])
    }
}

/// A batch of feature maps that owns its memory, on loan from an [`Arena`](crate::Arena).
#[derive(Debug)]
pub struct FeatureMap {
    shape: Shape,
    blocks: Buffer,
}

impl FeatureMap {
    pub(crate) fn new(shape: Shape, blocks: Buffer) -> Self {
        assert_eq!(blocks.len(), shape.blocks(), "blocks of a feature map of {shape:?}");
        Self { shape, blocks }
    }

    /// Its shape.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// To read it.
    #[must_use]
    pub fn view(&self) -> Map<'_> {
        Map::new(self.shape, &self.blocks)
    }

    /// To write it.
    #[must_use]
    pub fn view_mut(&mut self) -> MapMut<'_> {
        MapMut::new(self.shape, &mut self.blocks)
    }
}

impl Deref for FeatureMap {
    type Target = [Block];

    fn deref(&self) -> &[Block] {
        &self.blocks
    }
}

impl DerefMut for FeatureMap {
    fn deref_mut(&mut self) -> &mut [Block] {
        &mut self.blocks
    }
}
