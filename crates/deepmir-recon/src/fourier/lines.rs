//! Transforms along one axis of a volume, and the frequencies of their values.

use realfft::num_complex::Complex;
use rustfft::Fft;

use super::Complex32;

/// Columns that are transformed together: two cache lines of complex numbers.
pub(super) const COLUMNS: usize = 16;

/// The smallest even length of at least `length` whose prime factors are 2, 3, 5 and 7.
pub fn good_length(length: usize) -> usize {
    let smooth = |mut rest: usize| {
        for factor in [2, 3, 5, 7] {
            while rest.is_multiple_of(factor) {
                rest /= factor;
            }
        }
        rest == 1
    };
    let mut even = length.max(2).next_multiple_of(2);
    while !smooth(even) {
        even += 2;
    }
    even
}

/// Cycles a voxel (−1/2 to 1/2) of the `index`-th value of a transform.
pub fn frequency(index: usize, length: usize) -> f32 {
    let signed = if 2 * index > length { index as f64 - length as f64 } else { index as f64 };
    (signed / length as f64) as f32
}

/// Scratch memory for transforms of the columns of slices.
pub struct Columns {
    gathered: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

impl Columns {
    /// For columns that `plan` transforms.
    pub fn new(plan: &dyn Fft<f32>) -> Self {
        Self {
            gathered: vec![Complex::default(); COLUMNS * plan.len()],
            scratch: vec![Complex::default(); plan.get_inplace_scratch_len()],
        }
    }

    /// Transforms every column of a slice of rows of `width`, in place. There are as many rows as
    /// the plan is long.
    pub fn transform(&mut self, plan: &dyn Fft<f32>, slice: &mut [Complex32], width: usize) {
        let height = plan.len();
        for first in (0..width).step_by(COLUMNS) {
            let count = COLUMNS.min(width - first);
            let gathered = &mut self.gathered[..count * height];
            for (y, row) in slice.chunks_exact(width).enumerate() {
                let values = &row[first..first + count];
                gathered[y..]
                    .iter_mut()
                    .step_by(height)
                    .zip(values)
                    .for_each(|(to, &from)| *to = from);
            }
            plan.process_with_scratch(gathered, &mut self.scratch);
            for (y, row) in slice.chunks_exact_mut(width).enumerate() {
                let values = gathered[y..].iter().step_by(height);
                row[first..first + count].iter_mut().zip(values).for_each(|(to, &from)| *to = from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_lengths_are_even_and_smooth() {
        let lengths = [1, 2, 7, 199, 213, 257, 352, 416, 332];
        assert_eq!(lengths.map(good_length), [2, 2, 8, 200, 216, 270, 360, 420, 336]);
    }
}
