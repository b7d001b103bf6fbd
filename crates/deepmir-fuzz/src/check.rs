//! What may not be found after a run, however it ended.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::execute::{End, Finished};
use crate::scene::Scene;

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In a word or two; findings of one kind, scene and message are one fault.
    pub kind: &'static str,
    /// What was seen.
    pub detail: String,
}

fn finding(kind: &'static str, detail: impl Into<String>) -> Option<Finding> {
    Some(Finding { kind, detail: detail.into() })
}

/// The first thing that is wrong: the way it ended, then what it left. On a disk that fills up, results that were
/// whole before it was full may stay.
pub fn check(
    scene: &Scene,
    full_disk: bool,
    folder: &Path,
    before: &BTreeMap<PathBuf, u64>,
    after: &BTreeMap<PathBuf, u64>,
    temporary: &BTreeMap<PathBuf, u64>,
    finished: &Finished,
) -> Option<Finding> {
    // A table that was cut may ask for the default number of steps, which is hours of work that goes on.
    if finished.end == End::Hang && finished.told.contains(" s left)") {
        return None;
    }
    let nothing_new = scene.all_or_nothing && !full_disk && finished.end != End::Code(0);
    ending(finished).or_else(|| left(scene, nothing_new, folder, before, after, temporary))
}

fn ending(finished: &Finished) -> Option<Finding> {
    let told = &finished.told;
    let first = || told.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    match finished.end {
        End::Hang => finding("hang", format!("no end after {:.0?}", finished.took)),
        End::Signal(signal) => finding("signal", format!("signal {signal}: {}", first())),
        End::Code(2 | 101) => finding("panic", first()),
        End::Code(code) if !matches!(code, 0 | 1 | 3) => {
            finding("exit code", format!("exit code {code}: {}", first()))
        }
        End::Code(_) if told.contains("panicked at") || told.contains("internal error") => finding(
            "panic",
            told.lines()
                .find(|line| line.contains("panicked") || line.contains("internal"))
                .unwrap_or_default(),
        ),
        End::Code(1 | 3) if !told.lines().any(|line| line.starts_with("error: ")) => {
            finding("no message", format!("failed without an error message: {}", first()))
        }
        End::Code(_) => None,
    }
}

fn left(
    scene: &Scene,
    nothing_new: bool,
    folder: &Path,
    before: &BTreeMap<PathBuf, u64>,
    after: &BTreeMap<PathBuf, u64>,
    temporary: &BTreeMap<PathBuf, u64>,
) -> Option<Finding> {
    let shown = |path: &Path| path.strip_prefix(folder).unwrap_or(path).display().to_string();
    if let Some(path) = temporary.keys().next() {
        return finding("temporary file", path.display().to_string());
    }
    let result =
        |path: &Path| scene.outputs.iter().any(|output| path.starts_with(folder.join(output)));
    for (path, checksum) in before {
        if !result(path) && after.get(path) != Some(checksum) {
            return finding("input changed", shown(path));
        }
    }
    let new = |path: &Path, checksum: &u64| before.get(path) != Some(checksum);
    for (path, _) in after.iter().filter(|(path, checksum)| new(path, checksum)) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".tmp") || name.ends_with(".lock") || name == "lock" {
            return finding("leftover", shown(path));
        }
        if !result(path) && !before.contains_key(path) {
            return finding("stray file", shown(path));
        }
        let is_file = path.is_file();
        if nothing_new && is_file {
            return finding("result of a failure", shown(path));
        }
        // A link to an input is as whole as that.
        let is_own = is_file && !path.is_symlink();
        if let Some(fault) = is_own.then(|| half(path)).flatten() {
            return finding("half a file", format!("{}: {fault}", shown(path)));
        }
    }
    None
}

/// Why a file is not whole; `None` if it is.
pub fn half(path: &Path) -> Option<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return Some(error.to_string()),
    };
    let ending = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    if ending(&[".gz"]) {
        let mut whole = Vec::new();
        return MultiGzDecoder::new(&*bytes)
            .read_to_end(&mut whole)
            .err()
            .map(|error| error.to_string());
    }
    if ending(&[".json"]) {
        return serde_json::from_slice::<serde_json::Value>(&bytes)
            .err()
            .map(|error| error.to_string());
    }
    if ending(&[".toml"]) {
        let text = String::from_utf8_lossy(&bytes);
        return toml::from_str::<toml::Table>(&text).err().map(|error| error.message().to_owned());
    }
    if ending(&[".tsv", ".csv", ".html", ".svg"])
        && bytes.last() != Some(&b'\n')
        && !bytes.ends_with(b">")
    {
        return Some("it does not end with the end of a line".to_owned());
    }
    (bytes.is_empty() && !ending(&["-wal", "-shm"])).then(|| "it is empty".to_owned())
}
