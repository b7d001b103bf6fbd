//! Drawing protocols and chains of reconstruction.

use deepmir_recon::ReconConfig;
use deepmir_recon::background::BackgroundRemoval;
use deepmir_recon::inversion::Inversion;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::scan::ScanRanges;
use super::{PhantomConfig, Range};
use crate::random::{Purpose, stream};

impl PhantomConfig {
    /// This configuration with another scanner and protocol, drawn by `seed`: field strength,
    /// voxels (over the same field of view), echo times, flip angle, noise, tilt, shim, coil,
    /// motion, T2w timing and contrast, and the methods that make SWI and QSM of the echoes. People
    /// and lesions are drawn from their ranges anyway.
    pub fn randomized(&self, seed: u64) -> Self {
        let mut config = self.clone();
        let mut generator = stream(seed, Purpose::Parameters, 0);
        let scan = &mut config.scan;
        let field_of_view: [f64; 3] =
            std::array::from_fn(|axis| scan.matrix[axis] as f64 * scan.voxel_mm[axis]);
        scan.field_strength_t = *pick(
            &ScanRanges::FIELD_STRENGTHS_T,
            &ScanRanges::FIELD_STRENGTH_SHARES,
            &mut generator,
        );
        let in_plane = uniform(ScanRanges::IN_PLANE_MM, &mut generator);
        let slice = log_uniform(ScanRanges::SLICE_MM, &mut generator).max(in_plane);
        let sizes = [in_plane, in_plane, slice];
        scan.matrix =
            std::array::from_fn(|axis| (field_of_view[axis] / sizes[axis]).round() as usize);
        scan.voxel_mm = sizes;
        // Susceptibility acts faster in a stronger field, and protocols are shortened for it.
        let tempo = (3.0 / scan.field_strength_t).sqrt();
        let first = tempo * uniform(ScanRanges::FIRST_ECHO_S, &mut generator);
        let spacing = tempo * uniform(ScanRanges::ECHO_SPACING_S, &mut generator);
        let [fewest, most] = ScanRanges::ECHOES;
        let echoes = generator.random_range(fewest..=most);
        scan.echo_times_s = (0..echoes).map(|n| first + f64::from(n) * spacing).collect();
        let last = first + f64::from(echoes - 1) * spacing;
        scan.repetition_time_s = last + uniform([0.004, 0.012], &mut generator);
        scan.flip_angle_deg = uniform(ScanRanges::FLIP_ANGLE_DEG, &mut generator);
        scan.snr = uniform(ScanRanges::SNR, &mut generator);
        scan.tilt_deg = [0, 1].map(|_| uniform(ScanRanges::TILT_DEG, &mut generator));
        scan.shim_residual_ppm *= uniform([0.3, 2.5], &mut generator);
        scan.coil_variation *= uniform([0.3, 2.0], &mut generator);
        scan.phase_offset_rad *= uniform([0.3, 2.0], &mut generator);
        let moves = generator.random::<f64>() < ScanRanges::MOTION_PROBABILITY;
        let sway = uniform(ScanRanges::MOTION_MM, &mut generator);
        scan.motion_mm = if moves { sway } else { 0.0 };
        let t2w = &mut config.t2w;
        t2w.echo_time_s = uniform(ScanRanges::T2W_ECHO_S, &mut generator);
        t2w.repetition_time_s = uniform(ScanRanges::T2W_REPETITION_S, &mut generator);
        t2w.snr = uniform(ScanRanges::SNR, &mut generator);
        config.t2w.shift_mm =
            uniform(ScanRanges::T2W_SHIFT_MM, &mut stream(seed, Purpose::Chain, 1));
        config.output.reconstruction =
            chain(&config.output.reconstruction, &mut stream(seed, Purpose::Chain, 0));
        config
    }

    /// The configuration that a session (from 0) of a subject is scanned with: after the first, with the probability of
    /// [`SessionConfig::other_protocol_probability`](super::SessionConfig), one [drawn](Self::randomized) anew, but for
    /// the field strength.
    pub fn of_session(&self, seed: u64, session: usize) -> Self {
        let mut generator = stream(seed, Purpose::Protocol, session as u32);
        let drawn = generator.random::<f64>();
        if session == 0 || drawn >= self.sessions.other_protocol_probability {
            return self.clone();
        }
        let mut other = self.clone();
        // Times are drawn for a field strength: draw until it is the first session's.
        for _ in 0..100 {
            other = self.randomized(generator.random());
            if other.scan.field_strength_t == self.scan.field_strength_t {
                return other;
            }
        }
        other.scan.field_strength_t = self.scan.field_strength_t;
        other
    }
}

/// Other methods and settings than the usual ones: sites differ in them as much as in scanners.
fn chain(usual: &ReconConfig, generator: &mut ChaCha8Rng) -> ReconConfig {
    let mut recon = *usual;
    recon.background = match *pick(&[0, 1, 2], &[0.4, 0.4, 0.2], generator) {
        0 => BackgroundRemoval::TFI,
        1 => BackgroundRemoval::Vsharp {
            largest_radius_mm: uniform([5.0, 12.0], generator),
            smallest_radius_mm: uniform([1.5, 2.5], generator),
            truncation: 0.05,
        },
        _ => BackgroundRemoval::Resharp {
            radius_mm: uniform([2.5, 4.5], generator),
            tikhonov: 1e-4,
            iterations: 30,
        },
    };
    recon.inversion = match *pick(&[0, 1, 2], &[0.6, 0.2, 0.2], generator) {
        0 => Inversion::TotalVariation {
            regularisation: log_uniform([3e-5, 5e-4], generator) as f32,
            edge_fraction: uniform([0.0, 0.2], generator) as f32,
            iterations: 25,
        },
        1 => Inversion::ThresholdedKernel { threshold: uniform([0.1, 0.25], generator) as f32 },
        _ => {
            Inversion::ClosedFormL2 { regularisation: log_uniform([3e-3, 3e-2], generator) as f32 }
        }
    };
    recon.reliability.edge_weight = uniform([0.0, 0.4], generator) as f32;
    recon.swi.high_pass_sigma_mm = uniform([1.5, 4.5], generator);
    recon.swi.mask_power = generator.random_range(2..=5);
    // Half of the maps have holes where a lesion at the edge has no signal.
    if generator.random_bool(0.5) {
        recon.reliability.pit_radius_mm = 0.0;
    }
    recon
}

/// A number from a range.
pub(crate) fn uniform([low, high]: Range, generator: &mut ChaCha8Rng) -> f64 {
    low + (high - low) * generator.random::<f64>()
}

/// A number from a range of positive numbers, its logarithm drawn evenly.
fn log_uniform([low, high]: Range, generator: &mut ChaCha8Rng) -> f64 {
    uniform([low.ln(), high.ln()], generator).exp()
}

/// One of `choices`, the likelier the larger its share.
pub(crate) fn pick<'a, T>(choices: &'a [T], shares: &[f64], generator: &mut ChaCha8Rng) -> &'a T {
    let total: f64 = shares.iter().sum();
    let mut left = total * generator.random::<f64>();
    for (choice, share) in choices.iter().zip(shares) {
        left -= share;
        if left < 0.0 {
            return choice;
        }
    }
    &choices[choices.len() - 1]
}
