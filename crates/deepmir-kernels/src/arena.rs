//! A pool of buffers to work in: after its first iteration, a loop allocates nothing.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use crate::block::{Block, LANES, Map, MapMut, Shape};

/// A pool of reusable aligned buffers. A clone is another handle to the same pool.
#[derive(Clone, Debug, Default)]
pub struct Arena {
    free: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Arena {
    /// An empty pool.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a buffer of `len` blocks with unspecified contents (never uninitialised memory).
    ///
    /// Reuses the smallest free buffer that is long enough but at most twice as long; otherwise
    /// allocates a new one.
    #[must_use]
    pub fn take(&self, len: usize) -> Buffer {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let best = free
            .iter()
            .enumerate()
            .filter(|(_, buffer)| (len..=2 * len).contains(&buffer.len()))
            .min_by_key(|(_, buffer)| buffer.len())
            .map(|(index, _)| index);
        let blocks = best.map(|index| free.swap_remove(index));
        drop(free);
        let mut blocks = blocks.unwrap_or_else(|| vec![Block::ZERO; len]);
        if cfg!(debug_assertions) {
            // Reads of what was not written become visible.
            blocks.fill(Block([f32::NAN; LANES]));
        }
        Buffer { blocks, len, arena: self.clone() }
    }

    /// Takes a buffer for a feature map, with unspecified contents.
    #[must_use]
    pub fn map(&self, shape: Shape) -> FeatureMap {
        FeatureMap::new(shape, self.take(shape.blocks()))
    }

    /// Frees the buffers that are not in use.
    pub fn trim(&self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A buffer of an [`Arena`], which it goes back to when dropped.
#[derive(Debug)]
pub struct Buffer {
    blocks: Vec<Block>,
    len: usize,
    arena: Arena,
}

impl Deref for Buffer {
    type Target = [Block];

    fn deref(&self) -> &[Block] {
        &self.blocks[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [Block] {
        &mut self.blocks[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let blocks = std::mem::take(&mut self.blocks);
        self.arena.free.lock().unwrap_or_else(PoisonError::into_inner).push(blocks);
    }
}

/// A batch of feature maps in memory of an [`Arena`].
#[derive(Debug)]
pub struct FeatureMap {
    shape: Shape,
    blocks: Buffer,
}

impl FeatureMap {
    fn new(shape: Shape, blocks: Buffer) -> Self {
        assert_eq!(blocks.len(), shape.blocks(), "blocks of a feature map of {shape:?}");
        Self { shape, blocks }
    }

    /// Its shape.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// A view to read from.
    #[must_use]
    pub fn view(&self) -> Map<'_> {
        Map::new(self.shape, &self.blocks)
    }

    /// A view to write to.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_buffers_are_reused() {
        let arena = Arena::new();
        let first = arena.take(100).as_ptr();
        assert_eq!(arena.take(60).as_ptr(), first, "long enough");
        let kept = arena.take(100);
        assert_eq!(kept.as_ptr(), first);
        assert_ne!(arena.take(100).as_ptr(), first, "still in use");
        drop(kept);
        assert_ne!(arena.take(40).as_ptr(), first, "more than twice as long");
    }
}
