//! Gzip streams around images: damage inside, or to the stream itself.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::{Damaged, below, bytes, nifti, odd, pick};

/// Damages the image in two of three cases, else the stream.
pub fn damage(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let mut image = Vec::new();
    MultiGzDecoder::new(contents).read_to_end(&mut image).ok()?;
    if random.random_ratio(2, 3) {
        let damaged = if random.random_ratio(7, 8) {
            nifti::damage(&image, random)?
        } else {
            bytes::damage(&image, random)
        };
        return Some(Damaged::new(pack(&damaged.bytes)?, damaged.what));
    }
    stream(contents, &image, random)
}

fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

fn stream(contents: &[u8], image: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let mut bytes = contents.to_vec();
    let length = bytes.len();
    let what = match random.random_range(0..10) {
        0 => {
            let cut = *pick(
                &[0, 1, 2, 9, 10, 11, 18, length - 1, length - 4, length - 8, length - 9],
                random,
            )?;
            bytes.truncate(cut);
            format!("stream cut to {cut} of {length} bytes")
        }
        1 => {
            bytes.extend_from_slice(&contents[..length.min(64)]);
            "the beginning of a second member behind the end".to_owned()
        }
        2 => {
            bytes.extend_from_slice(contents);
            "two members".to_owned()
        }
        3 => {
            let half = below(image.len(), random);
            bytes = [pack(&image[..half])?, pack(&image[half..])?].concat();
            format!("two members, parted at {half}")
        }
        4 => {
            let at = length - 8 + below(8, random);
            bytes[at] ^= 0xff;
            "another checksum or length at the end".to_owned()
        }
        5 => {
            bytes[3] = odd::integer(1, random) as u8;
            format!("flags {:#04x}", bytes[3])
        }
        6 => {
            bytes = image.to_vec();
            "not compressed in spite of its name".to_owned()
        }
        7 => {
            bytes = pack(contents)?;
            "compressed twice".to_owned()
        }
        8 => {
            // More voxels than the header says, all zero: a few kilobytes that become many.
            let mut more = image.to_vec();
            more.resize(image.len() + (64 << 20), 0);
            bytes = pack(&more)?;
            "64 MiB of zeros behind the voxels".to_owned()
        }
        _ => {
            bytes.extend_from_slice(&[0; 512]);
            "zeros behind the stream".to_owned()
        }
    };
    Some(Damaged::new(bytes, what))
}
