//! The samples of a scan, line by line, each predicted from its neighbours (T.87, annex A).

use super::bits::Bits;
use super::header::Coding;
use super::{Fault, damaged};

/// Lengths of runs, as exponents of two (A.7.1.1).
const RUN_EXPONENTS: [u32; 32] = [
    0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13,
    14, 15,
];
/// Signs of three gradients of nine steps each, of which half are mirrored.
const CONTEXTS: usize = 365;
/// No code that fits into a scan has a longer remainder.
const LARGEST_EXPONENT: u32 = 24;

/// What was seen at samples with the same gradients around.
#[derive(Clone, Copy, Debug)]
struct Context {
    /// Sum of magnitudes of errors.
    magnitude: i64,
    /// Sum of errors, for the correction.
    bias: i64,
    /// The correction of the prediction.
    correction: i32,
    /// How many samples.
    count: i64,
}

/// What was seen where runs ended.
#[derive(Clone, Copy, Debug)]
struct RunContext {
    magnitude: i64,
    count: i64,
    negative: i64,
}

/// The samples of an image, in the order of its lines.
///
/// # Errors
/// If the data end early or are none of a scan.
pub fn decode(data: &[u8], coding: &Coding) -> Result<Vec<u16>, Fault> {
    let [columns, lines] = coding.shape;
    let mut decoder = Decoder::new(data, coding);
    // A sample more at each end, so that all have neighbours.
    let mut above = vec![0_i32; columns + 2];
    let mut line = above.clone();
    // Grows as lines are decoded: a scan of no data gets no memory.
    let mut image = Vec::new();
    for _ in 0..lines {
        above[columns + 1] = above[columns];
        line[0] = above[1];
        decoder.line(&above, &mut line)?;
        image.extend(line[1..=columns].iter().map(|&sample| sample as u16));
        std::mem::swap(&mut above, &mut line);
    }
    Ok(image)
}

struct Decoder<'a> {
    bits: Bits<'a>,
    coding: Coding,
    /// Step of errors.
    step: i32,
    /// How many errors there are.
    range: i32,
    /// Bits of an error.
    error_bits: u32,
    /// Bits of the longest code.
    longest: u32,
    contexts: Vec<Context>,
    run_contexts: [RunContext; 2],
    /// Where in the list of run lengths it is.
    run: usize,
}

/// Bits of numbers below `count`.
fn bits_of(count: i32) -> u32 {
    i32::BITS - (count - 1).leading_zeros()
}

impl<'a> Decoder<'a> {
    fn new(data: &'a [u8], coding: &Coding) -> Self {
        let step = 2 * coding.near + 1;
        let range = (coding.most + 2 * coding.near) / step + 1;
        let sample_bits = bits_of(coding.most + 1).max(2);
        let magnitude = i64::from(((range + 32) / 64).max(2));
        Self {
            bits: Bits::new(data),
            coding: *coding,
            step,
            range,
            error_bits: bits_of(range),
            longest: 2 * (sample_bits + sample_bits.max(8)),
            contexts: vec![Context { magnitude, bias: 0, correction: 0, count: 1 }; CONTEXTS],
            run_contexts: [RunContext { magnitude, count: 1, negative: 0 }; 2],
            run: 0,
        }
    }

    /// Decodes a line; both lines have a sample more at each end.
    fn line(&mut self, above: &[i32], line: &mut [i32]) -> Result<(), Fault> {
        let end = line.len() - 1;
        let mut at = 1;
        while at < end {
            let [left, up_left, up, up_right] =
                [line[at - 1], above[at - 1], above[at], above[at + 1]];
            let gradients = [up_right - up, up - up_left, up_left - left];
            let [a, b, c] = gradients.map(|gradient| self.quantised(gradient));
            let context = 81 * a + 9 * b + c;
            if context == 0 {
                at += self.run(left, &above[at..end], &mut line[at..end])?;
            } else {
                // The median of the three.
                let plane = left + up - up_left;
                let prediction = plane.clamp(left.min(up), left.max(up));
                line[at] = self.regular(context, prediction)?;
                at += 1;
            }
        }
        Ok(())
    }

    fn quantised(&self, gradient: i32) -> i32 {
        let [t1, t2, t3] = self.coding.thresholds;
        let size = gradient.abs();
        let step = match size {
            _ if size <= self.coding.near => 0,
            _ if size < t1 => 1,
            _ if size < t2 => 2,
            _ if size < t3 => 3,
            _ => 4,
        };
        step * gradient.signum()
    }

    /// A sample outside of runs.
    fn regular(&mut self, context: i32, prediction: i32) -> Result<i32, Fault> {
        let sign = context.signum();
        let place = context.unsigned_abs() as usize;
        let Context { magnitude, bias, correction, count } = self.contexts[place];
        let exponent = exponent(count, magnitude)?;
        let code = self.code(exponent, self.longest)?;
        // Where the mean error is negative, −1 has the shortest code.
        let swapped = self.coding.near == 0 && exponent == 0 && 2 * bias <= -count;
        let error = match (code % 2 == 0, swapped) {
            (true, false) => code / 2,
            (false, false) => -(code + 1) / 2,
            (true, true) => -code / 2 - 1,
            (false, true) => (code - 1) / 2,
        };
        self.learn(place, error);
        let prediction = (prediction + sign * correction).clamp(0, self.coding.most);
        Ok(self.sample(prediction, i64::from(sign) * error))
    }

    /// A.6.
    fn learn(&mut self, place: usize, error: i64) {
        let (step, reset) = (i64::from(self.step), i64::from(self.coding.reset));
        let context = &mut self.contexts[place];
        context.bias += error * step;
        context.magnitude += error.abs();
        if context.count == reset {
            context.magnitude >>= 1;
            context.bias >>= 1;
            context.count >>= 1;
        }
        context.count += 1;
        if context.bias <= -context.count {
            context.correction = (context.correction - 1).max(-128);
            context.bias = (context.bias + context.count).max(1 - context.count);
        } else if context.bias > 0 {
            context.correction = (context.correction + 1).min(127);
            context.bias = (context.bias - context.count).min(0);
        }
    }

    /// The sample of a prediction and an error in steps.
    fn sample(&self, prediction: i32, error: i64) -> i32 {
        let Coding { most, near, .. } = self.coding;
        let all = i64::from(self.range * self.step);
        let value = i64::from(prediction) + error * i64::from(self.step);
        let value = if value < -i64::from(near) {
            value + all
        } else if value > i64::from(most + near) {
            value - all
        } else {
            value
        };
        value.clamp(0, most.into()) as i32
    }

    /// A limited Golomb code (A.5.3).
    fn code(&mut self, exponent: u32, longest: u32) -> Result<i64, Fault> {
        let escape = longest - self.error_bits - 1;
        let high = self.bits.zeros(escape)?;
        if high == escape {
            return Ok(self.bits.take(self.error_bits)? + 1);
        }
        Ok(i64::from(high) << exponent | self.bits.take(exponent)?)
    }

    /// A run from the first sample of `line`, and the sample that ends it; returns how many they are (A.7).
    fn run(&mut self, left: i32, above: &[i32], line: &mut [i32]) -> Result<usize, Fault> {
        let mut length = 0;
        loop {
            let exponent = RUN_EXPONENTS[self.run];
            if self.bits.take(1)? == 0 {
                length += self.bits.take(exponent)? as usize;
                break;
            }
            let whole = 1 << exponent;
            length += whole;
            if length <= line.len() {
                self.run = (self.run + 1).min(RUN_EXPONENTS.len() - 1);
            }
            if length >= line.len() {
                line.fill(left);
                return Ok(line.len());
            }
        }
        if length >= line.len() {
            return Err(damaged("a run beyond the line"));
        }
        line[..length].fill(left);
        line[length] = self.end_of_run(left, above[length])?;
        self.run = self.run.saturating_sub(1);
        Ok(length + 1)
    }

    /// The sample that ends a run (A.7.2).
    fn end_of_run(&mut self, left: i32, up: i32) -> Result<i32, Fault> {
        let is_flat = (left - up).abs() <= self.coding.near;
        let RunContext { magnitude, count, negative } = self.run_contexts[usize::from(is_flat)];
        let flat = i64::from(is_flat);
        let exponent = exponent(count, magnitude + flat * (count >> 1))?;
        let code = self.code(exponent, self.longest - RUN_EXPONENTS[self.run] - 1)?;
        let shifted = code + flat;
        let odd = shifted & 1;
        let size = (shifted + odd) / 2;
        let is_negative = (exponent != 0 || 2 * negative >= count) == (odd == 1);
        let error = if is_negative { -size } else { size };
        let context = &mut self.run_contexts[usize::from(is_flat)];
        context.negative += i64::from(error < 0);
        context.magnitude += (code + 1 - flat) >> 1;
        if context.count == i64::from(self.coding.reset) {
            context.magnitude >>= 1;
            context.count >>= 1;
            context.negative >>= 1;
        }
        context.count += 1;
        if is_flat {
            return Ok(self.sample(left, error));
        }
        Ok(self.sample(up, error * i64::from((up - left).signum())))
    }
}

/// The exponent of a context's Golomb code: the least by which its samples reach the sum of their errors.
fn exponent(count: i64, magnitude: i64) -> Result<u32, Fault> {
    (0..=LARGEST_EXPONENT)
        .find(|exponent| count << exponent >= magnitude)
        .ok_or_else(|| damaged("errors beyond any"))
}
