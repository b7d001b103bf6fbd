//! What the JSON files of an image say.

use std::path::{Path, PathBuf};

use deepmir_cases::bids;
use deepmir_volume::nifti;
use serde_json::{Map, Value};

use crate::ReconError;

/// What the JSON files of an image say that reconstruction needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sidecar {
    /// `EchoTime`, seconds.
    pub echo_time_s: Option<f64>,
    /// `EchoNumber`, from 1.
    pub echo_number: Option<u32>,
    /// `EchoTime1` and `EchoTime2`, seconds: the image is the difference of two phases.
    pub difference_of_s: Option<[f64; 2]>,
    /// `MagneticFieldStrength`, tesla.
    pub field_strength_t: Option<f64>,
    /// `B0Direction`: along the voxel axes.
    pub b0_direction: Option<[f64; 3]>,
    /// `SliceEncodingDirection`: the voxel axis across slices.
    pub slice_axis: Option<usize>,
    /// `Units`: "rad" for a phase in radians.
    pub units: Option<String>,
    /// `ImageType`: what the scanner says that the image is.
    pub image_type: Vec<String>,
}

impl Sidecar {
    /// What the JSON files of an image say (see [`bids::sidecars`]); empty if there are none.
    ///
    /// # Errors
    /// If one is no JSON object, or a field is not of its kind.
    pub fn of(image: &Path) -> Result<Self, ReconError> {
        let mut fields = Fields::default();
        for path in bids::sidecars(image) {
            fields.take(path)?;
        }
        fields.sidecar(&nifti::stem(image))
    }
}

/// Fields, and the file that each comes from.
#[derive(Default)]
struct Fields {
    values: Map<String, Value>,
    sources: Map<String, Value>,
    files: Vec<PathBuf>,
}

impl Fields {
    fn take(&mut self, path: PathBuf) -> Result<(), ReconError> {
        nifti::check_fetched(&path)?;
        let bytes = std::fs::read(&path)
            .map_err(|source| deepmir_volume::VolumeError::Read { path: path.clone(), source })?;
        self.add(&bytes, path)
    }

    fn add(&mut self, bytes: &[u8], path: PathBuf) -> Result<(), ReconError> {
        let fields = bids::parse_object(bytes)
            .map_err(|reason| ReconError::Sidecar { path: path.clone(), reason })?;
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_null()) {
            self.sources.insert(name.clone(), self.files.len().into());
            self.values.insert(name, value);
        }
        self.files.push(path);
        Ok(())
    }

    fn fault(&self, name: &str, what: &str) -> ReconError {
        let source = self.sources.get(name).and_then(Value::as_u64).unwrap_or(0) as usize;
        let value = self.values.get(name).unwrap_or(&Value::Null);
        ReconError::Sidecar {
            path: self.files.get(source).cloned().unwrap_or_default(),
            reason: format!("{name} is {value}, which is no {what}"),
        }
    }

    fn number(&self, name: &str) -> Result<Option<f64>, ReconError> {
        let Some(value) = self.values.get(name) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.fault(name, "number"))
    }

    fn b0_direction(&self) -> Result<Option<[f64; 3]>, ReconError> {
        let name = "B0Direction";
        let Some(value) = self.values.get(name) else { return Ok(None) };
        let numbers: Option<Vec<f64>> =
            value.as_array().and_then(|list| list.iter().map(Value::as_f64).collect());
        let three = numbers.and_then(|numbers| <[f64; 3]>::try_from(numbers).ok());
        three.map(Some).ok_or_else(|| self.fault(name, "list of three numbers"))
    }

    fn slice_axis(&self) -> Result<Option<usize>, ReconError> {
        let name = "SliceEncodingDirection";
        let Some(value) = self.values.get(name) else { return Ok(None) };
        let axis = value.as_str().and_then(|text| match text.trim_end_matches(['-', '+']) {
            "i" => Some(0),
            "j" => Some(1),
            "k" => Some(2),
            _ => None,
        });
        axis.map(Some).ok_or_else(|| self.fault(name, "voxel axis (i, j or k)"))
    }

    /// `stem` tells which of two echo times is meant.
    fn sidecar(&self, stem: &str) -> Result<Sidecar, ReconError> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let both = self.number("EchoTime1")?.zip(self.number("EchoTime2")?);
        // `phase1` and `phase2` are each of one echo, whose times some write into both files.
        let one_of_two = |(first, second)| match stem {
            _ if stem.ends_with("phase1") || stem.ends_with("magnitude1") => Some(first),
            _ if stem.ends_with("phase2") || stem.ends_with("magnitude2") => Some(second),
            _ => None,
        };
        let one = both.and_then(one_of_two);
        Ok(Sidecar {
            echo_time_s: self.number("EchoTime")?.or(one),
            echo_number: self.number("EchoNumber")?.map(|number| number as u32),
            difference_of_s: if one.is_none() { both.map(Into::into) } else { None },
            field_strength_t: self.number("MagneticFieldStrength")?,
            b0_direction: self.b0_direction()?,
            slice_axis: self.slice_axis()?,
            units: self.values.get("Units").and_then(text),
            image_type: match self.values.get("ImageType") {
                Some(Value::Array(list)) => list.iter().filter_map(text).collect(),
                Some(Value::String(text)) => text.split('\\').map(str::to_owned).collect(),
                _ => Vec::new(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "sub-01_echo-1_part-phase_MEGRE";

    fn parse(text: &str) -> Result<Sidecar, ReconError> {
        let mut fields = Fields::default();
        fields.add(text.as_bytes(), format!("{NAME}.json").into())?;
        fields.sidecar(NAME)
    }

    #[test]
    fn fields_are_read_and_wrong_kinds_refused() {
        let sidecar = parse(
            r#"{"EchoTime": 0.006, "MagneticFieldStrength": 3, "SliceEncodingDirection": "k-",
                "B0Direction": [0.03, -0.1, 0.99], "Units": "rad", "EchoNumber": 2, "Other": []}"#,
        )
        .unwrap();
        assert_eq!(sidecar.echo_time_s, Some(0.006));
        assert_eq!(sidecar.echo_number, Some(2));
        assert_eq!(sidecar.field_strength_t, Some(3.0));
        assert_eq!(sidecar.b0_direction, Some([0.03, -0.1, 0.99]));
        assert_eq!(sidecar.slice_axis, Some(2));
        assert_eq!(sidecar.units.as_deref(), Some("rad"));
        assert_eq!(parse("{}").unwrap(), Sidecar::default());
        for text in [
            "",
            "[1]",
            r#"{"EchoTime": "6 ms"}"#,
            r#"{"B0Direction": [0, 1]}"#,
            r#"{"SliceEncodingDirection": "z"}"#,
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains("part-phase_MEGRE.json"), "{message}");
        }
    }

    #[test]
    fn two_echo_times_are_a_difference_unless_the_name_tells_the_echo() {
        let mut fields = Fields::default();
        fields.add(br#"{"EchoTime1": 0.005, "EchoTime2": 0.0075}"#, PathBuf::new()).unwrap();
        let difference = fields.sidecar("sub-01_phasediff").unwrap();
        assert_eq!(difference.difference_of_s, Some([0.005, 0.0075]));
        assert_eq!(difference.echo_time_s, None);
        let second = fields.sidecar("sub-01_phase2").unwrap();
        assert_eq!((second.difference_of_s, second.echo_time_s), (None, Some(0.0075)));
    }
}
