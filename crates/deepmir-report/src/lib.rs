//! Pictures and pages.
//!
//! [`Mosaic`] shows axial slices with outlined lesions, [`SubjectReport`] is the page of one
//! subject, [`CohortPage`] that of many; [`curves`] draws trainings.

mod canvas;
mod checks;
mod cohort;
pub mod curves;
mod error;
mod histogram;
mod mosaic;
mod patches;
mod subject;

pub use canvas::{Canvas, class_colour};
pub use checks::{brain_outline, checkerboard};
pub use cohort::{CohortPage, CohortRow, OutlierCard, thumbnail};
pub use error::ReportError;
pub use histogram::histogram;
pub use mosaic::{Mosaic, Window};
pub use patches::{Patches, Shown};
pub use subject::{SubjectReport, TextTable};
