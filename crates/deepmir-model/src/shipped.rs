//! The models that come with the program.

use std::path::Path;

use crate::{Bundle, ModelError};

/// A model inside the program.
#[derive(Clone, Copy, Debug)]
pub struct ShippedModel {
    /// Its name.
    pub name: &'static str,
    /// The bytes of its `.deepmir` file.
    pub bytes: &'static [u8],
    /// The range of scans that it learned from, as `deepmir model range` prints it: measured later than the file was
    /// made.
    pub training_range: &'static str,
}

/// All of them, the default first. A constant would be copied into every crate that names it.
pub static MODELS: &[ShippedModel] = &[
    ShippedModel {
        name: "deepmir-11",
        bytes: include_bytes!("../../../models/deepmir-11.deepmir"),
        training_range: include_str!("../../../models/deepmir-11.range.toml"),
    },
    ShippedModel {
        name: "deepmir-12",
        bytes: include_bytes!("../../../models/deepmir-12.deepmir"),
        training_range: include_str!("../../../models/deepmir-12.range.toml"),
    },
];

/// The shipped model that learned from T2*-weighted magnitudes.
pub const OF_MAGNITUDES: &str = "deepmir-12";

impl ShippedModel {
    /// Unpacks it.
    ///
    /// # Errors
    /// If the program was built with a damaged file.
    pub fn open(&self) -> Result<Bundle, ModelError> {
        let mut bundle = Bundle::from_archive(self.bytes, Path::new(self.name))?;
        let range = toml::from_str(self.training_range).map_err(|error| ModelError::Bundle {
            path: Path::new(self.name).to_owned(),
            reason: error.to_string(),
        })?;
        bundle.settings.training_range = Some(range);
        bundle.settings.validate()?;
        Ok(bundle)
    }
}

/// A shipped model by its name, or the first by `default`; `None` if there is none of that name.
pub fn by_name(name: &str) -> Option<Result<Bundle, ModelError>> {
    let model = match name {
        "default" => MODELS.first(),
        _ => MODELS.iter().find(|model| model.name == name),
    };
    model.map(ShippedModel::open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_cases::Contrast;

    #[test]
    fn every_shipped_model_opens_and_the_first_is_the_default() {
        for model in MODELS {
            let bundle = model.open().unwrap();
            assert_eq!(bundle.settings.name, model.name);
            assert!(bundle.settings.training_range.is_some());
        }
        for model in MODELS {
            let bytes = model.bytes.len();
            assert!(bytes < 10_000_000, "{}: {bytes} bytes are too many", model.name);
        }
        let of_magnitudes = by_name(OF_MAGNITUDES).unwrap().unwrap();
        assert!(of_magnitudes.settings.contrasts.contains(&Contrast::T2StarMagnitude));
        let default = by_name("default").unwrap().unwrap();
        assert_eq!(default.settings.name, MODELS[0].name);
        assert!(by_name("no such model").is_none());
    }
}
