//! A command that is killed again and again, and then left to its end: no half file at any time, and the same
//! results.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::check::half;
use crate::files::{self, copy_folder, remove_folder};
use crate::scene::Scene;

/// After so many kills a command is left to its end, and the next trial begins.
const KILLS_OF_A_TRIAL: u32 = 8;

/// What is killed: a command, how it is continued, and which of its results tell when they were made.
struct Killed {
    scene: &'static str,
    command: &'static str,
    /// Once there is this file, this is added.
    resume: Option<(&'static str, &'static str)>,
    /// Parts of the paths of results that tell when they were made, and so differ from run to run.
    differing: &'static [&'static str],
}

const KILLED: [Killed; 3] = [
    Killed {
        scene: "run",
        command: "run bids anew participant --model single.deepmir",
        resume: None,
        differing: &["status/"],
    },
    Killed {
        scene: "train",
        command: "train bids -o anew --config training.toml --steps 12 --name same",
        resume: Some(("anew/training.toml", "--resume")),
        differing: &["history.", "checkpoint.safetensors"],
    },
    Killed {
        scene: "study",
        command: "study study.toml -o anew",
        resume: None,
        differing: &["times.tsv", "study.html", "checksums.json", "done.json", "history."],
    },
];

/// Kills each of the commands so many times, at random moments.
///
/// # Errors
/// A half file, other results than without kills, or a command that does not come to its end; the message says
/// after how many kills.
pub fn kill(
    program: &Path,
    scenes: &[Scene],
    folder: &Path,
    kills: u32,
    seed: u64,
) -> Result<String> {
    let mut report = String::new();
    for killed in &KILLED {
        let Some(scene) = scenes.iter().find(|scene| scene.name == killed.scene) else { continue };
        let mut trial = Trial {
            program,
            killed,
            scene,
            folder: folder.join("killed"),
            random: ChaCha8Rng::seed_from_u64(seed),
        };
        let (trials, took) = trial.all(kills).with_context(|| killed.command)?;
        let line = format!(
            "{}: killed {kills} times, continued to its end {trials} times ({:.2} s without kills): no half file, \
             the same results\n",
            killed.command,
            took.as_secs_f64()
        );
        report.push_str(&line);
    }
    Ok(report)
}

struct Trial<'a> {
    program: &'a Path,
    killed: &'a Killed,
    scene: &'a Scene,
    folder: PathBuf,
    random: ChaCha8Rng,
}

impl Trial<'_> {
    /// How many trials there were, and how long one takes without kills.
    fn all(&mut self, kills: u32) -> Result<(u32, Duration)> {
        self.begin()?;
        let started = Instant::now();
        self.to_the_end()?;
        let took = started.elapsed();
        let wanted = self.results()?;
        ensure!(wanted.len() > 2, "there are no results");
        let (mut done, mut trials) = (0, 0);
        while done < kills {
            self.begin()?;
            trials += 1;
            for _ in 0..KILLS_OF_A_TRIAL.min(kills - done) {
                let share: f64 = self.random.random();
                done += u32::from(self.killed_after(took.mul_f64(share * share))?);
                self.whole().with_context(|| format!("after {done} kills"))?;
            }
            self.to_the_end().with_context(|| format!("after {done} kills"))?;
            let results = self.results()?;
            if let Some((path, _)) =
                wanted.iter().find(|(path, sum)| results.get(*path) != Some(sum))
            {
                bail!(
                    "another {} after {done} kills than without; see {}",
                    path.display(),
                    self.folder.display()
                );
            }
        }
        remove_folder(&self.folder)?;
        Ok((trials, took))
    }

    fn begin(&self) -> Result<()> {
        remove_folder(&self.folder)?;
        copy_folder(&self.scene.folder, &self.folder)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(self.killed.command.split(' '))
            .args(["--threads", "2"])
            .current_dir(&self.folder);
        if let Some((file, more)) = self.killed.resume
            && self.folder.join(file).exists()
        {
            command.arg(more);
        }
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }

    fn to_the_end(&self) -> Result<()> {
        let output = self.command().output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "it fails: {told}");
        Ok(())
    }

    /// Whether it was still at work after this time, and was killed.
    fn killed_after(&self, time: Duration) -> Result<bool> {
        let mut child = self.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let started = Instant::now();
        while started.elapsed() < time {
            if child.try_wait()?.is_some() {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(1).min(time));
        }
        child.kill()?;
        // A program that was over in the meantime has an exit code.
        Ok(child.wait()?.code().is_none())
    }

    /// No file under a final name is half.
    fn whole(&self) -> Result<()> {
        for path in files::list(&self.folder.join("anew")).into_keys().filter(|path| path.is_file())
        {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let final_name = !name.starts_with('.') && !name.ends_with("lock");
            if let Some(fault) = final_name.then(|| half(&path)).flatten() {
                bail!("half a file: {}: {fault}", path.display());
            }
        }
        Ok(())
    }

    /// The results by path, without those that tell when they were made and what a killed process was just writing.
    fn results(&self) -> Result<BTreeMap<PathBuf, u64>> {
        let mut results = BTreeMap::new();
        for (path, checksum) in files::list(&self.folder.join("anew")) {
            let relative = path.strip_prefix(&self.folder)?.to_owned();
            let text = relative.display().to_string();
            let hidden =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            let differs = self.killed.differing.iter().any(|part| text.contains(part));
            if !hidden && !differs && fs::metadata(&path)?.is_file() {
                results.insert(relative, checksum);
            }
        }
        Ok(results)
    }
}
