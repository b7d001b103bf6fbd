//! The epilogue of a convolution: what it does to a tile's outputs before it writes them.

use super::matrices::OUT;
use crate::block::Block;
use crate::norm::Gate;
use crate::prologue::{Identity, NormRelu, Prologue, PrologueOp};
use crate::reduction::PartialSums;
use crate::simd::Simd;
use crate::tiling::OutputRows;

/// What is done to the outputs of one block of channels.
#[derive(Clone, Copy, Default)]
pub(crate) struct Epilogue<'a> {
    /// Added first.
    pub bias: Option<&'a Block>,
    /// Whether negative outputs become zero.
    pub relu: bool,
    /// If the outputs are the gradient of a batch norm's ReLU: the gate and its channel block.
    pub gate: Option<(Gate<'a>, usize)>,
}

/// The position of a tile: its image, first row and column, and its extent within the map.
#[derive(Clone, Copy)]
pub(crate) struct TileExtent {
    pub image: usize,
    pub y: usize,
    pub x: usize,
    pub height: usize,
    pub width: usize,
    /// Columns of the whole map.
    pub map_width: usize,
}

impl Epilogue<'_> {
    /// Applies the epilogue to one register of lanes of a tile, and writes it.
    #[inline(always)]
    pub fn write<S: Simd>(
        &self,
        simd: S,
        part: usize,
        at: TileExtent,
        mut tile: [[S::V; OUT]; OUT],
        rows: &mut OutputRows<'_>,
        sums: Option<&mut PartialSums>,
    ) {
        if let Some(bias) = self.bias {
            let bias = simd.load(bias, part);
            for value in tile.as_flattened_mut() {
                *value = simd.add(*value, bias);
            }
        }
        if self.relu {
            for value in tile.as_flattened_mut() {
                *value = simd.max(simd.splat(0.0), *value);
            }
        }
        if let Some(sums) = sums {
            match self.gate {
                None => sums.add_moments(simd, part, at, &tile),
                Some((gate, block)) => {
                    let norm = NormRelu::new(&gate.norm.affine, block);
                    match gate.source.prologue {
                        Prologue::NormRelu(first) => {
                            let prologue = NormRelu::new(first, block);
                            gated(simd, part, at, &mut tile, gate, block, prologue, norm, sums);
                        }
                        _ => gated(simd, part, at, &mut tile, gate, block, Identity, norm, sums),
                    }
                }
            }
        }
        store(simd, part, at, &tile, rows);
    }
}

/// Gates a tile of gradients by a ReLU and accumulates the sums that the batch norm before it needs.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the inside of a loop, split off for its types")]
fn gated<S: Simd, E: PrologueOp>(
    simd: S,
    part: usize,
    at: TileExtent,
    tile: &mut [[S::V; OUT]; OUT],
    gate: Gate<'_>,
    block: usize,
    prologue: E,
    norm: NormRelu<'_>,
    sums: &mut PartialSums,
) {
    let plane = gate.source.map.plane(at.image, block);
    let mean = simd.load(&gate.norm.mean[block], part);
    let (mut sum, mut product) = (simd.load(&sums.sum, part), simd.load(&sums.product, part));
    for (i, row) in tile.iter_mut().enumerate().take(at.height) {
        let read = &plane[(at.y + i) * at.map_width + at.x..][..at.width];
        for (value, read) in row.iter_mut().zip(read) {
            let x = prologue.apply(simd, part, simd.load(read, part));
            *value = simd.where_positive(norm.norm(simd, part, x), *value);
            sum = simd.add(sum, *value);
            product = simd.mul_add(*value, simd.sub(x, mean), product);
        }
    }
    simd.store(sum, &mut sums.sum, part);
    simd.store(product, &mut sums.product, part);
}

impl PartialSums {
    /// Accumulates a tile's values and their squares, both minus the pivot.
    #[inline(always)]
    fn add_moments<S: Simd>(
        &mut self,
        simd: S,
        part: usize,
        at: TileExtent,
        tile: &[[S::V; OUT]; OUT],
    ) {
        if self.count == 0 {
            simd.store(tile[0][0], &mut self.pivot, part);
        }
        let pivot = simd.load(&self.pivot, part);
        let (mut sum, mut product) = (simd.load(&self.sum, part), simd.load(&self.product, part));
        for row in tile.iter().take(at.height) {
            for value in row.iter().take(at.width) {
                let value = simd.sub(*value, pivot);
                sum = simd.add(sum, value);
                product = simd.mul_add(value, value, product);
            }
        }
        simd.store(sum, &mut self.sum, part);
        simd.store(product, &mut self.product, part);
    }
}

/// Stores the part of a tile that lies in the map, and its 2×2 maxima.
#[inline(always)]
fn store<S: Simd>(
    simd: S,
    part: usize,
    at: TileExtent,
    tile: &[[S::V; OUT]; OUT],
    rows: &mut OutputRows<'_>,
) {
    for (i, values) in tile.iter().enumerate().take(at.height) {
        let start = (at.y + i - rows.first_row) * at.map_width + at.x;
        let out = &mut rows.rows[start..][..at.width];
        for (value, out) in values.iter().zip(out) {
            simd.store(*value, out, part);
        }
    }
    if let Some(pooled) = rows.pooled.as_deref_mut() {
        let width = at.map_width / 2;
        for i in 0..at.height / 2 {
            let start = ((at.y - rows.first_row) / 2 + i) * width + at.x / 2;
            let out = &mut pooled[start..][..at.width / 2];
            for (j, out) in out.iter_mut().enumerate() {
                let top = simd.max(tile[2 * i][2 * j], tile[2 * i][2 * j + 1]);
                let bottom = simd.max(tile[2 * i + 1][2 * j], tile[2 * i + 1][2 * j + 1]);
                simd.store(simd.max(top, bottom), out, part);
            }
        }
    }
}
