//! What is vendored is what it says it is.

use std::path::Path;

use sha2::{Digest, Sha256};

#[test]
fn niivue_is_the_file_that_was_published() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page/vendor");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let recorded = readme.lines().rev().find_map(|line| line.trim().split_once("  ")).unwrap();
    let bytes = std::fs::read(folder.join(recorded.1)).unwrap();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, recorded.0);
    assert!(bytes.len() < 5_000_000);
    let licence = std::fs::read_to_string(folder.join("LICENSE.niivue.txt")).unwrap();
    assert!(licence.starts_with("BSD 2-Clause License"));
}
