//! What is written beside an image: how it was acquired, and nothing about whom.

use serde_json::{Map, Value, json};

use crate::sort::{Stack, Taken};

/// The JSON beside a volume. Dates only with `keep_dates`; never names, UIDs, places or free text.
pub fn sidecar(stack: &Stack, taken: &Taken, keep_dates: bool) -> Value {
    let header = stack.header();
    let mut fields = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    let seconds = |time_ms: Option<f64>| time_ms.map(|time| json!(rounded(time / 1000.0)));
    let number = |value: Option<f64>| value.map(|value| json!(rounded(value)));
    add("Modality", Some(json!("MR")));
    add("Manufacturer", technical(header.manufacturer.as_deref()));
    add("ManufacturersModelName", technical(header.model.as_deref()));
    add("SoftwareVersions", technical(header.software.as_deref()));
    add("MagneticFieldStrength", number(header.field_strength_t));
    add("MRAcquisitionType", code(header.acquisition_type.as_deref()));
    add("SeriesNumber", header.series_number.map(|number| json!(number)));
    add("EchoTime", seconds(stack.echo_time_ms()));
    add("RepetitionTime", seconds(header.repetition_time_ms));
    add("InversionTime", seconds(header.inversion_time_ms));
    add("FlipAngle", number(header.flip_angle_deg));
    add("PixelBandwidth", number(header.bandwidth_hz));
    add("SliceThickness", number(header.slice_thickness_mm));
    if let Ok(grid) = &stack.grid {
        add("SpacingBetweenSlices", number(Some(grid.voxel_sizes_mm()[2])));
    }
    let words: Vec<Value> = stack.image_type().iter().filter_map(|word| code(Some(word))).collect();
    add("ImageType", Some(Value::Array(words)));
    match taken {
        Taken::Echo(echo, part) => {
            add("EchoNumber", Some(json!(echo)));
            if *part == crate::header::Part::Phase {
                add("Units", Some(json!("rad")));
            }
        }
        Taken::Qsm(_) => add("Units", Some(json!("ppm"))),
        _ => {}
    }
    if keep_dates {
        add("AcquisitionDateTime", date_time(header.acquisition_time.as_deref()));
    }
    Value::Object(fields)
}

/// Seven digits: what single precision and decimal text agree on.
fn rounded(value: f64) -> f64 {
    format!("{value:.6e}").parse().unwrap_or(value)
}

/// A coded string of the standard; others are free text.
fn code(word: Option<&str>) -> Option<Value> {
    let fine = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' || c == ' ';
    word.filter(|word| !word.is_empty() && word.len() <= 16 && word.chars().all(fine))
        .map(|word| json!(word))
}

/// A name of a product: letters, digits and a few signs.
fn technical(text: Option<&str>) -> Option<Value> {
    let fine = |c: &char| c.is_ascii_alphanumeric() || " .,-_/+()".contains(*c);
    let text: String = text?.chars().filter(fine).take(64).collect();
    (!text.is_empty()).then(|| json!(text))
}

/// `20260131123456.5` as `2026-01-31T12:34:56.5`.
fn date_time(said: Option<&str>) -> Option<Value> {
    let said = said?;
    let digits = said.get(..14)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| &digits[from..to];
    let fraction: String = said[14..]
        .chars()
        .enumerate()
        .take_while(|(n, c)| if *n == 0 { *c == '.' } else { c.is_ascii_digit() })
        .map(|(_, c)| c)
        .collect();
    Some(json!(format!(
        "{}-{}-{}T{}:{}:{}{}",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14),
        fraction
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_text_is_no_code_and_times_are_written_as_the_standard_has_them() {
        assert_eq!(code(Some("M_FFE")), Some(json!("M_FFE")));
        assert_eq!(code(Some("Smith, John")), None);
        assert_eq!(
            date_time(Some("20260131123456.50+0100")),
            Some(json!("2026-01-31T12:34:56.50"))
        );
        assert_eq!(date_time(Some("2026é31123456")), None);
        assert_eq!(rounded(0.020_000_000_4), 0.02);
    }
}
