//! Memory that is lent out and comes back: nothing is allocated once a loop has gone round once.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use crate::block::{Block, FeatureMap, LANES, Shape};

/// A pool of aligned buffers. Cloning it gives another handle to the same pool.
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

    /// Lends a buffer of `len` blocks with unspecified contents (never uninitialised memory).
    ///
    /// The smallest free buffer that is long enough is taken, unless it is more than twice too
    /// long: then a new one is made.
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
            // Whoever reads what it has not written shall notice.
            blocks.fill(Block([f32::NAN; LANES]));
        }
        Buffer { blocks, len, home: self.clone() }
    }

    /// Lends the memory of a feature map, with unspecified contents.
    #[must_use]
    pub fn map(&self, shape: Shape) -> FeatureMap {
        FeatureMap::new(shape, self.take(shape.blocks()))
    }

    /// Gives the memory that is not lent out back to the system.
    pub fn trim(&self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A buffer on loan from an [`Arena`]; dropping it returns it.
#[derive(Debug)]
pub struct Buffer {
    blocks: Vec<Block>,
    len: usize,
    home: Arena,
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
        self.home.free.lock().unwrap_or_else(PoisonError::into_inner).push(blocks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_lent_again() {
        let arena = Arena::new();
        let first = arena.take(100).as_ptr();
        assert_eq!(arena.take(60).as_ptr(), first, "long enough");
        let kept = arena.take(100);
        assert_eq!(kept.as_ptr(), first);
        assert_ne!(arena.take(100).as_ptr(), first, "still on loan");
        drop(kept);
        assert_ne!(arena.take(40).as_ptr(), first, "more than twice too long");
    }
}
