//! The checksum of source files, shared by the build scripts of the crates that store results: what was stored by
//! other code is then known and made anew.
//!
//! One policy for a run's stages and a study's cells: the sources of every crate that the computation runs through,
//! found by following the dependencies in `Cargo.toml`, and the versions of all libraries (`Cargo.lock`). The hash is
//! FNV-1a, written out here, so that a new toolchain does not change it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// The checksum of some files and folders below `root`: sixteen hexadecimal digits of their names and contents. Neither
/// the order of `sources` nor that of a folder's entries matters.
///
/// # Errors
/// A source that is not there or cannot be read, by name: a crate that moved must not drop out in silence.
pub fn checksum(root: &Path, sources: &[String]) -> io::Result<String> {
    let mut files = BTreeSet::new();
    for source in sources {
        list(root, source, &mut files)?;
    }
    let mut hash = Fnv1a::new();
    for file in &files {
        let bytes = std::fs::read(root.join(file)).map_err(|error| named(&error, file))?;
        for part in [file.as_bytes(), &bytes] {
            // With its length, so that nothing can move from one part to the next.
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    Ok(format!("{:016x}", hash.0))
}

/// The sources of a workspace crate and of every workspace crate that it depends on, but for those `left_out`.
///
/// # Errors
/// A `Cargo.toml` that cannot be read.
pub fn sources_of(root: &Path, name: &str, left_out: &[&str]) -> io::Result<Vec<String>> {
    let mut names = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        if left_out.contains(&name.as_str()) || !names.insert(name.clone()) {
            continue;
        }
        let path = format!("crates/{name}/Cargo.toml");
        let text =
            std::fs::read_to_string(root.join(&path)).map_err(|error| named(&error, &path))?;
        open.extend(dependencies(&text));
    }
    Ok(names.iter().map(|name| format!("crates/{name}/src")).collect())
}

/// The workspace crates under `[dependencies]`.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section == "[dependencies]" && line.starts_with("deepmir-") {
            let end = line.find(|letter: char| "=. ".contains(letter)).unwrap_or(line.len());
            found.push(line[..end].to_owned());
        }
    }
    found
}

/// Every file of a source by its path below `root`, with `/` on every system.
fn list(root: &Path, source: &str, files: &mut BTreeSet<String>) -> io::Result<()> {
    let path: PathBuf = root.join(source);
    if !path.metadata().map_err(|error| named(&error, source))?.is_dir() {
        files.insert(source.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(&path).map_err(|error| named(&error, source))? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        // An editor's files are no sources.
        if !name.starts_with('.') {
            list(root, &format!("{source}/{name}"), files)?;
        }
    }
    Ok(())
}

fn named(error: &io::Error, path: &str) -> io::Error {
    io::Error::new(error.kind(), format!("cannot read a source for the checksum ({error}): {path}"))
}

/// FNV-1a of 64 bits (Fowler, Noll and Vo; <https://www.rfc-editor.org/rfc/rfc9923>).
pub struct Fnv1a(pub u64);

impl Fnv1a {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
