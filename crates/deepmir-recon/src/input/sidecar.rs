//! The JSON file beside an image.

use std::path::{Path, PathBuf};

use deepmir_volume::nifti;
use serde_json::Value;

use crate::ReconError;

/// What a BIDS sidecar says that reconstruction needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sidecar {
    /// `EchoTime`, seconds.
    pub echo_time_s: Option<f64>,
    /// `MagneticFieldStrength`, tesla.
    pub field_strength_t: Option<f64>,
    /// `B0Direction`: along the voxel axes.
    pub b0_direction: Option<[f64; 3]>,
    /// `Units`: "rad" for a phase in radians.
    pub units: Option<String>,
}

impl Sidecar {
    /// The sidecar of an image; empty if there is none.
    ///
    /// # Errors
    /// If the file is there but no JSON object, or a field is not of its kind.
    pub fn beside(image: &Path) -> Result<Self, ReconError> {
        let path = image.with_file_name(format!("{}.json", nifti::stem(image)));
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path),
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(deepmir_volume::VolumeError::Read { path, source }.into()),
        }
    }

    /// What this one says, and what only `other` says.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            echo_time_s: self.echo_time_s.or(other.echo_time_s),
            field_strength_t: self.field_strength_t.or(other.field_strength_t),
            b0_direction: self.b0_direction.or(other.b0_direction),
            units: other.units.or(self.units),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ReconError> {
        let fault = |reason: String| ReconError::Sidecar { path: PathBuf::from(path), reason };
        let fields: Value =
            serde_json::from_str(text).map_err(|error| fault(format!("no JSON ({error})")))?;
        let fields = fields.as_object().ok_or_else(|| fault("no JSON object".to_owned()))?;
        let number = |name: &str| match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_f64()
                .map(Some)
                .ok_or_else(|| fault(format!("{name} is {value}, which is no number"))),
        };
        let direction = match fields.get("B0Direction") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let numbers: Option<Vec<f64>> =
                    value.as_array().and_then(|list| list.iter().map(Value::as_f64).collect());
                let three = numbers.and_then(|numbers| <[f64; 3]>::try_from(numbers).ok());
                Some(three.ok_or_else(|| {
                    fault(format!("B0Direction is {value}, which is no list of three numbers"))
                })?)
            }
        };
        Ok(Self {
            echo_time_s: number("EchoTime")?,
            field_strength_t: number("MagneticFieldStrength")?,
            b0_direction: direction,
            units: fields.get("Units").and_then(Value::as_str).map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_wrong_kinds_refused() {
        let path = Path::new("sub-01_echo-1_part-phase_MEGRE.json");
        let text = r#"{"EchoTime": 0.006, "MagneticFieldStrength": 3,
                       "B0Direction": [0.03, -0.1, 0.99], "Units": "rad", "Other": []}"#;
        let sidecar = Sidecar::parse(text, path).unwrap();
        assert_eq!(sidecar.echo_time_s, Some(0.006));
        assert_eq!(sidecar.field_strength_t, Some(3.0));
        assert_eq!(sidecar.b0_direction, Some([0.03, -0.1, 0.99]));
        assert_eq!(sidecar.units.as_deref(), Some("rad"));
        assert_eq!(Sidecar::parse("{}", path).unwrap(), Sidecar::default());
        for text in ["", "[1]", r#"{"EchoTime": "6 ms"}"#, r#"{"B0Direction": [0, 1]}"#] {
            let message = Sidecar::parse(text, path).unwrap_err().to_string();
            assert!(message.contains("part-phase_MEGRE.json"), "{message}");
        }
    }
}
