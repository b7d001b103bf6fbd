//! Programs with planted faults: each is found. A sound one is not.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a failing test says where")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use deepmir_fuzz::campaign::{Campaign, Outcome};
use deepmir_fuzz::execute::Limits;
use deepmir_fuzz::scene::Scene;

/// Runs eight cases of a program that is a shell script.
fn fuzz(folder: &Path, script: &str) -> Outcome {
    let program = folder.join("program");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let input = folder.join("scene");
    fs::create_dir_all(&input).unwrap();
    fs::write(input.join("input.json"), "{\"EchoTime\": 0.02}").unwrap();
    let scene = Scene {
        name: "test",
        folder: input,
        commands: vec![vec!["input.json".to_owned()]],
        targets: Vec::new(),
        outputs: vec!["out"],
        all_or_nothing: true,
        weight: 1,
    };
    let campaign = Campaign {
        program,
        scenes: vec![scene],
        seed: 1,
        first: 0,
        cases: 8,
        time: Duration::from_secs(60),
        jobs: 1,
        limits: Limits { memory_mib: 1024, processor_s: 1, time: Duration::from_secs(4) },
        work: folder.join("fuzz/work"),
        cases_folder: folder.join("fuzz/cases"),
    };
    campaign.run().unwrap()
}

#[track_caller]
fn finds(script: &str, kind: &str) {
    let folder = tempfile::tempdir().unwrap();
    let outcome = fuzz(folder.path(), script);
    let kinds: Vec<_> = outcome.faults.values().map(|(_, finding, _)| finding.kind).collect();
    assert!(kinds.contains(&kind), "{:?}", outcome.faults);
    // A case is kept, whose script repeats it on the same input.
    let cases = folder.path().join("fuzz/cases");
    let case = fs::read_dir(cases).unwrap().next().unwrap().unwrap().path();
    assert!(case.join("input").is_dir());
    assert!(fs::read_to_string(case.join("finding.txt")).unwrap().starts_with(kind));
    assert!(fs::read_to_string(case.join("run.sh")).unwrap().contains("'input.json'"));
}

#[test]
fn a_sound_program_is_found_sound() {
    let folder = tempfile::tempdir().unwrap();
    let script = "if grep -q EchoTime \"$1\"; then mkdir -p out && echo {} >out/a.json; \
                  else echo 'error: no EchoTime' >&2; exit 1; fi";
    let outcome = fuzz(folder.path(), script);
    assert_eq!(outcome.counts.values().sum::<u64>(), 8);
    // A file in the way of `out` is this script's own fault.
    assert!(
        outcome.faults.keys().all(|fault| fault.contains("no message")),
        "{:?}",
        outcome.faults
    );
    assert!(!folder.path().join("fuzz/running/job-0").exists());
}

#[test]
fn a_panic_is_found() {
    finds("exit 101", "panic");
    finds("echo 'internal error: index out of bounds' >&2; exit 2", "panic");
}

#[test]
fn an_unknown_exit_code_and_a_signal_are_found() {
    finds("exit 7", "exit code");
    finds("kill -ABRT $$", "signal");
}

#[test]
fn a_failure_without_a_message_is_found() {
    finds("exit 1", "no message");
}

#[test]
fn a_result_of_a_failure_is_found() {
    finds("mkdir -p out; echo {} >out/a.json; echo error: no >&2; exit 1", "result of a failure");
    finds("mkdir -p out; echo {} >out/.a.json.x.tmp", "leftover");
    finds("mkdir -p out; printf '{\"a\": ' >out/a.json", "half a file");
}

#[test]
fn a_changed_input_and_a_temporary_file_are_found() {
    finds("rm -rf input.json; echo {} >input.json", "input changed");
    finds("echo x >\"$TMPDIR\"/x", "temporary file");
}

/// As long as the limits on time, of a waiting and of a busy program.
#[test]
fn a_hang_is_found() {
    for hang in ["exec sleep 60", "while :; do :; done"] {
        let folder = tempfile::tempdir().unwrap();
        // The first case hangs, the others find its mark.
        let mark = folder.path().join("mark");
        let script = format!("test -e {0} && exit 0; touch {0}; {hang}", mark.display());
        let outcome = fuzz(folder.path(), &script);
        assert_eq!(outcome.faults.values().next().unwrap().1.kind, "hang", "{hang}");
    }
}

/// Kills a script in place of `deepmir run`.
fn killed(script: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    fs::write(&program, format!("#!/bin/sh\nmkdir -p anew; cd anew; {script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let input = folder.path().join("scene");
    fs::create_dir_all(&input).unwrap();
    let scene = Scene {
        name: "run",
        folder: input,
        commands: Vec::new(),
        targets: Vec::new(),
        outputs: vec!["anew"],
        all_or_nothing: false,
        weight: 1,
    };
    let report = deepmir_fuzz::kill::kill(&program, &[scene], folder.path(), 4, 1);
    report.map_err(|error| format!("{error:#}"))
}

#[test]
fn half_a_file_after_a_kill_and_other_results_after_many_are_found() {
    let rest = "for name in a b c; do echo 1 >.new; mv .new $name; done";
    let report = killed(&format!("sleep 0.2; {rest}")).unwrap();
    assert!(report.contains("killed 4 times"), "{report}");
    let half = killed(&format!("printf '{{' >a.json; sleep 0.2; echo '}}' >>a.json; {rest}"));
    assert!(half.clone().unwrap_err().contains("half a file"), "{half:?}");
    // Whoever comes second does otherwise.
    let other = killed(
        "test -e .d && more=5; >.d; sleep 0.2; \
                        for name in a b c; do echo 1 $more >.new; mv .new $name; done",
    );
    assert!(other.clone().unwrap_err().contains("another anew/a"), "{other:?}");
}
