//! The Brain Imaging Data Structure: names, datasets, and the files around derivatives.

mod dataset;
mod derivative;
mod label_maps;
mod name;
mod raw;

pub use dataset::{Scan, brain_masks, scans};
pub use dataset::{check_places, images_below, scans_of};
pub use derivative::{check_description, write_dataset_description, write_label_table};
pub use derivative::{write_json, write_text};
pub use label_maps::{label_maps, no_label_maps, only_labels_folder, other_segmentations};
pub use name::{BidsName, DerivedName};
pub use raw::raw_scans_of;
pub use raw::{RawScan, raw_scans};

#[cfg(test)]
pub(crate) mod tests {
    /// A dataset of empty files.
    pub(crate) fn dataset(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        folder
    }
}
