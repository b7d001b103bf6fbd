//! Weights: the length and JSON header of safetensors, and the numbers behind it.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::{Damaged, below, bytes, odd, pick, tree};

/// Damages the header in most cases, else the numbers.
pub fn damage(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let length = u64::from_le_bytes(contents.get(..8)?.try_into().ok()?) as usize;
    let (header, numbers) = (contents.get(8..8 + length)?, &contents[8 + length..]);
    let join = |length: u64, header: &[u8], numbers: &[u8]| {
        [&length.to_le_bytes()[..], header, numbers].concat()
    };
    match random.random_range(0..10) {
        0..=4 => {
            let damaged = tree::damage_json(header, random)?;
            let bytes = join(damaged.bytes.len() as u64, &damaged.bytes, numbers);
            Some(Damaged::new(bytes, format!("header: {}", damaged.what)))
        }
        5 => {
            let other = match random.random_range(0..3) {
                0 => length.wrapping_add(1) as u64,
                1 => length.wrapping_sub(1) as u64,
                _ => odd::integer(8, random) as u64,
            };
            Some(Damaged::new(
                join(other, header, numbers),
                format!("length of the header = {other}"),
            ))
        }
        6 => {
            let cut = *pick(&[0, 7, 8, 9, 8 + length - 1, 8 + length, contents.len() - 1], random)?;
            Some(Damaged::new(contents[..cut].to_vec(), format!("cut to {cut} bytes")))
        }
        7 => {
            // Not a number and infinite, in half and in single precision.
            let mut numbers = numbers.to_vec();
            let odd = *pick(
                &[0x7e00_7e00_u32, 0x7c00_7c00, 0x7fc0_0000, 0x7f80_0000, 0x7f7f_ffff],
                random,
            )?;
            let at = 4 * below(numbers.len() / 4, random);
            let end = (at + 4 * (1 + below(64, random))).min(numbers.len() / 4 * 4);
            numbers
                .get_mut(at..end)?
                .chunks_exact_mut(4)
                .for_each(|four| four.copy_from_slice(&odd.to_le_bytes()));
            Some(Damaged::new(
                join(length as u64, header, &numbers),
                format!("numbers {at} to {end} = {odd:#x}"),
            ))
        }
        _ => {
            let damaged = bytes::damage(numbers, random);
            let bytes = join(length as u64, header, &damaged.bytes);
            Some(Damaged::new(bytes, format!("numbers: {}", damaged.what)))
        }
    }
}
