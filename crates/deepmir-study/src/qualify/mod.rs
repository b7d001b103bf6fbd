//! How small a lesion is found, measured on scans with implants.
//!
//! [`qualify`] predicts every scan of an implanted dataset with each set of inputs, matches what is called with what
//! was
//! implanted, and writes tables and a page; [`compare`] sets two such results against each other. The chance of being
//! found is a [logistic](logistic) function of the logarithms of diameter and susceptibility
//! ([`size_model`]); intervals are those of a bootstrap over subjects ([`sensitivity`]).

pub mod bins;
mod compare;
pub mod difference;
pub mod logistic;
mod measure;
mod page;
pub mod proportion;
mod rows;
pub mod sensitivity;
pub mod size_model;
mod summary;
pub mod tally;

use std::path::{Path, PathBuf};

use deepmir_lesion::LesionClass;
use deepmir_pipeline::predict::Predictor;

use crate::StudyError;
pub use compare::{COMPARISON_PAGE, Compared, ComparedGroup, compare};
pub use measure::{Event, QualifyOptions, Rows, measure};
pub use rows::{CallPlace, CallRow, ImplantRow};
pub use summary::{FalseCalls, Finished, InputGain, PAGE, Provenance, Summary};

/// What came of a qualification.
#[derive(Clone, Debug)]
pub struct Qualified {
    /// All results.
    pub summary: Summary,
    /// The page.
    pub page: PathBuf,
}

/// Measures what a model finds of the implants of a dataset ([`measure`]) and writes tables and page into `out`.
/// `untouched` are the scans that the implants were put into, where they are to be read, too; `command` is what
/// the page says that it was made by.
///
/// # Errors
/// As [`measure`] and [`Summary::write`].
pub fn qualify(
    [implanted, out]: [&Path; 2],
    untouched: Option<&Path>,
    predictor: &mut Predictor,
    options: &QualifyOptions,
    command: String,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<Qualified, StudyError> {
    let rows = measure(implanted, untouched, out, predictor, options, report)?;
    let model = &predictor.bundle().settings;
    let one_for_all = model.operating_points.is_empty();
    let threshold = |class: LesionClass| {
        let of_class = model.detection.threshold(class)?;
        Some((class.name().to_owned(), f64::from(of_class.detection_threshold)))
    };
    let provenance = Provenance {
        program: deepmir_pipeline::program(),
        model: model.name.clone(),
        model_id: predictor.bundle().id(),
        command,
        implanted: implanted.to_owned(),
        untouched: untouched.map(Path::to_owned),
        matching: options.rule.to_string(),
        bootstrap: options.bootstrap,
        model_thresholds: LesionClass::ALL
            .into_iter()
            .filter(|_| one_for_all)
            .filter_map(threshold)
            .collect(),
    };
    let summary = Summary::new(&rows, provenance);
    let page = summary.write(&rows, out)?;
    Ok(Qualified { summary, page })
}
