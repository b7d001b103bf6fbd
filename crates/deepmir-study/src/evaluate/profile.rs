//! What the public sets of measures have in common: each measure over the scans, and its table.

use std::path::Path;

use deepmir_cases::bids;
use deepmir_lesion::LesionClass;
use deepmir_lesion::metrics::Spread;

use super::tables::cell;
use crate::StudyError;

/// One measure of one class over the scans.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PooledMeasure {
    /// The class.
    pub class: LesionClass,
    /// The measure, as in the tables.
    pub measure: &'static str,
    /// Over the scans on which it is defined; `None` if there are none.
    pub spread: Option<Spread>,
}

/// A measure of a score: its name in tables, and its value, if defined.
pub(super) type NamedMeasure<S> = (&'static str, fn(&S) -> Option<f64>);

/// Each measure of each class over the scans. `scores` has one row a scan, with a score of each class.
pub(super) fn pooled<S>(
    scores: &[&[S]],
    class_of: impl Fn(&S) -> LesionClass,
    measures: &[NamedMeasure<S>],
) -> Vec<PooledMeasure> {
    let classes = scores.first().copied().unwrap_or_default();
    let pooled = classes.iter().enumerate().flat_map(|(n, first)| {
        let class = class_of(first);
        measures.iter().map(move |(measure, value)| PooledMeasure {
            class,
            measure,
            spread: Spread::of(scores.iter().filter_map(|scan| scan.get(n)).map(value)),
        })
    });
    pooled.collect()
}

/// Writes the table of the measures over the scans.
pub(super) fn write_pooled(pooled: &[PooledMeasure], path: &Path) -> Result<(), StudyError> {
    let mut text = String::from(
        "class\tmeasure\tscans\tmedian\tfirst_quartile\tthird_quartile\tmean\tstandard_deviation\n",
    );
    for PooledMeasure { class, measure, spread } in pooled {
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
    Ok(bids::write_text(path, &text)?)
}
