//! Gives the crate the checksum of its own sources that shape what a cell stores; those of the crates below are
//! `deepmir_pipeline::CODE`.

use std::path::Path;

#[path = "../deepmir-pipeline/build/sources.rs"]
#[expect(dead_code, reason = "the crates below are hashed by the pipeline's build script")]
mod sources;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let own = ["crates/deepmir-study/src/run".to_owned()];
    println!("cargo::rerun-if-changed=src/run");
    println!("cargo::rerun-if-changed=../deepmir-pipeline/build");
    println!("cargo::rustc-env=DEEPMIR_STUDY_CODE={}", sources::checksum(&root, &own)?);
    Ok(())
}
