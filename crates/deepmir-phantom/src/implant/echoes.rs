//! Sources in raw echoes: exact but for what lies between voxels.

use deepmir_recon::fourier::Complex32;
use deepmir_recon::phase::wrapped;
use deepmir_recon::{Echo, GradientEchoScan};
use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;

use super::effect::{Effect, Timing};
use super::noise::noise_level;
use super::patch::Patch;
use super::ringing::Ringing;
use crate::PhantomError;
use crate::source::Source;

/// Ringing below this part of the signal around a source is left out.
const LEAST_RINGING: f32 = 5e-4;

/// Puts sources into a scan, one after the other. Their millimetres are those of the scan's images.
///
/// Around a source, the signal between voxels (of the scan, its noise taken off) is multiplied on voxels of at most
/// `fine_voxel_mm` by what the source does to it: R2*, protons, the turn by its dipole field. The difference is seen at the
/// scan's resolution and added to the scan, so noise stays as it is. Further away, where the field is smooth within a
/// voxel, it turns the phase. `seed` draws what the sources do to R2, as in phantoms; `mask` is where noise is measured.
///
/// # Errors
/// If a grid would be too large or the mask is on another grid.
pub fn implant_echoes(
    scan: &GradientEchoScan,
    mask: &Mask,
    sources: &[Source],
    seed: u64,
    fine_voxel_mm: f64,
) -> Result<GradientEchoScan, PhantomError> {
    let mask = mask.clone().with_grid(*scan.grid())?;
    let timing = Timing {
        field_strength_t: scan.field_strength_t(),
        b0_direction: scan.b0_direction(),
        echo_times_s: scan.echo_times_s(),
    };
    let mut echoes: Vec<Echo> = scan.echoes().to_vec();
    let noise: Vec<f32> = echoes
        .par_iter()
        .map(|echo| {
            noise_level(&mask, |n| echo.magnitude.data()[n] * echo.phase_rad.data()[n].cos())
        })
        .collect();
    let mut far_ppm = Volume::filled(*scan.grid(), 0.0_f32);
    for source in sources.iter().filter(|source| source.is_present()) {
        let effect = Effect::of(source, scan.grid(), &timing, seed, fine_voxel_mm)?;
        let voxels = effect.patch.voxels(scan.grid());
        for (echo, &noise) in echoes.iter_mut().zip(&noise) {
            near(echo, &effect, &voxels, noise);
        }
        add_far_field(&mut far_ppm, &effect, &voxels);
    }
    let per_ppm_s = timing.radians_per_ppm_s();
    for echo in &mut echoes {
        let scale = (per_ppm_s * echo.echo_time_s) as f32;
        echo.phase_rad.data_mut().par_iter_mut().zip(far_ppm.data()).for_each(|(phase, &field)| {
            if field != 0.0 {
                *phase = wrapped(*phase + scale * field);
            }
        });
    }
    let made = GradientEchoScan::new(echoes, timing.field_strength_t, timing.b0_direction)?;
    Ok(made.with_slice_axis(scan.slice_axis()))
}

/// The change of an echo around a source.
fn near(echo: &mut Echo, effect: &Effect, voxels: &[(usize, usize, f32)], noise: f32) {
    let patch = &effect.patch;
    let magnitude = patch.gather(&echo.magnitude);
    let phase = patch.gather(&echo.phase_rad);
    let signal: Vec<Complex32> = magnitude
        .iter()
        .zip(&phase)
        .map(|(&magnitude, &phase)| Complex32::from_polar(magnitude, phase))
        .collect();
    let (changed, fine) = effect.gradient_echo(&signal, noise, echo.echo_time_s);
    for &(place, index, _) in voxels {
        set(echo, index, changed[place]);
    }
    let mean = magnitude.iter().sum::<f32>() / magnitude.len() as f32;
    for axis in 0..3 {
        ring(echo, patch, &fine, axis, LEAST_RINGING * mean);
    }
}

/// Adds what rings along an axis, where it is more than `least`.
fn ring(echo: &mut Echo, patch: &Patch, fine: &[Complex32], axis: usize, least: f32) {
    let grid = *echo.magnitude.grid();
    let size = grid.shape();
    let ringing = Ringing::of(patch, fine, axis, size[axis]);
    let [fast, slow] = [[1, 2], [0, 2], [0, 1]][axis];
    let lines = patch.shape[fast] * patch.shape[slow];
    for line in 0..lines {
        if ringing.strength(line) <= least {
            continue;
        }
        let mut at = [0_i64; 3];
        at[fast] = patch.start[fast] + (line % patch.shape[fast]) as i64;
        at[slow] = patch.start[slow] + (line / patch.shape[fast]) as i64;
        let inside = [fast, slow].iter().all(|&n| at[n] >= 0 && at[n] < size[n] as i64);
        if !inside {
            continue;
        }
        for (along, value) in ringing.along(line).enumerate() {
            if value.norm() <= least {
                continue;
            }
            at[axis] = along as i64;
            let index = grid.index(at.map(|n| n as usize));
            let signal =
                Complex32::from_polar(echo.magnitude.data()[index], echo.phase_rad.data()[index]);
            set(echo, index, signal + value);
        }
    }
}

/// Where a scan has no signal at all, somebody cut it away.
fn set(echo: &mut Echo, index: usize, value: Complex32) {
    if echo.magnitude.data()[index] == 0.0 {
        return;
    }
    echo.magnitude.data_mut()[index] = value.norm();
    echo.phase_rad.data_mut()[index] = value.arg();
}

/// Adds a source's field where it is not in its own patch.
fn add_far_field(far_ppm: &mut Volume<f32>, effect: &Effect, near: &[(usize, usize, f32)]) {
    let grid = *far_ppm.grid();
    let [nx, ny, nz] = grid.shape();
    let centre = grid.affine().inverse().apply(effect.centre_mm);
    let sizes = grid.voxel_sizes_mm();
    let range = |axis: usize, length: usize| {
        let reach = effect.reach_mm / sizes[axis];
        let low = (centre[axis] - reach).ceil().max(0.0) as usize;
        let high = (centre[axis] + reach).floor() + 1.0;
        low.min(length)..(high.max(0.0) as usize).clamp(low.min(length), length)
    };
    let (columns, rows, slices) = (range(0, nx), range(1, ny), range(2, nz));
    // Their own patch has had it.
    let kept: Vec<(usize, f32)> =
        near.iter().map(|&(_, index, _)| (index, far_ppm.data()[index])).collect();
    far_ppm.data_mut().par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
        if !slices.contains(&k) {
            return;
        }
        for j in rows.clone() {
            for i in columns.clone() {
                let place = grid.position_mm([i, j, k]);
                let apart: f64 =
                    (0..3).map(|axis| (place[axis] - effect.centre_mm[axis]).powi(2)).sum();
                if apart <= effect.reach_mm * effect.reach_mm {
                    slice[j * nx + i] += effect.field_at(place) as f32;
                }
            }
        }
    });
    kept.into_iter().for_each(|(index, value)| far_ppm.data_mut()[index] = value);
}
