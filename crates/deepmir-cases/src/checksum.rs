//! Checksums of files.

use std::path::Path;

use deepmir_volume::nifti;
use sha2::{Digest, Sha256};

use crate::CaseError;

/// The SHA-256 of a file's content, in hexadecimal; of an image whose voxels are in a file of their own, of both files.
///
/// # Errors
/// If it cannot be read.
pub fn sha256(path: &Path) -> Result<String, CaseError> {
    let mut digest = Sha256::new();
    let voxels = nifti::voxels_beside(path);
    for path in std::iter::once(path).chain(voxels.as_deref()) {
        let fault = |source| CaseError::Read { path: path.to_owned(), source };
        let mut file = std::fs::File::open(path).map_err(fault)?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            let count = std::io::Read::read(&mut file, &mut buffer).map_err(fault)?;
            if count == 0 {
                break;
            }
            digest.update(&buffer[..count]);
        }
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_with_one_header_and_other_voxels_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let sum = |name: &str, voxels: [u8; 8]| {
            let folder = folder.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("swi.raw"), voxels).unwrap();
            let header =
                "NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = swi.raw\n";
            std::fs::write(folder.join("swi.mhd"), header).unwrap();
            sha256(&folder.join("swi.mhd")).unwrap()
        };
        assert_ne!(sum("a", [0; 8]), sum("b", [1; 8]));
        assert_eq!(sum("c", [1; 8]), sum("d", [1; 8]));
    }
}
