//! Pictures and pages.
//!
//! [`Mosaic`] shows axial slices with outlined lesions, [`StructureMosaic`] slices with the parts of a head in colour;
//! [`SubjectReport`] is the page of one subject, [`VisitsPage`] that of two visits, [`CohortPage`] that of many,
//! [`StudyPage`] that of a study; [`curves`], [`bands`], [`intervals`] and [`heat`] draw its plots.
//!
//! ```
//! use deepmir_report::{StudyPage, histogram};
//!
//! let page = StudyPage { title: "Inputs & classes".to_owned(), ..StudyPage::default() };
//! assert!(page.html()?.contains("Inputs &amp; classes"));
//! assert_eq!(histogram(&[1.0, 1.0, 3.0]).matches("<rect").count(), 3, "a bar for each whole number");
//! # Ok::<(), deepmir_report::ReportError>(())
//! ```

pub mod bands;
mod canvas;
mod checks;
mod closeup;
mod cohort;
mod contour;
pub mod curves;
mod error;
mod frequency;
mod glass;
pub mod heat;
mod histogram;
pub mod intervals;
mod mosaic;
mod outlines;
mod page;
mod patches;
mod structures;
mod study;
mod subject;
mod thumbnail;
mod visits;

pub use canvas::{Canvas, class_colour};
pub use checks::{brain_outline, checkerboard};
pub use closeup::{Paint, Pane};
pub use cohort::{CohortColumn, CohortPage, CohortRow, Noticed, OutlierCard};
pub use error::ReportError;
pub use frequency::{Place, frequency_map};
pub use glass::{GlassView, Mark, glass_brain};
pub use histogram::histogram;
pub use mosaic::{Mosaic, Window};
pub use patches::{Patches, Shown};
pub use structures::{Structure, StructureMosaic};
pub use study::{Card, Figure, Section, StudyPage};
pub use subject::{NearMiss, SubjectReport, TextTable};
pub use thumbnail::thumbnail;
pub use visits::{VisitsCard, VisitsPage};
