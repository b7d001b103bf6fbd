//! Amounts of memory, in GB, as BIDS Apps write them.

/// A number of gigabytes; a unit may follow, as in MRIQC.
pub fn gigabytes(text: &str) -> Result<f64, String> {
    parse(text, Some(1.0))
}

/// A number of megabytes; a unit may follow, as in fMRIPrep.
pub fn megabytes(text: &str) -> Result<f64, String> {
    parse(text, Some(1e-3))
}

/// A number with its unit: without one, fMRIPrep reads megabytes and MRIQC gigabytes.
pub fn with_unit(text: &str) -> Result<f64, String> {
    parse(text, None)
}

fn parse(text: &str, unit_gb: Option<f64>) -> Result<f64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_uppercase();
    let unit_gb = match unit.trim_end_matches('B') {
        "" if unit.is_empty() => unit_gb.ok_or_else(|| {
            format!("it may be megabytes or gigabytes; write --mem {text}G or --mem {text}M")
        })?,
        "M" => 1e-3,
        "G" => 1.0,
        "T" => 1e3,
        _ => return Err(format!("no unit {unit}; write M, G or T")),
    };
    match digits.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number * unit_gb),
        _ => Err("it must be a number greater than 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_none_is_guessed() {
        let same = |one: Result<f64, String>, gb: f64| assert!((one.unwrap() - gb).abs() < 1e-9);
        same(gigabytes("2.5"), 2.5);
        same(gigabytes("500M"), 0.5);
        same(megabytes("16000"), 16.0);
        same(megabytes("16G"), 16.0);
        same(with_unit("16GB"), 16.0);
        same(with_unit("1t"), 1000.0);
        assert!(with_unit("16").unwrap_err().contains("--mem 16G or --mem 16M"));
        for wrong in ["0", "-1", "many", "nan", "inf", "", "3X", "B", "5B"] {
            assert!(gigabytes(wrong).is_err(), "{wrong}");
        }
    }
}
