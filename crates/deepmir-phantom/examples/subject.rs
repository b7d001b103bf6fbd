//! Makes a dataset and says how long each step takes:
//! `cargo run --release -p deepmir-phantom --example subject -- FOLDER [SUBJECTS] [SEED] [LABELS] [raw]`.
//! `LABELS` is a label map or a folder of them; `-` stands for the built-in anatomy.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use deepmir_phantom::PhantomConfig;
use deepmir_phantom::bids::{AnatomySource, DatasetPlan, Event, write_dataset};
use deepmir_phantom::config::Contents;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.first().ok_or("give the folder to write to")?;
    let number = |place: usize, usual: u64| -> Result<u64, std::num::ParseIntError> {
        arguments.get(place).map_or(Ok(usual), |text| text.parse())
    };
    let mut config = PhantomConfig::default();
    if arguments.iter().any(|word| word == "raw") {
        config.output.contents = Contents::Both;
    }
    let anatomy = match arguments.get(3).map(String::as_str) {
        None | Some("-" | "raw") => AnatomySource::BuiltIn,
        Some(path) => AnatomySource::LabelMaps(Path::new(path).to_owned()),
    };
    let plan = DatasetPlan {
        config,
        anatomy,
        subjects: number(1, 1)? as usize,
        sessions: 1,
        randomize: arguments.iter().any(|word| word == "randomize"),
        seed: number(2, 1)?,
    };
    let start = Instant::now();
    let mut out = std::io::stderr().lock();
    write_dataset(Path::new(folder), &plan, &mut |event| {
        let seconds = start.elapsed().as_secs_f64();
        let line = match event {
            Event::Skipped { scan } => format!("{scan}: there already"),
            Event::Step { scan, step } => format!("{scan}: {}", step.describe()),
            Event::Finished { scan, seconds } => format!("{scan}: {seconds:.1} s after its head"),
        };
        // Progress that cannot be shown is no reason to stop.
        let _ = writeln!(out, "{seconds:6.1} s  {line}");
    })?;
    Ok(())
}
