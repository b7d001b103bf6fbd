//! Gives the crate the checksums of its own sources that shape what a cell and a qualification store; those of the crates below are
//! `deepmir_pipeline::CODE`.

use std::path::Path;

#[path = "../deepmir-pipeline/build/sources.rs"]
#[expect(dead_code, reason = "the crates below are hashed by the pipeline's build script")]
mod sources;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (name, folder) in
        [("DEEPMIR_STUDY_CODE", "run"), ("DEEPMIR_QUALIFY_CODE", "qualify/measure")]
    {
        let own = [format!("crates/deepmir-study/src/{folder}")];
        println!("cargo::rerun-if-changed=src/{folder}");
        println!("cargo::rustc-env={name}={}", sources::checksum(&root, &own)?);
    }
    println!("cargo::rerun-if-changed=../deepmir-pipeline/build");
    Ok(())
}
