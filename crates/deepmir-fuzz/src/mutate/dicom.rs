//! DICOM files in Explicit VR Little Endian: tags, representations, lengths and values of their elements.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::{Damaged, below, odd, pick};

const PIXEL_DATA: [u8; 4] = [0xE0, 0x7F, 0x10, 0x00];

/// Where an element begins, how long its head is, and its value.
struct Element {
    start: usize,
    value: std::ops::Range<usize>,
    is_long: bool,
}

/// Damages an element of the file or of an item in it.
pub fn damage(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let all = elements(contents);
    let element = pick(&all, random)?;
    let (start, value) = (element.start, element.value.clone());
    let mut bytes = contents.to_vec();
    let what = match random.random_range(0..7) {
        0 => {
            let other = odd::integer(4, random);
            if element.is_long {
                bytes[value.start - 4..value.start].copy_from_slice(&(other as u32).to_le_bytes());
            } else {
                bytes[value.start - 2..value.start].copy_from_slice(&(other as u16).to_le_bytes());
            }
            format!("length = {other}")
        }
        1 => {
            let vr = *pick(&[b"SQ", b"UN", b"US", b"FD", b"DS", b"OB", b"??"], random)?;
            bytes[start + 4..start + 6].copy_from_slice(vr);
            format!("VR = {}", String::from_utf8_lossy(vr))
        }
        2 => {
            let at = start + below(4, random);
            bytes[at] = bytes[at].wrapping_add(1);
            "another tag".to_owned()
        }
        3 => {
            bytes.drain(start..value.end);
            "left out".to_owned()
        }
        4 => {
            let copy = bytes[start..value.end].to_vec();
            bytes.splice(start..start, copy);
            "there twice".to_owned()
        }
        5 => {
            // Compressed pixels begin with their own header.
            let pixels = contents.windows(4).rposition(|tag| tag == PIXEL_DATA)?;
            let at = pixels + 12 + below((contents.len() - pixels).min(160), random);
            *bytes.get_mut(at)? = odd::integer(1, random) as u8;
            format!("byte {at} of the pixels")
        }
        _ => {
            let words = [
                &b"0"[..],
                b"-1",
                b"1e30",
                b"nan",
                b"99999999",
                b"\\\\\\\\",
                b"",
                b"\xff\xff\xff\xff",
            ];
            let word = *pick(&words, random)?;
            for (n, byte) in bytes[value].iter_mut().enumerate() {
                *byte = word.get(n).copied().unwrap_or(b' ');
            }
            format!("value = {}", String::from_utf8_lossy(word))
        }
    };
    Some(Damaged::new(bytes, format!("element at byte {start}: {what}")))
}

/// Elements from the front, with those in items; up to bytes that are none.
fn elements(contents: &[u8]) -> Vec<Element> {
    let mut all = Vec::new();
    let mut at = 132;
    while let Some(head) = contents.get(at..at + 8) {
        if head[..4] == [0xFE, 0xFF, 0x00, 0xE0] || head[..2] == [0xFE, 0xFF] {
            at += 8;
            continue;
        }
        let is_long = [b"OB", b"OW", b"SQ", b"UN", b"UT"].contains(&&[head[4], head[5]]);
        let length = match contents.get(at + 8..at + 12) {
            Some(four) if is_long => u32::from_le_bytes([four[0], four[1], four[2], four[3]]),
            _ => u32::from(u16::from_le_bytes([head[6], head[7]])),
        };
        let begin = at + if is_long { 12 } else { 8 };
        let enters = &head[4..6] == b"SQ";
        let end = if length == u32::MAX { begin } else { begin.saturating_add(length as usize) };
        if end > contents.len() {
            break;
        }
        all.push(Element { start: at, value: begin..end, is_long });
        at = if enters { begin } else { end };
    }
    all
}
