//! What was noticed in the headers of several files.

use std::path::{Path, PathBuf};

use super::Header;
use crate::Warning;

/// Notes of the headers of several files: each is told once, with every file that it is true of.
#[derive(Clone, Debug, Default)]
pub struct HeaderNotes(Vec<(Warning, Vec<PathBuf>)>);

impl HeaderNotes {
    /// Adds what was noticed in the header of a file, and around its voxels if these were read too. The same file may be
    /// added again.
    pub fn add(&mut self, path: &Path, header: &Header) {
        for note in &header.notes {
            let known = self.0.iter_mut().find(|(known, _)| known == note);
            match known {
                Some((_, paths)) if paths.iter().any(|known| known == path) => {}
                Some((_, paths)) => paths.push(path.to_owned()),
                None => self.0.push((note.clone(), vec![path.to_owned()])),
            }
        }
    }

    /// The warnings, in the order in which they were noticed.
    pub fn warnings(&self) -> Vec<Warning> {
        let told = |(note, paths): &(Warning, Vec<PathBuf>)| {
            let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            Warning::new(&note.code, format!("{}: {}", note.message, paths.join(", ")))
        };
        self.0.iter().map(told).collect()
    }
}
