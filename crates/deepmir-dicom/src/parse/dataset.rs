//! A data set: elements in the order of the file.

use super::tags::{PIXEL_DATA, Tag};

const ITEM: u32 = 0xFFFE_E000;
const END_OF_ITEM: u32 = 0xFFFE_E00D;
const END_OF_SEQUENCE: u32 = 0xFFFE_E0DD;
const UNDEFINED: u32 = u32::MAX;
/// Functional groups nest three deep, and private ones not much deeper.
const DEEPEST: u8 = 24;

/// What is wrong with bytes that should be a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An element is longer than what is left.
    EndsEarly {
        /// The element.
        tag: u32,
    },
    /// Bytes where an element should begin are none.
    NoElement,
    /// Sequences within sequences beyond any sense.
    TooDeep,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EndsEarly { tag } => write!(
                formatter,
                "it ends inside of element ({:04X},{:04X})",
                tag >> 16,
                tag & 0xFFFF
            ),
            Self::NoElement => formatter.write_str("bytes that are no data element"),
            Self::TooDeep => formatter.write_str("sequences are nested too deep"),
        }
    }
}

/// One data element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub tag: u32,
    /// As the file says it; none in implicit VR.
    pub vr: Option<[u8; 2]>,
    pub value: &'a [u8],
    /// Whether items inside say their VR.
    explicit_inside: bool,
}

/// The elements of a data set, or of an item of a sequence.
#[derive(Clone, Debug, Default)]
pub struct Dataset<'a> {
    elements: Vec<Element<'a>>,
    depth: u8,
}

/// Reads on through bytes.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize, tag: u32) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(length).ok_or(Fault::EndsEarly { tag })?;
        let part = self.bytes.get(self.at..end).ok_or(Fault::EndsEarly { tag })?;
        self.at = end;
        Ok(part)
    }

    fn u16(&mut self, tag: u32) -> Result<u16, Fault> {
        self.take(2, tag).map(|part| u16::from_le_bytes([part[0], part[1]]))
    }

    fn u32(&mut self, tag: u32) -> Result<u32, Fault> {
        self.take(4, tag).map(|part| u32::from_le_bytes([part[0], part[1], part[2], part[3]]))
    }

    fn tag(&mut self) -> Result<u32, Fault> {
        let group = self.u16(0)?;
        Ok(u32::from(group) << 16 | u32::from(self.u16(0)?))
    }

    fn peeked_tag(&self) -> Option<u32> {
        Reader { bytes: self.bytes, at: self.at }.tag().ok()
    }

    /// Representation and length of the element whose tag was read.
    fn rest_of_head(&mut self, tag: u32, explicit: bool) -> Result<(Option<[u8; 2]>, u32), Fault> {
        if !explicit {
            return Ok((None, self.u32(tag)?));
        }
        let vr = self.take(2, tag)?;
        let vr = [vr[0], vr[1]];
        if !vr.iter().all(u8::is_ascii_uppercase) {
            return Err(Fault::NoElement);
        }
        let long = [b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UR", b"UT", b"UN"];
        if long.contains(&&vr) || [b"SV", b"UV"].contains(&&vr) {
            self.take(2, tag)?;
            return Ok((Some(vr), self.u32(tag)?));
        }
        Ok((Some(vr), u32::from(self.u16(tag)?)))
    }

    fn element(&mut self, explicit: bool, depth: u8) -> Result<Element<'a>, Fault> {
        let tag = self.tag()?;
        let (vr, length) = self.rest_of_head(tag, explicit)?;
        // A sequence of unknown representation is in implicit VR, whatever stands around it.
        let explicit_inside = explicit && vr != Some(*b"UN");
        let start = self.at;
        let value = match length {
            UNDEFINED if tag == PIXEL_DATA => {
                self.skip_fragments(tag)?;
                &self.bytes[start..self.at]
            }
            UNDEFINED => {
                self.skip_items(tag, explicit_inside, depth + 1)?;
                &self.bytes[start..self.at]
            }
            length => self.take(length as usize, tag)?,
        };
        Ok(Element { tag, vr, value, explicit_inside })
    }

    fn skip_fragments(&mut self, tag: u32) -> Result<(), Fault> {
        loop {
            let kind = self.tag().map_err(|_| Fault::EndsEarly { tag })?;
            let length = self.u32(tag)?;
            match kind {
                END_OF_SEQUENCE => return Ok(()),
                ITEM => self.take(length as usize, tag)?,
                _ => return Err(Fault::NoElement),
            };
        }
    }

    fn skip_items(&mut self, tag: u32, explicit: bool, depth: u8) -> Result<(), Fault> {
        loop {
            let kind = self.tag().map_err(|_| Fault::EndsEarly { tag })?;
            let length = self.u32(tag)?;
            match (kind, length) {
                (END_OF_SEQUENCE, _) => return Ok(()),
                (ITEM, UNDEFINED) => {
                    self.elements(explicit, depth, |tag| tag == END_OF_ITEM, |_| {})?;
                    self.take(8, tag)?;
                }
                (ITEM, length) => {
                    self.take(length as usize, tag)?;
                }
                _ => return Err(Fault::NoElement),
            }
        }
    }

    /// Elements up to one for which `stop` holds, which is not read, or to the end.
    fn elements(
        &mut self,
        explicit: bool,
        depth: u8,
        stop: impl Fn(u32) -> bool,
        mut keep: impl FnMut(Element<'a>),
    ) -> Result<(), Fault> {
        if depth > DEEPEST {
            return Err(Fault::TooDeep);
        }
        while self.at < self.bytes.len() {
            match self.peeked_tag() {
                Some(tag) if stop(tag) => return Ok(()),
                Some(_) => keep(self.element(explicit, depth)?),
                None => break,
            }
        }
        Ok(())
    }
}

impl<'a> Dataset<'a> {
    /// The elements of `bytes` up to one for which `stop` holds, and how many bytes they take.
    ///
    /// # Errors
    /// If bytes are no elements, or end inside of one.
    pub fn parse(
        bytes: &'a [u8],
        explicit: bool,
        stop: impl Fn(u32) -> bool,
    ) -> Result<(Self, usize), Fault> {
        let mut reader = Reader { bytes, at: 0 };
        let mut elements = Vec::new();
        reader.elements(explicit, 0, stop, |element| elements.push(element))?;
        Ok((Self { elements, depth: 0 }, reader.at))
    }

    pub(super) fn element(&self, tag: u32) -> Option<&Element<'a>> {
        self.elements.iter().find(|element| element.tag == tag)
    }

    /// The bytes of an element.
    pub fn bytes(&self, tag: u32) -> Option<&'a [u8]> {
        self.element(tag).map(|element| element.value)
    }

    /// The data sets of a sequence; none if it is absent or damaged.
    pub fn items(&self, tag: Tag) -> Vec<Dataset<'a>> {
        let Some(element) = self.element(tag.0) else { return Vec::new() };
        let mut reader = Reader { bytes: element.value, at: 0 };
        let mut items = Vec::new();
        let (explicit, depth) = (element.explicit_inside, self.depth + 1);
        while let (Ok(ITEM), Ok(length)) = (reader.tag(), reader.u32(tag.0)) {
            let mut elements = Vec::new();
            let read = if length == UNDEFINED {
                let end = |tag| tag == END_OF_ITEM;
                let read = reader.elements(explicit, depth, end, |one| elements.push(one));
                read.and_then(|()| reader.take(8, tag.0).map(|_| ()))
            } else {
                let inside = reader.take(length as usize, tag.0);
                inside.and_then(|bytes| {
                    let mut inside = Reader { bytes, at: 0 };
                    inside.elements(explicit, depth, |_| false, |one| elements.push(one))
                })
            };
            if read.is_err() {
                break;
            }
            items.push(Dataset { elements, depth });
        }
        items
    }

    /// The fragments of encapsulated pixel data, the table of offsets left out.
    pub fn fragments(&self) -> Vec<&'a [u8]> {
        let mut reader = Reader { bytes: self.bytes(PIXEL_DATA).unwrap_or_default(), at: 0 };
        let mut fragments = Vec::new();
        while let (Ok(ITEM), Ok(length)) = (reader.tag(), reader.u32(PIXEL_DATA)) {
            let Ok(fragment) = reader.take(length as usize, PIXEL_DATA) else { break };
            fragments.push(fragment);
        }
        if !fragments.is_empty() {
            fragments.remove(0);
        }
        fragments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tags;

    fn explicit(tag: u32, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(((tag >> 16) as u16).to_le_bytes());
        bytes.extend((tag as u16).to_le_bytes());
        bytes.extend(vr);
        bytes.extend((value.len() as u16).to_le_bytes());
        bytes.extend(value);
        bytes
    }

    fn item(kind: u32, length: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(((kind >> 16) as u16).to_le_bytes());
        bytes.extend((kind as u16).to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes
    }

    #[test]
    fn a_length_beyond_the_file_is_not_believed() {
        let mut bytes = explicit(0x0028_0010, b"US", &[2, 0]);
        bytes.extend([0xE0, 0x7F, 0x10, 0x00, b'O', b'W', 0, 0, 0xF0, 0xFF, 0xFF, 0xFF]);
        let fault = Dataset::parse(&bytes, true, |_| false).unwrap_err();
        assert_eq!(fault, Fault::EndsEarly { tag: PIXEL_DATA });
        let (header, read) = Dataset::parse(&bytes, true, |tag| tag == PIXEL_DATA).unwrap();
        assert_eq!((header.number(tags::ROWS), read), (Some(2.0), 10));
    }

    #[test]
    fn sequences_of_undefined_length_are_read_and_ends_found() {
        let mut bytes = vec![0x13, 0x91, 0x20, 0x00];
        bytes.splice(0..4, [0x20, 0x00, 0x13, 0x91, b'S', b'Q', 0, 0, 255, 255, 255, 255]);
        bytes.extend(item(ITEM, UNDEFINED));
        bytes.extend(explicit(0x0020_0032, b"DS", br"1\2\3 "));
        bytes.extend(item(END_OF_ITEM, 0));
        bytes.extend(item(END_OF_SEQUENCE, 0));
        bytes.extend(explicit(0x0028_0010, b"US", &[7, 0]));
        let (data, _) = Dataset::parse(&bytes, true, |_| false).unwrap();
        let items = data.items(tags::PLANE_POSITION_SEQUENCE);
        assert_eq!(items[0].numbers(tags::IMAGE_POSITION), [1.0, 2.0, 3.0]);
        assert_eq!(data.number(tags::ROWS), Some(7.0));
        for end in 1..bytes.len() {
            // Whatever the place where it is cut: an answer, never a panic.
            let _ = Dataset::parse(&bytes[..end], true, |_| false).map(|(data, _)| {
                data.items(tags::PLANE_POSITION_SEQUENCE).len() + data.fragments().len()
            });
        }
    }

    #[test]
    fn a_well_of_sequences_has_a_bottom() {
        let one = [
            &[0x20, 0x00, 0x13, 0x91, b'S', b'Q', 0, 0, 255, 255, 255, 255][..],
            &item(ITEM, UNDEFINED),
        ]
        .concat();
        let bytes = one.repeat(10_000);
        assert_eq!(Dataset::parse(&bytes, true, |_| false).unwrap_err(), Fault::TooDeep);
    }
}
