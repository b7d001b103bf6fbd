//! Gives the crate the checksum of all sources that decide what it computes.

use std::path::Path;

#[path = "build/sources.rs"]
mod sources;

fn main() -> std::io::Result<()> {
    // As the script runs: its own folder may have moved since it was compiled.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let root = Path::new(&here).join("../..");
    // Pages and pictures show results and decide none.
    let mut code = sources::sources_of(&root, "deepmir-pipeline", &["deepmir-report"])?;
    code.push("Cargo.lock".to_owned());
    for source in &code {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rustc-env=DEEPMIR_CODE={}", sources::checksum(&root, &code)?);
    Ok(())
}
