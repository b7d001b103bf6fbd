//! Digital heads with known lesions, and the MR images that a scanner would make of them.
//!
//! A [`Subject`] is a [`Head`] (of the built-in anatomy, or of a label map with FreeSurfer's
//! numbers) with veins, cerebral microbleeds, iron deposits and what looks like them, drawn from a
//! [`PhantomConfig`] and a seed. [`simulate`] scans it: susceptibility on voxels of half a
//! millimetre makes a field (by the dipole kernel, from the whole head), field and relaxation make
//! the complex signal of a multi-echo gradient-echo scan, which is cut to the scan's resolution in
//! k-space and received with a coil's sensitivity and noise; T2w likewise. [`bids::write_dataset`]
//! does so for many subjects and writes images and truth.
//!
//! ```no_run
//! use deepmir_phantom::bids::{AnatomySource, DatasetPlan, write_dataset};
//!
//! let plan = DatasetPlan {
//!     config: deepmir_phantom::PhantomConfig::default(),
//!     anatomy: AnatomySource::BuiltIn,
//!     subjects: 3,
//!     sessions: 1,
//!     randomize: false,
//!     seed: 1,
//! };
//! write_dataset("phantoms".as_ref(), &plan, &mut |_| {})?;
//! # Ok::<(), deepmir_phantom::PhantomError>(())
//! ```
//!
//! One subject on a coarse grid, in memory:
//!
//! ```
//! use deepmir_phantom::{Anatomy, PhantomConfig, Subject, simulate};
//!
//! # fn main() -> Result<(), deepmir_phantom::PhantomError> {
//! let mut config = PhantomConfig::default();
//! config.scan.voxel_mm = [6.0; 3];
//! config.scan.matrix = [28, 34, 28];
//! config.scan.fine_voxel_mm = 3.0;
//! config.scan.echo_times_s = vec![0.006, 0.018];
//! config.output.contents = deepmir_phantom::config::Contents::Raw;
//! let subject = Subject::draw(&config, &Anatomy::BuiltIn, 1, 1)?;
//! let scan = simulate(&subject, &config, 0, &mut |_| {})?;
//! assert_eq!(scan.magnitude.len(), 2);
//! assert!(scan.truth.brain_mask.count() > 1000);
//! # Ok(())
//! # }
//! ```
//!
//! The world is the scanner's: millimetres from its centre, x to the right, y to the front, z
//! upwards along the main field. The head's own millimetres are rigidly moved against it. A field
//! above the main one (paramagnetic) turns the phase forward.

pub mod bids;
mod builtin;
pub mod config;
mod error;
mod geometry;
mod head;
pub mod implant;
pub mod maps;
mod noise;
mod paint;
pub mod physics;
mod progress;
pub mod random;
mod shim;
mod simulate;
mod source;
mod structure;
mod subject;
mod tissue;
mod truth;
mod veins;

pub use config::PhantomConfig;
pub use error::PhantomError;
pub use geometry::Geometry;
pub use head::{Head, list_label_maps, read_label_map};
pub use progress::Step;
pub use simulate::{Drawn, Scan, simulate};
pub use source::{Change, Lobule, Source, SourceKind};
pub use structure::{Region, Structure};
pub use subject::{Anatomy, Subject};
pub use tissue::{Tissue, TissueTable};
pub use truth::{SourceRecord, Truth, write_sources};
pub use veins::VeinSegment;
