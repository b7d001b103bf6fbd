//! Crates that must stay free of the network: listing a dataset's files must not compile one.

use std::process::Command;

use crate::command::{cargo_path, output};

/// The crate that everything without a network is built on.
const CRATE: &str = "deepmir-cases";
/// What it must not depend on, directly or not; `burn` also stands for `burn-core` and the like.
const FORBIDDEN: [&str; 3] = ["burn", "deepmir-net", "deepmir-kernels"];

/// Reads the dependency tree of [`CRATE`].
pub fn check() -> Result<(), String> {
    let name = format!("cargo tree --package {CRATE} --edges normal");
    eprintln!("» {name}");
    let mut command = Command::new(cargo_path());
    command.args(["tree", "--package", CRATE, "--edges", "normal", "--prefix", "none"]);
    let tree = output(command, &name)?;
    match forbidden(&tree) {
        Some(package) => Err(format!("{name}: {CRATE} must not depend on {package}")),
        None => Ok(()),
    }
}

/// The first forbidden package of a tree, one package a line.
fn forbidden(tree: &str) -> Option<&str> {
    let packages = tree.lines().filter_map(|line| line.split_whitespace().next());
    packages.into_iter().find(|package| {
        FORBIDDEN.iter().any(|name| package == name || package.starts_with("burn-"))
    })
}

#[cfg(test)]
mod tests {
    use super::forbidden;

    #[test]
    fn a_network_below_the_cases_is_named() {
        let tree = "deepmir-cases v0.1.0 (/x)\ndeepmir-lesion v0.1.0\nserde v1.0.0\n";
        assert_eq!(forbidden(tree), None);
        assert_eq!(forbidden(&format!("{tree}burn-core v0.22.1\n")), Some("burn-core"));
        assert_eq!(forbidden(&format!("{tree}deepmir-net v0.1.0 (*)\n")), Some("deepmir-net"));
        assert_eq!(forbidden(&format!("{tree}burnish v1.0.0\n")), None);
    }
}
