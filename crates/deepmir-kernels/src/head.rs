//! The output layer: a 1×1 convolution that writes NCHW, with softmax or sigmoid as its epilogue.

use rayon::prelude::*;

use crate::block::{Block, LANES};
use crate::conv1x1::PackedConv1x1;
use crate::engine::Engine;
use crate::gemm::{Gemm, ItemRange};
use crate::pointwise::Pointwise;
use crate::simd::{Simd, Task};
use crate::source::Source;

/// Pixels of a tile, whose scores stay in the first-level cache.
const PIXELS: usize = 48;
/// Pixels per task.
const TASK_PIXELS: usize = 32 * PIXELS;

/// The activation that turns scores into outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The scores (logits) themselves.
    Identity,
    /// Probabilities of mutually exclusive classes.
    Softmax,
    /// An independent probability per class.
    Sigmoid,
}

/// Convolves `sources` into an NCHW tensor.
///
/// # Panics
/// If the maps do not fit the weights, one another or the output.
pub fn head(
    engine: &Engine,
    weights: &PackedConv1x1,
    sources: &[Source<'_>],
    activation: Activation,
    output: &mut [f32],
) {
    let Some(shape) = sources.first().map(|source| source.map.shape()) else {
        return;
    };
    let (classes, pixels) = (weights.outputs(), shape.pixels());
    assert_eq!(output.len(), shape.batch * classes * pixels, "values of an NCHW tensor");
    if output.is_empty() {
        return;
    }
    let pointwise = weights.pointwise(sources);
    let mut tasks: Vec<(usize, usize, Vec<&mut [f32]>)> = Vec::new();
    for (image, planes) in output.chunks_mut(classes * pixels).enumerate() {
        let start = tasks.len();
        let firsts = (0..pixels).step_by(TASK_PIXELS);
        tasks.extend(firsts.map(|first| (image, first, Vec::with_capacity(classes))));
        for plane in planes.chunks_mut(pixels) {
            for (task, part) in tasks[start..].iter_mut().zip(plane.chunks_mut(TASK_PIXELS)) {
                task.2.push(part);
            }
        }
    }
    tasks.into_par_iter().for_each(|(image, first, planes)| {
        let mut packed = engine.arena.take(pointwise.lanes.len() * PIXELS);
        let mut scores = engine.arena.take(classes.div_ceil(LANES) * PIXELS);
        engine.set.run(HeadTask {
            pointwise: &pointwise,
            image,
            first,
            planes,
            activation,
            packed: &mut packed,
            scores: &mut scores,
        });
    });
}

struct HeadTask<'a> {
    pointwise: &'a Pointwise<'a>,
    image: usize,
    first: usize,
    /// One per class.
    planes: Vec<&'a mut [f32]>,
    activation: Activation,
    packed: &'a mut [Block],
    scores: &'a mut [Block],
}

impl Task for HeadTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let rows = self.pointwise.lanes.len() * LANES;
        for start in (0..self.planes[0].len()).step_by(PIXELS) {
            let count = PIXELS.min(self.planes[0].len() - start);
            let items = ItemRange { first: self.first + start, count, stride: PIXELS };
            self.pointwise.pack(simd, self.image, items, self.packed);
            Gemm {
                pixels: self.packed,
                pixel_stride: PIXELS,
                count,
                lanes: self.pointwise.lanes,
                panels: self.pointwise.panels,
                panel_stride: rows,
                panel_count: self.planes.len().div_ceil(LANES),
                out_stride: PIXELS,
                accumulate: false,
            }
            .run(simd, self.scores);
            for (class, plane) in self.planes.iter_mut().enumerate() {
                let bias = self.pointwise.bias.map_or(0.0, |b| b[class / LANES].0[class % LANES]);
                let scores = &self.scores[class / LANES * PIXELS..][..count];
                for (value, score) in plane[start..start + count].iter_mut().zip(scores) {
                    *value = score.0[class % LANES] + bias;
                }
            }
            match self.activation {
                Activation::Identity => {}
                Activation::Softmax => softmax(&mut self.planes, start, count),
                Activation::Sigmoid => {
                    for plane in &mut self.planes {
                        for value in &mut plane[start..start + count] {
                            *value = 1.0 / (1.0 + exp(-*value));
                        }
                    }
                }
            }
        }
    }
}

/// Softmax over the planes, for up to [`PIXELS`] pixels.
#[inline(always)]
fn softmax(planes: &mut [&mut [f32]], start: usize, count: usize) {
    let (mut largest, mut sum) = ([f32::NEG_INFINITY; PIXELS], [0.0; PIXELS]);
    for plane in planes.iter() {
        for (largest, value) in largest.iter_mut().zip(&plane[start..start + count]) {
            *largest = if *value > *largest { *value } else { *largest };
        }
    }
    for plane in planes.iter_mut() {
        let values = plane[start..start + count].iter_mut();
        for ((value, largest), sum) in values.zip(largest).zip(&mut sum) {
            *value = exp(*value - largest);
            *sum += *value;
        }
    }
    for plane in planes.iter_mut() {
        for (value, sum) in plane[start..start + count].iter_mut().zip(sum) {
            *value /= sum;
        }
    }
}

/// `eˣ` to two units in the last place, without a branch, so that loops over it vectorise:
/// 2ⁿ times a polynomial on ±ln 2 / 2 (coefficients of Cephes' `expf`).
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding and subtracting it rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + coefficient;
    }
    let power = f32::from_bits(((n as i32 + 127) as u32) << 23);
    (p * r * r + r + 1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_two_units() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(error < 2.4e-7, "exp({x}) is off by {error}");
        }
        assert!(exp(-1000.0) < 1e-37 && exp(f32::NAN).is_nan());
    }
}
