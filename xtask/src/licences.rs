//! `cargo xtask licences`: the licence texts of everything that is linked into the program.
//!
//! The crates are those of the default build for one target. Their texts lie in their packages, which cargo
//! has downloaded, so nothing is fetched here. Equal texts are printed once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use crate::command::{cargo_path, output, root};

/// Texts of what is linked but comes from no crate, one file each.
const NOTICES: &str = "dist/notices";
/// How names of licence files begin, in lower case.
const NAMES: [&str; 6] = ["licen", "copying", "copyright", "unlicense", "notice", "ofl"];
/// How they do not end: sources about licences.
const NO_TEXTS: [&str; 6] = ["rs", "toml", "json", "py", "sh", "c"];
/// Folders of a package that are not linked.
const NOT_LINKED: [&str; 6] = ["tests", "test", "benches", "examples", "fuzz", ".github"];

/// A crate of the build.
#[derive(Debug, PartialEq, PartialOrd, Eq, Ord)]
struct Package {
    name: String,
    version: String,
    licence: String,
}

/// Writes the texts to a file; an error names the crates that have none.
pub fn write(file: &str, target: Option<&str>) -> Result<(), String> {
    let packages = packages(target)?;
    let metadata = metadata()?;
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut without = Vec::new();
    for package in &packages {
        let name = format!("{} {} ({})", package.name, package.version, package.licence);
        let folder = folder(&metadata, package)
            .ok_or_else(|| format!("{}: not in cargo metadata", package.name))?;
        let found =
            texts_below(&folder, 3).map_err(|error| format!("{}: {error}", folder.display()))?;
        let found = if found.is_empty() { standard(package)?.into_iter().collect() } else { found };
        if found.is_empty() {
            without.push(name.clone());
        }
        for text in found {
            texts.entry(text).or_default().insert(name.clone());
        }
    }
    if !without.is_empty() {
        return Err(format!("no licence text: {}", without.join(", ")));
    }
    for (name, text) in notices()? {
        texts.entry(text).or_default().insert(name);
    }
    let file = root().join(file);
    fs::write(&file, page(&packages, &texts))
        .map_err(|error| format!("cannot write {}: {error}", file.display()))
}

/// The crates that the default build links for a target, without our own.
fn packages(target: Option<&str>) -> Result<BTreeSet<Package>, String> {
    let name = "cargo tree --package deepmir --edges normal";
    let mut command = Command::new(cargo_path());
    command.args(["tree", "--locked", "--package", "deepmir", "--edges", "normal"]);
    command.args(["--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"]);
    command.args(target.map(|target| format!("--target={target}")));
    Ok(output(command, name)?.lines().filter_map(package).collect())
}

/// Reads `name v1.0.0 (remarks)|licence`; our own crates have a path as remark.
fn package(line: &str) -> Option<Package> {
    let (id, licence) = line.split_once('|')?;
    let mut words = id.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    let ours = id.contains("(/") || id.contains(":\\");
    let own = |text: &str| text.to_owned();
    (!ours).then(|| Package { name: own(name), version: own(version), licence: own(licence) })
}

fn metadata() -> Result<String, String> {
    let mut command = Command::new(cargo_path());
    command.args(["metadata", "--locked", "--format-version", "1"]);
    output(command, "cargo metadata")
}

/// A package's folder: the first `manifest_path` after its `id` in cargo's JSON.
fn folder(metadata: &str, package: &Package) -> Option<PathBuf> {
    let end = format!("#{}@{}\"", package.name, package.version);
    let (_, rest) = metadata.split_once(&end)?;
    let (_, rest) = rest.split_once("\"manifest_path\":\"")?;
    let (path, _) = rest.split_once('"')?;
    Path::new(&path.replace("\\\\", "\\")).parent().map(PathBuf::from)
}

/// Texts of the licence files in a folder and those below it.
fn texts_below(folder: &Path, depth: u32) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_dir() {
            if depth > 0 && !NOT_LINKED.contains(&name.as_str()) {
                found.extend(texts_below(&path, depth - 1)?);
            }
        } else if is_licence(&name) {
            let text = String::from_utf8_lossy(&fs::read(&path)?).replace("\r\n", "\n");
            // One line is the name of another file, in packages made of links.
            if text.trim().lines().count() > 1 {
                found.insert(text.trim().to_owned());
            }
        }
    }
    Ok(found)
}

fn is_licence(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    NAMES.iter().any(|start| name.starts_with(start)) && !NO_TEXTS.contains(&ending)
}

/// The standard text, for a package that has none; we choose Apache-2.0 where it is offered.
fn standard(package: &Package) -> Result<Option<String>, String> {
    let words: Vec<&str> = package.licence.split([' ', '/', '(', ')']).collect();
    if words.contains(&"Apache-2.0") {
        return read(&root().join("LICENSE-APACHE")).map(Some);
    }
    if words.contains(&"MIT") {
        let ours = read(&root().join("LICENSE-MIT"))?;
        let terms = ours.split_once("\n\n").and_then(|(_, rest)| rest.split_once("\n\n"));
        let terms = terms.map_or(ours.as_str(), |(_, terms)| terms);
        return Ok(Some(format!(
            "MIT License\n\nCopyright (c) the authors of {}\n\n{terms}",
            package.name
        )));
    }
    Ok(None)
}

/// The texts of [`NOTICES`] with the name in their first line.
fn notices() -> Result<Vec<(String, String)>, String> {
    let folder = root().join(NOTICES);
    let listing = fs::read_dir(&folder).map_err(|error| format!("{NOTICES}: {error}"))?;
    let mut found = Vec::new();
    for entry in listing {
        let path = entry.map_err(|error| format!("{NOTICES}: {error}"))?.path();
        let text = read(&path)?;
        let (name, text) = text.split_once("\n\n").unwrap_or_default();
        found.push((name.to_owned(), text.trim().to_owned()));
    }
    Ok(found)
}

fn read(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// The list of crates, then each text below the names of those that it covers.
fn page(packages: &BTreeSet<Package>, texts: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut page = format!(
        "deepmir contains these {} crates and the libraries named below. Their licences follow; each text\n\
         stands below the names of all that it covers.\n\n",
        packages.len()
    );
    for package in packages {
        page += &format!("  {} {}: {}\n", package.name, package.version, package.licence);
    }
    let mut texts: Vec<_> = texts.iter().map(|(text, names)| (names, text)).collect();
    texts.sort();
    for (names, text) in texts {
        page += &format!("\n{}\n", "=".repeat(80));
        for name in names {
            page += &format!("{name}\n");
        }
        page += &format!("{}\n\n{text}\n", "-".repeat(80));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::{Package, folder, is_licence, package, standard};

    fn of(name: &str, licence: &str) -> Package {
        let [name, version, licence] = [name, "1.2.0", licence].map(str::to_owned);
        Package { name, version, licence }
    }

    #[test]
    fn our_own_crates_are_left_out() {
        assert_eq!(package("half v1.2.0|MIT"), Some(of("half", "MIT")));
        assert_eq!(
            package("serde_derive v1.2.0 (proc-macro)|MIT"),
            Some(of("serde_derive", "MIT"))
        );
        assert_eq!(package("deepmir-net v0.1.0 (/src/crates/deepmir-net)|MIT"), None);
    }

    #[test]
    fn a_package_lies_where_its_manifest_does() {
        let metadata = r##"{"packages":[
            {"id":"registry+x#half-more@1.2.0","targets":[],"manifest_path":"/r/half-more-1.2.0/Cargo.toml"},
            {"id":"registry+x#half@1.2.0","targets":[],"manifest_path":"/r/half-1.2.0/Cargo.toml"}]}"##;
        assert_eq!(folder(metadata, &of("half", "MIT")).unwrap().to_str(), Some("/r/half-1.2.0"));
        assert_eq!(folder(metadata, &of("hal", "MIT")), None);
    }

    #[test]
    fn licence_files_have_many_names() {
        for name in
            ["license", "license-mit", "licence.md", "copying", "unlicense", "license.apache2"]
        {
            assert!(is_licence(name), "{name}");
        }
        for name in ["license.rs", "readme.md", "licenses.toml"] {
            assert!(!is_licence(name), "{name}");
        }
    }

    #[test]
    fn a_package_without_a_text_gets_the_standard_one() {
        let apache = standard(&of("half", "Apache-2.0/MIT")).unwrap().unwrap();
        assert!(apache.contains("Apache License"));
        let mit = standard(&of("half", "MIT")).unwrap().unwrap();
        assert!(mit.contains("the authors of half\n\nPermission is hereby granted"), "{mit}");
        assert!(!mit.contains("deepmir"));
        assert_eq!(standard(&of("half", "MPL-2.0")).unwrap(), None);
    }
}
