//! Segmentations (DICOM SEG) of whoever made them, as label maps on the images that they refer to.

mod classes;
mod label_maps;
mod place;
mod read;

pub use classes::SegmentClasses;
pub use label_maps::LabelMapOf;
pub use read::{Segmentation, is_segmentation, read};
