//! The files of a training by their contents: a training is resumed with the same ones only.

use std::collections::BTreeMap;
use std::path::PathBuf;

use deepmir_cases::{CaseFiles, Checksums};

use crate::Plan;

/// SHA-256 by subject, then by what the file is: `SWI`, `mask`, `truth`, `unknown`.
pub(super) type FileChecksums = BTreeMap<String, BTreeMap<String, String>>;

/// The files that a training reads of a subject, and what each is.
pub(super) fn files_of(case: &CaseFiles, plan: &Plan) -> Vec<(String, PathBuf)> {
    let images = plan.inputs.iter().filter_map(|input| {
        case.images.get(input).map(|path| (input.name().to_owned(), path.clone()))
    });
    let mask = case.mask.iter().map(|path| ("mask".to_owned(), path.clone()));
    let truth = case.truth.iter().map(|path| ("truth".to_owned(), path.clone()));
    let unknown = case.unknown.iter().map(|path| ("unknown".to_owned(), path.clone()));
    images.chain(mask).chain(truth).chain(unknown).collect()
}

/// The checksums of some subjects' files.
pub(super) fn checksums_of<'a>(
    cases: impl IntoIterator<Item = &'a CaseFiles>,
    plan: &Plan,
    sums: &Checksums,
) -> FileChecksums {
    let of = |case: &CaseFiles| {
        let files = files_of(case, plan).into_iter();
        let known = files.filter_map(|(name, path)| Some((name, sums.get(&path)?.to_owned())));
        (case.id.clone(), known.collect())
    };
    cases.into_iter().map(of).collect()
}

/// Which files differ: `truth of b`.
pub(super) fn changed(before: &FileChecksums, now: &FileChecksums) -> Vec<String> {
    let mut changed = Vec::new();
    for (id, files) in now {
        let Some(known) = before.get(id) else { continue };
        let names = files.keys().chain(known.keys().filter(|name| !files.contains_key(*name)));
        let differing = names.filter(|name| files.get(*name) != known.get(*name));
        changed.extend(differing.map(|name| format!("{name} of {id}")));
    }
    changed
}
