//! The backward pass of max pooling and ReLU, fused: adds the gradients of all users of a map, gates
//! the sum by the ReLU, and accumulates the sums that the batch norm before it needs.

use super::Gate;
use super::gradient::NormGradient;
use super::statistics::Norm;
use crate::block::{Block, Map, MapMut};
use crate::elementwise::{self, Chunk, Pass};
use crate::engine::Engine;
use crate::prologue::{NormRelu, PrologueOp, WithPrologue};
use crate::reduction::PartialSums;
use crate::simd::Simd;
use crate::source::Source;

/// The gradients of the output `a` of a batch norm's ReLU.
#[derive(Clone, Copy, Debug)]
pub struct ReluGradient<'a> {
    /// The norm and its input.
    pub gate: Gate<'a>,
    /// If another norm read `a`, and the gradient given is that of its output: that norm's.
    pub outer_norm: Option<&'a NormGradient>,
    /// The gradient of the 2×2 maxima of `a`, to be added.
    pub pooled: Option<Map<'a>>,
}

impl ReluGradient<'_> {
    /// Turns the gradient of `a` (or see [`ReluGradient::outer_norm`]) into that of the norm's
    /// output, in place. Returns the gradient of the norm.
    pub fn run(&self, engine: &Engine, mut gradient: MapMut<'_>) -> NormGradient {
        let blocks = gradient.shape().channel_blocks();
        let norm = self.gate.norm;
        let fused = FusedRelu {
            source: self.gate.source,
            norm: Some(norm),
            outer_norm: self.outer_norm,
            pooled: self.pooled,
        };
        let sums = elementwise::run(engine, &fused, &mut gradient);
        NormGradient::new(norm, &sums, blocks, 0)
    }
}

/// Adds to `gradient` that of the 2×2 maxima of a map: each to the first of the four values that
/// equals the maximum.
pub(crate) fn add_pooled(
    engine: &Engine,
    source: Source<'_>,
    pooled: Map<'_>,
    gradient: &mut MapMut<'_>,
) {
    let fused = FusedRelu { source, norm: None, outer_norm: None, pooled: Some(pooled) };
    elementwise::run(engine, &fused, gradient);
}

struct FusedRelu<'a> {
    source: Source<'a>,
    norm: Option<&'a Norm>,
    outer_norm: Option<&'a NormGradient>,
    pooled: Option<Map<'a>>,
}

impl Pass for FusedRelu<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, chunk: Chunk<'_>, sums: &mut PartialSums) {
        let norm = self.norm.map(|norm| NormRelu::new(&norm.affine, chunk.block));
        self.source.prologue.with(chunk.block, Body { simd, fused: self, norm, chunk, sums });
    }
}

struct Body<'a, S> {
    simd: S,
    fused: &'a FusedRelu<'a>,
    norm: Option<NormRelu<'a>>,
    chunk: Chunk<'a>,
    sums: &'a mut PartialSums,
}

impl<S: Simd> WithPrologue for Body<'_, S> {
    #[inline(always)]
    fn run<E: PrologueOp>(mut self, prologue: E) {
        let shape = self.fused.source.map.shape();
        let (image, block, first) = (self.chunk.image, self.chunk.block, self.chunk.row);
        let read = &self.fused.source.map.plane(image, block)[first * shape.width..];
        let pooled = self.fused.pooled.map(|map| map.plane(image, block));
        let gradients = std::mem::take(&mut self.chunk.blocks);
        let pairs = gradients.chunks_mut(2 * shape.width).zip(read.chunks(2 * shape.width));
        for (pair, (gradients, read)) in pairs.enumerate() {
            let pooled = pooled
                .filter(|_| gradients.len() == 2 * shape.width)
                .map(|pooled| &pooled[(first / 2 + pair) * (shape.width / 2)..][..shape.width / 2]);
            for part in 0..S::PARTS {
                self.rows(part, prologue, gradients, read, pooled.unwrap_or_default());
            }
        }
    }
}

impl<S: Simd> Body<'_, S> {
    /// A pair of rows: first the pooled 2×2 windows, then the rest of both rows.
    #[inline(always)]
    fn rows<E: PrologueOp>(
        &mut self,
        part: usize,
        prologue: E,
        gradients: &mut [Block],
        read: &[Block],
        pooled: &[Block],
    ) {
        let simd = self.simd;
        let width = self.fused.source.map.shape().width;
        let load = |read: &Block| prologue.apply(simd, part, simd.load(read, part));
        let mut sums = (simd.load(&self.sums.sum, part), simd.load(&self.sums.product, part));
        for (i, pooled) in pooled.iter().enumerate() {
            let at = [2 * i, 2 * i + 1, width + 2 * i, width + 2 * i + 1];
            let x =
                [load(&read[at[0]]), load(&read[at[1]]), load(&read[at[2]]), load(&read[at[3]])];
            let a =
                [self.a(part, x[0]), self.a(part, x[1]), self.a(part, x[2]), self.a(part, x[3])];
            let max = simd.max(simd.max(a[0], a[1]), simd.max(a[2], a[3]));
            let mut left = simd.load(pooled, part);
            for k in 0..4 {
                let others = simd.where_positive(simd.sub(max, a[k]), left);
                let mine = simd.sub(left, others);
                left = others;
                self.value(part, x[k], a[k], mine, &mut gradients[at[k]], &mut sums);
            }
        }
        let done = 2 * pooled.len();
        for (gradients, read) in gradients.chunks_mut(width).zip(read.chunks(width)) {
            for (gradient, read) in gradients[done..].iter_mut().zip(&read[done..]) {
                let x = load(read);
                self.value(part, x, self.a(part, x), simd.splat(0.0), gradient, &mut sums);
            }
        }
        simd.store(sums.0, &mut self.sums.sum, part);
        simd.store(sums.1, &mut self.sums.product, part);
    }

    /// The ReLU's output.
    #[inline(always)]
    fn a(&self, part: usize, x: S::V) -> S::V {
        match self.norm {
            Some(norm) => norm.apply(self.simd, part, x),
            None => x,
        }
    }

    /// One gradient: adds that of the maxima, gates the sum, and accumulates.
    #[inline(always)]
    fn value(
        &self,
        part: usize,
        x: S::V,
        a: S::V,
        from_pooled: S::V,
        gradient: &mut Block,
        sums: &mut (S::V, S::V),
    ) {
        let simd = self.simd;
        let mut value = simd.load(gradient, part);
        if let Some(outer_norm) = self.fused.outer_norm {
            value = outer_norm.apply(simd, self.chunk.block, part, value, a);
        }
        value = simd.add(value, from_pooled);
        if let Some(norm) = self.fused.norm {
            value = simd.where_positive(a, value);
            sums.0 = simd.add(sums.0, value);
            let centred = simd.sub(x, simd.load(&norm.mean[self.chunk.block], part));
            sums.1 = simd.mul_add(value, centred, sums.1);
        }
        simd.store(value, gradient, part);
    }
}
