//! The blocked layout of feature maps, `NCHW16c`: sixteen channels of a pixel side by side.
//!
//! Between kernels a feature map is stored as `[batch][channel block][row][column][16]`. Vectors
//! run over channels, a pixel's neighbour is the next 64 bytes, and two maps are concatenated
//! along their channels by listing the planes of one after those of the other. A channel count
//! that is no multiple of sixteen is padded. **The padding lanes of every map are zero**: every
//! kernel relies on this and maintains it.

/// Number of channels in a block.
pub const LANES: usize = 16;

/// Sixteen channels of one pixel, which fill one cache line.
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

/// Values of consecutive channels as blocks, the last one padded with zeros.
pub(crate) fn channel_blocks(values: &[f32]) -> Vec<Block> {
    values.chunks(LANES).map(Block::from_slice).collect()
}

/// The size of a batch of feature maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Number of maps in the batch.
    pub batch: usize,
    /// Channels of each map, without padding.
    pub channels: usize,
    /// OutputRows.
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

    /// Number of values of an NCHW tensor of this shape.
    #[must_use]
    pub const fn values(&self) -> usize {
        self.batch * self.channels * self.height * self.width
    }

    /// Number of pixels of one plane.
    #[must_use]
    pub const fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Number of blocks of sixteen channels per pixel.
    #[must_use]
    pub const fn channel_blocks(&self) -> usize {
        self.channels.div_ceil(LANES)
    }

    /// Number of [`Block`]s of a whole batch.
    #[must_use]
    pub const fn blocks(&self) -> usize {
        self.batch * self.channel_blocks() * self.pixels()
    }

    /// The same shape with another number of channels.
    #[must_use]
    pub const fn with_channels(self, channels: usize) -> Self {
        Self { channels, ..self }
    }
}

/// A read-only view of a batch of feature maps.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    shape: Shape,
    blocks: &'a [Block],
}

impl<'a> Map<'a> {
    /// Views `blocks` as a batch of feature maps.
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

/// A writable view of a batch of feature maps.
#[derive(Debug)]
pub struct MapMut<'a> {
    shape: Shape,
    blocks: &'a mut [Block],
}

impl<'a> MapMut<'a> {
    /// Views `blocks` as a batch of feature maps.
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
