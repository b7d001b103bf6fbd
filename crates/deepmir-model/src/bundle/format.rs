//! Reading the settings of a model, of this format and of earlier ones.

use deepmir_net::preset::toml_error;
use toml::{Table, Value};

use super::settings::{FORMAT, ModelSettings};
use super::{SETTINGS, legacy};

/// Parses settings. Also returns the format that they were written in.
pub(super) fn parse(text: &str) -> Result<(ModelSettings, u32), String> {
    let invalid = |error: toml::de::Error| format!("{SETTINGS}: {error}");
    let mut table: Table = toml::from_str(text).map_err(invalid)?;
    // The version first: a newer format's unknown settings are no typing errors.
    let format = match table.get("format").and_then(Value::as_integer) {
        Some(1) if legacy::has_classifier(&table) => {
            return Err(format!(
                "{SETTINGS} is of format 1, with a classifier that this deepmir does not know; train anew, or \
                 predict with the deepmir that made it"
            ));
        }
        Some(format) if (1..=i64::from(FORMAT)).contains(&format) => format as u32,
        Some(format) if format > i64::from(FORMAT) => {
            return Err(format!(
                "{SETTINGS} is of format {format} and this deepmir knows {FORMAT}; update deepmir"
            ));
        }
        _ => return Err(format!("{SETTINGS} has no valid `format`")),
    };
    if format == FORMAT {
        // From the text, so that an error names its line.
        return Ok((toml::from_str(text).map_err(invalid)?, format));
    }
    legacy::upgrade(&mut table).map_err(|reason| format!("{SETTINGS}: {reason}"))?;
    let upgraded = toml::to_string(&table).map_err(|error| format!("{SETTINGS}: {error}"))?;
    let settings: ModelSettings = toml::from_str(&upgraded)
        .map_err(|error| format!("{SETTINGS}: {}", toml_error(&error, &upgraded)))?;
    Ok((ModelSettings { format: FORMAT, ..settings }, format))
}
