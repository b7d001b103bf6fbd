//! The one-dimensional transforms of F(4, 3) and their adjoints.
//!
//! Winograd's minimal filtering (Lavin & Gray, "Fast algorithms for convolutional neural
//! networks", CVPR 2016) evaluates polynomials at a few points. The usual points 0, ±1, ±2, ∞
//! lose two bits more than necessary; 0, ±1/√2, ±√2, ∞ halve the error (1.1e-6 against 2.3e-6 of
//! the output's deviation with 128 channels, where plain summation has 0.5e-6) at the same
//! price, because the products of the points' squares are 1. OutputRows are scaled so that the output
//! transform has as many ones as possible.
//!
//! With `a = 1/√2` and `b = √2`, six inputs `d`, three weights `g`, four outputs `y`:
//!
//! ```text
//!      y = Aᵀ [(G g) ⊙ (Bᵀ d)]
//!
//!      ⎡1  0  -5/2  0    1  0⎤        ⎡  1     0     0  ⎤        ⎡1  b  b  a  a  0⎤
//!      ⎢0 -b   -2   a    1  0⎥        ⎢-2a/3 -1/3  -a/3 ⎥   Aᵀ = ⎢0  1 -1  1 -1  0⎥
//! Bᵀ = ⎢0  b   -2  -a    1  0⎥    G = ⎢-2a/3  1/3  -a/3 ⎥        ⎢0  a  a  b  b  0⎥
//!      ⎢0 -a  -1/2  b    1  0⎥        ⎢ b/6   1/3   b/3 ⎥        ⎣0 ½ -½   2 -2  1⎦
//!      ⎢0  a  -1/2 -b    1  0⎥        ⎢ b/6  -1/3   b/3 ⎥
//!      ⎣0  1    0  -5/2  0  1⎦        ⎣  0     0     1  ⎦
//! ```

use std::f32::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};

use crate::simd::Simd;

/// Outputs of a tile, in each direction.
pub(crate) const OUT: usize = 4;
/// Inputs of a tile, in each direction.
pub(crate) const IN: usize = 6;
/// Products a tile and channel pair.
pub(crate) const POINTS: usize = IN * IN;

/// `Bᵀ d`: six inputs to six points.
#[inline(always)]
pub(crate) fn input<S: Simd>(s: S, d: [S::V; 6]) -> [S::V; 6] {
    let (minus_two, minus_half) = (s.splat(-2.0), s.splat(-0.5));
    let minus_five_halves = s.splat(-2.5);
    let even_a = s.mul_add(minus_two, d[2], d[4]);
    let odd_a = s.mul_add(minus_two, d[1], d[3]);
    let even_b = s.mul_add(minus_half, d[2], d[4]);
    let odd_b = s.mul_add(minus_half, d[1], d[3]);
    [
        s.mul_add(minus_five_halves, d[2], s.add(d[0], d[4])),
        s.mul_add(s.splat(A), odd_a, even_a),
        s.mul_add(s.splat(-A), odd_a, even_a),
        s.mul_add(s.splat(B), odd_b, even_b),
        s.mul_add(s.splat(-B), odd_b, even_b),
        s.mul_add(minus_five_halves, d[3], s.add(d[1], d[5])),
    ]
}

/// `Aᵀ m`: six points to four outputs.
#[inline(always)]
pub(crate) fn output<S: Simd>(s: S, m: [S::V; 6]) -> [S::V; 4] {
    let (a, b) = (s.splat(A), s.splat(B));
    let (sum_a, difference_a) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (sum_b, difference_b) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.mul_add(a, sum_b, s.mul_add(b, sum_a, m[0])),
        s.add(difference_a, difference_b),
        s.mul_add(b, sum_b, s.mul(a, sum_a)),
        s.mul_add(s.splat(0.5), difference_a, s.mul_add(s.splat(2.0), difference_b, m[5])),
    ]
}

/// `G g`: three weights to six points.
#[inline(always)]
pub(crate) fn weights<S: Simd>(s: S, g: [S::V; 3]) -> [S::V; 6] {
    let two = s.splat(2.0);
    let middle = s.mul(s.splat(1.0 / 3.0), g[1]);
    let even_a = s.mul(s.splat(-A / 3.0), s.mul_add(two, g[0], g[2]));
    let even_b = s.mul(s.splat(B / 6.0), s.mul_add(two, g[2], g[0]));
    [
        g[0],
        s.sub(even_a, middle),
        s.add(even_a, middle),
        s.add(even_b, middle),
        s.sub(even_b, middle),
        g[2],
    ]
}

/// `A y`, the adjoint of [`output`]: the gradient of four outputs to six points.
#[inline(always)]
pub(crate) fn output_adjoint<S: Simd>(s: S, y: [S::V; 4]) -> [S::V; 6] {
    let (a, b) = (s.splat(A), s.splat(B));
    let even_a = s.mul_add(b, y[0], s.mul(a, y[2]));
    let odd_a = s.mul_add(s.splat(0.5), y[3], y[1]);
    let even_b = s.mul_add(a, y[0], s.mul(b, y[2]));
    let odd_b = s.mul_add(s.splat(2.0), y[3], y[1]);
    [
        y[0],
        s.add(even_a, odd_a),
        s.sub(even_a, odd_a),
        s.add(even_b, odd_b),
        s.sub(even_b, odd_b),
        y[3],
    ]
}

/// `Gᵀ u`, the adjoint of [`weights`]: the gradient of six points to three weights.
#[inline(always)]
pub(crate) fn weights_adjoint<S: Simd>(s: S, u: [S::V; 6]) -> [S::V; 3] {
    let two = s.splat(2.0);
    let even_a = s.mul(s.splat(-A / 3.0), s.add(u[1], u[2]));
    let even_b = s.mul(s.splat(B / 6.0), s.add(u[3], u[4]));
    let odd = s.add(s.sub(u[2], u[1]), s.sub(u[3], u[4]));
    [
        s.mul_add(two, even_a, s.add(u[0], even_b)),
        s.mul(s.splat(1.0 / 3.0), odd),
        s.mul_add(two, even_b, s.add(u[5], even_a)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Block, LANES};
    use crate::simd::{InstructionSet, Task};

    /// Applies a transform to sixteen columns held by `inputs`.
    struct Apply<'a, const N: usize, const M: usize> {
        which: Which,
        inputs: &'a [Block; N],
    }

    #[derive(Clone, Copy)]
    enum Which {
        Input,
        Output,
        Weights,
        OutputAdjoint,
        WeightsAdjoint,
    }

    impl<const N: usize, const M: usize> Task for Apply<'_, N, M> {
        type Output = [Block; M];

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> [Block; M] {
            let mut outputs = [Block::ZERO; M];
            for part in 0..S::PARTS {
                let x = |i: usize| simd.load(&self.inputs[i], part);
                let mut put = |values: &[S::V]| {
                    for (block, value) in outputs.iter_mut().zip(values) {
                        simd.store(*value, block, part);
                    }
                };
                match self.which {
                    Which::Input => put(&input(simd, [x(0), x(1), x(2), x(3), x(4), x(5)])),
                    Which::Output => put(&output(simd, [x(0), x(1), x(2), x(3), x(4), x(5)])),
                    Which::Weights => put(&weights(simd, [x(0), x(1), x(2)])),
                    Which::OutputAdjoint => put(&output_adjoint(simd, [x(0), x(1), x(2), x(3)])),
                    Which::WeightsAdjoint => {
                        put(&weights_adjoint(simd, [x(0), x(1), x(2), x(3), x(4), x(5)]));
                    }
                }
            }
            outputs
        }
    }

    fn apply<const N: usize, const M: usize>(
        which: Which,
        inputs: [[f32; LANES]; N],
    ) -> [Block; M] {
        let inputs = inputs.map(Block);
        let all: Vec<_> = InstructionSet::available()
            .into_iter()
            .map(|set| set.run(Apply::<N, M> { which, inputs: &inputs }))
            .collect();
        for other in &all {
            for (a, b) in all[0].iter().zip(other) {
                assert!(a.0.iter().zip(b.0).all(|(a, b)| (a - b).abs() < 1e-5));
            }
        }
        all[0]
    }

    fn ramp<const N: usize>(seed: usize) -> [[f32; LANES]; N] {
        std::array::from_fn(|i| {
            std::array::from_fn(|lane| (((i * 7 + lane * 13 + seed * 5) % 17) as f32 - 8.0) / 8.0)
        })
    }

    #[test]
    fn the_transforms_filter() {
        let (d, g) = (ramp::<6>(1), ramp::<3>(2));
        let points: [Block; 6] = apply(Which::Input, d);
        let filter: [Block; 6] = apply(Which::Weights, g);
        let product: [[f32; LANES]; 6] =
            std::array::from_fn(|i| std::array::from_fn(|l| points[i].0[l] * filter[i].0[l]));
        let filtered: [Block; 4] = apply(Which::Output, product);
        for (i, block) in filtered.iter().enumerate() {
            for l in 0..LANES {
                let expected: f32 = (0..3).map(|k| g[k][l] * d[i + k][l]).sum();
                assert!((block.0[l] - expected).abs() < 2e-6, "{} {expected}", block.0[l]);
            }
        }
    }

    #[test]
    fn adjoints_move_to_the_other_side_of_the_inner_product() {
        let (m, y) = (ramp::<6>(3), ramp::<4>(4));
        let (g, u) = (ramp::<3>(5), ramp::<6>(6));
        let forward: [Block; 4] = apply(Which::Output, m);
        let backward: [Block; 6] = apply(Which::OutputAdjoint, y);
        let filter: [Block; 6] = apply(Which::Weights, g);
        let gradient: [Block; 3] = apply(Which::WeightsAdjoint, u);
        for l in 0..LANES {
            let dot = |a: &[Block], b: &[[f32; LANES]]| -> f32 {
                a.iter().zip(b).map(|(a, b)| a.0[l] * b[l]).sum()
            };
            assert!((dot(&forward, &y) - dot(&backward, &m)).abs() < 1e-5);
            assert!((dot(&filter, &u) - dot(&gradient, &g)).abs() < 1e-5);
        }
    }
}
