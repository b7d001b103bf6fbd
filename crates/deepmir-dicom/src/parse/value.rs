//! What the bytes of an element say.

use super::dataset::{Dataset, Element};
use super::tags::{self, Tag, Vr};

/// More values than this are no position, type or time.
const MOST_VALUES: usize = 4096;

impl Dataset<'_> {
    /// The first value as text without padding; `None` if it is absent or empty.
    pub fn text(&self, tag: Tag) -> Option<String> {
        self.texts(tag).into_iter().next().filter(|text| !text.is_empty())
    }

    /// All values as text without padding. Letters beyond ASCII are read as UTF-8, else as Latin-1.
    pub fn texts(&self, tag: Tag) -> Vec<String> {
        let Some(element) = self.element(tag.0).filter(|element| is_text(element, tag)) else {
            return self.numbers(tag).iter().map(ToString::to_string).collect();
        };
        let text = match std::str::from_utf8(element.value) {
            Ok(text) => text.to_owned(),
            Err(_) => element.value.iter().map(|&byte| char::from(byte)).collect(),
        };
        let trimmed = |part: &str| part.trim_matches([' ', '\0', '\t', '\r', '\n']).to_owned();
        text.split('\\').take(MOST_VALUES).map(trimmed).collect()
    }

    /// The first value as a number; `None` if it is absent, or no number.
    pub fn number(&self, tag: Tag) -> Option<f64> {
        self.numbers(tag).into_iter().next()
    }

    /// The number of frames that the file says it has.
    pub fn frame_count(&self) -> usize {
        self.number(tags::NUMBER_OF_FRAMES).map_or(1, |count| count as usize)
    }

    /// All values as numbers; none if one of them is no finite number.
    pub fn numbers(&self, tag: Tag) -> Vec<f64> {
        let Some(element) = self.element(tag.0) else { return Vec::new() };
        let numbers: Option<Vec<f64>> = if is_text(element, tag) {
            let parts = self.texts(tag);
            parts.iter().map(|part| part.parse().ok()).collect()
        } else {
            Some(binary(element, tag))
        };
        let all_finite = |numbers: &Vec<f64>| numbers.iter().all(|number| number.is_finite());
        numbers.filter(all_finite).unwrap_or_default()
    }
}

fn is_text(element: &Element<'_>, tag: Tag) -> bool {
    match element.vr.as_ref() {
        Some(b"US" | b"SS" | b"UL" | b"SL" | b"FL" | b"FD" | b"OB" | b"OW" | b"SQ") => false,
        Some(b"UN") | None => tag.1 == Vr::Text,
        Some(_) => true,
    }
}

fn binary(element: &Element<'_>, tag: Tag) -> Vec<f64> {
    fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        let chunks = bytes.chunks_exact(N).take(MOST_VALUES);
        chunks.filter_map(|chunk| chunk.try_into().ok().map(&read)).collect()
    }
    let bytes = element.value;
    let by_dictionary = match tag.1 {
        Vr::U16 => b"US",
        Vr::F32 => b"FL",
        Vr::F64 => b"FD",
        Vr::Text | Vr::Items => b"SQ",
    };
    match element.vr.as_ref().filter(|vr| *vr != b"UN").unwrap_or(by_dictionary) {
        b"US" => each(bytes, |raw| f64::from(u16::from_le_bytes(raw))),
        b"SS" => each(bytes, |raw| f64::from(i16::from_le_bytes(raw))),
        b"UL" => each(bytes, |raw| f64::from(u32::from_le_bytes(raw))),
        b"SL" => each(bytes, |raw| f64::from(i32::from_le_bytes(raw))),
        b"FL" => each(bytes, |raw| f64::from(f32::from_le_bytes(raw))),
        b"FD" => each(bytes, f64::from_le_bytes),
        _ => Vec::new(),
    }
}
