//! File names.

use std::path::Path;

const ENDINGS: [&str; 12] = [
    ".nii.gz", ".nii", ".hdr.gz", ".img.gz", ".hdr", ".img", ".mgz", ".mgh", ".nrrd", ".nhdr",
    ".mha", ".mhd",
];

/// The file's name without the ending of an image, in capitals or not: `sub-01_T2w` of `anat/sub-01_T2w.nii.gz`.
pub fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let without = ENDINGS.iter().find_map(|ending| without(&name, ending));
    without.map_or_else(|| name.clone(), str::to_owned)
}

/// Whether the name ends as NIfTI files do, in capitals or not. Of a pair, only the header counts.
pub fn is_nifti_name(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    [".nii.gz", ".nii", ".hdr.gz", ".hdr"].iter().any(|ending| without(&name, ending).is_some())
}

fn without<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    let (start, end) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
    end.eq_ignore_ascii_case(ending).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_in_capitals_are_endings() {
        for name in ["a/sub-01_swi.NII.GZ", "sub-01_swi.Nii", "sub-01_swi.HDR"] {
            assert!(is_nifti_name(Path::new(name)), "{name}");
            assert_eq!(stem(Path::new(name)), "sub-01_swi");
        }
        assert!(!is_nifti_name(Path::new("ünii")) && !is_nifti_name(Path::new("nii")));
    }
}
