//! Gives the crate the checksum of the sources that decide what a trained network predicts, so that
//! a study knows which of its finished cells were made by other code.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Crates whose sources count, and this crate's own part.
const SOURCES: [&str; 9] = [
    "../deepmir-volume/src",
    "../deepmir-kernels/src",
    "../deepmir-lesion/src",
    "../deepmir-net/src",
    "../deepmir-cases/src",
    "../deepmir-detect/src",
    "../deepmir-model/src",
    "../deepmir-pipeline/src",
    "src/run",
];

fn main() {
    let mut hasher = DefaultHasher::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        let mut files = Vec::new();
        list(Path::new(source), &mut files);
        files.sort();
        for file in files {
            file.hash(&mut hasher);
            std::fs::read(&file).unwrap_or_default().hash(&mut hasher);
        }
    }
    println!("cargo::rustc-env=DEEPMIR_CODE={:016x}", hasher.finish());
}

fn list(path: &Path, files: &mut Vec<PathBuf>) {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().for_each(|entry| list(&entry.path(), files)),
        Err(_) => files.push(path.to_owned()),
    }
}
