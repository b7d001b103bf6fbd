//! Which file of the cache belongs to a subject.

use deepmir_cases::{CaseFiles, Checksums};
use deepmir_volume::nifti::ReadOptions;
use sha2::{Digest, Sha256};

use crate::{NetError, Plan};

/// Raise it whenever preparation changes, so that files prepared earlier are not used.
const PREPARATION: u32 = 4;

/// The file name of a prepared subject: the subject's name and a checksum of everything that decides its content.
/// Images count by their contents where `sums` knows them, else by path, size and time of modification.
///
/// # Errors
/// If one of its files does not exist.
pub(in crate::train) fn stored_name(
    case: &CaseFiles,
    plan: &Plan,
    read: &ReadOptions,
    sums: &Checksums,
) -> Result<String, NetError> {
    let mut hash = Sha256::new();
    let program = format!("{} {PREPARATION}", env!("CARGO_PKG_VERSION"));
    let settings = (&plan.inputs, plan.voxel_mm, &plan.normalisation);
    hash.update(format!("{program} {settings:?} {}", read.nan_to_zero));
    let images = plan.inputs.iter().filter_map(|input| case.images.get(input));
    for input in &plan.inputs {
        // Which files there are: two subjects may have the same file in two places.
        hash.update(if case.images.contains_key(input) { "1" } else { "0" });
    }
    let beside = [&case.mask, &case.truth, &case.unknown];
    hash.update(format!("{:?}", beside.map(Option::is_some)));
    for path in images.chain(beside.into_iter().flatten()) {
        if let Some(sum) = sums.get(path) {
            hash.update(sum);
            continue;
        }
        let failed = |source| NetError::Read { path: path.clone(), source };
        let about = path.metadata().map_err(failed)?;
        let changed = about.modified().map_err(failed)?;
        hash.update(format!("{path:?} {} {changed:?}", about.len()));
    }
    let name: String = hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{name}.case", case.id))
}
