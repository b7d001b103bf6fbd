//! The measures of the VALDO challenge, scan by scan and over all scans.

use std::path::Path;

use deepmir_cases::bids;
use deepmir_lesion::metrics::{Spread, VALDO_MEASURES, ValdoScore, valdo_score};
use deepmir_lesion::{LabelMap, LesionClass};
use rayon::prelude::*;

use super::tables::cell;
use super::{EvaluationPair, same_grid};
use crate::StudyError;

/// One scan's scores, of each class requested.
#[derive(Clone, Debug, PartialEq)]
pub struct ValdoScan {
    /// Its name.
    pub subject: String,
    /// A score for each class.
    pub classes: Vec<ValdoScore>,
}

/// One measure of one class over the scans.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValdoPooled {
    /// The class. NHID are none of the challenge's.
    pub class: LesionClass,
    /// The measure, as in the tables.
    pub measure: &'static str,
    /// Over the scans on which it is defined; `None` if there are none.
    pub spread: Option<Spread>,
}

/// Scores every pair by the challenge's rules ([`valdo_score`]). Unknown masks are none of them and not read.
///
/// # Errors
/// Unreadable maps, values without a meaning, different grids.
pub fn valdo(
    pairs: &[EvaluationPair],
    classes: &[LesionClass],
) -> Result<Vec<ValdoScan>, StudyError> {
    let scored = pairs.par_iter().map(|pair| {
        let (truth, _) = LabelMap::read(&pair.truth)?;
        let (predicted, _) = LabelMap::read(&pair.predicted)?;
        same_grid(&pair.truth, truth.volume(), &pair.predicted, predicted.volume())?;
        let scores = classes.iter().map(|&class| valdo_score(&truth, &predicted, class));
        Ok(ValdoScan { subject: pair.id.clone(), classes: scores.collect() })
    });
    scored.collect()
}

/// Each measure of each class over the scans.
pub fn valdo_pooled(scans: &[ValdoScan]) -> Vec<ValdoPooled> {
    let classes = scans.first().map_or(&[][..], |scan| &scan.classes);
    let pooled = classes.iter().enumerate().flat_map(|(n, first)| {
        VALDO_MEASURES.into_iter().map(move |(measure, value)| ValdoPooled {
            class: first.class,
            measure,
            spread: Spread::of(scans.iter().filter_map(|scan| scan.classes.get(n)).map(value)),
        })
    });
    pooled.collect()
}

/// Writes `valdo_subjects.tsv` and `valdo.tsv` into a folder.
///
/// # Errors
/// If they cannot be written.
pub fn write_valdo(scans: &[ValdoScan], folder: &Path) -> Result<(), StudyError> {
    bids::write_text(&folder.join("valdo_subjects.tsv"), &subjects_table(scans))?;
    Ok(bids::write_text(&folder.join("valdo.tsv"), &pooled_table(scans))?)
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

fn pooled_table(scans: &[ValdoScan]) -> String {
    let mut text = String::from(
        "class\tmeasure\tscans\tmedian\tfirst_quartile\tthird_quartile\tmean\tstandard_deviation\n",
    );
    for ValdoPooled { class, measure, spread } in valdo_pooled(scans) {
        let values = [
            spread.map(|spread| spread.median),
            spread.map(|spread| spread.first_quartile),
            spread.map(|spread| spread.third_quartile),
            spread.map(|spread| spread.mean),
            spread.and_then(|spread| spread.standard_deviation),
        ];
        let scans = spread.map_or(0, |spread| spread.scans);
        text += &format!("{class}\t{measure}\t{scans}\t{}\n", values.map(cell).join("\t"));
    }
    text
}
