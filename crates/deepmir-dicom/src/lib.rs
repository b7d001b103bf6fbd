//! DICOM series of brain MRI: reading, sorting, geometry, and the BIDS dataset made of them; lesions as SEG and SR.
//!
//! A [`Survey`] reads the headers below a folder, sorts images into volumes and decides what each is taken for;
//! [`Survey::write`] makes the dataset. Subjects are named by [`Labels`], from a keyed hash or a table; nothing that names
//! a person is written.
//!
//! ```no_run
//! use deepmir_dicom::{Key, Labels, Survey};
//!
//! # fn main() -> Result<(), deepmir_dicom::DicomError> {
//! let labels = Labels::Hashed(Key::random()?);
//! let survey = Survey::read(&["export".into()], &labels, &|_, _| {})?;
//! for line in survey.lines() {
//!     println!("series {:?}: {} ({})", line.series, line.taken_for, line.why);
//! }
//! let written = survey.write("dataset".as_ref(), false, &[], &|_, _| {})?;
//! println!("{} images of {} subjects", written.images, written.subjects.len());
//! # Ok(())
//! # }
//! ```
//!
//! [`export`] writes the results of a prediction as objects of the study that they came from. What it writes does name
//! the patient.
//!
//! ```no_run
//! use deepmir_dicom::{ExportOptions, export};
//!
//! # fn main() -> Result<(), deepmir_dicom::DicomError> {
//! let options = ExportOptions { instances: true, ..ExportOptions::default() };
//! let (results, source) = (["results".into()], ["export".into()]);
//! for scan in export(&results, &source, "archive".as_ref(), options, &|_, _| {})? {
//!     println!("{}: {} lesions on series {:?}", scan.scan, scan.lesions, scan.series);
//! }
//! # Ok(())
//! # }
//! ```

mod archive;
mod bids;
mod error;
mod export;
mod header;
mod import;
mod input;
mod listing;
mod object;
mod parse;
mod pixels;
mod segments;
mod sort;
mod walk;

pub use bids::{Key, Labels};
pub use error::DicomError;
pub use export::{ExportOptions, Exported, export};
pub use import::{Progress, Summary, Survey};
pub use listing::Line;
pub use segments::{LabelMapOf, SegmentClasses};
