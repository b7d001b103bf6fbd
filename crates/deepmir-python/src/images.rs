//! Images from Python and back: paths, or bytes with a shape and an affine.

use std::path::{Path, PathBuf};

use deepmir_volume::nifti::{self, Header, Image, ReadOptions};
use deepmir_volume::{Affine, Grid, Volume, VolumeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyByteArray;

use crate::failure::Failure;

/// Rows of an affine.
pub type Rows = [[f64; 4]; 4];

/// An image as the Python part gives it.
#[derive(FromPyObject)]
pub enum Source {
    /// A NIfTI file.
    File(PathBuf),
    /// Voxels of four bytes in the machine's byte order, the first axis fastest.
    Array(Array),
}

/// An array: what messages call it, its shape, its bytes and its affine.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Array {
    name: PathBuf,
    shape: [usize; 3],
    bytes: PyBackedBytes,
    affine: Rows,
}

impl Source {
    /// What messages call it.
    pub fn name(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Array(array) => &array.name,
        }
    }

    /// Reads or takes the voxels.
    ///
    /// # Errors
    /// An unreadable file; an affine, a shape or voxels that cannot be.
    pub fn image(&self, options: &ReadOptions) -> Result<Image<f32>, Failure> {
        match self {
            Self::File(path) => Ok(nifti::read_with(path, options)?),
            Self::Array(array) => array.image(options),
        }
    }
}

impl Array {
    /// What messages call it.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Its voxels as an image.
    ///
    /// # Errors
    /// An affine, a shape or voxels that cannot be.
    pub fn image(&self, options: &ReadOptions) -> Result<Image<f32>, Failure> {
        let header = self.header()?;
        let mut voxels = self.voxels(f32::from_ne_bytes);
        options.finish(&mut voxels, &self.name)?;
        Ok(Image { volume: Volume::new(*header.grid(), voxels)?, header })
    }

    /// Its voxels as whole numbers.
    ///
    /// # Errors
    /// An affine or a shape that cannot be.
    pub fn integers(&self) -> Result<Volume<i32>, Failure> {
        Ok(Volume::new(*self.header()?.grid(), self.voxels(i32::from_ne_bytes))?)
    }

    fn voxels<T>(&self, of_bytes: fn([u8; 4]) -> T) -> Vec<T> {
        let (voxels, _) = self.bytes.as_chunks::<4>();
        voxels.iter().copied().map(of_bytes).collect()
    }

    /// The header that a file of it has: what a file cannot hold plays no part.
    fn header(&self) -> Result<Header, Failure> {
        let fault =
            |error: VolumeError| Failure::input(format!("{error}: {}", self.name.display()));
        let affine = Affine::from_rows(self.affine).ok_or_else(|| {
            Failure::input(format!(
                "the affine {:?} has no inverse, or its last row is not 0 0 0 1; give the 4 × 4 matrix \
                 from voxels to RAS+ millimetres: {}",
                self.affine,
                self.name.display()
            ))
        })?;
        Header::of(&Grid::new(self.shape, affine).map_err(fault)?).map_err(fault)
    }
}

/// Voxels for Python: the bytes of an array whose first axis runs fastest.
pub fn bytes_of<'py, T: Copy, const N: usize>(
    py: Python<'py>,
    voxels: &[T],
    to_bytes: fn(T) -> [u8; N],
) -> PyResult<Bound<'py, PyByteArray>> {
    PyByteArray::new_with(py, voxels.len() * N, |bytes| {
        let (chunks, _) = bytes.as_chunks_mut::<N>();
        chunks.iter_mut().zip(voxels).for_each(|(chunk, &voxel)| *chunk = to_bytes(voxel));
        Ok(())
    })
}
