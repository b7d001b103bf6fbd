//! Numbers at byte positions of a header, in either byte order.

/// A header's bytes and their order.
pub(super) struct Fields<'a> {
    pub bytes: &'a [u8],
    pub big_endian: bool,
}

macro_rules! field {
    ($name:ident, $number:ty) => {
        pub fn $name(&self, at: usize) -> $number {
            let mut raw = [0; size_of::<$number>()];
            raw.copy_from_slice(&self.bytes[at..at + size_of::<$number>()]);
            if self.big_endian {
                <$number>::from_be_bytes(raw)
            } else {
                <$number>::from_le_bytes(raw)
            }
        }
    };
}

impl Fields<'_> {
    field!(i16, i16);
    field!(i32, i32);
    field!(i64, i64);
    field!(f32, f32);
    field!(f64, f64);
}

/// Writes little-endian bytes into a header.
pub(super) fn put(header: &mut [u8], at: usize, bytes: &[u8]) {
    header[at..at + bytes.len()].copy_from_slice(bytes);
}
