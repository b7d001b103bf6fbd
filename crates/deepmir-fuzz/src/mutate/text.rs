//! Damage to any text: how editors and other systems leave it.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::{Damaged, below, pick};

/// Byte order marks, line ends, encodings, lines that are missing or there twice.
pub fn damage(contents: &[u8], random: &mut ChaCha8Rng) -> Damaged {
    let text = String::from_utf8_lossy(contents).into_owned();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let line = below(lines.len(), random);
    let (before, after) = lines.split_at(line.min(lines.len()));
    let here = after.first().copied().unwrap_or_default();
    let without = |middle: &[&str]| {
        [before, middle, after.get(1..).unwrap_or_default()].concat().concat().into_bytes()
    };
    match random.random_range(0..13) {
        0 => Damaged::new([b"\xef\xbb\xbf", contents].concat(), "a byte order mark"),
        1 => Damaged::new(text.replace('\n', "\r\n").into_bytes(), "lines end in CR LF"),
        2 => Damaged::new(text.replace('\n', "\r").into_bytes(), "lines end in CR"),
        3 => {
            let mut bytes = contents.to_vec();
            let at = below(contents.len(), random);
            let broken: &[u8] = pick(&[&b"\xff"[..], b"\xc3", b"\0", b"\xed\xa0\x80"], random)
                .copied()
                .unwrap_or(b"\0");
            bytes.splice(at..at, broken.iter().copied());
            Damaged::new(bytes, format!("{broken:x?} at byte {at}"))
        }
        4 => {
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            Damaged::new([&b"\xff\xfe"[..], &wide].concat(), "UTF-16")
        }
        5 => Damaged::new(without(&[]), format!("without line {}", line + 1)),
        6 => Damaged::new(without(&[here, here]), format!("line {} twice", line + 1)),
        7 => Damaged::new(before.concat().into_bytes(), format!("cut before line {}", line + 1)),
        8 => Damaged::new(Vec::new(), "emptied"),
        9 => Damaged::new(b"\n\n \n".to_vec(), "blank"),
        10 => {
            let half =
                &here[..here.char_indices().nth(here.chars().count() / 2).map_or(0, |(at, _)| at)];
            Damaged::new(
                [before, &[half]].concat().concat().into_bytes(),
                format!("cut in line {}", line + 1),
            )
        }
        11 => {
            let depth = *pick(&[50, 200, 100_000], random).unwrap_or(&50);
            let open =
                pick(&["[", "{\"a\":", "(", "a.", "[[a.b]]\n"], random).copied().unwrap_or("[");
            Damaged::new(
                without(&[&open.repeat(depth), here]),
                format!("{depth} times {open:?} in line {}", line + 1),
            )
        }
        _ => Damaged::of_text(format!("{text}\u{1a}"), "an end-of-file mark at the end"),
    }
}

impl Damaged {
    /// As [`Damaged::new`], in which a text may be given.
    pub(super) fn of_text(text: String, what: impl Into<String>) -> Self {
        Self::new(text.into_bytes(), what)
    }
}
