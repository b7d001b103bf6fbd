//! Marker segments before the scan (T.87, annex C).

use super::{Fault, damaged};

const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_FRAME: u8 = 0xF7;
const PARAMETERS: u8 = 0xF8;
const START_OF_SCAN: u8 = 0xDA;
const RESTART_INTERVAL: u8 = 0xDD;

/// How a scan is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    /// Samples of a line, and lines.
    pub shape: [usize; 2],
    /// Bits of a sample.
    pub bits: u32,
    /// The largest sample.
    pub most: i32,
    /// How far a sample may be off; 0 is lossless.
    pub near: i32,
    /// Gradients from which a context is the next one.
    pub thresholds: [i32; 3],
    /// Samples of a context after which its counters are halved.
    pub reset: i32,
}

/// Reads the markers up to the scan; returns how it is coded, and its data.
///
/// # Errors
/// If it is no grey image of one scan, or contradicts itself.
pub fn read(bytes: &[u8]) -> Result<(Coding, &[u8]), Fault> {
    if !bytes.starts_with(&[0xFF, START_OF_IMAGE]) {
        return Err(damaged("no image"));
    }
    let mut rest = &bytes[2..];
    let mut frame = None;
    let mut parameters = [0; 5];
    loop {
        let [0xFF, marker, after @ ..] = rest else { return Err(damaged("no scan")) };
        // Any number of 0xFF may stand before a marker.
        if *marker == 0xFF {
            rest = &rest[1..];
            continue;
        }
        let length = after.get(..2).map_or(0, |two| usize::from(two[0]) << 8 | usize::from(two[1]));
        let body = after.get(2..length).ok_or_else(|| damaged("it ends early"))?;
        rest = &after[length..];
        match *marker {
            START_OF_FRAME => frame = Some(frame_of(body)?),
            PARAMETERS => parameters = parameters_of(body)?,
            START_OF_SCAN => {
                let (shape, bits) = frame.ok_or_else(|| damaged("a scan without a frame"))?;
                return Ok((coding(shape, bits, near_of(body)?, parameters)?, rest));
            }
            RESTART_INTERVAL if body.iter().any(|&byte| byte != 0) => {
                return Err(not_read("with restart markers"));
            }
            END_OF_IMAGE | 0xC0..=0xCF => return Err(damaged("not of JPEG-LS")),
            _ => {}
        }
    }
}

fn not_read(what: &str) -> Fault {
    Fault::NotRead(format!("JPEG-LS {what}"))
}

fn frame_of(body: &[u8]) -> Result<([usize; 2], u32), Fault> {
    let [bits, y1, y0, x1, x0, components, ..] = *body else {
        return Err(damaged("it ends early"));
    };
    let two = |high: u8, low: u8| usize::from(high) << 8 | usize::from(low);
    let shape = [two(x1, x0), two(y1, y0)];
    if components != 1 {
        return Err(not_read("of colours"));
    }
    if !(2..=16).contains(&bits) || shape.contains(&0) {
        return Err(damaged("an image of no size or depth"));
    }
    Ok((shape, bits.into()))
}

fn near_of(body: &[u8]) -> Result<i32, Fault> {
    match *body {
        [1, _, 0, near, 0, 0] => Ok(near.into()),
        [1, _, _, _, 0, _] => Err(not_read("with a mapping table or point transform")),
        _ => Err(damaged("a scan of several components")),
    }
}

/// Largest sample, thresholds and reset, 0 where the defaults hold.
fn parameters_of(body: &[u8]) -> Result<[i32; 5], Fault> {
    match *body {
        [1, ref values @ ..] if values.len() == 10 => Ok(std::array::from_fn(|n| {
            i32::from(values[2 * n]) << 8 | i32::from(values[2 * n + 1])
        })),
        _ => Err(not_read("with tables or extensions")),
    }
}

fn coding(
    shape: [usize; 2],
    bits: u32,
    near: i32,
    [most, t1, t2, t3, reset]: [i32; 5],
) -> Result<Coding, Fault> {
    let or = |value: i32, default: i32| if value == 0 { default } else { value };
    let most = or(most, (1 << bits) - 1);
    let defaults = thresholds(most, near);
    let [t1, t2, t3] = [or(t1, defaults[0]), or(t2, defaults[1]), or(t3, defaults[2])];
    let reset = or(reset, 64);
    let fits = most < 1 << bits
        && near <= 255.min(most / 2)
        && near < t1
        && t1 <= t2
        && t2 <= t3
        && t3 <= most
        && (3..=255.max(most)).contains(&reset);
    if !fits {
        return Err(damaged("its parameters contradict each other"));
    }
    Ok(Coding { shape, bits, most, near, thresholds: [t1, t2, t3], reset })
}

/// The default thresholds (C.2.4.1.1.1).
fn thresholds(most: i32, near: i32) -> [i32; 3] {
    let clamp = |value: i32, least: i32| if value > most || value < least { least } else { value };
    let scaled = |basis: i32, least: i32, by_near: i32| {
        if most >= 128 {
            (most.min(4095) + 128) / 256 * (basis - least) + least + by_near * near
        } else {
            least.max(basis / (256 / (most + 1)) + by_near * near)
        }
    };
    let t1 = clamp(scaled(3, 2, 3), near + 1);
    let t2 = clamp(scaled(7, 3, 5), t1);
    [t1, t2, clamp(scaled(21, 4, 7), t2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_thresholds_are_those_of_the_standard() {
        // Table C.3 has those of 8 bits; others by the formula, worked by hand.
        assert_eq!(thresholds(255, 0), [3, 7, 21]);
        assert_eq!(thresholds(255, 3), [12, 22, 42]);
        assert_eq!(thresholds(4095, 0), [18, 67, 276]);
        assert_eq!(thresholds(65535, 0), [18, 67, 276]);
        assert_eq!(thresholds(15, 0), [2, 3, 4]);
    }

    /// An image of 2 × 1 pixels of 8 bits, with other segments before its scan.
    fn image(more: &[u8], scan: [u8; 6]) -> Vec<u8> {
        let frame = [0xFF, 0xF7, 0, 11, 8, 0, 1, 0, 2, 1, 1, 0x11, 0];
        [&[0xFF, 0xD8][..], &frame, more, &[0xFF, 0xDA, 0, 8], &scan, &[0]].concat()
    }

    #[test]
    fn what_is_not_read_is_told_and_not_called_damaged() {
        let scan = [1, 1, 0, 0, 0, 0];
        let plain = image(&[], scan);
        let (coding, data) = read(&plain).unwrap();
        assert_eq!((coding.shape, coding.bits, coding.most, data), ([2, 1], 8, 255, &[0][..]));
        let restarts = [0xFF, 0xDD, 0, 4, 0, 1];
        let table = [0xFF, 0xF8, 0, 5, 2, 1, 1];
        let all = [image(&restarts, scan), image(&table, scan), image(&[], [1, 1, 1, 0, 0, 0])];
        assert!(all.iter().all(|bytes| matches!(read(bytes), Err(Fault::NotRead(_)))));
        let beyond = [0xFF, 0xF8, 0, 13, 1, 1, 0, 0, 3, 0, 7, 0, 21, 0, 64];
        assert!(matches!(read(&image(&beyond, scan)), Err(Fault::Damaged(_))));
    }
}
