//! Marking and reviewing lesions by hand: a page on this machine, the server behind it and the
//! store of what raters did.
//!
//! A [`Dataset`] of cases is served by [`server::serve`]; each [`layer`] of marks lives in the
//! [`store`] and is written out as label map and lesion table by [`export`]. [`adjudicate`] finds
//! where two raters differ.
//!
//! ```
//! use deepmir_annotate::export::{import, write_pending};
//! use deepmir_annotate::{Dataset, Store};
//! use deepmir_cases::bids::label_maps;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let data = folder.path();
//! # deepmir_testing::write_subject(data, 1);
//! // A dataset with sub-01 and label maps under derivatives/truth.
//! let dataset = Dataset::from_bids(data, &[], &[], None, None)?;
//! let store = Store::open(&dataset.out)?;
//! let maps = label_maps(&data.join("derivatives/truth"))?;
//! assert_eq!(import(&dataset, &store, "anna", &maps)?, 1);
//! write_pending(&dataset, &store)?;
//! let written = "sub-01/anat/sub-01_acq-swi_seg-lesions_desc-anna_dseg.nii.gz";
//! assert!(dataset.out.join(written).is_file());
//! # Ok(())
//! # }
//! ```
//!
//! The store is one SQLite file, `annotate.sqlite`, in the derivatives folder: `raters`, `cases` (with the
//! grid that was marked), `layers` (the marks now), `operations` and `history` (everything done, with
//! times), and the view `lesions`. A change is one transaction and names the revision it was made on.

pub mod adjudicate;
mod bids;
pub mod candidates;
pub mod case;
mod error;
pub mod export;
mod image_kind;
pub mod layer;
pub mod results;
pub mod server;
pub mod store;
pub mod view;
pub mod visits;

pub use case::{CaseFiles, Dataset, FindRegions};
pub use error::AnnotateError;
pub use image_kind::ImageKind;
pub use store::Store;
