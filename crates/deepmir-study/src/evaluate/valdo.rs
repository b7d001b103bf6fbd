//! The measures of the VALDO challenge, scan by scan and over all scans.

use std::path::Path;

use deepmir_cases::bids;
use deepmir_lesion::LesionClass;
use deepmir_lesion::metrics::{VALDO_MEASURES, ValdoScore, valdo_score};
use rayon::prelude::*;

use super::profile::{PooledMeasure, pooled, write_pooled};
use super::tables::cell;
use super::{EvaluationPair, ReadPair};
use crate::StudyError;

/// One scan's scores, of each class requested.
#[derive(Clone, Debug, PartialEq)]
pub struct ValdoScan {
    /// Its name.
    pub subject: String,
    /// A score for each class.
    pub classes: Vec<ValdoScore>,
}

/// Scores every pair by the challenge's rules ([`valdo_score`]). Unknown masks are none of them.
///
/// # Errors
/// Unreadable maps, values without a meaning, different grids.
pub fn valdo(
    pairs: &[EvaluationPair],
    classes: &[LesionClass],
) -> Result<Vec<ValdoScan>, StudyError> {
    let scored = pairs.par_iter().map(|pair| {
        let ReadPair { truth, predicted, .. } = pair.read()?;
        let scores = classes.iter().map(|&class| valdo_score(&truth, &predicted, class));
        Ok(ValdoScan { subject: pair.id.clone(), classes: scores.collect() })
    });
    scored.collect()
}

/// Each measure of each class over the scans. NHID are none of the challenge's.
pub fn valdo_pooled(scans: &[ValdoScan]) -> Vec<PooledMeasure> {
    let scores: Vec<&[ValdoScore]> = scans.iter().map(|scan| &scan.classes[..]).collect();
    pooled(&scores, |score| score.class, &VALDO_MEASURES)
}

/// Writes `valdo_subjects.tsv` and `valdo.tsv` into a folder.
///
/// # Errors
/// If they cannot be written.
pub fn write_valdo(scans: &[ValdoScan], folder: &Path) -> Result<(), StudyError> {
    bids::write_text(&folder.join("valdo_subjects.tsv"), &subjects_table(scans))?;
    write_pooled(&valdo_pooled(scans), &folder.join("valdo.tsv"))
}

fn subjects_table(scans: &[ValdoScan]) -> String {
    let names = VALDO_MEASURES.map(|(name, _)| name).join("\t");
    let mut text = format!("subject\tclass\ttruth\tpredicted\tmatched\t{names}\n");
    for scan in scans {
        for score in &scan.classes {
            let ValdoScore { class, truth, predicted, matched, .. } = score;
            let values = VALDO_MEASURES.map(|(_, value)| cell(value(score))).join("\t");
            text +=
                &format!("{}\t{class}\t{truth}\t{predicted}\t{matched}\t{values}\n", scan.subject);
        }
    }
    text
}
