//! One subject and whole datasets: reconstruct, align, predict, write.
//!
//! [`scan`] takes one scan from what there is, raw echoes or maps, to lesions on disk; [`recon`] and [`predict`] are its stages.
//! [`run`] does so for a whole BIDS dataset, unattended, and [`group`] makes the cohort's tables and page of what came of it.

mod align;
mod checksum;
mod code;
mod error;
pub mod group;
pub mod lock;
pub mod predict;
pub mod recon;
pub mod run;
pub mod scan;

pub use code::CODE;
pub use deepmir_net::train::program;
pub use error::PipelineError;
