//! Model bundles: the entries of the tar archive and what is in them.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::{Damaged, bytes, odd, pick, safetensors, tree};

const BLOCK: usize = 512;

/// A file of the archive: its header block and its contents.
#[derive(Clone)]
struct Entry {
    header: Vec<u8>,
    contents: Vec<u8>,
}

impl Entry {
    fn name(&self) -> String {
        let end = self.header.iter().position(|&byte| byte == 0).unwrap_or(100).min(100);
        String::from_utf8_lossy(&self.header[..end]).into_owned()
    }

    /// Writes a field of the header and its checksum.
    fn set(&mut self, at: usize, width: usize, value: &[u8]) {
        let field = &mut self.header[at..at + width];
        field.fill(0);
        let length = value.len().min(width);
        field[..length].copy_from_slice(&value[..length]);
        self.header[148..156].fill(b' ');
        let sum: u32 = self.header.iter().map(|&byte| u32::from(byte)).sum();
        self.header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }

    /// Other contents, with their size.
    fn fill(&mut self, contents: Vec<u8>) {
        self.set(124, 12, format!("{:011o}\0", contents.len()).as_bytes());
        self.contents = contents;
    }
}

fn unpack(archive: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut at = 0;
    while let Some(header) = archive.get(at..at + BLOCK).filter(|header| header[0] != 0) {
        let digits: String = header[124..135].iter().map(|&byte| char::from(byte)).collect();
        let size = usize::from_str_radix(digits.trim_matches(['\0', ' ']), 8).unwrap_or(0);
        let Some(contents) = archive.get(at + BLOCK..at + BLOCK + size) else { break };
        entries.push(Entry { header: header.to_vec(), contents: contents.to_vec() });
        at += BLOCK + size.div_ceil(BLOCK) * BLOCK;
    }
    entries
}

fn pack(entries: &[Entry]) -> Vec<u8> {
    let mut archive = Vec::new();
    for entry in entries {
        archive.extend_from_slice(&entry.header);
        archive.extend_from_slice(&entry.contents);
        archive.resize(archive.len().div_ceil(BLOCK) * BLOCK, 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

/// Names that must not be written to, or that nobody can have.
const NAMES: [&str; 9] = [
    "../escaped.toml",
    "/tmp/escaped.toml",
    "model.toml",
    "weights.safetensors",
    "",
    ".",
    "a/b/c.toml",
    "\u{ff}.toml",
    "weights-2.safetensors",
];

/// Damages an entry in two of three cases (its checksum in `model.toml` then mended, in two of three of
/// those), else the archive.
pub fn damage(contents: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let mut entries = unpack(contents);
    let at = super::below(entries.len(), random);
    let name = entries.get(at)?.name();
    let old = entries[at].contents.clone();
    let what = match random.random_range(0..12) {
        0..=7 => {
            let damaged = if name.ends_with(".toml") {
                tree::damage_toml(&old, random)
            } else {
                safetensors::damage(&old, random)
            }?;
            if random.random_ratio(2, 3) {
                mend(&mut entries, &old, &damaged.bytes);
            }
            entries[at].fill(damaged.bytes);
            format!("{name}: {}", damaged.what)
        }
        8 => {
            let new = *pick(&NAMES, random)?;
            entries[at].set(0, 100, new.as_bytes());
            format!("{name} named {new:?}")
        }
        9 => {
            // Links, devices, folders, long names.
            let kind = *pick(b"12345678gxLKS\0", random)?;
            entries[at].set(156, 1, &[kind]);
            entries[at].set(157, 100, b"/etc/passwd");
            format!("{name} of type {:?}", char::from(kind))
        }
        10 => {
            let size = match random.random_range(0..3) {
                0 => format!("{:011o}\0", odd::integer(4, random) as u32).into_bytes(),
                1 => b"77777777777\0".to_vec(),
                _ => [&[0x80, 0, 0, 0][..], &odd::integer(8, random).to_be_bytes()].concat(),
            };
            entries[at].set(124, 12, &size);
            format!("{name} of another size")
        }
        _ => match random.random_range(0..4) {
            0 => {
                entries.remove(at);
                format!("without {name}")
            }
            1 => {
                let copy = entries[at].clone();
                entries.push(copy);
                format!("{name} twice")
            }
            2 => {
                entries.reverse();
                "entries backwards".to_owned()
            }
            _ => return Some(bytes::damage(contents, random)),
        },
    };
    Some(Damaged::new(pack(&entries), what))
}

/// Writes the checksum of the new contents where that of the old stands.
fn mend(entries: &mut [Entry], old: &[u8], new: &[u8]) {
    let hex = |bytes: &[u8]| {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    for entry in entries.iter_mut().filter(|entry| entry.name().ends_with(".toml")) {
        let text = String::from_utf8_lossy(&entry.contents).replace(&hex(old), &hex(new));
        entry.fill(text.into_bytes());
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let entries: Vec<Entry> = files
            .iter()
            .map(|(name, contents)| {
                let mut entry = Entry { header: vec![0; BLOCK], contents: Vec::new() };
                entry.set(0, 100, name.as_bytes());
                entry.set(257, 8, b"ustar\x0000");
                entry.fill(contents.to_vec());
                entry
            })
            .collect();
        pack(&entries)
    }

    pub fn names(archive: &[u8]) -> Vec<String> {
        unpack(archive).iter().map(Entry::name).collect()
    }
}
