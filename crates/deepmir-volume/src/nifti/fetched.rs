//! Files whose name is here and whose content is not: links to nowhere and the pointers that git-annex and Git LFS leave
//! in place of a file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::VolumeError;

/// Pointers are a few lines; git-annex itself looks no further than this.
const LONGEST_POINTER: u64 = 32 << 10;

/// Checks that a name stands for content: an image, a sidecar, any file. One that is not there at all, or that cannot be
/// opened, passes: whoever reads it says so.
///
/// # Errors
/// [`VolumeError::NotFetched`] for a link to nowhere and for a pointer of git-annex or Git LFS.
pub fn check_fetched(path: &Path) -> Result<(), VolumeError> {
    let missing = |what: &str, remedy: &str| VolumeError::NotFetched {
        path: path.to_owned(),
        what: what.to_owned(),
        remedy: remedy.to_owned(),
    };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(fault) => {
            // A name that is no link is missing altogether; what may not be read may well be there.
            let Ok(target) = fs::read_link(path) else { return Ok(()) };
            if fault.kind() == io::ErrorKind::PermissionDenied {
                return Ok(());
            }
            let target = target.to_string_lossy().replace('\\', "/");
            return Err(if target.contains("annex/objects/") {
                missing("a link to nowhere", "fetch it, such as with `datalad get`")
            } else {
                let what = format!("a link to nowhere: {target}");
                missing(&what, "mount, fetch or copy what the link points to")
            });
        }
    };
    if !metadata.is_file() || metadata.len() > LONGEST_POINTER {
        return Ok(());
    }
    let mut start = Vec::new();
    let Ok(file) = File::open(path) else { return Ok(()) };
    if file.take(1024).read_to_end(&mut start).is_err() {
        return Ok(());
    }
    let start = String::from_utf8_lossy(&start).replace('\\', "/");
    let first_line = start.trim_start().lines().next().unwrap_or_default();
    // A checkout without symbolic links holds the link's target as text.
    if first_line.starts_with("/annex/objects/") || first_line.contains(".git/annex/objects/") {
        return Err(missing("a pointer of git-annex", "fetch it, such as with `datalad get`"));
    }
    let of_lfs = |host: &str| first_line.starts_with(&format!("version https://{host}/spec/"));
    if of_lfs("git-lfs.github.com") || of_lfs("hawser.github.com") {
        return Err(missing("a pointer of Git LFS", "fetch it with `git lfs pull`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn told(path: &Path) -> String {
        check_fetched(path).unwrap_err().to_string()
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nowhere_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub-01_swi.nii.gz");
        let annexed = "../../.git/annex/objects/5J/zK/MD5E-s636363--0c/MD5E-s636363--0c.nii.gz";
        std::os::unix::fs::symlink(annexed, &path).unwrap();
        let message = told(&path);
        let words =
            "its content is not here (a link to nowhere); fetch it, such as with `datalad get`: ";
        assert_eq!(message, format!("{words}{}", path.display()));
        let path = folder.path().join("sub-02_swi.nii.gz");
        std::os::unix::fs::symlink("/mnt/scans/swi.nii.gz", &path).unwrap();
        assert!(told(&path).contains("(a link to nowhere: /mnt/scans/swi.nii.gz); mount"));
        let ring = folder.path().join("ring.nii.gz");
        std::os::unix::fs::symlink(&ring, &ring).unwrap();
        assert!(told(&ring).contains("a link to nowhere"));
        let there = folder.path().join("there.nii.gz");
        fs::write(&there, b"any").unwrap();
        let link = folder.path().join("link.nii.gz");
        std::os::unix::fs::symlink(&there, &link).unwrap();
        assert!(check_fetched(&link).is_ok());
    }

    #[test]
    fn a_pointer_in_place_of_a_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub-01_swi.nii.gz");
        for (text, words) in [
            (
                "/annex/objects/MD5E-s636363--0c.nii.gz\n",
                "git-annex); fetch it, such as with `datalad get`",
            ),
            ("../.git/annex/objects/5J/zK/MD5E-s6--0c/MD5E-s6--0c.nii.gz", "git-annex"),
            ("..\\.git\\annex\\objects\\5J\\MD5E-s6--0c.nii.gz", "git-annex"),
            (
                "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
                "Git LFS); fetch it with `git lfs pull`",
            ),
        ] {
            fs::write(&path, text).unwrap();
            let message = told(&path);
            assert!(
                message.contains("its content is not here") && message.contains(words),
                "{message}"
            );
        }
        fs::write(&path, "").unwrap();
        assert!(check_fetched(&path).is_ok());
        assert!(check_fetched(folder.path()).is_ok());
        assert!(check_fetched(&folder.path().join("absent.nii")).is_ok());
    }
}
