//! The tiling of a batch of maps into tiles of 4×4 outputs.

use super::matrices::OUT;
use crate::block::Shape;

/// The tiles of a batch, numbered in row-major order, image after image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiles {
    pub height: usize,
    pub width: usize,
    pub per_row: usize,
    pub per_image: usize,
}

impl Tiles {
    pub fn new(shape: Shape) -> Self {
        let per_row = shape.width.div_ceil(OUT);
        Self {
            height: shape.height,
            width: shape.width,
            per_row,
            per_image: per_row * shape.height.div_ceil(OUT),
        }
    }

    /// The tile with a given number.
    #[inline(always)]
    pub fn at(&self, index: usize) -> Tile {
        let within = index % self.per_image;
        Tile {
            image: index / self.per_image,
            y: within / self.per_row * OUT,
            x: within % self.per_row * OUT,
        }
    }

    /// The tile after `tile`.
    #[inline(always)]
    pub fn next(&self, tile: Tile) -> Tile {
        let Tile { mut image, mut y, mut x } = tile;
        x += OUT;
        if x >= self.width {
            x = 0;
            y += OUT;
            if y >= self.height {
                y = 0;
                image += 1;
            }
        }
        Tile { image, y, x }
    }
}

/// A tile: its image, and the row and column of its first output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub image: usize,
    pub y: usize,
    pub x: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_agrees_with_at() {
        for (height, width) in [(1, 1), (4, 4), (5, 9), (8, 3), (13, 17)] {
            let tiles = Tiles::new(Shape::new(3, 1, height, width));
            let mut tile = tiles.at(0);
            for index in 0..3 * tiles.per_image {
                assert_eq!(tile, tiles.at(index));
                tile = tiles.next(tile);
            }
        }
    }
}
