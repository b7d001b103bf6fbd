//! Unique identifiers that are the same for the same content.

use sha2::{Digest, Sha256};

/// Collects what an object is made of; objects that differ in anything of it have other identifiers.
#[derive(Clone, Default)]
pub struct Content(Sha256);

impl Content {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With bytes; their number counts too, so that parts do not run into each other.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// The identifier of one of the objects that are made of it: `2.25.` and a UUID of version 8 as a decimal number
    /// (PS3.5, B.2).
    pub fn uid(&self, of: &str) -> String {
        let digest = self.clone().with(of.as_bytes()).0.finalize();
        let mut uuid: [u8; 16] = std::array::from_fn(|n| digest[n]);
        uuid[6] = uuid[6] & 0x0F | 0x80;
        uuid[8] = uuid[8] & 0x3F | 0x80;
        format!("2.25.{}", u128::from_be_bytes(uuid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_valid_stable_and_of_the_content() {
        let content = Content::new().with(b"study").with(b"voxels");
        let uid = content.uid("SEG");
        assert_eq!(uid, Content::new().with(b"study").with(b"voxels").uid("SEG"));
        assert_ne!(uid, content.uid("SR"));
        assert_ne!(uid, Content::new().with(b"studyv").with(b"oxels").uid("SEG"));
        assert!(uid.len() <= 64 && uid.starts_with("2.25.") && !uid.starts_with("2.25.0"));
    }
}
