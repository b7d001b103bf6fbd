//! The tests of the Python package: the wheel, built as the other tests are, in an environment of its own below `target`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::browser::target;
use crate::command::{root, status, succeeds};

/// What builds and tests the wheel.
const PACKAGES: [&str; 5] = ["maturin>=1.9,<2", "numpy", "nibabel", "pandas", "pytest"];

/// Builds the wheel, installs it and runs pytest. Where Python or its packages cannot be had, one line says why, and
/// the tests are left out.
pub fn test() -> Result<(), String> {
    let environment = match set_up() {
        Ok(environment) => environment,
        Err(reason) => {
            eprintln!("tests of the Python package are LEFT OUT: {reason}");
            return Ok(());
        }
    };
    let wheels = environment.folder.join("wheels");
    let _ = fs::remove_dir_all(&wheels);
    // The profile of the tests: their dependencies need not be compiled again.
    let mut build = environment.program("maturin");
    build.args(["build", "--quiet", "--profile", "dev", "--auditwheel", "skip", "--out"]);
    build.arg(&wheels);
    status(build, "maturin build --profile dev")?;
    let wheel = fs::read_dir(&wheels)
        .ok()
        .and_then(|mut entries| entries.next()?.ok())
        .ok_or_else(|| format!("no wheel in {}", wheels.display()))?;
    let mut install = environment.program("python");
    install.args(["-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps"]);
    install.arg(wheel.path());
    status(install, "pip install the wheel")?;
    let mut pytest = environment.program("python");
    pytest.args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider"]);
    pytest.arg(root().join("crates/deepmir-python/tests")).env("PYTHONDONTWRITEBYTECODE", "1");
    status(pytest, "pytest crates/deepmir-python/tests")
}

struct Environment {
    folder: PathBuf,
}

impl Environment {
    fn program(&self, name: &str) -> Command {
        let programs = self.folder.join("venv/bin");
        let mut command = Command::new(programs.join(name));
        let path = env::var_os("PATH").unwrap_or_default();
        let all = [programs].into_iter().chain(env::split_paths(&path));
        if let Ok(path) = env::join_paths(all) {
            command.env("PATH", path);
        }
        command.env("VIRTUAL_ENV", self.folder.join("venv"));
        command
    }
}

fn set_up() -> Result<Environment, String> {
    let python = "python3";
    if !succeeds(
        Command::new(python).args(["-c", "import sys, venv; sys.exit(sys.version_info < (3, 9))"]),
    ) {
        return Err("no Python 3.9 or later with venv (apt-get install python3-venv)".to_owned());
    }
    let folder = absolute(&target())?.join("python");
    let environment = Environment { folder: folder.clone() };
    let stamp = folder.join("packages.txt");
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&stamp).ok().as_deref() == Some(wanted.as_str()) {
        return Ok(environment);
    }
    let venv = folder.join("venv");
    eprintln!("» pip install {} in {}", PACKAGES.join(" "), venv.display());
    if !succeeds(Command::new(python).args(["-m", "venv", "--clear"]).arg(&venv)) {
        return Err("python3 -m venv failed (apt-get install python3-venv)".to_owned());
    }
    let mut install = environment.program("python");
    install.args(["-m", "pip", "install", "--quiet"]).args(PACKAGES).stdout(Stdio::null());
    if !succeeds(&mut install) {
        return Err(format!("pip cannot install {}", PACKAGES.join(" ")));
    }
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(environment)
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}
