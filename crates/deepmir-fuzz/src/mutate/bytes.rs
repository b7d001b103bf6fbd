//! Damage that needs to know nothing of a file.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::{Damaged, below, pick};

/// Flips bits, cuts, repeats, removes, inserts or empties.
pub fn damage(contents: &[u8], random: &mut ChaCha8Rng) -> Damaged {
    let mut bytes = contents.to_vec();
    let (length, at) = (bytes.len(), below(contents.len(), random));
    let some = 1 + below(length.saturating_sub(at).min(64), random);
    let end = (at + some).min(length);
    match random.random_range(0..9) {
        0 | 1 if length > 0 => {
            let bit = below(8, random);
            bytes[at] ^= 1 << bit;
            Damaged::new(bytes, format!("bit {bit} of byte {at} flipped"))
        }
        2 => {
            bytes.truncate(at);
            Damaged::new(bytes, format!("cut to {at} of {length} bytes"))
        }
        3 => {
            let fill = *pick(&[0x00, 0xff, 0x7f, 0x80, b' '], random).unwrap_or(&0);
            bytes[at..end].fill(fill);
            Damaged::new(bytes, format!("bytes {at} to {end} set to {fill:#04x}"))
        }
        4 => {
            bytes.drain(at..end);
            Damaged::new(bytes, format!("bytes {at} to {end} removed"))
        }
        5 => {
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
            Damaged::new(bytes, format!("bytes {at} to {end} repeated"))
        }
        6 => {
            let other = below(length.saturating_sub(some), random);
            let copy = bytes[at..end].to_vec();
            if other + copy.len() <= length {
                bytes[other..other + copy.len()].copy_from_slice(&copy);
            }
            Damaged::new(bytes, format!("bytes {at} to {end} copied to {other}"))
        }
        7 => {
            bytes.extend_from_slice(&vec![0xaa; 1 + below(4096, random)]);
            Damaged::new(bytes, "bytes behind the end")
        }
        _ => Damaged::new(Vec::new(), "emptied"),
    }
}
