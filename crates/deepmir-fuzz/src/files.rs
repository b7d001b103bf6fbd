//! Folders of small files.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Copies a folder with all that is in it; links stay links.
///
/// # Errors
/// Whatever the file system says.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            link(&fs::read_link(entry.path())?, &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| entry.path().display().to_string())?;
        }
    }
    Ok(())
}

/// Removes a folder with all that is in it, closed folders too; there may be none.
///
/// # Errors
/// Whatever the file system says.
pub fn remove_folder(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    if fs::remove_dir_all(folder).is_ok() {
        return Ok(());
    }
    for (path, _) in list(folder) {
        let _ = open_up(&path);
    }
    fs::remove_dir_all(folder).with_context(|| folder.display().to_string())
}

/// Makes a symbolic link.
///
/// # Errors
/// Whatever the file system says.
pub fn link(target: &Path, link: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, link);
    #[cfg(not(unix))]
    return fs::write(link, target.display().to_string());
}

/// Takes the right to read and write from everybody but root.
///
/// # Errors
/// Whatever the file system says.
pub fn close(path: &Path, writing_only: bool) -> std::io::Result<()> {
    permit(path, if writing_only { 0o555 } else { 0o000 })
}

/// Gives the rights back.
///
/// # Errors
/// Whatever the file system says.
pub fn open_up(path: &Path) -> std::io::Result<()> {
    permit(path, 0o755)
}

fn permit(path: &Path, mode: u32) -> std::io::Result<()> {
    #[cfg(unix)]
    return fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    {
        let _ = (path, mode);
        Ok(())
    }
}

/// Every file and folder below a folder, with a checksum of its contents; links are not followed.
pub fn list(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            let mut checksum = DefaultHasher::new();
            if kind.is_dir() {
                folders.push(path.clone());
            } else if kind.is_symlink() {
                fs::read_link(&path).unwrap_or_default().hash(&mut checksum);
            } else {
                fs::read(&path).unwrap_or_default().hash(&mut checksum);
            }
            found.insert(path, checksum.finish());
        }
    }
    found
}
