//! What is told of a file that cannot be read.

use std::error::Error;
use std::io;
use std::path::Path;

/// Why a file cannot be read: of one that is not there, where it was looked for. The file itself is named by the caller.
///
/// ```
/// use deepmir_volume::cannot_read;
/// use std::path::Path;
///
/// let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
/// let told = cannot_read(&missing, Path::new("/no/such/folder/swi.nii.gz"));
/// assert_eq!(told, "there is no folder /no");
/// ```
pub fn cannot_read(source: &io::Error, path: &Path) -> String {
    if source.kind() != io::ErrorKind::NotFound {
        return format!("cannot read ({source})");
    }
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = whole.ancestors().skip(1).find(|folder| folder.is_dir());
    match (there, whole.parent()) {
        (Some(there), Some(folder)) if there == folder => {
            format!("there is no such file in the folder {}", folder.display())
        }
        (Some(there), Some(_)) => {
            // The first part of the path that is missing.
            let depth = there.components().count();
            let missing: std::path::PathBuf = whole.components().take(depth + 1).collect();
            format!("there is no folder {}", missing.display())
        }
        _ => format!("cannot read ({source})"),
    }
}

/// An error with the chain of its causes. A cause that the text before already contains is not repeated, nor the system's
/// words for a file that is not there, which [`cannot_read`] tells better.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(fault) = cause {
        let system = fault.downcast_ref::<io::Error>();
        let is_missing = system.is_some_and(|fault| fault.kind() == io::ErrorKind::NotFound);
        let words = fault.to_string();
        let is_told = message.contains(&words) || is_missing && message.contains("there is no ");
        if !is_told {
            message = format!("{message}: {words}");
        }
        cause = fault.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_and_a_missing_folder_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let fault = |path: &Path| cannot_read(&std::fs::read(path).unwrap_err(), path);
        let told = fault(&folder.path().join("swi.nii.gz"));
        assert_eq!(
            told,
            format!("there is no such file in the folder {}", folder.path().display())
        );
        let told = fault(&folder.path().join("scans/sub-01/swi.nii.gz"));
        assert_eq!(told, format!("there is no folder {}", folder.path().join("scans").display()));
        assert!(fault(folder.path()).starts_with("cannot read ("), "a folder is no file");
    }
}
