//! Elements to bytes.

use super::{Element, Object, Value, tags};

const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
const ITEM: u32 = 0xFFFE_E000;

impl Object {
    /// The bytes of a file: preamble, meta information, data set. `class` and `instance` are the object's UIDs, and
    /// `implementation` that of the program.
    pub fn file(&self, class: &str, instance: &str, implementation: &str) -> Vec<u8> {
        let meta = Self::new()
            .bytes(tags::META_VERSION, vec![0, 1])
            .text(tags::MEDIA_STORAGE_SOP_CLASS_UID, class)
            .text(tags::MEDIA_STORAGE_SOP_INSTANCE_UID, instance)
            .text(tags::TRANSFER_SYNTAX_UID, EXPLICIT_LITTLE_ENDIAN)
            .text(tags::IMPLEMENTATION_CLASS_UID, implementation);
        let mut rest = Vec::new();
        meta.encode(&mut rest);
        let mut bytes = vec![0; 128];
        bytes.extend(b"DICM");
        Self::new().longs(tags::META_LENGTH, &[rest.len() as u32]).encode(&mut bytes);
        bytes.extend(rest);
        self.encode(&mut bytes);
        bytes
    }

    /// Appends all elements.
    fn encode(&self, bytes: &mut Vec<u8>) {
        for (&tag, element) in &self.elements {
            head(tag, bytes);
            element.encode(bytes);
        }
    }
}

impl Element {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.vr);
        let long = [b"OB", b"OW", b"OF", b"SQ", b"UC", b"UR", b"UT", b"UN"].contains(&&self.vr);
        let value = match &self.value {
            Value::Bytes(value) => self.padded(value),
            Value::Items(items) => {
                let mut value = Vec::new();
                for item in items {
                    let mut inside = Vec::new();
                    item.encode(&mut inside);
                    head(ITEM, &mut value);
                    value.extend((inside.len() as u32).to_le_bytes());
                    value.extend(inside);
                }
                value
            }
        };
        if long {
            bytes.extend([0, 0]);
            bytes.extend((value.len() as u32).to_le_bytes());
            bytes.extend(value);
        } else {
            // Text that is longer than the short form holds is cut; no attribute of it is that long.
            let length = value.len().min(usize::from(u16::MAX) - 1);
            bytes.extend((length as u16).to_le_bytes());
            bytes.extend(&value[..length]);
        }
    }

    /// Values have even lengths: UIDs and bytes end with a zero, text with a space.
    fn padded(&self, value: &[u8]) -> Vec<u8> {
        let mut value = value.to_vec();
        if value.len() % 2 == 1 {
            let zero = [b"UI", b"OB", b"UN"].contains(&&self.vr);
            value.push(if zero { 0 } else { b' ' });
        }
        value
    }
}

fn head(tag: u32, bytes: &mut Vec<u8>) {
    bytes.extend(((tag >> 16) as u16).to_le_bytes());
    bytes.extend((tag as u16).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::parse;

    #[test]
    fn what_is_written_is_read_back() {
        let inner = Object::new().text(tags::IMAGE_POSITION, "1\\-2\\3.5");
        let object = Object::new()
            .text(tags::SOP_CLASS_UID, "1.2.3")
            .short(tags::ROWS, 7)
            .items(tags::PLANE_POSITION_SEQUENCE, vec![Object::new(), inner])
            .bytes(tags::PIXEL_DATA, vec![1, 2, 3]);
        let bytes = object.file("1.2.3", "1.2.3.4", "1.2");
        let parsed = parse::open(Path::new("object"), &bytes, false).unwrap();
        let data = parsed.dataset;
        assert_eq!(data.text(parse::tags::SOP_CLASS_UID).as_deref(), Some("1.2.3"));
        assert_eq!(data.number(parse::tags::ROWS), Some(7.0));
        let items = data.items(parse::tags::PLANE_POSITION_SEQUENCE);
        assert_eq!(items.len(), 2);
        assert_eq!(items[1].numbers(parse::tags::IMAGE_POSITION), [1.0, -2.0, 3.5]);
        assert_eq!(data.bytes(parse::tags::PIXEL_DATA), Some(&[1, 2, 3, 0][..]));
    }
}
