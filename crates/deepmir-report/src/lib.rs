//! Pictures and pages.
//!
//! [`Mosaic`] shows axial slices with outlined lesions; [`curves`] draws trainings.

mod canvas;
pub mod curves;
mod error;
mod mosaic;

pub use canvas::{Canvas, class_colour};
pub use error::ReportError;
pub use mosaic::{Mosaic, Window};
