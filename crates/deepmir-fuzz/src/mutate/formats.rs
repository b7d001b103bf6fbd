//! Images of other programs: a field of their header, the header as text, or voxels.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::{Damaged, below, bytes, odd, pick, text};

/// Where the numbers of an MGH header are, and how many bytes each has: version, lengths of the axes, type, whether it
/// says where it is, and what of that.
const MGH: [(usize, usize); 23] = {
    let mut fields = [(0, 4); 23];
    let mut n = 1;
    while n < 23 {
        fields[n] = match n {
            1..=6 => (4 * n, 4),
            7 => (28, 2),
            _ => (30 + 4 * (n - 8), 4),
        };
        n += 1;
    }
    fields
};

/// Changes an MGH file, which is not gzipped.
pub fn damage_mgh(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let &(at, width) = pick(&MGH, random)?;
    let mut bytes = contents.to_vec();
    let place = bytes.get_mut(at..at + width)?;
    let what = if at < 30 || random.random_bool(0.3) {
        let value = odd::integer(width, random);
        place.copy_from_slice(&value.to_be_bytes()[8 - width..]);
        value.to_string()
    } else {
        let value = odd::float(random) as f32;
        place.copy_from_slice(&value.to_be_bytes());
        format!("{value:e}")
    };
    Some(Damaged::new(bytes, format!("the number at byte {at} = {what}")))
}

/// Changes an NRRD or MetaImage file, whose header is text.
pub fn damage_text(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let ends: [&[u8]; 2] = [b"\n\n", b"LOCAL\n"];
    let end = ends.iter().filter_map(|end| {
        let place = contents.windows(end.len()).position(|part| part == *end)?;
        Some(place + end.len())
    });
    let (header, voxels) = contents.split_at(end.min().unwrap_or(contents.len()));
    let damaged = match random.random_range(0..8) {
        0 => {
            let Damaged { bytes, what } = bytes::damage(voxels, random);
            return Some(Damaged::new([header, &bytes].concat(), format!("voxels: {what}")));
        }
        1 | 2 => text::damage(header, random),
        _ => one_value(header, random)?,
    };
    Some(Damaged::new([damaged.bytes, voxels.to_vec()].concat(), damaged.what))
}

/// Another word in one of the values.
fn one_value(header: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let text = String::from_utf8_lossy(header);
    let mut words: Vec<&str> = text.split_inclusive([' ', ',', '(', ')', '\n']).collect();
    let n = below(words.len(), random);
    let old = *words.get(n)?;
    let end = old.chars().next_back().filter(|last| " ,()\n".contains(*last));
    let new =
        if random.random_bool(0.7) { odd::number(random).to_owned() } else { odd::word(random) };
    let new = new + &end.map(String::from).unwrap_or_default();
    let shown: String = new.trim_end().chars().take(40).collect();
    words[n] = &new;
    Some(Damaged::of_text(words.concat(), format!("{:?} = {shown:?}", old.trim_end())))
}
