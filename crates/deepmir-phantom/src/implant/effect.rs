//! What a source does to the field and to the signal around it.

use deepmir_recon::fourier::Complex32;
use deepmir_recon::radians_per_ppm_second;
use deepmir_volume::{Grid, Volume, VolumeError};
use nalgebra::Vector3;

use super::noise::denoised;
use super::patch::Patch;
use crate::physics::field::field_with_surroundings;
use crate::source::{Source, SourceSignal, rasterise};

/// Further from a source than this turn of the phase across a voxel (radians, in the last echo), the signal is computed at
/// the centres of voxels: it loses a thousandth there by dephasing.
const DEPHASING_RAD: f64 = 0.15;

/// Turns of the phase below this many radians, in the last echo, are left out.
const LEAST_TURN_RAD: f64 = 5e-4;

/// The main field and the times at which the signal is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Timing {
    /// Tesla.
    pub(super) field_strength_t: f64,
    /// Unit vector along the voxel axes.
    pub(super) b0_direction: [f64; 3],
    /// Seconds, rising.
    pub(super) echo_times_s: Vec<f64>,
}

impl Timing {
    /// Radians that one ppm adds to the phase in a second.
    pub(super) fn radians_per_ppm_s(&self) -> f64 {
        radians_per_ppm_second(self.field_strength_t)
    }

    fn last_echo_s(&self) -> f64 {
        self.echo_times_s.iter().copied().fold(0.0, f64::max)
    }
}

/// A source in an image: where it fills fine voxels, and its field.
pub(super) struct Effect {
    /// The voxels around it.
    pub(super) patch: Patch,
    /// Filled part of each fine voxel.
    filled: Volume<f32>,
    /// Field in ppm at each fine voxel.
    field_ppm: Volume<f32>,
    pub(super) signal: SourceSignal,
    chi_ppm: f64,
    /// Susceptibility times volume of each part, in ppm·mm³, and its centre in the image's millimetres.
    dipoles: Vec<([f64; 3], f64)>,
    /// Field in ppm at the patch's own voxels, where the fine computation does not count in full.
    around_ppm: Vec<f32>,
    /// Unit vector of the main field in the image's millimetres.
    b0_world: [f64; 3],
    radians_per_ppm_s: f64,
    /// So far from the centre its field matters, in millimetres.
    pub(super) reach_mm: f64,
    pub(super) centre_mm: [f64; 3],
}

impl Effect {
    /// Of a source whose millimetres are the image's.
    pub(super) fn of(
        source: &Source,
        image: &Grid,
        timing: &Timing,
        seed: u64,
        fine_voxel_mm: f64,
    ) -> Result<Self, VolumeError> {
        let centre_mm = source.centre_mm();
        let volume: f64 = source.lobules.iter().map(|lobule| lobule.volume_mm3()).sum();
        let moment = (source.chi_ppm * volume).abs();
        let turns = timing.radians_per_ppm_s() * timing.last_echo_s();
        let sizes = image.voxel_sizes_mm();
        let largest = sizes.into_iter().fold(0.0, f64::max);
        // On the dipole's axis the field is moment/(2πr³): its gradient is 3·moment/(2πr⁴).
        let smooth_from = (3.0 * moment / std::f64::consts::TAU * turns * largest / DEPHASING_RAD)
            .max(0.0)
            .powf(0.25);
        let surface = source.reach_mm() + sizes.into_iter().fold(f64::INFINITY, f64::min);
        let patch = Patch::new(image, centre_mm, smooth_from.max(surface), fine_voxel_mm)?;
        let reach_mm = (moment * turns / (std::f64::consts::TAU * LEAST_TURN_RAD)).cbrt();

        let identity = deepmir_volume::Affine::from_spacing([1.0; 3], [0.0; 3]);
        let mut filled = Volume::filled(patch.fine, 0.0_f32);
        for inclusion in rasterise(source, &patch.fine, &identity) {
            filled.data_mut()[inclusion.index] = inclusion.fraction;
        }
        let chi_ppm = filled.map(|part| part * source.chi_ppm as f32);
        let field_ppm = field_with_surroundings(
            &chi_ppm,
            |grid| Volume::filled(*grid, 0.0),
            timing.b0_direction,
        )?;
        // Parts may overlap: together they have the volume that was drawn.
        let drawn: f64 = filled.data().iter().map(|&part| f64::from(part)).sum::<f64>()
            * patch.fine.voxel_volume_mm3();
        let scale = if volume > 0.0 { drawn / volume } else { 0.0 };
        let dipoles = source
            .lobules
            .iter()
            .map(|lobule| (lobule.centre_mm, source.chi_ppm * scale * lobule.volume_mm3()))
            .collect();
        let voxels: [f64; 3] = std::array::from_fn(|axis| timing.b0_direction[axis] / sizes[axis]);
        let along = Vector3::from(image.affine().apply_direction(voxels));
        let b0_world = (along / along.norm().max(1e-12)).into();
        let mut effect = Self {
            patch,
            filled,
            field_ppm,
            signal: SourceSignal::of(source, timing.field_strength_t, seed),
            chi_ppm: source.chi_ppm,
            dipoles,
            around_ppm: Vec::new(),
            b0_world,
            radians_per_ppm_s: timing.radians_per_ppm_s(),
            reach_mm,
            centre_mm,
        };
        effect.around_ppm = (0..effect.patch.grid.len())
            .map(|place| {
                let at = effect.patch.grid.position_mm(effect.patch.grid.voxel(place));
                if effect.patch.counts(place) < 1.0 { effect.field_at(at) as f32 } else { 0.0 }
            })
            .collect();
        Ok(effect)
    }

    /// Radians that one ppm adds to the phase in a second.
    pub(super) fn radians_per_ppm_s(&self) -> f64 {
        self.radians_per_ppm_s
    }

    /// The field at the poles of a ball of the source's susceptibility, in ppm, without its sign.
    pub(super) fn surface_field_ppm(&self) -> f64 {
        2.0 / 3.0 * self.chi_ppm.abs()
    }

    /// The factor at a fine voxel in a gradient echo, minus one.
    fn change(&self, fine: usize, echo_time_s: f64) -> Complex32 {
        let part = self.filled.data()[fine];
        let turn = (self.radians_per_ppm_s * echo_time_s) as f32 * self.field_ppm.data()[fine];
        let (sine, cosine) = turn.sin_cos();
        let mut left = 1.0;
        if part > 0.0 {
            left = (1.0 - part * (1.0 - self.signal.protons_left as f32))
                * (-(echo_time_s * self.signal.r2star_hz) as f32 * part).exp();
        }
        Complex32::new(left * cosine - 1.0, left * sine)
    }

    /// What is left of a spin echo at a fine voxel, minus one.
    pub(super) fn spin_echo_change(&self, fine: usize, echo_left: f64) -> f32 {
        self.filled.data()[fine] * (echo_left - 1.0) as f32
    }

    /// The field in ppm at a place outside the source, in the image's millimetres: that of a dipole for each part.
    pub(super) fn field_at(&self, place_mm: [f64; 3]) -> f64 {
        let b0 = Vector3::from(self.b0_world);
        self.dipoles
            .iter()
            .map(|&(centre, moment)| {
                let offset = Vector3::from(place_mm) - Vector3::from(centre);
                let square = offset.norm_squared().max(1e-6);
                let cosine_square = offset.dot(&b0).powi(2) / square;
                moment * (3.0 * cosine_square - 1.0)
                    / (2.0 * std::f64::consts::TAU * square * square.sqrt())
            })
            .sum()
    }

    /// The patch's signal in a gradient echo with the source in it, without what rings past the patch, and what changes
    /// between its voxels. `noise` is that of each part of the complex signal.
    pub(super) fn gradient_echo(
        &self,
        signal: &[Complex32],
        noise: f32,
        echo_time_s: f64,
    ) -> (Vec<Complex32>, Vec<Complex32>) {
        let clean = denoised(signal, self.patch.shape, noise);
        let fine = self.patch.fine_change(&clean, |fine| self.change(fine, echo_time_s));
        let mut values = self.patch.seen(&fine);
        let scale = (self.radians_per_ppm_s * echo_time_s) as f32;
        for (place, value) in values.iter_mut().enumerate() {
            *value += signal[place];
            let counts = self.patch.counts(place);
            if counts < 1.0 {
                let (sine, cosine) = (scale * self.around_ppm[place]).sin_cos();
                *value += signal[place] * Complex32::new(cosine - 1.0, sine) * (1.0 - counts);
            }
        }
        (values, fine)
    }
}
