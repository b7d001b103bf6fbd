//! NIfTI: every field of the header, versions 1 and 2, both byte orders; voxels.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::{Damaged, below, bytes, odd, pick};

/// A field of the NIfTI-1 header.
struct Field {
    name: &'static str,
    at: usize,
    kind: Kind,
    /// Of how many numbers.
    count: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Byte,
    Short,
    Int,
    Float,
}

impl Kind {
    fn bytes(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::Short => 2,
            Self::Int | Self::Float => 4,
        }
    }
}

const fn field(name: &'static str, at: usize, kind: Kind, count: usize) -> Field {
    Field { name, at, kind, count }
}

/// What says how large an image is, where it lies, and how voxels are stored.
const READ: [Field; 16] = [
    field("sizeof_hdr", 0, Kind::Int, 1),
    field("dim", 40, Kind::Short, 8),
    field("datatype", 70, Kind::Short, 1),
    field("bitpix", 72, Kind::Short, 1),
    field("pixdim", 76, Kind::Float, 8),
    field("vox_offset", 108, Kind::Float, 1),
    field("scl_slope", 112, Kind::Float, 1),
    field("scl_inter", 116, Kind::Float, 1),
    field("xyzt_units", 123, Kind::Byte, 1),
    field("qform_code", 252, Kind::Short, 1),
    field("sform_code", 254, Kind::Short, 1),
    field("quatern", 256, Kind::Float, 3),
    field("qoffset", 268, Kind::Float, 3),
    field("srow", 280, Kind::Float, 12),
    field("magic", 344, Kind::Byte, 4),
    field("extension", 348, Kind::Byte, 4),
];

/// All other fields of nifti1.h.
const UNREAD: [Field; 20] = [
    field("data_type", 4, Kind::Byte, 10),
    field("db_name", 14, Kind::Byte, 18),
    field("extents", 32, Kind::Int, 1),
    field("session_error", 36, Kind::Short, 1),
    field("regular", 38, Kind::Byte, 1),
    field("dim_info", 39, Kind::Byte, 1),
    field("intent_p", 56, Kind::Float, 3),
    field("intent_code", 68, Kind::Short, 1),
    field("slice_start", 74, Kind::Short, 1),
    field("slice_end", 120, Kind::Short, 1),
    field("slice_code", 122, Kind::Byte, 1),
    field("cal_max", 124, Kind::Float, 1),
    field("cal_min", 128, Kind::Float, 1),
    field("slice_duration", 132, Kind::Float, 1),
    field("toffset", 136, Kind::Float, 1),
    field("glmax", 140, Kind::Int, 1),
    field("glmin", 144, Kind::Int, 1),
    field("descrip", 148, Kind::Byte, 80),
    field("aux_file", 228, Kind::Byte, 24),
    field("intent_name", 328, Kind::Byte, 16),
];

/// Codes of `datatype`, those that nobody reads too.
const DATA_TYPES: [i64; 18] =
    [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2304];

/// Where a cut is worth trying.
const BOUNDARIES: [usize; 9] = [0, 1, 40, 108, 252, 344, 348, 351, 352];

const HEADER: usize = 348;

/// Changes one field in four of five cases, else voxels, byte order, version or length.
pub fn damage(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    if contents.len() < HEADER {
        return None;
    }
    match random.random_range(0..20) {
        0 => {
            let mut swapped = contents.to_vec();
            swap(&mut swapped);
            Some(Damaged::new(swapped, "byte order of the header alone"))
        }
        1 => Some(swapped_whole(contents)),
        2 => version_2(contents, random),
        3 => {
            let voxel =
                contents.len() - 1 - below(contents.len().saturating_sub(352).min(100), random);
            let cut = *pick(&[&BOUNDARIES[..], &[voxel]].concat(), random)?;
            Some(Damaged::new(contents.get(..cut)?.to_vec(), format!("cut to {cut} bytes")))
        }
        4 => voxels(contents, random),
        5 => {
            // An extension that says it is longer than the file, or of no size.
            let mut bytes = contents.to_vec();
            *bytes.get_mut(348)? = 1;
            let size = odd::integer(4, random) as i32;
            if bytes.len() < 352 {
                return None;
            }
            bytes.splice(352..352, [size.to_le_bytes(), 6_i32.to_le_bytes()].concat());
            Some(Damaged::new(bytes, format!("an extension of {size} bytes")))
        }
        _ => one_field(contents, random),
    }
}

fn one_field(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let mut bytes = contents.to_vec();
    let field =
        if random.random_ratio(1, 10) { pick(&UNREAD, random) } else { pick(&READ, random) }?;
    let number = below(field.count, random);
    let width = field.kind.bytes();
    let at = field.at + number * width;
    let place = bytes.get_mut(at..at + width)?;
    let name =
        if field.count == 1 { field.name.to_owned() } else { format!("{}[{number}]", field.name) };
    let what = if field.name == "datatype" && random.random_bool(0.7) {
        let code = *pick(&DATA_TYPES, random)?;
        place.copy_from_slice(&(code as i16).to_le_bytes());
        code.to_string()
    } else if random.random_ratio(1, 8) {
        place.reverse();
        "its bytes swapped".to_owned()
    } else if field.kind == Kind::Float {
        let old = f32::from_le_bytes([place[0], place[1], place[2], place[3]]);
        let factors = [1000.0, 0.001, -1.0, 1.001, 10.0, 1e6, 0.5];
        let value = if random.random_bool(0.4) {
            old * *pick(&factors, random)?
        } else {
            odd::float(random) as f32
        };
        place.copy_from_slice(&value.to_le_bytes());
        format!("{value:e}")
    } else {
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(place);
        let old = i64::from_le_bytes(wide);
        let value = match random.random_range(0..4) {
            0 => old.wrapping_add(1),
            1 => old.wrapping_sub(1),
            _ => odd::integer(width, random),
        };
        place.copy_from_slice(&value.to_le_bytes()[..width]);
        value.to_string()
    };
    Some(Damaged::new(bytes, format!("{name} = {what}")))
}

/// Voxels of another kind: not a number, huge, constant, random bits.
fn voxels(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let mut bytes = contents.to_vec();
    let first = 352;
    let count = bytes.len().checked_sub(first)? / 4;
    if random.random_bool(0.3) {
        let damaged = bytes::damage(bytes.get(first..)?, random);
        bytes.truncate(first);
        bytes.extend(damaged.bytes);
        return Some(Damaged::new(bytes, format!("voxels: {}", damaged.what)));
    }
    let value = odd::float(random) as f32;
    let every = 1 + below(*pick(&[1, 2, 100, 10_000], random)?, random);
    for voxel in (0..count).step_by(every) {
        let at = first + 4 * voxel;
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    Some(Damaged::new(bytes, format!("every {every}. voxel (of four bytes) = {value:e}")))
}

/// Swaps the bytes of all numbers of the header.
fn swap(bytes: &mut [u8]) {
    for field in READ.iter().chain(&UNREAD).filter(|field| field.kind != Kind::Byte) {
        let width = field.kind.bytes();
        for number in 0..field.count {
            let at = field.at + number * width;
            bytes[at..at + width].reverse();
        }
    }
}

/// The same image in the other byte order, if its voxels are as wide as `bitpix` says.
fn swapped_whole(contents: &[u8]) -> Damaged {
    let mut bytes = contents.to_vec();
    let width = usize::from(bytes[72] / 8).max(1);
    swap(&mut bytes);
    if let Some(voxels) = bytes.get_mut(352..) {
        voxels.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
    Damaged::new(bytes, "the other byte order, header and voxels")
}

/// The same image as NIfTI-2, then one number of its header changed.
fn version_2(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let float = |at: usize| {
        let four = contents.get(at..at + 4)?;
        Some(f64::from(f32::from_le_bytes([four[0], four[1], four[2], four[3]])))
    };
    let short = |at: usize| {
        Some(i64::from(i16::from_le_bytes([*contents.get(at)?, *contents.get(at + 1)?])))
    };
    let mut header = vec![0_u8; 544];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &540_i32.to_le_bytes());
    put(4, b"n+2\0\r\n\x1a\n");
    put(12, contents.get(70..74)?);
    for n in 0..8 {
        put(16 + 8 * n, &short(40 + 2 * n)?.to_le_bytes());
        put(104 + 8 * n, &float(76 + 4 * n)?.to_le_bytes());
    }
    put(168, &544_i64.to_le_bytes());
    put(176, &float(112)?.to_le_bytes());
    put(184, &float(116)?.to_le_bytes());
    put(344, &(short(252)? as i32).to_le_bytes());
    put(348, &(short(254)? as i32).to_le_bytes());
    for n in 0..18 {
        put(352 + 8 * n, &float(256 + 4 * n)?.to_le_bytes());
    }
    put(500, &i32::from(contents[123]).to_le_bytes());
    let mut what = "as NIfTI-2".to_owned();
    if random.random_bool(0.8) {
        let at = *pick(
            &[
                0, 4, 12, 16, 24, 32, 40, 48, 104, 112, 120, 168, 176, 184, 344, 348, 352, 400,
                448, 500,
            ],
            random,
        )?;
        let value = if random.random_bool(0.5) {
            odd::float(random).to_le_bytes()
        } else {
            odd::integer(8, random).to_le_bytes()
        };
        header[at..at + 8].copy_from_slice(&value);
        what += &format!(", bytes {at} to {} = {:#x}", at + 8, u64::from_le_bytes(value));
    }
    header.extend_from_slice(contents.get(352..)?);
    Some(Damaged::new(header, what))
}
