//! A browser for the tests of the annotation page: Chromium of the system, and playwright-core from
//! npm in a folder of its own below `target`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// The test's `package.json` and `package-lock.json`.
const PACKAGE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/deepmir-annotate/tests/browser");

/// The variables that tell tests where the browser is. Where it cannot be had, one line says why,
/// and those tests say that they were left out.
pub fn set_up() -> Vec<(&'static str, String)> {
    match (chromium(), playwright()) {
        (Ok(chromium), Ok(folder)) => vec![
            ("DEEPMIR_CHROMIUM", chromium.display().to_string()),
            ("DEEPMIR_BROWSER", folder.display().to_string()),
        ],
        (chromium, playwright) => {
            let reasons: Vec<String> =
                [chromium.err(), playwright.err()].into_iter().flatten().collect();
            eprintln!("browser tests are LEFT OUT: {}", reasons.join("; "));
            Vec::new()
        }
    }
}

fn chromium() -> Result<PathBuf, String> {
    if let Some(path) = env::var_os("DEEPMIR_CHROMIUM") {
        return Ok(path.into());
    }
    let installed =
        || ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(in_path);
    if let Some(path) = installed() {
        return Ok(path);
    }
    // Only an administrator's machine (such as the one of continuous integration) is changed.
    if in_path("apt-get").is_some() && is_root() {
        eprintln!("» apt-get install chromium");
        let _ = quiet("apt-get", &["update", "-qq"]);
        let _ = quiet("apt-get", &["install", "-y", "-qq", "--no-install-recommends", "chromium"]);
    }
    installed().ok_or_else(|| "no Chromium (apt-get install chromium)".to_owned())
}

fn playwright() -> Result<PathBuf, String> {
    if in_path("node").is_none() || in_path("npm").is_none() {
        return Err("no node and npm (apt-get install nodejs npm)".to_owned());
    }
    let folder = target().join("browser");
    let (wanted, here) =
        (Path::new(PACKAGE).join("package-lock.json"), folder.join("package-lock.json"));
    let same = fs::read(&wanted).ok() == fs::read(&here).ok();
    if same && folder.join("node_modules/playwright-core").is_dir() {
        return Ok(folder);
    }
    let copied = fs::create_dir_all(&folder)
        .and_then(|()| {
            fs::copy(Path::new(PACKAGE).join("package.json"), folder.join("package.json"))
        })
        .and_then(|_| fs::copy(&wanted, &here));
    if let Err(error) = copied {
        return Err(format!("cannot write {} ({error})", folder.display()));
    }
    eprintln!("» npm ci in {}", folder.display());
    let done = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--silent"])
        .current_dir(&folder)
        .status();
    match done {
        Ok(status) if status.success() => Ok(folder),
        _ => {
            let _ = fs::remove_file(&here);
            Err(format!("npm ci failed in {}", folder.display()))
        }
    }
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    env::var_os("CARGO_TARGET_DIR").map_or_else(default, PathBuf::from)
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == "0")
}

fn quiet(program: &str, arguments: &[&str]) -> bool {
    let command = Command::new(program)
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null())
        .status();
    command.is_ok_and(|status| status.success())
}
