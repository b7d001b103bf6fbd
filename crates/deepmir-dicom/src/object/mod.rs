//! Data sets that are written: a tree of elements, and its bytes as a file in Explicit VR Little Endian.

mod encode;
pub mod tags;

use std::collections::BTreeMap;

pub use tags::Attribute;

/// A data set to be written. Elements are kept in the order of their tags, as files have them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    elements: BTreeMap<u32, Element>,
}

#[derive(Clone, Debug, PartialEq)]
struct Element {
    vr: [u8; 2],
    value: Value,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Bytes(Vec<u8>),
    Items(Vec<Object>),
}

impl Object {
    /// Without elements.
    pub fn new() -> Self {
        Self::default()
    }

    /// With an element of bytes as they are.
    #[must_use]
    pub fn bytes(mut self, attribute: Attribute, value: Vec<u8>) -> Self {
        let element = Element { vr: attribute.1, value: Value::Bytes(value) };
        self.elements.insert(attribute.0, element);
        self
    }

    /// With text; several values are separated by backslashes.
    #[must_use]
    pub fn text(self, attribute: Attribute, value: &str) -> Self {
        self.bytes(attribute, value.as_bytes().to_vec())
    }

    /// With numbers as text of at most 16 letters each (DS).
    #[must_use]
    pub fn decimals(self, attribute: Attribute, values: &[f64]) -> Self {
        let values: Vec<String> = values.iter().map(|&value| decimal(value)).collect();
        self.text(attribute, &values.join("\\"))
    }

    /// With a 16-bit number (US).
    #[must_use]
    pub fn short(self, attribute: Attribute, value: u16) -> Self {
        self.bytes(attribute, value.to_le_bytes().to_vec())
    }

    /// With a 16-bit number with a sign (SS).
    #[must_use]
    pub fn signed(self, attribute: Attribute, value: i16) -> Self {
        self.bytes(attribute, value.to_le_bytes().to_vec())
    }

    /// With a 64-bit float (FD).
    #[must_use]
    pub fn double(self, attribute: Attribute, value: f64) -> Self {
        self.bytes(attribute, value.to_le_bytes().to_vec())
    }

    /// With 32-bit numbers (UL).
    #[must_use]
    pub fn longs(self, attribute: Attribute, values: &[u32]) -> Self {
        self.bytes(attribute, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// With tags (AT).
    #[must_use]
    pub fn tag(self, attribute: Attribute, tag: u32) -> Self {
        let halves = [(tag >> 16) as u16, tag as u16];
        self.bytes(attribute, halves.iter().flat_map(|half| half.to_le_bytes()).collect())
    }

    /// With 32-bit floats (FL).
    #[must_use]
    pub fn floats(self, attribute: Attribute, values: &[f32]) -> Self {
        self.bytes(attribute, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// With a sequence of data sets.
    #[must_use]
    pub fn items(mut self, attribute: Attribute, items: Vec<Self>) -> Self {
        let element = Element { vr: attribute.1, value: Value::Items(items) };
        self.elements.insert(attribute.0, element);
        self
    }

    /// With all elements of another; those take the place of its own.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.elements.extend(other.elements.clone());
        self
    }
}

/// A number in at most 16 letters, exactly where they suffice.
fn decimal(value: f64) -> String {
    let shortest = format!("{value}");
    if shortest.len() <= 16 {
        return shortest;
    }
    let digits = |count: usize| format!("{value:.count$e}");
    (0..=12).rev().map(digits).find(|text| text.len() <= 16).unwrap_or(shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_in_sixteen_letters_and_keep_their_value() {
        for value in
            [0.75, -123.456_789, 1.0 / 3.0, -1.0e-7 / 3.0, 2.0e30 / 7.0, 0.0, -98_765.432_1]
        {
            let text = decimal(value);
            assert!(text.len() <= 16, "{text}");
            let back: f64 = text.parse().unwrap();
            assert!((back - value).abs() <= value.abs() * 1e-8, "{value} {text}");
        }
        assert_eq!(decimal(0.75), "0.75");
    }
}
