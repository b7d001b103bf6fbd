//! The measures that Metrics Reloaded recommends, scan by scan and over all scans.

use std::path::Path;

use deepmir_cases::bids;
use deepmir_lesion::LesionClass;
use deepmir_lesion::metrics::{RELOADED_MEASURES, ReloadedScore, reloaded_score};
use rayon::prelude::*;

use super::profile::{PooledMeasure, pooled, write_pooled};
use super::tables::cell;
use super::{EvaluationPair, ReadPair};
use crate::StudyError;

/// One scan's scores, of each class requested.
#[derive(Clone, Debug, PartialEq)]
pub struct ReloadedScan {
    /// Its name.
    pub subject: String,
    /// A score for each class.
    pub classes: Vec<ReloadedScore>,
}

/// Scores every pair ([`reloaded_score`]). Unknown masks do not count.
///
/// # Errors
/// Unreadable maps, values without a meaning, different grids.
pub fn reloaded(
    pairs: &[EvaluationPair],
    classes: &[LesionClass],
) -> Result<Vec<ReloadedScan>, StudyError> {
    let scored = pairs.par_iter().map(|pair| {
        let ReadPair { truth, predicted, .. } = pair.read()?;
        let scores = classes.iter().map(|&class| reloaded_score(&truth, &predicted, class));
        Ok(ReloadedScan { subject: pair.id.clone(), classes: scores.collect() })
    });
    scored.collect()
}

/// Each measure of each class over the scans.
pub fn reloaded_pooled(scans: &[ReloadedScan]) -> Vec<PooledMeasure> {
    let scores: Vec<&[ReloadedScore]> = scans.iter().map(|scan| &scan.classes[..]).collect();
    pooled(&scores, |score| score.class, &RELOADED_MEASURES)
}

/// Writes `metrics_reloaded_subjects.tsv` and `metrics_reloaded.tsv` into a folder.
///
/// # Errors
/// If they cannot be written.
pub fn write_reloaded(scans: &[ReloadedScan], folder: &Path) -> Result<(), StudyError> {
    let names = RELOADED_MEASURES.map(|(name, _)| name).join("\t");
    let mut text =
        format!("subject\tclass\ttruth\tpredicted\tmatched\tmatched_by_centre\t{names}\n");
    for scan in scans {
        for score in &scan.classes {
            let ReloadedScore { class, truth, predicted, matched, matched_by_centre, .. } = score;
            let values = RELOADED_MEASURES.map(|(_, value)| cell(value(score))).join("\t");
            text += &format!(
                "{}\t{class}\t{truth}\t{predicted}\t{matched}\t{matched_by_centre}\t{values}\n",
                scan.subject
            );
        }
    }
    bids::write_text(&folder.join("metrics_reloaded_subjects.tsv"), &text)?;
    write_pooled(&reloaded_pooled(scans), &folder.join("metrics_reloaded.tsv"))
}
