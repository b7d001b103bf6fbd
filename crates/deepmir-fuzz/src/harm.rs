//! What is done to a scene before its command is run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::files::{self, copy_folder, remove_folder};
use crate::mutate::{Format, damage};
use crate::scene::Scene;

/// What a case damages, for the table of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Harm {
    /// The contents of a file.
    Contents(Format),
    /// Which files there are, what they are, and who may read and write them.
    Place,
    /// A disk that fills up: files cannot grow beyond a size.
    Disk,
}

impl Harm {
    /// In tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contents(format) => format.name(),
            Self::Place => "place",
            Self::Disk => "disk",
        }
    }

    /// Every kind, in the order of tables.
    pub fn all() -> Vec<Self> {
        let contents = Format::ALL.into_iter().map(Self::Contents);
        contents.chain([Self::Place, Self::Disk]).collect()
    }
}

/// A case that is ready to run.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its number in the campaign.
    pub number: u64,
    /// Of the scene.
    pub scene: usize,
    /// The arguments of the program.
    pub arguments: Vec<String>,
    /// The first harm.
    pub harm: Harm,
    /// What was done, in words.
    pub what: Vec<String>,
    /// How large a file may become, in blocks of 512 bytes.
    pub largest_file: Option<u64>,
}

impl Case {
    /// Makes case `number` of a seed in `folder`, which is emptied first. The same seed, number and scenes make
    /// the same case.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn set_up(scenes: &[Scene], seed: u64, number: u64, folder: &Path) -> Result<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(number);
        let scene = drawn(scenes, &mut random);
        let from = &scenes[scene];
        remove_folder(folder)?;
        copy_folder(&from.folder, folder)?;
        let command = random.random_range(0..from.commands.len());
        let arguments = from.commands[command].clone();
        let mut case = Self {
            number,
            scene,
            arguments,
            harm: Harm::Disk,
            what: Vec::new(),
            largest_file: None,
        };
        let harms = if random.random_ratio(1, 6) { 2 } else { 1 };
        for first in (0..harms).map(|n| n == 0) {
            let harm = case.harm_once(from, folder, &mut random)?;
            if first {
                case.harm = harm;
            }
        }
        Ok(case)
    }

    fn harm_once(&mut self, scene: &Scene, folder: &Path, random: &mut ChaCha8Rng) -> Result<Harm> {
        let targets = targets(scene, folder);
        match random.random_range(0..20) {
            0 => {
                let blocks = 2 + random.random_range(0_u64..6).pow(3);
                self.largest_file = Some(blocks);
                self.what.push(format!("no file may grow beyond {blocks} blocks"));
                Ok(Harm::Disk)
            }
            1..=4 => {
                let what = misplace(scene, folder, &targets, random)?;
                self.what.push(what);
                Ok(Harm::Place)
            }
            _ => {
                let mut formats: Vec<Format> =
                    targets.iter().filter_map(|path| Format::of(path)).collect();
                formats.sort_unstable();
                formats.dedup();
                if formats.is_empty() {
                    return Ok(Harm::Place);
                }
                let format = formats[random.random_range(0..formats.len())];
                let files: Vec<&PathBuf> =
                    targets.iter().filter(|path| Format::of(path) == Some(format)).collect();
                let file = files[random.random_range(0..files.len())];
                let contents = fs::read(file).with_context(|| file.display().to_string())?;
                let damaged = damage(format, &contents, random);
                fs::write(file, damaged.bytes).with_context(|| file.display().to_string())?;
                self.what.push(format!("{}: {}", relative(file, folder), damaged.what));
                Ok(Harm::Contents(format))
            }
        }
    }
}

fn drawn(scenes: &[Scene], random: &mut ChaCha8Rng) -> usize {
    let total: u32 = scenes.iter().map(|scene| scene.weight).sum();
    let mut at = random.random_range(0..total.max(1));
    for (n, scene) in scenes.iter().enumerate() {
        if at < scene.weight {
            return n;
        }
        at -= scene.weight;
    }
    0
}

fn relative(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

/// The files that may be damaged, sorted.
fn targets(scene: &Scene, folder: &Path) -> Vec<PathBuf> {
    let within = |path: &Path| {
        scene.targets.is_empty()
            || scene.targets.iter().any(|target| path.starts_with(folder.join(target)))
    };
    let of_user = |path: &Path| fs::symlink_metadata(path).is_ok_and(|file| file.is_file());
    files::list(folder).into_keys().filter(|path| within(path) && of_user(path)).collect()
}

/// Removes, replaces, swaps, closes or copies a file.
fn misplace(
    scene: &Scene,
    folder: &Path,
    targets: &[PathBuf],
    random: &mut ChaCha8Rng,
) -> Result<String> {
    if targets.is_empty() {
        return Ok("nothing".to_owned());
    }
    let file = &targets[random.random_range(0..targets.len())];
    let name = relative(file, folder);
    let output = folder.join(scene.outputs[0]);
    let replaced = |by: &Path| {
        fs::remove_file(file)?;
        files::link(by, file)
    };
    Ok(match random.random_range(0..11) {
        0 | 1 => {
            fs::remove_file(file)?;
            format!("{name} removed")
        }
        2 => {
            fs::remove_file(file)?;
            fs::create_dir(file)?;
            format!("{name} a folder")
        }
        3 => {
            replaced(Path::new(file.file_name().unwrap_or_default()))?;
            format!("{name} a link to itself")
        }
        4 => {
            replaced(Path::new("/nowhere/at/all"))?;
            format!("{name} a link to nowhere")
        }
        5 => {
            replaced(Path::new("/dev/null"))?;
            format!("{name} a link to /dev/null")
        }
        6 | 7 => {
            let other = &targets[random.random_range(0..targets.len())];
            let (one, two) = (fs::read(file)?, fs::read(other)?);
            fs::write(file, two)?;
            fs::write(other, one)?;
            format!("{name} and {} swapped", relative(other, folder))
        }
        8 => {
            files::close(file, false)?;
            format!("{name} closed to all but root")
        }
        9 if !output.exists() => {
            if random.random_bool(0.5) {
                fs::write(&output, "a file")?;
                format!("{} is a file", scene.outputs[0])
            } else {
                fs::create_dir(&output)?;
                files::close(&output, true)?;
                format!("{} closed to writing by all but root", scene.outputs[0])
            }
        }
        _ => {
            let text = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let changes = [
                ("sub-01", "sub-1"),
                ("sub-01_", "sub-01_run-2_"),
                ("sub-01_", "sub-01_ses-a_"),
                ("sub-02", "sub-99"),
                ("_acq-swi", ""),
                ("T2starw", "swi"),
                ("echo-1", "echo-01"),
                ("part-mag_", ""),
                (".json", ".JSON"),
                (".tsv", ".tsv.gz"),
                (".", "é."),
                ("_", " "),
                (".nii.gz", ".nii"),
            ];
            let fitting: Vec<_> = changes.iter().filter(|(from, _)| text.contains(from)).collect();
            let to = match fitting.get(random.random_range(0..fitting.len().max(1))) {
                Some((from, to)) => text.replacen(from, to, 1),
                None => format!("copy-of-{text}"),
            };
            fs::copy(file, file.with_file_name(&to))?;
            format!("{name} copied as {to}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(folder: &Path) -> Scene {
        fs::write(folder.join("a.json"), "{\"EchoTime\": 0.02, \"B\": [1, 2]}").unwrap();
        fs::write(folder.join("b.tsv"), "id\tx\n1\t2\n").unwrap();
        fs::write(folder.join("c.toml"), "a = 1\n[b]\nc = 2.0\n").unwrap();
        Scene {
            name: "test",
            folder: folder.to_owned(),
            commands: vec![vec!["a".to_owned()], vec!["b".to_owned()]],
            targets: Vec::new(),
            outputs: vec!["out"],
            all_or_nothing: true,
            weight: 1,
        }
    }

    #[test]
    fn the_same_seed_and_number_make_the_same_case() {
        let (folder, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let scenes = [scene(folder.path())];
        let mut different = Vec::new();
        for number in 0..60 {
            let make = |name: &str| {
                let at = work.path().join(name);
                let case = Case::set_up(&scenes, 7, number, &at).unwrap();
                let found: Vec<_> = files::list(&at)
                    .into_iter()
                    .map(|(path, sum)| (relative(&path, &at), sum))
                    .collect();
                (case.arguments, case.what, found)
            };
            let (one, two) = (make("one"), make("two"));
            assert_eq!(one, two);
            different.push(one.1);
        }
        different.sort();
        different.dedup();
        assert!(different.len() > 40, "{}", different.len());
    }
}
