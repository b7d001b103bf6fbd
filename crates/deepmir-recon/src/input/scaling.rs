//! What the numbers of a phase image mean.
//!
//! Scanners and converters write phase as radians, as integers over one turn, as thousandths of a
//! radian, or as any of these with a header slope that does or does not undo the scaling. The range
//! of the values over all echoes tells which, since brain and noise fill the whole turn.

use std::f32::consts::{PI, TAU};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ReconError;

/// The units of a phase image, as stated by the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseUnits {
    /// Recognised from the range of the values.
    #[default]
    Auto,
    /// Radians after the header's slope and intercept, whatever their range (unwrapped, say).
    Radians,
    /// Radians as stored; the header's slope and intercept are nonsense.
    StoredRadians,
    /// −4096 to 4096 (or 4095) over one turn.
    #[serde(rename = "signed-4096", alias = "signed4096")]
    Signed4096,
    /// 0 to 4095 over one turn, 2048 being no phase.
    #[serde(rename = "unsigned-4096", alias = "unsigned4096")]
    Unsigned4096,
    /// −2048 to 2047 over one turn.
    #[serde(rename = "signed-2048", alias = "signed2048")]
    Signed2048,
    /// Thousandths of a radian.
    Milliradians,
    /// Degrees.
    Degrees,
}

/// A header's slope and intercept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeaderScaling {
    /// Factor from stored to scaled values.
    pub slope: f64,
    /// Added after the factor.
    pub intercept: f64,
}

impl HeaderScaling {
    /// Of values that are as stored.
    pub const NONE: Self = Self { slope: 1.0, intercept: 0.0 };

    /// What is stored for a scaled value.
    pub fn stored(&self, value: f32) -> f32 {
        ((f64::from(value) - self.intercept) / self.slope) as f32
    }
}

/// The range of all phase images of a scan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhaseRange {
    /// Smallest and largest value after the header's scaling.
    scaled: (f32, f32),
    /// The same before it.
    stored: (f32, f32),
}

impl PhaseRange {
    /// Of no image yet.
    pub const EMPTY: Self = Self {
        scaled: (f32::INFINITY, f32::NEG_INFINITY),
        stored: (f32::INFINITY, f32::NEG_INFINITY),
    };

    /// With one more image, whose scaled values run from `least` to `most`.
    pub fn with(self, least: f32, most: f32, header: HeaderScaling) -> Self {
        let join =
            |range: (f32, f32), a: f32, b: f32| (range.0.min(a.min(b)), range.1.max(a.max(b)));
        Self {
            scaled: join(self.scaled, least, most),
            stored: join(self.stored, header.stored(least), header.stored(most)),
        }
    }
}

/// How values become radians.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseScaling {
    /// The units that were found or stated.
    pub units: PhaseUnits,
    /// The units are those of the stored values: the header's scaling must be undone.
    pub of_stored_values: bool,
}

/// How far a range may reach over a nominal end: rounding.
const SLACK: f32 = 1.02;
/// How much of the turn a range must fill to be recognised.
const FILLED: f32 = 0.75;

impl PhaseScaling {
    /// Recognises the scaling from the range, unless `units` states it. `stated_radians`: the
    /// sidecar says that the units are radians.
    ///
    /// # Errors
    /// [`ReconError::PhaseRange`], naming `name`, if the values cannot be a phase that is known.
    pub fn recognise(
        range: &PhaseRange,
        stated_radians: bool,
        units: PhaseUnits,
        name: &str,
    ) -> Result<Self, ReconError> {
        let (least, most) = range.scaled;
        let scaled = |units| Ok(Self { units, of_stored_values: false });
        if units != PhaseUnits::Auto {
            let of_stored_values = units == PhaseUnits::StoredRadians;
            return Ok(Self { units, of_stored_values });
        }
        if stated_radians && most - least > 0.5 && within_a_turn(least, most) {
            return scaled(PhaseUnits::Radians);
        }
        if let Some(units) = by_range(least, most) {
            return scaled(units);
        }
        let (stored_least, stored_most) = range.stored;
        match by_range(stored_least, stored_most) {
            Some(PhaseUnits::Radians) => {
                Ok(Self { units: PhaseUnits::StoredRadians, of_stored_values: true })
            }
            Some(units) => Ok(Self { units, of_stored_values: true }),
            None => Err(ReconError::PhaseRange { least, most, name: name.to_owned() }),
        }
    }

    /// Radians of one value (as read, with its header's scaling).
    pub fn radians(&self, value: f32, header: HeaderScaling) -> f32 {
        let value = if self.of_stored_values { header.stored(value) } else { value };
        let (zero, radians_per_unit) = match self.units {
            PhaseUnits::Auto | PhaseUnits::Radians | PhaseUnits::StoredRadians => (0.0, 1.0),
            PhaseUnits::Signed4096 => (0.0, PI / 4096.0),
            PhaseUnits::Unsigned4096 => (2048.0, PI / 2048.0),
            PhaseUnits::Signed2048 => (0.0, PI / 2048.0),
            PhaseUnits::Milliradians => (0.0, 1e-3),
            PhaseUnits::Degrees => (0.0, PI / 180.0),
        };
        (value - zero) * radians_per_unit
    }
}

fn within_a_turn(least: f32, most: f32) -> bool {
    (least >= -PI * SLACK && most <= PI * SLACK) || (least >= -0.01 && most <= TAU * SLACK)
}

fn by_range(least: f32, most: f32) -> Option<PhaseUnits> {
    let fills = |low: f32, high: f32| {
        let turn = high - low;
        let slack = turn * (SLACK - 1.0) / 2.0;
        least >= low - slack && most <= high + slack && most - least >= FILLED * turn
    };
    // From −π to π, or the same turn from 0 to 2π.
    if fills(-PI, PI) || fills(0.0, TAU) {
        Some(PhaseUnits::Radians)
    } else if fills(-180.0, 180.0) || fills(0.0, 360.0) {
        Some(PhaseUnits::Degrees)
    } else if fills(0.0, 4095.0) {
        Some(PhaseUnits::Unsigned4096)
    } else if fills(-2048.0, 2047.0) {
        Some(PhaseUnits::Signed2048)
    } else if fills(-1000.0 * PI, 1000.0 * PI) {
        Some(PhaseUnits::Milliradians)
    } else if fills(-4096.0, 4096.0) {
        Some(PhaseUnits::Signed4096)
    } else {
        None
    }
}

impl fmt::Display for PhaseScaling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = match self.units {
            PhaseUnits::Auto | PhaseUnits::Radians | PhaseUnits::StoredRadians => "radians",
            PhaseUnits::Signed4096 => "±4096 over one turn",
            PhaseUnits::Unsigned4096 => "0 to 4095 over one turn",
            PhaseUnits::Signed2048 => "±2048 over one turn",
            PhaseUnits::Milliradians => "thousandths of a radian",
            PhaseUnits::Degrees => "degrees",
        };
        formatter.write_str(units)?;
        if self.of_stored_values {
            formatter.write_str(", as stored: the header's slope and intercept were undone")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognise(least: f32, most: f32, header: HeaderScaling) -> Result<PhaseScaling, ReconError> {
        let range = PhaseRange::EMPTY.with(least, most, header);
        PhaseScaling::recognise(&range, false, PhaseUnits::Auto, "phase.nii")
    }

    #[test]
    fn vendors_scalings_are_recognised() {
        let none = HeaderScaling::NONE;
        for (least, most, units) in [
            (-PI, PI, PhaseUnits::Radians),
            (0.0, 6.2816, PhaseUnits::Radians),
            (-3.1, 2.9, PhaseUnits::Radians),
            (-4096.0, 4094.0, PhaseUnits::Signed4096),
            (-4096.0, 4096.0, PhaseUnits::Signed4096),
            (0.0, 4095.0, PhaseUnits::Unsigned4096),
            (3.0, 4090.0, PhaseUnits::Unsigned4096),
            (-2048.0, 2047.0, PhaseUnits::Signed2048),
            (-3142.0, 3141.0, PhaseUnits::Milliradians),
            (-180.0, 179.9, PhaseUnits::Degrees),
        ] {
            let scaling = recognise(least, most, none).unwrap();
            let want = PhaseScaling { units, of_stored_values: false };
            assert_eq!(scaling, want, "{least} to {most}");
        }
        let unsigned = recognise(0.0, 4095.0, none).unwrap();
        assert!(unsigned.radians(2048.0, none).abs() < 1e-6);
        assert!((unsigned.radians(0.0, none) + PI).abs() < 1e-6);
        let signed = recognise(-4096.0, 4095.0, none).unwrap();
        assert!((signed.radians(2048.0, none) - PI / 2.0).abs() < 1e-6);
    }

    #[test]
    fn a_slope_that_breaks_the_scaling_is_undone() {
        let header = HeaderScaling { slope: 0.001_169_590_6, intercept: 0.0 };
        let trap = recognise(-0.003_674, 0.003_674, header).unwrap();
        assert_eq!(trap.units, PhaseUnits::StoredRadians);
        assert!((trap.radians(0.003_674_377, header) - PI).abs() < 1e-3);
        // 12-bit integers brought to ±1 by slope and intercept.
        let header = HeaderScaling { slope: 2.0 / 4095.0, intercept: -1.0 };
        let stored = recognise(-1.0, 1.0, header).unwrap();
        assert_eq!(stored.units, PhaseUnits::Unsigned4096);
        assert!((stored.radians(1.0, header) - PI).abs() < 2e-3);
    }

    #[test]
    fn what_cannot_be_radians_shows_its_range() {
        let none = HeaderScaling::NONE;
        for (least, most) in
            [(0.0, 800.0), (-0.003, 0.003), (-20.0, 35.0), (0.0, 65535.0), (-1.0, 1.0)]
        {
            let message = recognise(least, most, none).unwrap_err().to_string();
            assert!(message.contains(&format!("from {least} to {most}")), "{message}");
            assert!(message.contains("phase.nii"));
        }
        let range = PhaseRange::EMPTY.with(-20.0, 35.0, none);
        let stated = PhaseScaling::recognise(&range, false, PhaseUnits::Radians, "phase.nii");
        assert_eq!(stated.unwrap().radians(35.0, none), 35.0);
    }
}
