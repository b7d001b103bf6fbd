//! Pictures and pages.
//!
//! [`Mosaic`] shows axial slices with outlined lesions, [`SubjectReport`] is the page of one
//! subject, [`StudyPage`] that of a study; [`curves`] and [`intervals`] draw its plots.

mod canvas;
pub mod curves;
mod error;
pub mod intervals;
mod mosaic;
mod patches;
mod study;
mod subject;

pub use canvas::{Canvas, class_colour};
pub use error::ReportError;
pub use mosaic::{Mosaic, Window};
pub use patches::{Patches, Shown};
pub use study::{Card, Figure, Section, StudyPage};
pub use subject::{SubjectReport, TextTable};
