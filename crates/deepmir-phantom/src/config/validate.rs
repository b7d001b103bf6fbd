//! Refusing what cannot be simulated.

use super::{CountAndSize, PhantomConfig, Range};
use crate::PhantomError;

impl PhantomConfig {
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
        lesions.microbleeds.validate("lesions.microbleeds", [0.0, 10.0])?;
        lesions.iron_deposits.validate("lesions.iron_deposits", [0.0, 10.0])?;
        lesions.calcifications.validate("lesions.calcifications", [-10.0, 0.0])?;
        lesions.cavernomas.validate("lesions.cavernomas", [0.0, 10.0])?;
        lesions.vessel_loops.validate("lesions.vessel_loops", [0.0, 10.0])?;
        range("veins.pial_radius_mm", self.veins.pial_radius_mm, [0.05, 5.0])?;
        range("veins.medullary_radius_mm", self.veins.medullary_radius_mm, [0.05, 5.0])?;
        count("veins.pial", self.veins.pial)?;
        count("veins.medullary", self.veins.medullary)?;
        let sessions = &self.sessions;
        unsigned("sessions.interval_years", sessions.interval_years)?;
        count("sessions.new_microbleeds", sessions.new_microbleeds)?;
        share("sessions.growth_probability", sessions.growth_probability)?;
        share("sessions.vanishing_probability", sessions.vanishing_probability)?;
        share("sessions.other_protocol_probability", sessions.other_protocol_probability)?;
        if self.output.reconstruction.separation.is_some() {
            // The chain's own maps of it are not written, and an option that does nothing misleads.
            return Err(PhantomError::Setting {
                name: "output.reconstruction.separation",
                value: "a table".to_owned(),
                must_be: "left out: `deepmir recon` separates the raw echoes",
            });
        }
        range("sessions.growth_factor", sessions.growth_factor, [1.0, 5.0])
    }
}

impl CountAndSize {
    /// Checks that every number can be used, susceptibilities being within `chi_ppm`.
    pub(crate) fn validate(&self, name: &'static str, chi_ppm: Range) -> Result<(), PhantomError> {
        count(name, self.count)?;
        range(name, self.diameter_mm, [0.2, 40.0])?;
        range(name, self.chi_ppm, chi_ppm)?;
        require(self.median_diameter_mm > 0.0, name, self.median_diameter_mm, "a positive median")?;
        let spread = self.log_spread;
        require((0.0..=2.0).contains(&spread), name, spread, "a log_spread between 0 and 2")
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_recon::separation::SeparationConfig;

    #[test]
    fn a_separation_that_no_phantom_writes_is_refused() {
        let mut config = PhantomConfig::default();
        config.validate().unwrap();
        let separation = SeparationConfig { r2_prime_hz_per_ppm: 137.0, r2_share: Some(0.6) };
        config.output.reconstruction.separation = Some(separation);
        let told = config.validate().unwrap_err().to_string();
        assert!(
            told.contains("output.reconstruction.separation") && told.contains("deepmir recon")
        );
    }
}
