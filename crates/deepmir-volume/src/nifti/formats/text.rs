//! Headers of text.

use std::collections::BTreeMap;

use super::super::parse::HeaderFault;

/// Where an NRRD header ends: after its first empty line.
pub(super) fn end_of_nrrd(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        start += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            return Some(start);
        }
    }
    None
}

/// Where a MetaImage header ends: after the line that names the file of the voxels.
pub(super) fn end_of_metaimage(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        start += line.len();
        if line.ends_with(b"\n") && line.trim_ascii_start().starts_with(b"ElementDataFile") {
            return Some(start);
        }
    }
    None
}

/// Keys in small letters and their values, of lines of a key, `separator` and a value.
pub(super) struct Fields {
    /// What messages call the header.
    format: &'static str,
    values: BTreeMap<String, String>,
}

impl Fields {
    pub fn of(format: &'static str, lines: &[u8], separator: &str) -> Self {
        let text = String::from_utf8_lossy(lines);
        let fields = text.lines().filter(|line| !line.starts_with('#'));
        let fields = fields.filter_map(|line| line.split_once(separator));
        let values = fields
            .map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self { format, values }
    }

    /// The value of the first of some keys that is there.
    pub fn get(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|&key| self.values.get(key)).map(String::as_str)
    }

    /// As [`Fields::get`], and refuses a header without.
    pub fn need(&self, keys: &[&str]) -> Result<&str, HeaderFault> {
        self.get(keys).ok_or_else(|| self.broken(&format!("does not say its {}", keys[0])))
    }

    /// Numbers that are separated by spaces.
    pub fn numbers(&self, keys: &[&str]) -> Result<Option<Vec<f64>>, HeaderFault> {
        let Some(text) = self.get(keys) else { return Ok(None) };
        let numbers: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
        let fault = || self.broken(&format!("has {} {text:?}, which are no numbers", keys[0]));
        numbers.map(Some).map_err(|_| fault())
    }

    /// Lengths of three axes or more, as many as `count` says.
    pub fn lengths(&self, keys: &[&str], count: &str) -> Result<Vec<u64>, HeaderFault> {
        let text = self.need(keys)?;
        let lengths: Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
        match lengths {
            Ok(lengths) if lengths.len().to_string() == count && !lengths.contains(&0) => {
                Ok(lengths)
            }
            _ => Err(self.broken(&format!(
                "has {} {text:?}, which are not the lengths of {count} axes",
                keys[0]
            ))),
        }
    }

    /// A whole number.
    pub fn whole(&self, keys: &[&str], default: i64) -> Result<i64, HeaderFault> {
        let Some(text) = self.get(keys) else { return Ok(default) };
        text.parse().map_err(|_| self.broken(&format!("has {} {text:?}, no whole number", keys[0])))
    }

    /// Something wrong with the header.
    pub fn broken(&self, what: &str) -> HeaderFault {
        HeaderFault::Broken(format!("its {} header {what}", self.format))
    }
}
