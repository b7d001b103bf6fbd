//! Scenes: a command of the program with small, sound files that it works on.

mod archive;
mod echoes;
mod others;
mod world;

use std::path::{Path, PathBuf};

pub use world::prepare;

/// A command and the folder that it is run in.
#[derive(Clone, Debug)]
pub struct Scene {
    /// In tables; the verb, or the verb and what it works on.
    pub name: &'static str,
    /// Everything that the command reads, and what earlier commands left.
    pub folder: PathBuf,
    /// The command lines of which one is drawn; paths are relative to the folder.
    pub commands: Vec<Vec<String>>,
    /// The files and folders that may be damaged; all of the folder, if there are none.
    pub targets: Vec<&'static str>,
    /// Where results go: all else must stay as it is.
    pub outputs: Vec<&'static str>,
    /// Whether a command that fails (exit code 1) leaves nothing new: it reads all before it writes.
    pub all_or_nothing: bool,
    /// How often it is drawn, against the others.
    pub weight: u32,
}

impl Scene {
    fn new(world: &Path, name: &'static str, weight: u32) -> Self {
        Self {
            name,
            folder: world.join(name.replace(' ', "-")),
            commands: Vec::new(),
            targets: Vec::new(),
            outputs: vec!["out"],
            all_or_nothing: true,
            weight,
        }
    }

    /// A command line, in which words are parted by spaces.
    fn command(mut self, line: &str) -> Self {
        self.commands.push(line.split(' ').map(str::to_owned).collect());
        self
    }

    fn damaging(mut self, targets: &[&'static str]) -> Self {
        self.targets = targets.to_vec();
        self
    }

    fn writing(mut self, outputs: &[&'static str]) -> Self {
        self.outputs = outputs.to_vec();
        self
    }

    fn piece_by_piece(mut self) -> Self {
        self.all_or_nothing = false;
        self
    }
}
