//! One subject and whole datasets: reconstruct, align, predict, write.
//!
//! [`scan`] takes one scan from raw echoes or maps to lesions on disk; [`recon`] and [`predict`] are its stages.
//! [`run`] does so for a whole BIDS dataset, unattended, and [`group`] makes the tables and the page of the cohort.
//! Results that are stored name the code that made them ([`CODE`]); a [`lock`] keeps two workers from one subject.
//!
//! ```
//! use deepmir_pipeline::group::robust_z;
//!
//! // An outlier does not hide itself: median and absolute deviation do not follow it.
//! let volumes = [10.0, 11.0, 9.0, 10.5, 9.5, 100.0].map(Some);
//! assert!(robust_z(&volumes)[5].unwrap() > 3.5);
//! ```

mod align;
pub mod anatomy;
mod code;
mod error;
pub mod group;
pub mod lock;
pub mod maps;
pub mod owner;
pub mod predict;
pub mod recon;
pub mod run;
pub mod scan;
pub mod visits;

pub use code::CODE;
pub use deepmir_net::train::program;
pub use error::PipelineError;
