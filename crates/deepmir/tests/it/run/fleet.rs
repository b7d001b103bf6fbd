//! Several runs at once, and runs that are killed: no half file, the same tables in the end. The long
//! versions run by `cargo nextest run -p deepmir --run-ignored only fleet`.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use deepmir_volume::nifti;

use super::{Study, leftovers};
use crate::support::deepmir;

fn start(study: &Study) -> Child {
    let mut command = deepmir(&study.arguments(&[]));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(mut child: Child) -> (i32, String) {
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    (child.wait().unwrap().code().unwrap_or(-1), told)
}

/// Every file under its final name can be read to the end.
fn all_whole(study: &Study) {
    if !study.out.exists() {
        return;
    }
    for (path, bytes) in study.results() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') && name.ends_with(".tmp") {
            continue;
        }
        if name.ends_with(".nii.gz") {
            nifti::read(&study.out.join(&path)).unwrap();
        } else if name.ends_with(".json") {
            serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
        } else if name.ends_with(".html") {
            assert!(bytes.ends_with(b"</html>\n") || bytes.ends_with(b"</html>"), "{name}");
        } else {
            assert!(!bytes.is_empty(), "{name}");
        }
    }
}

fn killed_and_resumed(subjects: u32, kills: u32) {
    let calm = Study::new(subjects);
    let started = Instant::now();
    assert_eq!(calm.participants(&[]).0, 0);
    let whole_s = started.elapsed().as_secs_f64();
    let wanted = calm.tables();

    let study = Study::new(subjects);
    let mut random = 12_345_u32;
    for _ in 0..kills {
        let mut child = start(&study);
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // From before the first file to nearly the end.
        let share = f64::from(random >> 8) / f64::from(1 << 24);
        std::thread::sleep(Duration::from_secs_f64(0.6 * whole_s * share * share));
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        all_whole(&study);
    }
    let (code, _, told) = study.participants(&[]);
    assert_eq!(code, 0, "{told}");
    // In the folders that runs share, what a killed one was just writing stays until it is old.
    let shared = [study.out.clone(), study.out.join("status")];
    let fresh = |path: &PathBuf| {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        hidden && path.parent().is_some_and(|folder| shared.iter().any(|other| other == folder))
    };
    let left: Vec<PathBuf> = leftovers(&study).into_iter().filter(|path| !fresh(path)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(study.tables() == wanted, "other tables after {kills} kills");
}

fn two_at_once(subjects: u32) {
    let alone = Study::new(subjects);
    assert_eq!(alone.participants(&[]).0, 0);
    let study = Study::new(subjects);
    let (one, other) = (start(&study), start(&study));
    let (one, other) = (end(one), end(other));
    assert_eq!((one.0, other.0), (0, 0), "{}\n{}", one.1, other.1);
    assert!(leftovers(&study).is_empty(), "{:?}", leftovers(&study));
    // Nobody did what the other had done.
    for number in 1..=subjects {
        let line = format!("sub-{number:02}: ");
        let done = [&one.1, &other.1].map(|told| {
            told.lines().filter(|told| told.starts_with(&line) && told.contains("CMB")).count()
        });
        assert_eq!(done[0] + done[1], 1, "{line}{done:?}\n{}\n{}", one.1, other.1);
    }
    assert!(study.tables() == alone.tables());
}

#[test]
fn killed_runs_leave_whole_files_and_come_to_the_same_end() {
    killed_and_resumed(4, 6);
}

#[test]
fn two_runs_on_one_folder_share_the_work() {
    two_at_once(5);
}

#[test]
fn an_interrupt_stops_cleanly_and_the_next_run_goes_on() {
    let study = Study::new(30);
    let child = start(&study);
    let status = study.out.join("status");
    let begun = Instant::now();
    while !status.is_dir() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(300));
    let pid = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let (code, told) = end(child);
    assert_eq!(code, 130, "{told}");
    assert!(told.contains("the same command continues"), "{told}");
    assert!(leftovers(&study).is_empty(), "{:?}", leftovers(&study));
    all_whole(&study);
    assert_eq!(study.participants(&[]).0, 0);
}

#[test]
#[ignore = "minutes; see docs/cohorts.md"]
fn fifty_kills() {
    killed_and_resumed(12, 50);
}

#[test]
#[expect(clippy::print_stderr, reason = "what this test is run for")]
#[ignore = "minutes; see docs/cohorts.md"]
fn two_hundred_subjects() {
    let study = Study::new(200);
    let started = Instant::now();
    let (code, out, told) = study.participants(&[]);
    assert_eq!((code, out.trim()), (0, "200 done, 0 skipped, 0 failed"), "{told}");
    let first = started.elapsed();
    let started = Instant::now();
    assert_eq!(study.participants(&[]).0, 0);
    let second = started.elapsed();
    let started = Instant::now();
    study.tables();
    eprintln!("200 subjects: {first:?}, again: {second:?}, group: {:?}", started.elapsed());
    assert!(second < Duration::from_secs(10), "{second:?}");
}

#[test]
#[ignore = "minutes; see docs/cohorts.md"]
fn two_runs_on_forty_subjects() {
    two_at_once(40);
}
