//! Pictures and pages.
//!
//! [`Mosaic`] shows axial slices with outlined lesions, [`SubjectReport`] is the page of one
//! subject; [`curves`] draws trainings.

mod canvas;
pub mod curves;
mod error;
mod mosaic;
mod patches;
mod subject;

pub use canvas::{Canvas, class_colour};
pub use error::ReportError;
pub use mosaic::{Mosaic, Window};
pub use patches::{Patches, Shown};
pub use subject::{SubjectReport, TextTable};
