//! The bits of a scan: after a byte of ones, the next has a zero in front that is none of them (T.87, A.1).

use super::{Fault, damaged};

/// Reads bits, the highest of a byte first.
pub struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits that were taken from bytes and not given yet, at the low end.
    held: u64,
    /// How many they are.
    count: u32,
    was_ones: bool,
}

impl<'a> Bits<'a> {
    /// The bits of a scan, which ends before a marker.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, held: 0, count: 0, was_ones: false }
    }

    /// Takes bytes while there is space for them.
    fn fill(&mut self) {
        while self.count <= 48 {
            let [byte, rest @ ..] = self.bytes else { return };
            // A marker: the scan ends.
            let is_marker = *byte == 0xFF && rest.first().is_none_or(|&next| next >= 0x80);
            if self.was_ones && *byte >= 0x80 || is_marker {
                return;
            }
            let bits = if self.was_ones { 7 } else { 8 };
            self.held = self.held << bits | u64::from(*byte);
            self.count += bits;
            self.was_ones = *byte == 0xFF;
            self.bytes = rest;
        }
    }

    /// Up to 32 bits as a number.
    ///
    /// # Errors
    /// If the scan ends.
    pub fn take(&mut self, bits: u32) -> Result<i64, Fault> {
        if self.count < bits {
            self.fill();
            if self.count < bits {
                return Err(damaged("it ends early"));
            }
        }
        self.count -= bits;
        Ok((self.held >> self.count & ((1 << bits) - 1)) as i64)
    }

    /// How many zeros stand before the next one, at most `limit`; the one is taken.
    ///
    /// # Errors
    /// If there are more zeros, or the scan ends.
    pub fn zeros(&mut self, limit: u32) -> Result<u32, Fault> {
        let mut zeros = 0;
        loop {
            if self.count == 0 {
                self.fill();
                if self.count == 0 {
                    return Err(damaged("it ends early"));
                }
            }
            let ahead = (self.held << (64 - self.count)).leading_zeros().min(self.count);
            zeros += ahead;
            self.count -= ahead;
            if zeros > limit {
                return Err(damaged("a code longer than any"));
            }
            if self.count > 0 {
                self.count -= 1;
                return Ok(zeros);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_that_was_stuffed_is_none() {
        // 11111111, then 0 that is no bit, 1010101.
        let mut bits = Bits::new(&[0xFF, 0x55, 0x80]);
        assert_eq!(bits.take(8).unwrap(), 0xFF);
        assert_eq!(bits.take(7).unwrap(), 0x55);
        assert_eq!(bits.zeros(3).unwrap(), 0);
        assert!(bits.zeros(3).is_err());
        assert!(Bits::new(&[0xFF, 0xD9]).take(1).is_err());
        assert_eq!(Bits::new(&[0, 0, 1]).zeros(23).unwrap(), 23);
        assert!(Bits::new(&[0, 0, 1]).zeros(22).is_err());
    }
}
