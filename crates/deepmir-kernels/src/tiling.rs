//! Tiling of output maps: disjoint tiles that threads can write at the same time.

use crate::block::{Block, MapMut};

/// Where the outputs of one channel block of one image go.
pub(crate) struct OutputRows<'a> {
    /// The rows from `first_row` on, `width` blocks each.
    pub rows: &'a mut [Block],
    pub first_row: usize,
    /// The rows of the 2×2 maxima from `first_row / 2` on, if they are wanted.
    pub pooled: Option<&'a mut [Block]>,
}

/// Some rows of one image, in all channel blocks: the output tile of one task.
pub(crate) struct RowTile<'a> {
    pub image: usize,
    pub first_row: usize,
    /// One per channel block.
    pub rows: Vec<OutputRows<'a>>,
}

/// Splits maps (concatenated along their channels) into tiles of `height` rows, an even number.
pub(crate) fn row_tiles<'a>(
    outputs: &'a mut [MapMut<'_>],
    pooled: Option<&'a mut MapMut<'_>>,
    height: usize,
) -> Vec<RowTile<'a>> {
    let Some(shape) = outputs.first().map(MapMut::shape) else {
        return Vec::new();
    };
    let per_image = shape.height.div_ceil(height);
    let mut tiles: Vec<RowTile<'a>> = (0..shape.batch * per_image)
        .map(|index| RowTile {
            image: index / per_image,
            first_row: index % per_image * height,
            rows: Vec::new(),
        })
        .collect();
    let pooled_pixels = (shape.height / 2) * (shape.width / 2);
    let pooled_chunk = (height / 2 * (shape.width / 2)).max(1);
    let mut pooled_planes = pooled.map(|map| map.blocks().chunks_mut(pooled_pixels.max(1)));
    for output in outputs {
        let shape = output.shape();
        let planes = output.blocks().chunks_mut(shape.pixels());
        for (index, plane) in planes.enumerate() {
            let image = index / shape.channel_blocks();
            let mut pooled_rows = pooled_planes
                .as_mut()
                .map(|planes| planes.next().unwrap_or_default().chunks_mut(pooled_chunk));
            let tiles = &mut tiles[image * per_image..][..per_image];
            for (tile, rows) in tiles.iter_mut().zip(plane.chunks_mut(height * shape.width)) {
                let pooled = pooled_rows.as_mut().map(|rows| rows.next().unwrap_or_default());
                tile.rows.push(OutputRows { rows, first_row: tile.first_row, pooled });
            }
        }
    }
    tiles
}

/// Whole planes, grouped by channel block: for each block, one [`OutputRows`] per image.
pub(crate) fn channel_tiles<'a>(
    outputs: &'a mut [MapMut<'_>],
    pooled: Option<&'a mut MapMut<'_>>,
) -> Vec<Vec<OutputRows<'a>>> {
    let Some(height) = outputs.first().map(|map| map.shape().height) else {
        return Vec::new();
    };
    let blocks: usize = outputs.iter().map(|map| map.shape().channel_blocks()).sum();
    let mut channel_tiles: Vec<Vec<OutputRows<'a>>> = (0..blocks).map(|_| Vec::new()).collect();
    for row_tile in row_tiles(outputs, pooled, height + height % 2) {
        for (channel_tile, rows) in channel_tiles.iter_mut().zip(row_tile.rows) {
            channel_tile.push(rows);
        }
    }
    channel_tiles
}
