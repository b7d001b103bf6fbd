//! The fuzzer as a program; `cargo xtask fuzz` builds and calls it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use deepmir_fuzz::campaign::Campaign;
use deepmir_fuzz::execute::Limits;
use deepmir_fuzz::files::remove_folder;
use deepmir_fuzz::{kill, report, scene};

const USAGE: &str = "\
usage: deepmir-fuzz PROGRAM FOLDER [MINUTES] [--seed N] [--jobs N] [--case N] [--cases N]
                    [--memory-mib N] [--processor-s N] [--timeout-s N]
                    [--kills N]";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::from(1)
        }
    }
}

/// Whether nothing was found.
fn run() -> Result<bool> {
    let (program, folder, campaign, kills) = arguments()?;
    let folder = std::path::absolute(folder)?;
    let program = std::path::absolute(program)?;
    for name in ["cases", "running"] {
        remove_folder(&folder.join(name))?;
    }
    let started = Instant::now();
    // In memory where there is such a folder: every result is synced to the disk.
    let memory = tempfile::Builder::new().prefix("deepmir-fuzz-").tempdir_in("/dev/shm").ok();
    let work =
        memory.as_ref().map_or_else(|| folder.join("running"), |memory| memory.path().to_owned());
    let scenes = scene::prepare(&program, &work.join("scenes"))?;
    say(&format!(
        "{} scenes made in {:.0?}; seed {}",
        scenes.len(),
        started.elapsed(),
        campaign.seed
    ));
    if let Some(kills) = kills {
        let killed = kill::kill(&program, &scenes, &work, kills, campaign.seed);
        if killed.is_err() {
            // What the message speaks of.
            memory.map(tempfile::TempDir::keep);
        }
        say(&killed?);
        return Ok(true);
    }
    let campaign =
        Campaign { program, work, cases_folder: folder.join("cases"), scenes, ..campaign };
    let started = Instant::now();
    let outcome = campaign.run()?;
    say(&report::table(&campaign.scenes, &outcome, started.elapsed()));
    if !outcome.faults.is_empty() {
        say(&format!("cases are kept in {}; run.sh repeats one", campaign.cases_folder.display()));
    }
    Ok(outcome.faults.is_empty())
}

fn arguments() -> Result<(PathBuf, PathBuf, Campaign, Option<u32>)> {
    let mut kills = None;
    let mut campaign = Campaign {
        program: PathBuf::new(),
        scenes: Vec::new(),
        seed: 1,
        first: 0,
        cases: u64::MAX,
        time: Duration::from_secs(120),
        jobs: std::thread::available_parallelism().map_or(1, usize::from),
        limits: Limits { memory_mib: 2048, processor_s: 20, time: Duration::from_secs(120) },
        work: PathBuf::new(),
        cases_folder: PathBuf::new(),
    };
    let mut plain = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if !word.starts_with("--") {
            plain.push(word);
            continue;
        }
        let value = words.next().with_context(|| format!("{word} takes a number\n{USAGE}"))?;
        let number: u64 =
            value.parse().with_context(|| format!("{word} {value}: no number\n{USAGE}"))?;
        match word.as_str() {
            "--seed" => campaign.seed = number,
            "--jobs" => campaign.jobs = number as usize,
            "--case" => (campaign.first, campaign.cases) = (number, 1),
            "--cases" => campaign.cases = number,
            "--kills" => kills = Some(number as u32),
            "--memory-mib" => campaign.limits.memory_mib = number,
            "--processor-s" => campaign.limits.processor_s = number,
            "--timeout-s" => campaign.limits.time = Duration::from_secs(number),
            _ => bail!("there is no {word}\n{USAGE}"),
        }
    }
    match &plain[..] {
        [program, folder] => Ok((program.into(), folder.into(), campaign, kills)),
        [program, folder, minutes] => {
            let minutes: f64 =
                minutes.parse().with_context(|| format!("{minutes}: no number\n{USAGE}"))?;
            campaign.time = Duration::try_from_secs_f64(60.0 * minutes)?;
            Ok((program.into(), folder.into(), campaign, kills))
        }
        _ => bail!("{USAGE}"),
    }
}

#[expect(clippy::print_stderr, reason = "what the program is for")]
fn say(text: &str) {
    eprintln!("{text}");
}
