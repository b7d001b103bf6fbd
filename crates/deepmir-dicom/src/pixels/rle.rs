//! RLE lossless: one segment for each byte of a pixel, the highest byte first, each in PackBits (PS3.5, annex G).

/// Decodes a frame of `pixels` pixels of `width` bytes.
///
/// # Errors
/// What is wrong with the fragment.
pub fn decode(fragment: &[u8], pixels: usize, width: usize) -> Result<Vec<u8>, String> {
    let word = |n: usize| {
        let bytes = fragment.get(4 * n..4 * n + 4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    if word(0) != Some(width) {
        return Err("RLE data of another number of segments than a pixel has bytes".to_owned());
    }
    // A pair of bytes gives at most 128 pixels: what claims more is not given memory.
    if pixels / 64 > fragment.len() {
        return Err("RLE data too short for the image".to_owned());
    }
    let mut out = vec![0; pixels * width];
    for segment in 0..width {
        let start = word(1 + segment).unwrap_or(usize::MAX);
        let end = if segment + 1 < width { word(2 + segment) } else { Some(fragment.len()) };
        let bytes = end.and_then(|end| fragment.get(start..end)).ok_or("RLE segments overlap")?;
        let mut place = width - 1 - segment;
        unpack(bytes, pixels, |byte| {
            out[place] = byte;
            place += width;
        })?;
    }
    Ok(out)
}

/// Gives `count` bytes of PackBits data to `put`.
fn unpack(mut bytes: &[u8], count: usize, mut put: impl FnMut(u8)) -> Result<(), String> {
    let mut left = count;
    while left > 0 {
        let [head, rest @ ..] = bytes else {
            return Err("RLE data end early".to_owned());
        };
        bytes = rest;
        match *head {
            128 => {}
            head if head < 128 => {
                let wanted = usize::from(head) + 1;
                let part = bytes.get(..wanted).ok_or("RLE data end early")?;
                part.iter().take(left).for_each(|&byte| put(byte));
                bytes = &bytes[wanted..];
                left -= wanted.min(left);
            }
            head => {
                let [byte, rest @ ..] = bytes else {
                    return Err("RLE data end early".to_owned());
                };
                let wanted = (257 - usize::from(head)).min(left);
                (0..wanted).for_each(|_| put(*byte));
                bytes = rest;
                left -= wanted;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(segments: &[&[u8]]) -> Vec<u8> {
        let mut head = vec![segments.len() as u32];
        let mut at = 64;
        for segment in segments {
            head.push(at);
            at += segment.len() as u32;
        }
        head.resize(16, 0);
        let mut bytes: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
        segments.iter().for_each(|segment| bytes.extend(*segment));
        bytes
    }

    #[test]
    fn runs_and_literals_become_little_endian_pixels() {
        // High bytes 1 1 1 2, low bytes 10 20 30 40.
        let bytes = fragment(&[&[254, 1, 0, 2], &[3, 10, 20, 30, 40]]);
        assert_eq!(decode(&bytes, 4, 2).unwrap(), [10, 1, 20, 1, 30, 1, 40, 2]);
    }

    #[test]
    fn damaged_data_are_told_and_no_memory_is_taken_for_a_claim() {
        let bytes = fragment(&[&[254, 1, 0, 2], &[3, 10, 20, 30, 40]]);
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end], 4, 2).is_err(), "{end}");
        }
        assert!(decode(&bytes, 1 << 40, 2).is_err());
        assert!(decode(&bytes, 4, 1).is_err());
    }
}
