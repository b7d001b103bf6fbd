//! Cutting outputs into pieces that threads can write at the same time.

use crate::block::{Block, MapMut};

/// Where the outputs of one block of channels of one image go.
pub(crate) struct Rows<'a> {
    /// Rows from `first_row` on, `width` blocks each.
    pub rows: &'a mut [Block],
    pub first_row: usize,
    /// Rows of the 2×2 maxima, from `first_row / 2` on, if they are wanted.
    pub pooled: Option<&'a mut [Block]>,
}

/// The rows of all channel blocks that one task writes.
pub(crate) struct Band<'a> {
    pub image: usize,
    pub first_row: usize,
    /// One a channel block.
    pub rows: Vec<Rows<'a>>,
}

/// Cuts maps (joined along their channels) into bands of `height` rows, an even number.
pub(crate) fn bands<'a>(
    outputs: &'a mut [MapMut<'_>],
    pooled: Option<&'a mut MapMut<'_>>,
    height: usize,
) -> Vec<Band<'a>> {
    let Some(shape) = outputs.first().map(MapMut::shape) else {
        return Vec::new();
    };
    let per_image = shape.height.div_ceil(height);
    let mut bands: Vec<Band<'a>> = (0..shape.batch * per_image)
        .map(|index| Band {
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
            let bands = &mut bands[image * per_image..][..per_image];
            for (band, rows) in bands.iter_mut().zip(plane.chunks_mut(height * shape.width)) {
                let pooled = pooled_rows.as_mut().map(|rows| rows.next().unwrap_or_default());
                band.rows.push(Rows { rows, first_row: band.first_row, pooled });
            }
        }
    }
    bands
}

/// Whole planes, grouped by channel block: one [`Rows`] an image.
pub(crate) fn columns<'a>(
    outputs: &'a mut [MapMut<'_>],
    pooled: Option<&'a mut MapMut<'_>>,
) -> Vec<Vec<Rows<'a>>> {
    let Some(height) = outputs.first().map(|map| map.shape().height) else {
        return Vec::new();
    };
    let blocks: usize = outputs.iter().map(|map| map.shape().channel_blocks()).sum();
    let mut columns: Vec<Vec<Rows<'a>>> = (0..blocks).map(|_| Vec::new()).collect();
    for band in bands(outputs, pooled, height + height % 2) {
        for (column, rows) in columns.iter_mut().zip(band.rows) {
            column.push(rows);
        }
    }
    columns
}
