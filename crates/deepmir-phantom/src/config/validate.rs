//! Refusing what cannot be simulated, and drawing protocols.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::scan::ScanRanges;
use super::{CountAndSize, PhantomConfig, Range};
use crate::PhantomError;
use crate::random::{Purpose, stream};

impl PhantomConfig {
    /// This configuration with another scanner and protocol, drawn by `seed`: field strength,
    /// voxels (over the same field of view), echo times, flip angle, noise, tilt, shim, coil,
    /// motion, T2w timing and contrast. People and lesions are drawn from their ranges anyway.
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
        let slice = uniform(ScanRanges::SLICE_MM, &mut generator).max(in_plane);
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
        config
    }

    /// Checks that every number can be used.
    ///
    /// # Errors
    /// [`PhantomError::Setting`], naming the setting, its value and what it must be.
    pub fn validate(&self) -> Result<(), PhantomError> {
        let scan = &self.scan;
        let positive = |name: &'static str, value: f64| {
            require(value.is_finite() && value > 0.0, name, value, "a positive number")
        };
        let unsigned = |name: &'static str, value: f64| {
            require(value.is_finite() && value >= 0.0, name, value, "zero or more")
        };
        let share = |name: &'static str, value: f64| {
            require((0.0..=1.0).contains(&value), name, value, "between 0 and 1")
        };
        require(
            (0.2..=12.0).contains(&scan.field_strength_t),
            "scan.field_strength_t",
            scan.field_strength_t,
            "between 0.2 and 12 tesla",
        )?;
        positive("scan.fine_voxel_mm", scan.fine_voxel_mm)?;
        for size in scan.voxel_mm.into_iter().chain(self.t2w.voxel_mm.into_iter().flatten()) {
            require((0.2..=10.0).contains(&size), "voxel_mm", size, "between 0.2 and 10 mm")?;
        }
        for (count, size) in scan.matrix.into_iter().zip(scan.voxel_mm) {
            let length = count as f64 * size;
            let fits = (16.0..=400.0).contains(&length);
            require(fits, "scan.matrix times scan.voxel_mm", length, "between 16 and 400 mm")?;
        }
        let times = &scan.echo_times_s;
        let rising = times.windows(2).all(|pair| pair[0] < pair[1]);
        if times.is_empty() || times.len() > 32 || !rising {
            return Err(PhantomError::Setting {
                name: "scan.echo_times_s",
                value: format!("{times:?}"),
                must_be: "one to 32 rising times in seconds",
            });
        }
        for &time in times {
            let fits = time > 0.0 && time < scan.repetition_time_s;
            require(fits, "scan.echo_times_s", time, "shorter than scan.repetition_time_s")?;
        }
        positive("scan.repetition_time_s", scan.repetition_time_s)?;
        require(
            scan.flip_angle_deg > 0.0 && scan.flip_angle_deg <= 90.0,
            "scan.flip_angle_deg",
            scan.flip_angle_deg,
            "between 0 and 90 degrees",
        )?;
        positive("scan.snr", scan.snr)?;
        positive("t2w.snr", self.t2w.snr)?;
        positive("t2w.echo_time_s", self.t2w.echo_time_s)?;
        positive("t2w.repetition_time_s", self.t2w.repetition_time_s)?;
        unsigned("scan.shim_residual_ppm", scan.shim_residual_ppm)?;
        unsigned("scan.coil_variation", scan.coil_variation)?;
        unsigned("scan.phase_offset_rad", scan.phase_offset_rad)?;
        unsigned("scan.motion_mm", scan.motion_mm)?;
        for tilt in scan.tilt_deg {
            require(tilt.abs() <= 45.0, "scan.tilt_deg", tilt, "between -45 and 45 degrees")?;
        }
        unsigned("t2w.rotation_deg", self.t2w.rotation_deg)?;
        unsigned("t2w.shift_mm", self.t2w.shift_mm)?;
        let person = &self.person;
        range("person.age_years", person.age_years, [1.0, 120.0])?;
        range("person.atrophy", person.atrophy, [0.0, 1.0])?;
        require(
            (0.0..=0.1).contains(&person.size_spread),
            "person.size_spread",
            person.size_spread,
            "between 0 and 0.1",
        )?;
        require(
            (0.0..=4.0).contains(&person.elastic_mm),
            "person.elastic_mm",
            person.elastic_mm,
            "between 0 and 4 mm (more would fold the head)",
        )?;
        unsigned("person.rotation_deg", person.rotation_deg)?;
        unsigned("person.shift_mm", person.shift_mm)?;
        share("person.mirror_probability", person.mirror_probability)?;
        let lesions = &self.lesions;
        share("lesions.lesion_free_probability", lesions.lesion_free_probability)?;
        share("lesions.bilateral_probability", lesions.bilateral_probability)?;
        unsigned("lesions.clearance_mm", lesions.clearance_mm)?;
        for part in lesions.microbleed_regions {
            unsigned("lesions.microbleed_regions", part)?;
        }
        positive("lesions.microbleed_regions (sum)", lesions.microbleed_regions.iter().sum())?;
        kind("lesions.microbleeds", &lesions.microbleeds, [0.0, 10.0])?;
        kind("lesions.iron_deposits", &lesions.iron_deposits, [0.0, 10.0])?;
        kind("lesions.calcifications", &lesions.calcifications, [-10.0, 0.0])?;
        kind("lesions.cavernomas", &lesions.cavernomas, [0.0, 10.0])?;
        kind("lesions.vessel_loops", &lesions.vessel_loops, [0.0, 10.0])?;
        range("veins.pial_radius_mm", self.veins.pial_radius_mm, [0.05, 5.0])?;
        range("veins.medullary_radius_mm", self.veins.medullary_radius_mm, [0.05, 5.0])?;
        count("veins.pial", self.veins.pial)?;
        count("veins.medullary", self.veins.medullary)?;
        let sessions = &self.sessions;
        unsigned("sessions.interval_years", sessions.interval_years)?;
        count("sessions.new_microbleeds", sessions.new_microbleeds)?;
        share("sessions.growth_probability", sessions.growth_probability)?;
        share("sessions.vanishing_probability", sessions.vanishing_probability)?;
        range("sessions.growth_factor", sessions.growth_factor, [1.0, 5.0])
    }
}

fn kind(name: &'static str, kind: &CountAndSize, chi_ppm: Range) -> Result<(), PhantomError> {
    count(name, kind.count)?;
    range(name, kind.diameter_mm, [0.5, 40.0])?;
    range(name, kind.chi_ppm, chi_ppm)?;
    require(kind.median_diameter_mm > 0.0, name, kind.median_diameter_mm, "a positive median")?;
    let spread = kind.log_spread;
    require((0.0..=2.0).contains(&spread), name, spread, "a log_spread between 0 and 2")
}

fn count(name: &'static str, [low, high]: [u32; 2]) -> Result<(), PhantomError> {
    let fits = low <= high && high <= 2000;
    require(fits, name, f64::from(high), "a count [lowest, highest] of at most 2000")
}

fn range(name: &'static str, [low, high]: Range, within: Range) -> Result<(), PhantomError> {
    if low <= high && low >= within[0] && high <= within[1] {
        return Ok(());
    }
    Err(PhantomError::Setting {
        name,
        value: format!("[{low}, {high}]"),
        must_be: "a range [lowest, highest] within what nature allows (see its documentation)",
    })
}

fn require(
    fits: bool,
    name: &'static str,
    value: f64,
    must_be: &'static str,
) -> Result<(), PhantomError> {
    if fits {
        return Ok(());
    }
    Err(PhantomError::Setting { name, value: value.to_string(), must_be })
}

/// A number from a range.
pub(crate) fn uniform([low, high]: Range, generator: &mut ChaCha8Rng) -> f64 {
    low + (high - low) * generator.random::<f64>()
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
