//! The number types that NIfTI voxels come in.

/// How a voxel is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum DataType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl DataType {
    /// From the header's `datatype` code; the error names what the code stands for.
    pub(crate) fn from_code(code: i32) -> Result<Self, String> {
        Ok(match code {
            2 => Self::U8,
            4 => Self::I16,
            8 => Self::I32,
            16 => Self::F32,
            64 => Self::F64,
            256 => Self::I8,
            512 => Self::U16,
            768 => Self::U32,
            1024 => Self::I64,
            1280 => Self::U64,
            1 => return Err("one-bit data".to_owned()),
            32 | 1792 | 2048 => return Err("complex data".to_owned()),
            128 | 2304 => return Err("RGB data".to_owned()),
            1536 => return Err("128-bit float data".to_owned()),
            _ => return Err(format!("data of unknown type (code {code})")),
        })
    }

    /// The header's `datatype` code.
    pub(crate) fn code(self) -> i16 {
        match self {
            Self::U8 => 2,
            Self::I16 => 4,
            Self::I32 => 8,
            Self::F32 => 16,
            Self::F64 => 64,
            Self::I8 => 256,
            Self::U16 => 512,
            Self::U32 => 768,
            Self::I64 => 1024,
            Self::U64 => 1280,
        }
    }

    /// Bytes a voxel.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}

/// A Rust number that can be written as a NIfTI voxel.
pub trait Voxel: Copy + Send + Sync {
    /// How it is stored.
    const DATA_TYPE: DataType;
    /// Appends the little-endian bytes.
    fn append_to(self, bytes: &mut Vec<u8>);
}

macro_rules! voxel {
    ($($number:ty => $data_type:ident),* $(,)?) => {$(
        impl Voxel for $number {
            const DATA_TYPE: DataType = DataType::$data_type;
            fn append_to(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

voxel!(u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, f32 => F32, f64 => F64);

impl Voxel for bool {
    const DATA_TYPE: DataType = DataType::U8;
    fn append_to(self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(self));
    }
}
