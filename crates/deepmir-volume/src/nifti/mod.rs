//! Images in files. NIfTI: `.nii`, `.nii.gz`, `.hdr`/`.img` pairs (also gzipped), versions 1 and 2, both byte
//! orders, every integer and float type up to 64 bits. FreeSurfer's MGH, NRRD and MetaImage are read in its place.
//!
//! Reading checks the header before it believes it: sizes against the file's length (so that a
//! header cannot ask for more memory than its file could fill) and against those of a head, slopes
//! and offsets for NaN and nonsense, the affine for an inverse. What other programs read, though the
//! standard forbids it, is read; where that leaves a doubt, [`Header::warnings`] says so. Writing keeps the reference image's own sform, qform and
//! units to the bit, goes to a temporary name and renames when all is on disk.

mod codec;
mod datatype;
mod encode;
mod fetched;
mod foreign;
mod formats;
mod gzip;
mod header;
mod limits;
mod notes;
mod parse;
mod read;
mod source;
mod spatial;
mod stem;
mod write;

pub use datatype::{DataType, Voxel};
pub use fetched::check_fetched;
pub use header::Header;
pub use notes::HeaderNotes;
pub use read::{
    Image, ReadOptions, read, read_header, read_integers, read_series, read_with, voxels_beside,
};
pub use spatial::{AffineSource, Spatial};
pub use stem::{is_nifti_name, stem};
pub use write::{encode, write, write_scaled, write_scaled_signed};
