//! The Brain Imaging Data Structure: names, datasets, and the files around derivatives.

mod dataset;
mod derivative;
mod name;
mod raw;

pub(crate) use dataset::images_below;
pub use dataset::{Scan, brain_masks, label_maps, only_labels_folder, scans};
pub use derivative::{write_dataset_description, write_label_table};
pub(crate) use derivative::{write_json, write_text};
pub use name::{BidsName, DerivedName};
pub use raw::{RawScan, raw_scans};
