//! Raw echoes of a ball with a field across it.

use std::f64::consts::{PI, TAU};
use std::fs;
use std::path::Path;

use anyhow::Result;
use deepmir_volume::{Affine, Grid, Volume, nifti};

const ECHO_TIMES_S: [f64; 2] = [0.01, 0.02];

/// Writes magnitude and phase of two echoes with their sidecars as `sub-01_echo-N_part-…_MEGRE`.
pub fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let affine = Affine::from_spacing([1.5, 1.5, 3.0], [-17.25, -17.25, -16.5]);
    let grid = Grid::new([24, 24, 12], affine)?;
    for (n, echo_time_s) in ECHO_TIMES_S.into_iter().enumerate() {
        let radius = |voxel| grid.position_mm(voxel).iter().map(|mm| mm * mm).sum::<f64>().sqrt();
        let magnitude = Volume::from_fn(grid, |voxel| {
            if radius(voxel) < 15.0 { (800.0 * (-echo_time_s / 0.04).exp()) as f32 } else { 2.0 }
        });
        let phase = Volume::from_fn(grid, |voxel| {
            let [x, y, z] = grid.position_mm(voxel);
            let field_hz = 0.8 * x + 0.02 * z * z - 0.03 * x * y + 5.0;
            let phase = TAU * field_hz * echo_time_s;
            ((phase + PI).rem_euclid(TAU) - PI) as f32
        });
        for (part, volume) in [("mag", &magnitude), ("phase", &phase)] {
            let stem = format!("sub-01_echo-{}_part-{part}_MEGRE", n + 1);
            nifti::write(&folder.join(format!("{stem}.nii.gz")), volume, None)?;
            let sidecar = format!(
                "{{\"EchoTime\": {echo_time_s}, \"MagneticFieldStrength\": 3, \"EchoNumber\": {}}}\n",
                n + 1
            );
            fs::write(folder.join(format!("{stem}.json")), sidecar)?;
        }
    }
    Ok(())
}
