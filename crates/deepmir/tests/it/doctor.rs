//! `deepmir doctor`.

use crate::support::run;

#[test]
fn a_machine_on_which_it_works_is_told_so() {
    let (code, stdout, told) = run(&["doctor"]);
    assert_eq!(code, 0, "{stdout}{told}");
    for name in ["processor", "memory", "disk", "model", "browser", "self-test"] {
        assert!(stdout.lines().any(|line| line.contains(&format!(" {name} "))), "{stdout}");
    }
    assert!(stdout.contains("5 of 5 simulated microbleeds found"), "{stdout}");
    assert!(!stdout.contains("BROKEN"), "{stdout}");
}
