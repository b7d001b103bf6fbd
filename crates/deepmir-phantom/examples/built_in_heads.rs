//! Writes label maps of built-in heads, for `bench/anatomy/evaluate.py`.
//!
//! `built_in_heads OUT N SEED`: N heads from no atrophy to much, in FreeSurfer's numbers on voxels of 1 mm.

use std::error::Error;
use std::path::PathBuf;

use deepmir_phantom::Head;
use deepmir_phantom::config::PersonConfig;
use deepmir_volume::nifti;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out, count, seed] = arguments.as_slice() else {
        return Err("usage: built_in_heads OUT N SEED".into());
    };
    let (out, count, seed) = (PathBuf::from(out), count.parse::<u64>()?, seed.parse::<u64>()?);
    std::fs::create_dir_all(&out)?;
    for n in 0..count {
        let atrophy = n as f64 / (count.max(2) - 1) as f64;
        let head = Head::built_in(atrophy, &PersonConfig::default(), seed + n)?;
        let labels = head.label_map().map(|&number| number as i16);
        nifti::write(&out.join(format!("built_in_{:02}.nii.gz", n + 1)), &labels, None)?;
    }
    Ok(())
}
