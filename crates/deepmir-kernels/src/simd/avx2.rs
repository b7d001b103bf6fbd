//! AVX2 with fused multiply-add and half-precision conversion: two registers a block.

use std::arch::x86_64::{
    __m256, _CMP_GT_OQ, _MM_HINT_T1, _mm_load_si128, _mm_prefetch, _mm256_add_ps, _mm256_and_ps,
    _mm256_cmp_ps, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_load_ps, _mm256_max_ps, _mm256_mul_ps,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_store_ps, _mm256_sub_ps,
};

use super::{Simd, Task};
use crate::block::Block;
use crate::half::HalfBlock;

/// Proof that the CPU has AVX2, FMA and F16C.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The CPU must have AVX2, FMA and F16C.
    pub(super) const unsafe fn new() -> Self {
        Self(())
    }
}

// SAFETY of every block below: `self` proves that the CPU has the instructions. The pointers
// come from references to blocks, whose alignment (64 bytes, 32 in half precision) suits aligned loads and stores, and
// indexing has checked that the eight lanes lie inside the block.
impl Simd for Avx2 {
    type V = __m256;
    type Wide = [__m256; 2];
    const PARTS: usize = 2;
    const TILE_PIXELS: usize = 6;
    const TILE_PANELS: usize = 1;

    #[inline(always)]
    fn vectorize<T: Task>(self, task: T) -> T::Output {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn inner<T: Task>(simd: Avx2, task: T) -> T::Output {
            task.run(simd)
        }
        unsafe { inner(self, task) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, block: &Block, part: usize) -> Self::V {
        let lanes = &block.0[part * 8..part * 8 + 8];
        unsafe { _mm256_load_ps(lanes.as_ptr()) }
    }

    #[inline(always)]
    fn load_half(self, block: &HalfBlock, part: usize) -> Self::V {
        let lanes = &block.0[part * 8..part * 8 + 8];
        unsafe { _mm256_cvtph_ps(_mm_load_si128(lanes.as_ptr().cast())) }
    }

    #[inline(always)]
    fn store(self, value: Self::V, block: &mut Block, part: usize) {
        let lanes = &mut block.0[part * 8..part * 8 + 8];
        unsafe { _mm256_store_ps(lanes.as_mut_ptr(), value) }
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm256_max_ps(a, b) }
    }

    #[inline(always)]
    fn where_positive(self, gate: Self::V, value: Self::V) -> Self::V {
        unsafe { _mm256_and_ps(value, _mm256_cmp_ps::<_CMP_GT_OQ>(gate, _mm256_setzero_ps())) }
    }

    #[inline(always)]
    fn prefetch<T>(self, value: &T) {
        #[allow(unused_unsafe, reason = "safe from Rust 1.97 on")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(value).cast());
        }
    }

    #[inline(always)]
    fn wide_zero(self) -> Self::Wide {
        [self.splat(0.0); 2]
    }

    #[inline(always)]
    fn wide_load(self, block: &Block) -> Self::Wide {
        [self.load(block, 0), self.load(block, 1)]
    }

    #[inline(always)]
    fn wide_store(self, value: Self::Wide, block: &mut Block) {
        self.store(value[0], block, 0);
        self.store(value[1], block, 1);
    }

    #[inline(always)]
    fn wide_mul_add(self, a: Self::V, b: Self::Wide, c: Self::Wide) -> Self::Wide {
        [self.mul_add(a, b[0], c[0]), self.mul_add(a, b[1], c[1])]
    }
}
