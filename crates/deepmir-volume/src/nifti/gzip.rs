//! Reading of gzip data as `gzip` itself reads them: member after member, and what follows the last one is ignored.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

type Decoder = GzDecoder<BufReader<File>>;

/// The unpacked content of a gzip file.
pub(super) struct Gzip {
    /// `None` while it is replaced, and when all is read.
    decoder: Option<Decoder>,
    /// Bytes after the last member that are no padding by zeros.
    pub ignored_bytes: u64,
}

impl Gzip {
    /// Of a reader that stands before the first member.
    pub fn new(reader: BufReader<File>) -> Self {
        Self { decoder: Some(GzDecoder::new(reader)), ignored_bytes: 0 }
    }

    /// What follows a member: another one, or nothing that counts. Tapes, block devices and some stores pad with zeros.
    fn next_member(&mut self, mut reader: BufReader<File>) -> io::Result<()> {
        loop {
            let bytes = reader.fill_buf()?;
            let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
            if bytes.is_empty() {
                return Ok(());
            }
            if zeros < bytes.len() {
                reader.consume(zeros);
                break;
            }
            reader.consume(zeros);
        }
        // A member's first two bytes may lie on both sides of the buffer's end.
        let first = reader.fill_buf()?[0];
        let mut rest = None;
        if first == 0x1f {
            if reader.buffer().len() > 1 {
                rest = Some(reader.buffer()[1]);
            } else {
                reader.consume(1);
                rest = reader.fill_buf()?.first().copied();
                if rest == Some(0x8b) {
                    reader.seek_relative(-1)?;
                }
            }
        }
        if rest == Some(0x8b) {
            self.decoder = Some(GzDecoder::new(reader));
        } else {
            self.ignored_bytes = io::copy(&mut reader, &mut io::sink())?.max(1);
        }
        Ok(())
    }
}

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let count = decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if let Some(decoder) = self.decoder.take() {
                self.next_member(decoder.into_inner())?;
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::{Seek, Write};

    fn member(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// What is read of a file, with a buffer of so many bytes, and how many bytes were ignored.
    fn read(parts: &[&[u8]], buffer: usize) -> io::Result<(String, u64)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&parts.concat()).unwrap();
        file.rewind().unwrap();
        let mut gzip = Gzip::new(BufReader::with_capacity(buffer, file));
        let mut text = String::new();
        gzip.read_to_string(&mut text)?;
        Ok((text, gzip.ignored_bytes))
    }

    #[test]
    fn members_are_joined_and_what_follows_is_ignored() {
        let (one, two) = (member(b"mag"), member(b"net"));
        for buffer in [2, 3, 7, 23, 24, 4096] {
            let read = |parts: &[&[u8]]| read(parts, buffer).unwrap();
            assert_eq!(read(&[&one]), ("mag".to_owned(), 0));
            assert_eq!(read(&[&one, &two]), ("magnet".to_owned(), 0));
            assert_eq!(read(&[&one, &[0; 600]]), ("mag".to_owned(), 0));
            assert_eq!(read(&[&one, &[0; 5], &two, &[0; 3]]), ("magnet".to_owned(), 0));
            assert_eq!(read(&[&one, b"trailing"]), ("mag".to_owned(), 8));
            assert_eq!(read(&[&one, &[0; 9], b"\x1fx"]).0, "mag");
        }
        assert!(read(&[&one[..one.len() - 3]], 64).is_err());
        assert!(read(&[&one, &two[..9]], 64).is_err());
    }
}
