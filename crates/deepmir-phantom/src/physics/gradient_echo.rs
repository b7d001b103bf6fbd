//! The spoiled multi-echo gradient-echo signal.

use deepmir_recon::fourier::Complex32;
use deepmir_recon::radians_per_ppm_second;

use super::kspace::KSpaceCrop;

/// Signal after a train of pulses of one angle, relative to full magnetisation (Ernst):
/// sinα·(1−E1)/(1−cosα·E1), E1 = exp(−TR/T1).
pub fn spoiled_steady_state(flip_angle_deg: f64, repetition_time_s: f64, t1_s: f64) -> f64 {
    let (sine, cosine) = flip_angle_deg.to_radians().sin_cos();
    let recovery = (-repetition_time_s / t1_s).exp();
    sine * (1.0 - recovery) / (1.0 - cosine * recovery)
}

/// What the signal of a fine grid depends on, one value a voxel, the first axis running fastest.
#[derive(Clone, Copy, Debug)]
pub struct FineTissue<'a> {
    /// Voxels along each axis.
    pub shape: [usize; 3],
    /// Signal at echo time zero.
    pub amplitude: &'a [f32],
    /// R2* in 1/s (what remains inside a fine voxel).
    pub r2star_hz: &'a [f32],
    /// Shift of the field in ppm of the main field.
    pub field_ppm: &'a [f32],
}

/// The complex images of a multi-echo scan on `coarse` voxels over the fine grid's field of view,
/// one for each echo time: S = A·exp(−TE·R2*)·exp(i·2π·γ·B0·ΔB·TE), summed by cropping k-space.
pub fn echoes(
    tissue: FineTissue<'_>,
    coarse: [usize; 3],
    field_strength_t: f64,
    echo_times_s: &[f64],
) -> Vec<Vec<Complex32>> {
    let area = tissue.shape[0] * tissue.shape[1];
    let radians_per_ppm_s = radians_per_ppm_second(field_strength_t) as f32;
    let steps: Vec<f32> = std::iter::once(0.0)
        .chain(echo_times_s.iter().copied())
        .zip(echo_times_s)
        .map(|(before, &time)| (time - before) as f32)
        .collect();
    let crop = KSpaceCrop::new(tissue.shape, coarse);
    crop.reduce(echo_times_s.len(), |k, slices| {
        let range = k * area..(k + 1) * area;
        let amplitude = &tissue.amplitude[range.clone()];
        let r2star = &tissue.r2star_hz[range.clone()];
        let field = &tissue.field_ppm[range];
        for pixel in 0..area {
            if amplitude[pixel] == 0.0 {
                slices.iter_mut().for_each(|slice| slice[pixel] = Complex32::default());
                continue;
            }
            let mut signal = Complex32::new(amplitude[pixel], 0.0);
            let (mut factor, mut step_of_factor) = (Complex32::new(1.0, 0.0), f32::NAN);
            for (slice, &step) in slices.iter_mut().zip(&steps) {
                // Evenly spaced echoes differ by one factor.
                if (step - step_of_factor).abs() > 1e-9 || step_of_factor.is_nan() {
                    let decay = (-step * r2star[pixel]).exp();
                    let (sine, cosine) = (radians_per_ppm_s * field[pixel] * step).sin_cos();
                    factor = Complex32::new(decay * cosine, decay * sine);
                    step_of_factor = step;
                }
                signal *= factor;
                slice[pixel] = signal;
            }
        }
    })
}
