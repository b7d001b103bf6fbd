//! Writes the label map of a head: `cargo run --release --example anatomy -- OUT.nii.gz [SEED]
//! [LABELS.nii.gz]`. The numbers are those of `Structure`.

use std::path::Path;
use std::time::Instant;

use deepmir_phantom::config::PersonConfig;
use deepmir_phantom::{Head, read_label_map};
use deepmir_volume::nifti;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let out = arguments.first().ok_or("give the name of the file to write")?;
    let seed = arguments.get(1).map_or(Ok(1), |text| text.parse())?;
    let start = Instant::now();
    let person = PersonConfig::default();
    let head = match arguments.get(2) {
        Some(path) => Head::of_labels(read_label_map(Path::new(path))?, &person, seed)?,
        None => Head::built_in(0.3, &person, seed)?,
    };
    let seconds = start.elapsed().as_secs_f64();
    nifti::write(Path::new(out), &head.overview().map(|&structure| structure as u8), None)?;
    std::io::Write::write_all(&mut std::io::stderr(), format!("{seconds:.1} s\n").as_bytes())?;
    Ok(())
}
