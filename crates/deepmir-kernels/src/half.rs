//! Half precision (IEEE 754 binary16), for weights that it represents exactly.

use crate::block::{Block, LANES};

/// Sixteen numbers in half precision, as their bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(32))]
pub(crate) struct HalfBlock(pub [u16; LANES]);

impl HalfBlock {
    /// Sixteen zeros.
    pub const ZERO: Self = Self([0; LANES]);

    /// The same numbers, if half precision represents every one exactly.
    pub fn exact(block: &Block) -> Option<Self> {
        let mut half = Self::ZERO;
        for (half, value) in half.0.iter_mut().zip(block.0) {
            *half = exact(value)?;
        }
        Some(half)
    }

    /// The same numbers in single precision.
    #[inline(always)]
    pub fn expand(&self) -> Block {
        let mut block = Block::ZERO;
        for (value, bits) in block.0.iter_mut().zip(self.0) {
            *value = expand(bits);
        }
        block
    }
}

/// Exponents of half precision are 112 less than those of single precision.
const SCALE: f32 = f32::from_bits((127 + 112) << 23);
/// Magnitude bits of infinity; larger ones are NaN, smaller ones finite.
const INFINITE: u32 = 0x7c00;

/// The bits of a number in half precision, if that represents it exactly.
pub(crate) fn exact(value: f32) -> Option<u16> {
    let magnitude = (value.abs() / SCALE).to_bits() >> 13;
    if magnitude >= INFINITE {
        return None;
    }
    let bits = magnitude as u16 | (value.to_bits() >> 16) as u16 & 0x8000;
    (expand(bits).to_bits() == value.to_bits()).then_some(bits)
}

/// Widens the bits of a finite number. Branch-free, so that loops over it vectorise: shifted into
/// the place of single precision, the bits are the number up to a scale, subnormals included.
#[inline(always)]
fn expand(bits: u16) -> f32 {
    let magnitude = f32::from_bits(u32::from(bits & 0x7fff) << 13) * SCALE;
    f32::from_bits(magnitude.to_bits() | u32::from(bits & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_half_precision_is_itself() {
        for bits in (0..INFINITE as u16).flat_map(|bits| [bits, bits | 0x8000]) {
            let (exponent, digits) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
            let magnitude = match exponent {
                0 => digits * 2f64.powi(-24),
                _ => (1.0 + digits / 1024.0) * 2f64.powi(exponent - 15),
            };
            let number = if bits & 0x8000 == 0 { magnitude } else { -magnitude };
            assert_eq!(f64::from(expand(bits)), number);
            assert_eq!(exact(number as f32), Some(bits));
        }
    }

    #[test]
    fn what_half_precision_lacks_is_refused() {
        for value in [0.1, 1.0 + 1.0 / 2048.0, 65520.0, 65536.0, 1e-8, f32::INFINITY, f32::NAN] {
            assert_eq!(exact(value), None, "{value}");
            assert_eq!(exact(-value), None, "{value}");
        }
        let mut block = Block([0.5; LANES]);
        assert_eq!(HalfBlock::exact(&block).map(|half| half.expand()), Some(block));
        block.0[7] = 0.1;
        assert_eq!(HalfBlock::exact(&block), None);
    }
}
