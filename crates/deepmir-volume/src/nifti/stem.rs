//! File names.

use std::path::Path;

const ENDINGS: [&str; 6] = [".nii.gz", ".nii", ".hdr.gz", ".img.gz", ".hdr", ".img"];

/// The file's name without its NIfTI ending: `sub-01_T2w` of `anat/sub-01_T2w.nii.gz`.
pub fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).map_or(name.clone(), str::to_owned)
}

/// Whether the name ends as NIfTI files do. Of a pair, only the header counts.
pub fn is_nifti_name(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    [".nii.gz", ".nii", ".hdr.gz", ".hdr"].iter().any(|ending| name.ends_with(ending))
}
