//! JSON as converters write it.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The fields of a JSON object in the order of the file.
///
/// A byte-order mark is passed over, text in UTF-16 is taken too, and what is no UTF-8 inside of strings is replaced.
/// `NaN` and `Infinity`, which Python writes, are read as null: nothing was measured.
///
/// # Errors
/// What is wrong, if it is no JSON object or tells two different values for one field.
pub fn parse_object(bytes: &[u8]) -> Result<serde_json::Map<String, Value>, String> {
    let text = without_not_a_number(&decoded(bytes));
    let mut reader = serde_json::Deserializer::from_str(&text);
    let fields = reader.deserialize_any(Fields).and_then(|fields| reader.end().map(|()| fields));
    let fields = fields.map_err(|error| {
        if error.is_data() { "no JSON object".to_owned() } else { format!("no JSON ({error})") }
    })?;
    let mut object = serde_json::Map::new();
    for (name, value) in fields {
        if let Some(first) = object.get(&name)
            && *first != value
        {
            return Err(format!("{name} stands there twice, as {first} and as {value}"));
        }
        object.insert(name, value);
    }
    Ok(object)
}

fn decoded(bytes: &[u8]) -> String {
    let wide = |bytes: &[u8], join: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| join([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// NaN and infinite numbers outside of strings become null.
fn without_not_a_number(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            'a'..='z' | 'A'..='Z' => {
                let word = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
                if ["NaN", "nan", "Infinity", "Inf", "inf"].contains(&&rest[..word]) {
                    if clean.ends_with(['-', '+']) {
                        clean.pop();
                    }
                    clean.push_str("null");
                    rest = &rest[word..];
                    continue;
                }
                word
            }
            other => other.len_utf8(),
        };
        clean.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    clean
}

/// Bytes of the string that `text` begins with, quotes and all.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[u8]) -> Option<f64> {
        parse_object(bytes).unwrap().get("EchoTime").and_then(Value::as_f64)
    }

    #[test]
    fn byte_order_marks_and_foreign_letters_are_passed_over() {
        let text = r#"{"EchoTime": 0.006, "InstitutionName": "Universität"}"#;
        assert_eq!(number(text.as_bytes()), Some(0.006));
        assert_eq!(number(format!("\u{feff}{text}").as_bytes()), Some(0.006));
        let wide: Vec<u8> =
            format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(number(&wide), Some(0.006));
        let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        assert_eq!(number(&latin), Some(0.006));
    }

    #[test]
    fn what_python_writes_for_no_number_is_null() {
        let text = r#"{"SliceThickness": NaN, "a": [-Infinity, Infinity], "b": "NaN \" NaN", "EchoTime": 0.01}"#;
        let fields = parse_object(text.as_bytes()).unwrap();
        assert_eq!(fields["SliceThickness"], Value::Null);
        assert_eq!(fields["a"], serde_json::json!([null, null]));
        assert_eq!(fields["b"], "NaN \" NaN");
        assert_eq!(fields["EchoTime"], 0.01);
    }

    #[test]
    fn a_field_that_stands_there_twice_is_told() {
        let twice = br#"{"EchoTime": 0.006, "EchoTime": 0.012}"#;
        assert!(parse_object(twice).unwrap_err().contains("EchoTime stands there twice"));
        assert_eq!(number(br#"{"EchoTime": 0.006, "EchoTime": 0.006}"#), Some(0.006));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", "[1]", "{", "{} {}", "NaN", "\"", "{\"a\": \"", "// no\n{}"] {
            assert!(parse_object(text.as_bytes()).is_err(), "{text}");
        }
    }
}
