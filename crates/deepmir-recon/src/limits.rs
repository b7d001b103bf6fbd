//! What the numbers of a scan can be, and their units: the one place where echo times and field strengths from sidecars,
//! arguments and arrays are checked.

use std::ops::RangeInclusive;

/// A number with its unit and its range.
struct Limits {
    /// The unit that it must be in.
    unit: &'static str,
    possible: RangeInclusive<f64>,
    /// Other units that it is found in, with what brings them to `unit`.
    others: &'static [(&'static str, f64)],
    /// What is usual on scanners: a guess at another unit must lie here.
    usual: RangeInclusive<f64>,
}

/// Ultrashort echoes begin at 0.03 ms and have too little phase; at 0.5 s there is no signal left.
const ECHO_TIME: Limits = Limits {
    unit: "s",
    possible: 1e-4..=0.5,
    others: &[("milliseconds", 1e-3), ("microseconds", 1e-6), ("units of 1000 s", 1e3)],
    usual: 1e-3..=0.1,
};
/// The strongest magnet for people has 11.7 T.
const FIELD_STRENGTH: Limits = Limits {
    unit: "T",
    possible: 0.05..=12.0,
    others: &[("MHz", 1.0 / 42.577), ("millitesla", 1e-3), ("gauss", 1e-4), ("Hz", 1e-6 / 42.577)],
    usual: 0.2..=12.0,
};

/// What is wrong with an echo time in seconds; `None` if nothing is.
pub(crate) fn echo_time_fault(echo_time_s: f64) -> Option<String> {
    ECHO_TIME.fault(echo_time_s)
}

/// What is wrong with a field strength in tesla; `None` if nothing is.
pub(crate) fn field_strength_fault(tesla: f64) -> Option<String> {
    FIELD_STRENGTH.fault(tesla)
}

impl Limits {
    /// The range, and the unit that the number may be in.
    fn fault(&self, value: f64) -> Option<String> {
        if self.possible.contains(&value) {
            return None;
        }
        let (least, most) = (self.possible.start(), self.possible.end());
        let range = format!("between {least} and {most} {}", self.unit);
        let other = self.others.iter().find(|(_, factor)| self.usual.contains(&(value * factor)));
        Some(match other {
            Some((unit, factor)) => {
                let meant = format!("{:.4}", value * factor);
                let meant = meant.trim_end_matches('0').trim_end_matches('.');
                format!("{range}; if it is in {unit}, write {meant}")
            }
            None => range,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_time_in_milliseconds_is_told() {
        assert_eq!(echo_time_fault(0.0062), None);
        let told = |value| echo_time_fault(value).unwrap();
        assert_eq!(told(6.2), "between 0.0001 and 0.5 s; if it is in milliseconds, write 0.0062");
        assert_eq!(
            told(20_000.0),
            "between 0.0001 and 0.5 s; if it is in microseconds, write 0.02"
        );
        assert_eq!(told(2e-5), "between 0.0001 and 0.5 s; if it is in units of 1000 s, write 0.02");
        for value in [0.0, -0.02, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(told(value), "between 0.0001 and 0.5 s", "{value}");
        }
    }

    #[test]
    fn a_field_strength_in_megahertz_or_gauss_is_told() {
        for tesla in [0.35, 1.5, 3.0, 7.0, 11.7] {
            assert_eq!(field_strength_fault(tesla), None);
        }
        let told = |value| field_strength_fault(value).unwrap();
        assert!(told(123.25).ends_with("if it is in MHz, write 2.8948"), "{}", told(123.25));
        assert!(told(21.3).ends_with("if it is in MHz, write 0.5003"), "{}", told(21.3));
        assert!(told(30_000.0).ends_with("if it is in gauss, write 3"), "{}", told(30_000.0));
        assert!(told(3000.0).ends_with("if it is in millitesla, write 3"), "{}", told(3000.0));
        assert!(told(123_250_000.0).ends_with("if it is in Hz, write 2.8948"));
        for value in [0.0, -3.0, f64::NAN] {
            assert_eq!(told(value), "between 0.05 and 12 T", "{value}");
        }
    }
}
