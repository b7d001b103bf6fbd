//! How near the reconstruction comes to the truth of simulated heads:
//! `cargo run --release -p deepmir-phantom --example accuracy -- [SEEDS] [LABELS] [first=SEED]
//! [phantom=JSON] [recon=JSON] [default-only]`.
//!
//! Simulates heads of `SEEDS` (six) seeds from 1, or `first`, of the built-in anatomy, or of label maps in turn,
//! reconstructs their echoes with the brain mask found, not given, and prints a table; thresholded
//! division (TKD) and closed-form L2 on the same local fields beside it, unless told otherwise. Nothing
//! is written.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

#[path = "accuracy/figures.rs"]
mod figures;
#[path = "accuracy/sources.rs"]
mod sources;

use std::path::Path;
use std::time::Instant;

use deepmir_phantom::config::Contents;
use deepmir_phantom::{Anatomy, PhantomConfig, Scan, Subject, list_label_maps, simulate};
use deepmir_recon::inversion::Inversion;
use deepmir_recon::{Echo, GradientEchoScan};
use deepmir_recon::{ReconConfig, reconstruct};

use figures::{Figures, Regions};
use sources::SourceFigures;

type Fault = Box<dyn std::error::Error>;

fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count = arguments.first().map_or(Ok(6), |text| text.parse::<u64>())?;
    let settings = arguments.iter().find_map(|word| word.strip_prefix("phantom="));
    let mut config: PhantomConfig = serde_json::from_str(settings.unwrap_or("{}"))?;
    config.output.contents = Contents::Raw;
    config.lesions.lesion_free_probability = 0.0;
    // Many, so that rare failures show.
    config.lesions.microbleeds.count = [24, 24];
    config.lesions.iron_deposits.count = [4, 4];
    config.lesions.calcifications.count = [10, 10];
    let mut maps = Vec::new();
    let mut recon = ReconConfig::default();
    let (mut first, mut baselines) = (1, true);
    for word in arguments.iter().skip(1) {
        match word.split_once('=') {
            Some(("phantom", _)) => (),
            Some(("recon", json)) => recon = serde_json::from_str(json)?,
            Some(("first", seed)) => first = seed.parse()?,
            None if word == "default-only" => baselines = false,
            _ => maps = list_label_maps(Path::new(word))?,
        }
    }
    let mut methods = vec![("default", recon.inversion)];
    if baselines {
        methods.push(("TKD", Inversion::THRESHOLDED_KERNEL));
        methods.push(("L2", Inversion::CLOSED_FORM_L2));
    }
    let mut table: Vec<Vec<Figures>> = vec![Vec::new(); methods.len()];
    let mut all = SourceFigures::default();
    for seed in first..first + count {
        let anatomy = match maps.len() {
            0 => Anatomy::BuiltIn,
            maps_count => Anatomy::LabelMap(maps[(seed - 1) as usize % maps_count].clone()),
        };
        let begun = Instant::now();
        let subject = Subject::draw(&config, &anatomy, seed, 1)?;
        let scan = simulate(&subject, &config, 0, &mut |_| ())?;
        let simulated_s = begun.elapsed().as_secs_f64();
        let regions = Regions::of(&subject, &config, &scan);
        let echoes = gradient_echoes(&config, &scan)?;
        let mut brain = None;
        for (column, (name, inversion)) in table.iter_mut().zip(&methods) {
            let begun = Instant::now();
            let made = reconstruct(
                &echoes,
                brain.as_ref(),
                &ReconConfig { inversion: *inversion, ..recon },
                |_| (),
            )?;
            let seconds = begun.elapsed().as_secs_f64();
            let figures = Figures::of(&made, &scan, &regions);
            println!("seed {seed} {name:8} {figures} ({simulated_s:.0} s + {seconds:.0} s)");
            if brain.is_none() {
                let found = SourceFigures::of(&made, &scan);
                println!("{found}");
                all.add(found);
            }
            column.push(figures);
            brain = Some(made.brain);
        }
    }
    println!();
    println!("mean of {count}; {}", Figures::HEADER);
    for (column, (name, _)) in table.iter().zip(&methods) {
        println!("{name:8} {}", Figures::mean(column));
    }
    println!("{}", all.summary());
    Ok(())
}

fn gradient_echoes(config: &PhantomConfig, scan: &Scan) -> Result<GradientEchoScan, Fault> {
    let images = scan.magnitude.iter().zip(&scan.phase_rad).zip(&config.scan.echo_times_s);
    let echoes = images
        .map(|((magnitude, phase), &echo_time_s)| Echo {
            name: format!("echo at {echo_time_s} s"),
            magnitude: magnitude.clone(),
            phase_rad: phase.clone(),
            echo_time_s,
        })
        .collect();
    Ok(GradientEchoScan::new(echoes, config.scan.field_strength_t, scan.geometry.b0_direction)?)
}
