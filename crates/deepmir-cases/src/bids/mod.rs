//! The Brain Imaging Data Structure: names, datasets, and the files around derivatives.

mod dataset;
mod derivative;
mod filter;
mod json;
mod kind;
mod label_maps;
mod magnitude;
mod name;
mod raw;
mod runs;
mod scan;
mod sessions;
mod sidecars;
mod walk;

pub use dataset::brain_masks;
pub use derivative::{check_description, write_dataset_description, write_label_table};
pub use derivative::{write_json, write_text};
pub use filter::{Filters, Query};
pub use json::parse_object;
pub use kind::{NoSwi, no_swi};
pub use label_maps::{label_maps, no_label_maps, only_labels_folder, other_segmentations};
pub use name::{BidsName, DerivedName, of_scan};
pub use scan::{Scan, scans, scans_of, without_bids_names};
pub use sessions::{OrderFrom, ScanTimes, SessionOrder, session_order};
pub use sidecars::{sidecar_fields, sidecars};
pub(crate) use walk::sorted_entries;
pub use walk::{SubjectFolder, images_below, subject_folders};

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
