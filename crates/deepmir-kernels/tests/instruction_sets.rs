//! The environment variable that forces an instruction set.

use std::process::Command;

use deepmir_kernels::{Engine, InstructionSet};

const VARIABLE: &str = "DEEPMIR_INSTRUCTION_SET";

/// Does nothing by itself: the other test runs it in processes with the variable set.
#[test]
fn the_engine_obeys_the_environment() {
    match (Engine::from_environment(), std::env::var(VARIABLE)) {
        (Ok(engine), Ok(name)) => assert_eq!(engine.instruction_set().name(), name),
        (Ok(engine), Err(_)) => assert_eq!(engine.instruction_set(), InstructionSet::best()),
        (Err(error), name) => assert_eq!(error.0, name.unwrap_or_default()),
    }
}

#[test]
fn every_instruction_set_can_be_forced() {
    let program = std::env::current_exe().unwrap();
    let names = InstructionSet::available().into_iter().map(InstructionSet::name);
    for name in names.chain(["mmx"]) {
        let status = Command::new(&program)
            .args(["--exact", "the_engine_obeys_the_environment"])
            .env(VARIABLE, name)
            .status();
        assert!(status.unwrap().success(), "{name}");
    }
}
