//! Means and variances of a batch.

use rayon::prelude::*;

use crate::block::{Block, LANES, channel_blocks};
use crate::engine::Engine;
use crate::prologue::{Affine, PrologueOp, WithPrologue};
use crate::reduction::PartialSums;
use crate::simd::{Simd, Task};
use crate::source::Source;

/// Mean and variance of each channel over a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Means.
    pub mean: Vec<f32>,
    /// Biased variances: divided by the number of pixels, not one less.
    pub variance: Vec<f32>,
    /// Number of pixels of the batch.
    pub count: usize,
}

impl Moments {
    /// Of a source, after its prologue.
    #[must_use]
    pub fn of(engine: &Engine, source: Source<'_>) -> Self {
        let shape = source.map.shape();
        let (blocks, planes) = (shape.channel_blocks(), shape.batch * shape.channel_blocks());
        let mut sums = vec![PartialSums::ZERO; planes];
        sums.par_iter_mut().enumerate().for_each(|(index, sums)| {
            let (image, block) = (index / blocks, index % blocks);
            let plane = source.map.plane(image, block);
            engine.set.run(Sum { source, plane, block, sums });
        });
        Self::merge(&sums, blocks, 0, shape.channels)
    }

    /// Of these channels followed by those of `other`, over the same pixels.
    #[must_use]
    pub fn concatenated(&self, other: &Self) -> Self {
        Self {
            mean: [&self.mean[..], &other.mean].concat(),
            variance: [&self.variance[..], &other.variance].concat(),
            count: self.count,
        }
    }

    /// Merges the moments of parts of the batch (Chan, Golub & LeVeque 1983), always in the same
    /// order. Of each part, `parts` has one entry per block; the first of `channels` is in `block`.
    pub(crate) fn merge(
        parts: &[PartialSums],
        blocks: usize,
        block: usize,
        channels: usize,
    ) -> Self {
        let mut moments = Self {
            mean: Vec::with_capacity(channels),
            variance: Vec::with_capacity(channels),
            count: 0,
        };
        for channel in 0..channels {
            let lane = channel % LANES;
            let (mut mean, mut squares, mut count) = (0.0, 0.0, 0.0);
            for part in parts.iter().skip(block + channel / LANES).step_by(blocks) {
                if part.count == 0 {
                    continue;
                }
                let n = part.count as f64;
                let sum = f64::from(part.sum.0[lane]);
                let part_mean = f64::from(part.pivot.0[lane]) + sum / n;
                let part_squares = f64::from(part.product.0[lane]) - sum * sum / n;
                let difference = part_mean - mean;
                mean += difference * n / (count + n);
                squares += part_squares + difference * difference * count * n / (count + n);
                count += n;
            }
            moments.mean.push(mean as f32);
            moments.variance.push((squares / count).max(0.0) as f32);
            moments.count = count as usize;
        }
        moments
    }
}

struct Sum<'a> {
    source: Source<'a>,
    plane: &'a [Block],
    block: usize,
    sums: &'a mut PartialSums,
}

impl Task for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.source.prologue.with(self.block, SumWith { simd, plane: self.plane, sums: self.sums });
    }
}

struct SumWith<'a, S> {
    simd: S,
    plane: &'a [Block],
    sums: &'a mut PartialSums,
}

impl<S: Simd> WithPrologue for SumWith<'_, S> {
    #[inline(always)]
    fn run<E: PrologueOp>(self, prologue: E) {
        let Self { simd, plane, sums } = self;
        sums.count = plane.len();
        for part in 0..S::PARTS {
            let Some(first) = plane.first() else { return };
            let pivot = prologue.apply(simd, part, simd.load(first, part));
            let (mut sum, mut product) = (simd.splat(0.0), simd.splat(0.0));
            for value in plane {
                let value = simd.sub(prologue.apply(simd, part, simd.load(value, part)), pivot);
                sum = simd.add(sum, value);
                product = simd.mul_add(value, value, product);
            }
            simd.store(pivot, &mut sums.pivot, part);
            simd.store(sum, &mut sums.sum, part);
            simd.store(product, &mut sums.product, part);
        }
    }
}

/// A batch norm with the statistics of one batch.
#[derive(Clone, Debug)]
pub struct Norm {
    /// The norm as `scale · x + shift`.
    pub(crate) affine: Affine,
    /// Means of the batch.
    pub(crate) mean: Vec<Block>,
    /// Reciprocal standard deviations of the batch.
    pub(crate) inverse_deviation: Vec<f32>,
    /// Number of pixels of the batch.
    pub(crate) count: usize,
}

impl Norm {
    /// `gamma · (x − mean) / √(variance + epsilon) + beta`.
    ///
    /// # Panics
    /// If there are not as many of `gamma` and `beta` as channels.
    #[must_use]
    pub fn new(moments: &Moments, gamma: &[f32], beta: &[f32], epsilon: f32) -> Self {
        let channels = moments.mean.len();
        assert!(gamma.len() == channels && beta.len() == channels, "channels of a batch norm");
        let inverse_deviation: Vec<f32> = moments
            .variance
            .iter()
            .map(|variance| (1.0 / (f64::from(*variance) + f64::from(epsilon)).sqrt()) as f32)
            .collect();
        let scale: Vec<f32> = gamma.iter().zip(&inverse_deviation).map(|(g, i)| g * i).collect();
        let shift: Vec<f32> = (0..channels).map(|c| beta[c] - moments.mean[c] * scale[c]).collect();
        Self {
            affine: Affine::new(&scale, &shift),
            mean: channel_blocks(&moments.mean),
            inverse_deviation,
            count: moments.count,
        }
    }

    /// The norm as a scale and a shift, for the prologue of the next kernel.
    #[must_use]
    pub const fn affine(&self) -> &Affine {
        &self.affine
    }
}
