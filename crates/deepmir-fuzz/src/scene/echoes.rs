//! Raw echoes of a ball with a field across it and a source inside.

use std::f64::consts::{PI, TAU};
use std::fs;
use std::path::Path;

use anyhow::Result;
use deepmir_volume::{Affine, Grid, Volume, nifti};

const ECHO_TIMES_S: [f64; 2] = [0.01, 0.02];
/// A lesion: its centre and radius in millimetres, its susceptibility in ppm.
const LESION: ([f64; 3], f64, f64) = ([3.0, 2.0, 0.0], 3.0, 0.5);
/// At 3 T.
const HZ_PER_PPM: f64 = 127.7;

/// The field of the lesion outside it (a dipole's), and none inside.
fn lesion_hz(at_mm: [f64; 3]) -> f64 {
    let (centre_mm, radius_mm, chi_ppm) = LESION;
    let [x, y, z] = std::array::from_fn(|axis| at_mm[axis] - centre_mm[axis]);
    let square = x * x + y * y + z * z;
    if square <= radius_mm * radius_mm {
        return 0.0;
    }
    let shrinking = radius_mm.powi(3) / square.powf(1.5);
    HZ_PER_PPM * chi_ppm / 3.0 * shrinking * (3.0 * z * z / square - 1.0)
}

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
            let at_mm @ [x, y, z] = grid.position_mm(voxel);
            let shim_hz = 0.8 * x + 0.02 * z * z - 0.03 * x * y + 5.0;
            let field_hz = shim_hz + lesion_hz(at_mm);
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
