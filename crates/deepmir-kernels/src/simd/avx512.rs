//! AVX-512F: one register a block.

use std::arch::x86_64::{
    __m512, _CMP_GT_OQ, _MM_HINT_T1, _mm_prefetch, _mm256_load_si256, _mm512_add_ps,
    _mm512_cmp_ps_mask, _mm512_cvtph_ps, _mm512_fmadd_ps, _mm512_load_ps, _mm512_maskz_mov_ps,
    _mm512_max_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_store_ps,
    _mm512_sub_ps,
};

use super::{Simd, Task};
use crate::block::Block;
use crate::half::HalfBlock;

/// Proof that the CPU has AVX-512F.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The CPU must have AVX-512F.
    pub(super) const unsafe fn new() -> Self {
        Self(())
    }
}

// SAFETY of every block below: `self` proves that the CPU has the instructions, and the pointers
// come from references to blocks, which are as long and as aligned as a register (64 bytes).
impl Simd for Avx512 {
    type V = __m512;
    type Wide = __m512;
    const PARTS: usize = 1;
    const TILE_PIXELS: usize = 12;
    const TILE_PANELS: usize = 2;

    #[inline(always)]
    fn vectorize<T: Task>(self, task: T) -> T::Output {
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn inner<T: Task>(simd: Avx512, task: T) -> T::Output {
            task.run(simd)
        }
        unsafe { inner(self, task) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, block: &Block, _part: usize) -> Self::V {
        unsafe { _mm512_load_ps(block.0.as_ptr()) }
    }

    #[inline(always)]
    fn load_half(self, block: &HalfBlock, _part: usize) -> Self::V {
        unsafe { _mm512_cvtph_ps(_mm256_load_si256(block.0.as_ptr().cast())) }
    }

    #[inline(always)]
    fn store(self, value: Self::V, block: &mut Block, _part: usize) {
        unsafe { _mm512_store_ps(block.0.as_mut_ptr(), value) }
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    fn where_positive(self, gate: Self::V, value: Self::V) -> Self::V {
        unsafe {
            let mask = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(gate, _mm512_setzero_ps());
            _mm512_maskz_mov_ps(mask, value)
        }
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
        self.splat(0.0)
    }

    #[inline(always)]
    fn wide_load(self, block: &Block) -> Self::Wide {
        self.load(block, 0)
    }

    #[inline(always)]
    fn wide_store(self, value: Self::Wide, block: &mut Block) {
        self.store(value, block, 0);
    }

    #[inline(always)]
    fn wide_mul_add(self, a: Self::V, b: Self::Wide, c: Self::Wide) -> Self::Wide {
        self.mul_add(a, b, c)
    }
}
