//! Runs the chain on given files, prints what each stage took and, where the truth is known, the
//! errors.
//!
//! ```text
//! cargo run --release -p deepmir-recon --example reconstruct -- \
//!     --mag *part-mag_MEGRE.nii.gz --phase *part-phase_MEGRE.nii.gz \
//!     [--te 0.006 0.012 …] [--b0 3] [--mask MASK] [--t2w T2W] [--config '{…}'] [-o FOLDER] \
//!     [--truth CHI --truth-mask MASK --truth-field FIELD_PPM --sources TSV --other CHI] [--baselines]
//! ```
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use deepmir_recon::accuracy::{KnownSource, dice, map_error, source_strength_ppm_mm3, xsim};
use deepmir_recon::input::{EchoParts, ReadOptions, ScanFiles, ScanInput};
use deepmir_recon::inversion::Inversion;
use deepmir_recon::output::{OutputContext, OutputNames, write_aligned, write_reconstruction};
use deepmir_recon::register::{
    BiasConfig, RegistrationConfig, correct_bias, register_rigid, resample_registered,
};
use deepmir_recon::{ReconConfig, Reconstruction, reconstruct};
use deepmir_volume::{Mask, Volume, nifti};

type Options = HashMap<String, Vec<String>>;

fn main() -> Result<(), Box<dyn Error>> {
    let options = parse(std::env::args().skip(1));
    let input = read(&options)?;
    let config: ReconConfig = match one(&options, "--config") {
        Some(text) => serde_json::from_str(text)?,
        None => ReconConfig::default(),
    };
    let mask = one(&options, "--mask").map(read_mask).transpose()?;
    let result = timed("chain", || reconstruct(&input.scan, mask.as_ref(), &config, |_| ()))?;
    for (stage, time) in &result.timings {
        println!("  {:30} {:7.2} s", stage.name(), time.as_secs_f64());
    }
    compare(&options, "", &result)?;
    if options.contains_key("--baselines") {
        for inversion in [Inversion::THRESHOLDED_KERNEL, Inversion::CLOSED_FORM_L2] {
            let config = ReconConfig { inversion, ..config };
            let baseline = reconstruct(&input.scan, Some(&result.brain), &config, |_| ())?;
            compare(&options, &format!("{inversion:?}"), &baseline)?;
        }
    }
    write(&options, &input, &result)?;
    report_memory();
    Ok(())
}

/// `--name value value …`.
fn parse(arguments: impl Iterator<Item = String>) -> Options {
    let (mut options, mut name) = (Options::new(), String::new());
    for argument in arguments {
        if argument.starts_with("--") || argument == "-o" {
            name = argument;
            options.entry(name.clone()).or_default();
        } else {
            options.entry(name.clone()).or_default().push(argument);
        }
    }
    options
}

fn one<'a>(options: &'a Options, name: &str) -> Option<&'a str> {
    options.get(name)?.first().map(String::as_str)
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    println!("{what:32} {:7.2} s", begun.elapsed().as_secs_f64());
    result
}

fn read(options: &Options) -> Result<ScanInput, Box<dyn Error>> {
    let list = |name: &str| options.get(name).cloned().unwrap_or_default();
    let numbers =
        |name: &str| list(name).iter().map(|text| text.parse()).collect::<Result<Vec<f64>, _>>();
    let echoes = list("--mag")
        .into_iter()
        .zip(list("--phase"))
        .map(|(magnitude, phase)| EchoParts::Polar {
            magnitude: magnitude.into(),
            phase: phase.into(),
        })
        .collect();
    let files = ScanFiles {
        echoes,
        echo_times_s: numbers("--te")?,
        field_strength_t: numbers("--b0")?.first().copied(),
        b0_direction: None,
    };
    let input = timed("reading", || files.read(&ReadOptions::default()))?;
    if let Some(scaling) = &input.phase_scaling {
        println!("phase: {scaling}");
    }
    Ok(input)
}

fn read_volume(path: &str) -> Result<Volume<f32>, Box<dyn Error>> {
    Ok(nifti::read(Path::new(path))?.volume)
}

fn read_mask(path: &str) -> Result<Mask, Box<dyn Error>> {
    Ok(read_volume(path)?.map(|&value| value > 0.5))
}

fn both(a: &Mask, b: &Mask) -> Mask {
    let mut common = a.clone();
    common.data_mut().iter_mut().zip(b.data()).for_each(|(a, &b)| *a &= b);
    common
}

/// Prints the errors of a reconstruction against the truth, if that was given.
fn compare(options: &Options, name: &str, result: &Reconstruction) -> Result<(), Box<dyn Error>> {
    let (Some(chi), Some(mask)) = (one(options, "--truth"), one(options, "--truth-mask")) else {
        return Ok(());
    };
    let (chi, truth_mask) = (read_volume(chi)?, read_mask(mask)?);
    let inside = both(&result.reliable, &truth_mask);
    println!("{name}");
    print_error("susceptibility", &result.chi_ppm, &chi, &inside);
    if !name.is_empty() {
        return Ok(());
    }
    println!(
        "  brain mask: Dice {:.4}; reliable: {:.1} % of the true brain",
        dice(&result.brain, &truth_mask),
        100.0 * inside.count() as f64 / truth_mask.count() as f64
    );
    if let Some(field) = one(options, "--truth-field") {
        print_error(
            "total field",
            &result.total_field_ppm,
            &read_volume(field)?,
            &both(&result.brain, &truth_mask),
        );
    }
    let other = one(options, "--other").map(read_volume).transpose()?;
    if let Some(other) = &other {
        print_error("the other map, same voxels", other, &chi, &inside);
    }
    if let Some(list) = one(options, "--sources") {
        print_sources(list, result, &chi, &truth_mask)?;
    }
    Ok(())
}

fn print_error(what: &str, map: &Volume<f32>, truth: &Volume<f32>, mask: &Mask) {
    if let Some(error) = map_error(map, truth, mask) {
        println!(
            "  {what:28} NRMSE {:6.1} %  detrended {:6.1} %  slope {:.3}  r {:.3}  XSIM {:.3}",
            error.nrmse_percent,
            error.detrended_nrmse_percent,
            error.slope,
            error.correlation,
            xsim(map, truth, mask).unwrap_or(f64::NAN)
        );
    }
}

fn print_sources(
    list: &str,
    result: &Reconstruction,
    truth: &Volume<f32>,
    truth_mask: &Mask,
) -> Result<(), Box<dyn Error>> {
    for line in std::fs::read_to_string(list)?.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |column: usize| -> Result<f64, Box<dyn Error>> {
            Ok(fields.get(column).ok_or("a column is missing in the list of sources")?.parse()?)
        };
        let source =
            KnownSource { centre_mm: [number(1)?, number(2)?, number(3)?], volume_mm3: number(4)? };
        let strength = |chi: &Volume<f32>, mask: &Mask| {
            source_strength_ppm_mm3(chi, mask, &source, 2.0)
                .map_or_else(|| "outside".to_owned(), |value| format!("{value:.1}"))
        };
        println!(
            "  {:14} {:6.1} mm³ of {:6.3} ppm: true strength {:>7}, found {:>7} ppm·mm³",
            fields.first().unwrap_or(&""),
            source.volume_mm3,
            number(5)?,
            strength(truth, truth_mask),
            strength(&result.chi_ppm, &result.reliable),
        );
    }
    Ok(())
}

fn write(
    options: &Options,
    input: &ScanInput,
    result: &Reconstruction,
) -> Result<(), Box<dyn Error>> {
    let Some(folder) = one(options, "-o") else {
        return Ok(());
    };
    std::fs::create_dir_all(folder)?;
    let names = OutputNames { folder: Path::new(folder), stem: "sub-01" };
    let sources = options.get("--mag").cloned().unwrap_or_default();
    let context = OutputContext {
        header: &input.header,
        field_strength_t: input.scan.field_strength_t(),
        sources: &sources,
    };
    if let Some(path) = one(options, "--t2w") {
        let moving = read_volume(path)?;
        let fixed = &input.scan.echoes()[0].magnitude;
        let found = timed("registration", || {
            register_rigid(fixed, &result.brain, &moving, &RegistrationConfig::default())
        })?;
        println!("  {found:?}");
        let aligned = resample_registered(&moving, fixed.grid(), &found.transform);
        let even = correct_bias(&aligned, &result.brain, &BiasConfig::default());
        write_aligned(&even, "T2w", &names, &context)?;
        found.transform.write(
            Path::new(folder),
            "sub-01_from-GRE_to-T2w",
            fixed.grid(),
            moving.grid(),
        )?;
    }
    timed("writing", || write_reconstruction(result, &names, &context))?;
    Ok(())
}

/// The largest memory this process had (Linux).
fn report_memory() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(line) = status.lines().find(|line| line.starts_with("VmHWM")) {
        println!("largest memory {}", line.trim_start_matches("VmHWM:").trim());
    }
}
