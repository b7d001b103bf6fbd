//! NEON: four registers a block.

use std::arch::aarch64::{
    float32x4_t, vaddq_f32, vandq_u32, vcgtzq_f32, vdupq_n_f32, vfmaq_f32, vld1q_f32, vmaxq_f32,
    vmulq_f32, vreinterpretq_f32_u32, vreinterpretq_u32_f32, vst1q_f32, vsubq_f32,
};

use super::{Simd, Task};
use crate::block::Block;

/// Proof that the CPU has NEON.
#[derive(Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    /// # Safety
    /// The CPU must have NEON.
    pub(super) const unsafe fn new() -> Self {
        Self(())
    }
}

// SAFETY of every block below: `self` proves that the CPU has the instructions, the pointers
// come from references to blocks, and indexing has checked that the four lanes lie inside.
impl Simd for Neon {
    type V = float32x4_t;
    type Wide = [float32x4_t; 4];
    const PARTS: usize = 4;
    const TILE_PIXELS: usize = 6;
    const TILE_PANELS: usize = 1;

    #[inline(always)]
    fn vectorize<T: Task>(self, task: T) -> T::Output {
        #[target_feature(enable = "neon")]
        fn inner<T: Task>(simd: Neon, task: T) -> T::Output {
            task.run(simd)
        }
        unsafe { inner(self, task) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        unsafe { vdupq_n_f32(value) }
    }

    #[inline(always)]
    fn load(self, block: &Block, part: usize) -> Self::V {
        let lanes = &block.0[part * 4..part * 4 + 4];
        unsafe { vld1q_f32(lanes.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, value: Self::V, block: &mut Block, part: usize) {
        let lanes = &mut block.0[part * 4..part * 4 + 4];
        unsafe { vst1q_f32(lanes.as_mut_ptr(), value) }
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { vsubq_f32(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { vmulq_f32(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { vfmaq_f32(c, a, b) }
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { vmaxq_f32(a, b) }
    }

    #[inline(always)]
    fn where_positive(self, gate: Self::V, value: Self::V) -> Self::V {
        unsafe {
            let bits = vandq_u32(vreinterpretq_u32_f32(value), vcgtzq_f32(gate));
            vreinterpretq_f32_u32(bits)
        }
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
