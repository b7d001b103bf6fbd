//! `deepmir model`.

use std::fs;

use crate::support::{random_model, refused, run, text};

#[test]
fn a_model_is_described_checked_and_copied() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let (code, out, _) = run(&["model", "info", text(&model)]);
    assert_eq!(code, 0);
    for words in
        ["name = \"random\"", "inputs = [\"SWI\", \"QSM\", \"T2w\"]", "sha256", "[detection"]
    {
        assert!(out.contains(words), "no {words} in {out}");
    }
    let (code, out, _) = run(&["model", "verify", text(&model)]);
    assert_eq!(code, 0);
    assert!(out.contains("is whole and runs"), "{out}");

    let unpacked = folder.path().join("unpacked");
    assert_eq!(run(&["model", "copy", text(&model), text(&unpacked)]).0, 0);
    assert!(unpacked.join("model.toml").is_file());
    let packed = folder.path().join("packed.deepmir");
    assert_eq!(run(&["model", "copy", text(&unpacked), text(&packed)]).0, 0);
    assert_eq!(fs::read(&packed).unwrap(), fs::read(&model).unwrap());
}

#[test]
fn the_shipped_model_is_copied_with_all_that_looks_closer() {
    let folder = tempfile::tempdir().unwrap();
    let (code, told, _) = run(&["model", "info", "default"]);
    assert_eq!(code, 0);
    assert!(told.contains("# A closer look by 3 networks of"), "{told}");
    let copy = folder.path().join("copy");
    assert_eq!(run(&["model", "copy", "default", text(&copy)]).0, 0);
    for n in 1..4 {
        assert!(copy.join(format!("closer-look-{n}.safetensors")).is_file());
    }
    assert_eq!(run(&["model", "info", text(&copy)]).1, told);
    assert_eq!(run(&["model", "verify", text(&copy)]).0, 0);
}

#[test]
fn wrong_hashes_and_unknown_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = random_model(folder.path());
    let unpacked = folder.path().join("unpacked");
    run(&["model", "copy", text(&model), text(&unpacked)]);
    let weights = unpacked.join("weights.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 4;
    fs::write(&weights, bytes).unwrap();
    refused(&["model", "verify", text(&unpacked)], &["checksum", "unpacked"]);
    refused(&["model", "info", "no-such-model"], &["no-such-model", "default"]);
}
