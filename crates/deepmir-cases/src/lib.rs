//! The files of scans: finding, reading and splitting them.
//!
//! A [`Modality`] is a kind of image, [`CaseFiles`] are the paths of a scan, a [`Case`] holds its images on one grid.
//! [`bids`] knows the names of the Brain Imaging Data Structure, a [`Cohort`] lists the scans of a dataset or a table,
//! [`folds`] splits it by subject, never by scan. Listing the files of a dataset compiles no network.
//!
//! ```
//! use std::path::Path;
//!
//! use deepmir_cases::bids::BidsName;
//!
//! let name = BidsName::parse(Path::new("sub-01_ses-2_acq-swi_T2starw.nii.gz")).unwrap();
//! assert_eq!((name.scan().as_str(), name.suffix()), ("sub-01_ses-2", "T2starw"));
//! let derived = BidsName::derived_from(Path::new("sub-01_acq-swi_T2starw.nii.gz"));
//! let labels = derived.with(&[("seg", "lesions")], "dseg", ".nii.gz");
//! assert_eq!(labels, "sub-01_acq-swi_seg-lesions_dseg.nii.gz");
//! ```

pub mod bids;
mod brain;
mod case;
mod checksum;
pub mod cohort;
mod constant;
mod contrast;
mod echoes;
mod error;
pub mod folds;
mod groups;
mod labels;
mod mask;
mod modality;
mod nnunet;
mod noticed;
pub mod outputs;
mod plausible;
mod susceptibility;
mod text_table;
mod truth;
mod twins;
mod unknown;
mod visits;

pub use brain::{NotStripped, Stripped, of_stripped};
pub use case::{BrainSource, Case, CaseFiles, FindBrain};
pub use checksum::sha256;
pub use cohort::Cohort;
pub use contrast::Contrast;
pub use echoes::EchoParts;
pub use error::CaseError;
pub use groups::{Groups, beside_truth};
pub use labels::{LabelKind, choose};
pub use mask::{BrainMask, read_mask};
pub use modality::Modality;
pub use nnunet::{
    NnunetChannel, NnunetDataset, NnunetFolder, NnunetLabels, nnunet_to_bids, read_probabilities,
};
pub use truth::lesion_classes;
pub use twins::{Checksums, Twins};
pub use unknown::{read_unknown, unknown_beside};
pub use visits::same_patient;
