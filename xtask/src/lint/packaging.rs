//! What is released: the container's two definitions, the recipe and the scripts agree with each other and with
//! the workspace. Cheap; `cargo xtask dist` builds and tries them.

use std::fs;
use std::process::Command;

use crate::command::{has_program, root, status};

const DOCKERFILE: &str = "Dockerfile";
const APPTAINER: &str = "deepmir.def";
/// Files that name the program's version, and what stands before it there.
const VERSIONS: [(&str, &str); 2] =
    [("dist/conda/recipe.yaml", "version: "), ("CITATION.cff", "version: ")];
/// What both definitions run, in this order.
const STEPS: [&str; 2] = ["dist/build ", "dist/root "];
const SCRIPTS: [&str; 3] = ["dist/build", "dist/root", "dist/test"];

/// Compares the files; parses the scripts where there is bash.
pub fn check() -> Result<(), String> {
    eprintln!("» files of the release");
    let [docker, apptainer] = [read(DOCKERFILE)?, read(APPTAINER)?];
    for (file, before) in VERSIONS {
        let version = env!("CARGO_PKG_VERSION");
        if value(&read(file)?, before).is_none_or(|found| found.trim_matches('"') != version) {
            return Err(format!("{file}: its version is not the workspace's, {version}"));
        }
    }
    if let Some(fault) = difference(&docker, &apptainer) {
        return Err(fault);
    }
    if let Some(missing) = copied(&apptainer).into_iter().find(|name| !root().join(name).exists()) {
        return Err(format!("{APPTAINER}: there is no {missing} to copy"));
    }
    for script in SCRIPTS.iter().filter(|_| has_program("bash")) {
        let mut command = Command::new("bash");
        command.args(["-n", script]);
        status(command, &format!("bash -n {script}"))?;
    }
    Ok(())
}

fn read(file: &str) -> Result<String, String> {
    fs::read_to_string(root().join(file)).map_err(|error| format!("{file}: {error}"))
}

/// The rest of the first line that begins so, spaces left out.
fn value<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.trim_start().strip_prefix(before)).map(str::trim)
}

/// Where the definitions of the container disagree with each other or the workspace; `None` if nowhere.
fn difference(docker: &str, apptainer: &str) -> Option<String> {
    let entry = value(docker, "ENTRYPOINT ").map(|entry| {
        entry
            .trim_matches(['[', ']'])
            .split(',')
            .map(|word| word.trim().trim_matches('"'))
            .collect()
    });
    let run = value(apptainer, "exec ")
        .map(|run| run.split_whitespace().filter(|word| *word != "\"$@\"").collect::<Vec<_>>());
    if entry.is_none() || entry != run {
        return Some(format!("{DOCKERFILE} and {APPTAINER} start different commands"));
    }
    let base = |from: &str| from.split_whitespace().next().unwrap_or_default().to_owned();
    let [image, other] = [value(docker, "FROM ").map(base), value(apptainer, "From: ").map(base)];
    let rust = format!("rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    if image != other || image.is_none_or(|image| !image.starts_with(&rust)) {
        return Some(format!(
            "{DOCKERFILE} and {APPTAINER} do not build in the same image, {rust}…"
        ));
    }
    let step = |step: &&str| !docker.contains(*step) || !apptainer.contains(*step);
    let step = STEPS.iter().copied().find(step)?;
    Some(format!("{DOCKERFILE} or {APPTAINER} does not run {step}"))
}

/// What the Apptainer definition copies from the repository: first words of its first %files section.
fn copied(apptainer: &str) -> Vec<&str> {
    let lines = apptainer.lines().skip_while(|line| *line != "%files").skip(1);
    let lines = lines.take_while(|line| line.starts_with(' '));
    lines.filter_map(|line| line.split_whitespace().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::{copied, difference};

    const DOCKER: &str = concat!(
        "FROM rust:",
        env!("CARGO_PKG_RUST_VERSION"),
        "-slim AS build\nRUN dist/build --out /a && dist/root /a /r\nFROM scratch\nENTRYPOINT [\"/d\", \"run\"]\n"
    );
    const APPTAINER: &str = concat!(
        "From: rust:",
        env!("CARGO_PKG_RUST_VERSION"),
        "-slim\n%files\n    crates /d/crates\n    dist /d/dist\n\n%post\n    dist/build --out /a\n    dist/root /a /r\n\
         %runscript\n    exec /d run \"$@\"\n"
    );

    #[test]
    fn both_definitions_start_and_build_the_same() {
        assert_eq!(difference(DOCKER, APPTAINER), None);
        let other = APPTAINER.replace("/d run", "/d");
        assert!(difference(DOCKER, &other).unwrap().contains("start different commands"));
        let other = APPTAINER.replace("-slim", "-trixie");
        assert!(difference(DOCKER, &other).unwrap().contains("same image"));
        let other = APPTAINER.replace("dist/root", "cp");
        assert!(difference(DOCKER, &other).unwrap().contains("does not run dist/root"));
    }

    #[test]
    fn the_first_files_section_is_read() {
        assert_eq!(copied(APPTAINER), ["crates", "dist"]);
    }
}
