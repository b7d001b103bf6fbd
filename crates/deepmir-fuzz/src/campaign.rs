//! Many cases, on several threads, and what is kept of those that show a fault.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::check::{Finding, check};
use crate::execute::{End, Finished, Limits, execute, shell_line};
use crate::files::{self, remove_folder};
use crate::harm::{Case, Harm};
use crate::scene::Scene;

/// So many cases of one fault are kept; the others are counted.
const KEPT_OF_ONE_FAULT: u64 = 3;

/// What to run, how long and where.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The program.
    pub program: PathBuf,
    /// What cases are drawn from.
    pub scenes: Vec<Scene>,
    /// The seed of every case.
    pub seed: u64,
    /// The number of the first case.
    pub first: u64,
    /// How many cases, at most.
    pub cases: u64,
    /// No case begins later.
    pub time: Duration,
    /// Threads.
    pub jobs: usize,
    /// Of each case.
    pub limits: Limits,
    /// Folder that cases are run in.
    pub work: PathBuf,
    /// Folder of the cases that show a fault.
    pub cases_folder: PathBuf,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Cases by scene and harm.
    pub counts: BTreeMap<(usize, Harm), u64>,
    /// Cases by scene and exit code.
    pub codes: BTreeMap<(usize, i32), u64>,
    /// The longest case of each scene.
    pub longest: BTreeMap<usize, Duration>,
    /// Findings by fault: how many, the first of them, and in which scene.
    pub faults: BTreeMap<String, (u64, Finding, usize)>,
}

impl Campaign {
    /// Runs it.
    ///
    /// # Errors
    /// A folder that cannot be written, or a program that cannot be started.
    pub fn run(&self) -> Result<Outcome> {
        let outcome = Mutex::new(Outcome::default());
        let next = AtomicU64::new(self.first);
        let started = Instant::now();
        let end = self.first.saturating_add(self.cases);
        let worker = |job: usize| -> Result<()> {
            let work = self.work.join(format!("job-{job}"));
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end || started.elapsed() > self.time {
                    return remove_folder(&work);
                }
                self.one(number, &work, &outcome)?;
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.jobs.max(1)).map(|job| scope.spawn(move || worker(job))).collect();
            threads.into_iter().try_for_each(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(anyhow::anyhow!("a worker of the fuzzer failed")))
            })
        })?;
        Ok(outcome.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn one(&self, number: u64, work: &Path, outcome: &Mutex<Outcome>) -> Result<()> {
        let (folder, temporary) = (work.join("case"), work.join("tmp"));
        let case = Case::set_up(&self.scenes, self.seed, number, &folder)?;
        remove_folder(&temporary)?;
        fs::create_dir_all(&temporary)?;
        let scene = &self.scenes[case.scene];
        let before = files::list(&folder);
        let finished = self.execute(&case, &folder, &temporary)?;
        let after = files::list(&folder);
        let found = check(
            scene,
            case.largest_file.is_some(),
            &folder,
            &before,
            &after,
            &files::list(&temporary),
            &finished,
        );
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        *outcome.counts.entry((case.scene, case.harm)).or_default() += 1;
        if let End::Code(code) = finished.end {
            *outcome.codes.entry((case.scene, code)).or_default() += 1;
        }
        let longest = outcome.longest.entry(case.scene).or_default();
        *longest = finished.took.max(*longest);
        let Some(finding) = found else { return Ok(()) };
        let fault =
            format!("{} {}: {}", scene.name, finding.kind, without_numbers(&finding.detail));
        let known = outcome.faults.entry(fault).or_insert((0, finding.clone(), case.scene));
        known.0 += 1;
        if known.0 > KEPT_OF_ONE_FAULT {
            return Ok(());
        }
        drop(outcome);
        self.keep(&case, &finding, &finished)
    }

    fn execute(&self, case: &Case, folder: &Path, temporary: &PathBuf) -> Result<Finished> {
        let threads = ["--threads".to_owned(), "1".to_owned()];
        let arguments = [&case.arguments[..], &threads].concat();
        execute(&self.program, &arguments, folder, temporary, case.largest_file, &self.limits)
    }

    /// Keeps a case: its input as it was before the run, a script, and what was found.
    fn keep(&self, case: &Case, finding: &Finding, finished: &Finished) -> Result<()> {
        let scene = &self.scenes[case.scene];
        let folder = self.cases_folder.join(format!("{:06}", case.number));
        Case::set_up(&self.scenes, self.seed, case.number, &folder.join("input"))?;
        let quoted: Vec<String> = case.arguments.iter().map(|word| format!("'{word}'")).collect();
        let script = format!(
            "#!/bin/sh\n\
             # Case {} of seed {}, {}: {}\n\
             # Runs the program on a copy of the input: DEEPMIR=program ./run.sh\n\
             cd \"$(dirname \"$0\")\" && rm -rf again && cp -a input again && cd again || exit 99\n\
             sh -c '{}' \"${{DEEPMIR:-deepmir}}\" {} --threads 1\n\
             echo \"exit code $?\"\n",
            case.number,
            self.seed,
            scene.name,
            case.what.join("; "),
            shell_line(&self.limits, case.largest_file).replace('\'', "'\\''"),
            quoted.join(" "),
        );
        let report = format!(
            "{}: {}\n\nscene: {}\nharm: {}\nend: {:?} after {:.2?}\n\n{}",
            finding.kind,
            finding.detail,
            scene.name,
            case.what.join("; "),
            finished.end,
            finished.took,
            finished.told,
        );
        let put = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| path.display().to_string())
        };
        put("run.sh", &script)?;
        put("finding.txt", &report)?;
        files::open_up(&folder.join("run.sh"))?;
        Ok(())
    }
}

/// A message in which numbers and quoted names do not make a difference.
fn without_numbers(message: &str) -> String {
    let letters: String =
        message.chars().map(|letter| if letter.is_ascii_digit() { '#' } else { letter }).collect();
    let mut short =
        letters.split('#').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("#");
    short.truncate(short.char_indices().nth(90).map_or(short.len(), |(at, _)| at));
    short
}
