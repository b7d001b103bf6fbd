//! What can go wrong, with the file and the remedy.

use std::io;
use std::path::{Path, PathBuf};

use crate::Orientation;

/// Why a volume could not be read, written or made.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The operating system refused to open or read a file.
    #[error("{}: {}", crate::cannot_read(source, path), path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system refused to create, fill or rename a file.
    #[error("cannot write ({source}); nothing was left behind: {}", path.display())]
    Write {
        /// The file that was to be.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name without its content: a link to nowhere, or a pointer of git-annex or Git LFS.
    #[error("its content is not here ({what}); {remedy}: {}", path.display())]
    NotFetched {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        what: String,
        /// What the user can do.
        remedy: String,
    },
    /// The content is no image that is read.
    #[error("not a NIfTI file: {reason}; {remedy}: {}", path.display())]
    NotNifti {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        reason: String,
        /// What the user can do.
        remedy: &'static str,
    },
    /// A header field contradicts the standard or the file.
    #[error("broken header: {reason}: {}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The field, its value and what to do.
        reason: String,
    },
    /// A valid file, but of a kind that has no place here.
    #[error("{what} is not supported; {remedy}: {}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The kind.
        what: String,
        /// What the user can do.
        remedy: String,
    },
    /// Fewer voxels in the file than its header announces.
    #[error(
        "the file ends early: its header announces {expected_bytes} bytes of voxels; \
         copy or convert it again: {}", path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes of voxels that the header announces.
        expected_bytes: u64,
    },
    /// A gzip stream with a wrong checksum or impossible codes.
    #[error("the gzip data are damaged ({reason}); copy or convert the file again: {}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decompressor said.
        reason: String,
    },
    /// NaN or infinite voxels.
    #[error(
        "{count} of {total} voxels are NaN or infinite; mend the file, or read them as zero with \
         --nan-to-zero: {}", path.display()
    )]
    NonFinite {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// Of how many.
        total: usize,
    },
    /// Voxels of a label map that are no whole numbers.
    #[error("{count} voxels are no whole numbers (such as {example}), so this is no label map: {}", path.display())]
    NotIntegers {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// One of them.
        example: f64,
    },
    /// Two images that should share a grid do not.
    #[error("{}", grid_mismatch(.0))]
    GridMismatch(Box<GridMismatch>),
    /// A shape with an empty axis, or too large for memory.
    #[error("a volume of {} × {} × {} voxels cannot be", shape[0], shape[1], shape[2])]
    Shape {
        /// Voxels along each axis.
        shape: [usize; 3],
    },
    /// Data whose length is not the grid's.
    #[error("{length} values do not fill a volume of {} × {} × {} voxels", shape[0], shape[1], shape[2])]
    Length {
        /// Voxels along each axis.
        shape: [usize; 3],
        /// How many values came.
        length: usize,
    },
    /// Voxels or a place that no head can have, of an image in memory.
    #[error("{reason}")]
    Geometry {
        /// What it is.
        reason: String,
    },
    /// A voxel size that is zero, negative or not finite.
    #[error("voxels of {} × {} × {} mm cannot be", spacing_mm[0], spacing_mm[1], spacing_mm[2])]
    Spacing {
        /// The sizes.
        spacing_mm: [f64; 3],
    },
}

/// Both sides of a [`VolumeError::GridMismatch`].
#[derive(Debug)]
pub struct GridMismatch {
    /// The image that defines the grid.
    pub reference: PathBuf,
    /// Its grid.
    pub reference_grid: crate::Grid,
    /// The image that differs.
    pub other: PathBuf,
    /// Its grid.
    pub other_grid: crate::Grid,
    /// Whether one of them says nothing of its place, so that its orientation tells nothing.
    pub placeless: bool,
    /// What the user can do.
    pub remedy: String,
}

/// Checks that two images, each with its path or name, lie on one grid.
///
/// # Errors
/// [`VolumeError::GridMismatch`] with both and the remedy.
pub fn check_same_grid(
    (reference, reference_grid): (&Path, &crate::Grid),
    (other, other_grid): (&Path, &crate::Grid),
    remedy: &str,
) -> Result<(), VolumeError> {
    if reference_grid.same_as(other_grid) {
        return Ok(());
    }
    Err(VolumeError::GridMismatch(Box::new(GridMismatch {
        reference: reference.to_owned(),
        reference_grid: *reference_grid,
        other: other.to_owned(),
        other_grid: *other_grid,
        placeless: false,
        remedy: remedy.to_owned(),
    })))
}

fn grid_mismatch(mismatch: &GridMismatch) -> String {
    let GridMismatch { reference, reference_grid, other, other_grid, placeless, remedy } = mismatch;
    let orientations = [reference_grid, other_grid].map(|grid| Orientation::of(grid.affine()));
    let [one, two] = orientations.map(|orientation| orientation.codes());
    let mirrored = reference_grid.affine().is_mirrored(other_grid.affine());
    let apart = match reference_grid.difference_voxels(other_grid) {
        _ if reference_grid.is_reordered(other_grid) => {
            let sides = if mirrored { "; see that left and right agree" } else { "" };
            format!("the same place, but voxels stored in another order: {one} and {two}{sides}")
        }
        Some(_) if mirrored && !placeless => {
            return format!(
                "two images do not share a grid (their affines are mirror images of each other, {one} and {two}, so that \
                 left is right in one of them); find out which is right and copy its geometry to the other, such as with \
                 `fslcpgeom`, or convert both again\n  {}\n  {}",
                describe(reference, reference_grid),
                describe(other, other_grid)
            );
        }
        Some(voxels) => format!("corners up to {voxels:.2} voxels apart"),
        None => "different shapes".to_owned(),
    };
    format!(
        "two images do not share a grid ({apart}); {remedy}\n  {}\n  {}",
        describe(reference, reference_grid),
        describe(other, other_grid)
    )
}

fn describe(path: &std::path::Path, grid: &crate::Grid) -> String {
    let [nx, ny, nz] = grid.shape();
    let rows = grid.affine().rows();
    let rows: Vec<String> =
        rows[..3].iter().map(|row| row.map(|value| format!("{value:.4}")).join(" ")).collect();
    format!("{nx} × {ny} × {nz}, affine [{}]: {}", rows.join("; "), path.display())
}
