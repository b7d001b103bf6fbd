//! The Brain Imaging Data Structure: names, datasets, and the files around derivatives.

mod dataset;
mod derivative;
mod json;
mod name;
mod raw;
mod sidecars;

pub use dataset::{Scan, brain_masks, label_maps, only_labels_folder, scans};
pub use dataset::{check_places, images_below, scans_of};
pub use derivative::{check_description, write_dataset_description, write_label_table};
pub use derivative::{write_json, write_text};
pub use json::parse_object;
pub use name::{BidsName, DerivedName};
pub use raw::raw_scans_of;
pub use raw::{RawScan, raw_scans};
pub use sidecars::sidecars;

#[cfg(test)]
mod tests {
    /// A dataset of empty files.
    pub(super) fn dataset(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        folder
    }
}
