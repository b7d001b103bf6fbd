//! Files and folders that are there whole or not at all.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes a file through `fill`: to a temporary name in the same folder first, then, once every
/// byte has reached the disk, renamed over `path`. On any error (a full disk too) the temporary
/// file is removed and whatever stood at `path` before stands there still.
///
/// # Errors
/// Whatever the file system or `fill` says.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&std::fs::File>) -> io::Result<()>,
) -> io::Result<()> {
    let folder = parent_of(path);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut builder = tempfile::Builder::new();
    let prefix = format!(".{name}.");
    builder.prefix(&prefix).suffix(".tmp");
    // Temporary files are private by default; these become the user's results.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder)?;

    let mut writer = BufWriter::with_capacity(1 << 16, file.as_file());
    fill(&mut writer)?;
    writer.flush()?;
    drop(writer);
    // Network file systems and quotas report a full disk only here.
    file.as_file().sync_all()?;
    file.persist(path).map_err(|fault| fault.error)?;
    Ok(())
}

/// [`write_with`] for bytes at hand.
///
/// # Errors
/// As [`write_with`].
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// Links a file to a place, where systems have symbolic links, and copies it elsewhere; the place's folder is made if need
/// be. `file` is best a whole path: a link to another stays where it is put.
///
/// # Errors
/// Whatever the file system says, of a place that is taken, too.
pub fn link(file: &Path, place: &Path) -> io::Result<()> {
    std::fs::create_dir_all(parent_of(place))?;
    #[cfg(unix)]
    return std::os::unix::fs::symlink(file, place);
    #[cfg(not(unix))]
    return std::fs::copy(file, place).map(|_| ());
}

/// A new folder under a temporary name beside its own, gone when it is dropped unfinished.
#[derive(Debug)]
pub struct NewFolder {
    making: tempfile::TempDir,
    path: PathBuf,
}

impl NewFolder {
    /// Begins a folder that is to be `path`; the folder that it is in is made if need be.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn begin(path: &Path) -> io::Result<Self> {
        let parent = parent_of(path);
        std::fs::create_dir_all(parent)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".new.").suffix(".tmp");
        // As of files.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        Ok(Self { making: builder.tempdir_in(parent)?, path: path.to_owned() })
    }

    /// Where to write what it is to hold.
    pub fn path(&self) -> &Path {
        self.making.path()
    }

    /// Gives it its own name.
    ///
    /// # Errors
    /// Whatever the file system says, of a folder of that name that holds something, too.
    pub fn finish(self) -> io::Result<()> {
        std::fs::rename(self.making.path(), self.path)
    }
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.tsv");
        write(&path, b"old").unwrap();
        let failed = write_with(&path, |file| {
            file.write_all(b"half of the new")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("of/mine");
        let begun = NewFolder::begin(&path).unwrap();
        std::fs::write(begun.path().join("one"), "1").unwrap();
        assert!(!path.exists());
        begun.finish().unwrap();
        assert_eq!(std::fs::read(path.join("one")).unwrap(), b"1");
        let begun = NewFolder::begin(&path).unwrap();
        std::fs::write(begun.path().join("two"), "2").unwrap();
        assert!(begun.finish().is_err(), "there is one that holds something");
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(folder.path().join("of")).unwrap().count(), 1);
    }
}
