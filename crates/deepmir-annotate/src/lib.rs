//! Marking and reviewing lesions by hand: a page on this machine, the server behind it and the
//! store of what raters did.
//!
//! A [`Dataset`] of cases is served by [`server::serve`]; each [`layer`] of marks lives in the
//! [`store`] and is written out as label map and lesion table by [`export`]. [`adjudicate`] finds
//! where two raters differ.

pub mod adjudicate;
mod bids;
pub mod case;
mod error;
pub mod export;
pub mod layer;
pub mod mars;
pub mod server;
pub mod store;
pub mod view;

pub use case::{CaseFiles, Dataset, ImageKind};
pub use error::AnnotateError;
pub use store::Store;
