//! Plain arrays, for the compiler to vectorise as it can: no intrinsics, nothing unsafe.

use super::{Simd, Task};
use crate::block::Block;

const WIDTH: usize = 4;

/// Needs nothing of the CPU.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

#[inline(always)]
fn zip(a: [f32; WIDTH], b: [f32; WIDTH], f: impl Fn(f32, f32) -> f32) -> [f32; WIDTH] {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

impl Simd for Portable {
    type V = [f32; WIDTH];
    type Wide = [[f32; WIDTH]; 4];
    const PARTS: usize = 4;
    const TILE_PIXELS: usize = 2;
    const TILE_PANELS: usize = 1;

    #[inline(always)]
    fn vectorize<T: Task>(self, task: T) -> T::Output {
        task.run(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        [value; WIDTH]
    }

    #[inline(always)]
    fn load(self, block: &Block, part: usize) -> Self::V {
        let at = part * WIDTH;
        [block.0[at], block.0[at + 1], block.0[at + 2], block.0[at + 3]]
    }

    #[inline(always)]
    fn store(self, value: Self::V, block: &mut Block, part: usize) {
        block.0[part * WIDTH..][..WIDTH].copy_from_slice(&value);
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.add(self.mul(a, b), c)
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn where_positive(self, gate: Self::V, value: Self::V) -> Self::V {
        zip(gate, value, |gate, value| if gate > 0.0 { value } else { 0.0 })
    }

    #[inline(always)]
    fn wide_zero(self) -> Self::Wide {
        [self.splat(0.0); 4]
    }

    #[inline(always)]
    fn wide_load(self, block: &Block) -> Self::Wide {
        [self.load(block, 0), self.load(block, 1), self.load(block, 2), self.load(block, 3)]
    }

    #[inline(always)]
    fn wide_store(self, value: Self::Wide, block: &mut Block) {
        for (part, value) in value.into_iter().enumerate() {
            self.store(value, block, part);
        }
    }

    #[inline(always)]
    fn wide_mul_add(self, a: Self::V, b: Self::Wide, c: Self::Wide) -> Self::Wide {
        [
            self.mul_add(a, b[0], c[0]),
            self.mul_add(a, b[1], c[1]),
            self.mul_add(a, b[2], c[2]),
            self.mul_add(a, b[3], c[3]),
        ]
    }
}
