//! Sources in maps, where raw echoes are not at hand: an approximation.

use deepmir_recon::fourier::Complex32;
use deepmir_recon::inversion::{Inversion, InversionInput, invert};
use deepmir_recon::scan::field_direction;
use deepmir_recon::swi::{SwiConfig, slice_axis};
use deepmir_volume::{Mask, Volume, gaussian, statistics};

use super::effect::{Effect, Timing};
use super::noise::{denoised, noise_level};
use crate::PhantomError;
use crate::source::Source;

/// The first echo of a multi-echo scan, as a part of the echo time of its SWI: the field is measured from there on.
const FIRST_ECHO_PART: f64 = 0.3;

/// Largest turn of the phase at that echo, in radians, on the surface of a ball.
const LARGEST_TURN_RAD: f64 = 2.5;

/// How the images of a scan were made, as far as it matters to an implant.
#[derive(Clone, Debug, PartialEq)]
pub struct MapProtocol {
    /// Tesla.
    pub field_strength_t: f64,
    /// Echo time of the SWI or the T2*-weighted magnitude in seconds.
    pub echo_time_s: f64,
    /// Echo time of the T2w image in seconds.
    pub t2w_echo_time_s: f64,
    /// The main field's direction along the voxel axes; `None` for the scanner's foot-to-head axis.
    pub b0_direction: Option<[f64; 3]>,
    /// The voxel axis across slices, if the acquisition tells it.
    pub slice_axis: Option<usize>,
    /// How the SWI was made: width of the high-pass filter and power of the phase mask.
    pub swi: SwiConfig,
    /// How the susceptibility map was made.
    pub inversion: Inversion,
}

/// What implants of one image share.
#[derive(Clone, Copy, Debug)]
pub struct MapImplants<'a> {
    /// In the image's millimetres.
    pub sources: &'a [Source],
    /// The brain on the image's grid, where noise is measured.
    pub brain: &'a Mask,
    /// How the image was made.
    pub protocol: &'a MapProtocol,
    /// Draws what the sources do to R2.
    pub seed: u64,
    /// Largest fine voxel in millimetres.
    pub fine_voxel_mm: f64,
}

impl MapImplants<'_> {
    fn timing(&self, image: &Volume<f32>) -> Timing {
        Timing {
            field_strength_t: self.protocol.field_strength_t,
            b0_direction: self
                .protocol
                .b0_direction
                .unwrap_or_else(|| field_direction(image.grid())),
            echo_times_s: vec![self.protocol.echo_time_s],
        }
    }

    fn effects<'b>(
        &'b self,
        image: &'b Volume<f32>,
    ) -> impl Iterator<Item = Result<Effect, PhantomError>> + 'b {
        let timing = self.timing(image);
        let grid = *image.grid();
        self.sources.iter().filter(|source| source.is_present()).map(move |source| {
            Ok(Effect::of(source, &grid, &timing, self.seed, self.fine_voxel_mm)?)
        })
    }

    fn noise(&self, image: &Volume<f32>) -> Result<f32, PhantomError> {
        let brain = self.brain.clone().with_grid(*image.grid())?;
        Ok(noise_level(&brain, |n| image.data()[n]))
    }

    /// A T2*-weighted magnitude image with the sources: its signal is taken to have one phase everywhere.
    ///
    /// # Errors
    /// If a grid would be too large, or the brain is on another one.
    pub fn in_magnitude(&self, image: &Volume<f32>) -> Result<Volume<f32>, PhantomError> {
        let noise = self.noise(image)?;
        let mut made = image.clone();
        for effect in self.effects(image) {
            let effect = effect?;
            let signal = complex(&effect.patch.gather(&made));
            let changed = effect.gradient_echo(&signal, noise, self.protocol.echo_time_s).0;
            for (place, index, counts) in effect.patch.voxels(made.grid()) {
                if counts > 0.0 {
                    made.data_mut()[index] = changed[place].norm();
                }
            }
        }
        Ok(made)
    }

    /// A susceptibility-weighted image with the sources: as [`MapImplants::in_magnitude`], then darkened where the phase
    /// that they turn, high-passed, is positive. The phase of the scan itself is taken to be flat there.
    ///
    /// # Errors
    /// If a grid would be too large, or the brain is on another one.
    pub fn in_swi(&self, image: &Volume<f32>) -> Result<Volume<f32>, PhantomError> {
        let noise = self.noise(image)?;
        let slices = slice_axis(image.grid(), self.protocol.slice_axis);
        let mut sigma = [self.protocol.swi.high_pass_sigma_mm; 3];
        sigma[slices] = 0.0;
        let power = i32::from(self.protocol.swi.mask_power);
        let mut made = image.clone();
        for effect in self.effects(image) {
            let effect = effect?;
            let signal = complex(&effect.patch.gather(&made));
            let changed = effect.gradient_echo(&signal, noise, self.protocol.echo_time_s).0;
            let smooth = |part: &dyn Fn(&Complex32) -> f32| -> Result<Vec<f32>, PhantomError> {
                let values = changed.iter().map(part).collect();
                let volume = Volume::new(effect.patch.grid, values)?;
                Ok(gaussian::smooth(&volume, sigma).into_data())
            };
            let (real, imaginary) = (smooth(&|value| value.re)?, smooth(&|value| value.im)?);
            for (place, index, counts) in effect.patch.voxels(made.grid()) {
                if counts > 0.0 {
                    let smoothed = Complex32::new(real[place], imaginary[place]);
                    let phase = (changed[place] * smoothed.conj()).arg() * counts;
                    let left = (1.0 - phase.max(0.0) / std::f32::consts::PI).max(0.0).powi(power);
                    made.data_mut()[index] = changed[place].norm() * left;
                }
            }
        }
        Ok(made)
    }

    /// A susceptibility map in ppm with the sources: their field is read from the phase of uniform tissue, trusted as far
    /// as the signal goes, inverted around each, and added. Where the map is zero, nothing is.
    ///
    /// # Errors
    /// If a grid would be too large, or a setting of the inversion cannot be.
    pub fn in_susceptibility(&self, image: &Volume<f32>) -> Result<Volume<f32>, PhantomError> {
        let mut made = image.clone();
        let b0_direction = self.timing(image).b0_direction;
        for effect in self.effects(image) {
            let effect = effect?;
            let patch = &effect.patch;
            let uniform = vec![Complex32::new(1.0, 0.0); patch.grid.len()];
            let largest = effect.radians_per_ppm_s() * effect.surface_field_ppm();
            let first = (FIRST_ECHO_PART * self.protocol.echo_time_s)
                .min(LARGEST_TURN_RAD / largest.max(1e-6));
            let early = effect.gradient_echo(&uniform, 0.0, first).0;
            let late = effect.gradient_echo(&uniform, 0.0, self.protocol.echo_time_s).0;
            let scale = 1.0 / (effect.radians_per_ppm_s() * first) as f32;
            let mask =
                Volume::new(patch.grid, patch.gather(image).iter().map(|v| *v != 0.0).collect())?;
            let inside = |value: f32, known: &bool| if *known { value } else { 0.0 };
            let field: Vec<f32> = early
                .iter()
                .zip(mask.data())
                .map(|(value, known)| inside(scale * value.arg(), known))
                .collect();
            let weights: Vec<f32> = late
                .iter()
                .zip(mask.data())
                .map(|(value, known)| inside(value.norm().min(1.0), known))
                .collect();
            let weights = Volume::new(patch.grid, weights)?;
            let input = InversionInput {
                local_field_ppm: &Volume::new(patch.grid, field)?,
                mask: &mask,
                weights: &weights,
                magnitude: &weights,
                b0_direction,
            };
            let chi = invert(&input, &self.protocol.inversion)?;
            let mut known: Vec<f32> =
                chi.data().iter().zip(mask.data()).filter(|(_, m)| **m).map(|(v, _)| *v).collect();
            let zero = statistics::median(&mut known).unwrap_or(0.0);
            for (place, index, counts) in patch.voxels(made.grid()) {
                if counts > 0.0 && mask.data()[place] {
                    made.data_mut()[index] += counts * (chi.data()[place] - zero);
                }
            }
        }
        Ok(made)
    }

    /// A T2-weighted image with the sources: their protons and R2.
    ///
    /// # Errors
    /// If a grid would be too large, or the brain is on another one.
    pub fn in_t2w(&self, image: &Volume<f32>) -> Result<Volume<f32>, PhantomError> {
        let noise = self.noise(image)?;
        let mut made = image.clone();
        for effect in self.effects(image) {
            let effect = effect?;
            let signal = complex(&effect.patch.gather(&made));
            let clean = denoised(&signal, effect.patch.shape, noise);
            let left = effect.signal.spin_echo_left(self.protocol.t2w_echo_time_s);
            let fine = effect.patch.fine_change(&clean, |fine| {
                Complex32::new(effect.spin_echo_change(fine, left), 0.0)
            });
            let seen = effect.patch.seen(&fine);
            for (place, index, counts) in effect.patch.voxels(made.grid()) {
                if counts > 0.0 {
                    made.data_mut()[index] = (signal[place] + seen[place]).norm();
                }
            }
        }
        Ok(made)
    }
}

fn complex(values: &[f32]) -> Vec<Complex32> {
    values.iter().map(|&value| Complex32::new(value, 0.0)).collect()
}
