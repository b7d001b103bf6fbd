//! The dataset: labels of subjects, names, voxels, sidecars.

mod labels;
mod names;
mod sidecar;
mod values;
mod write;

pub use labels::{Key, Labels};
pub use names::{Item, Names};
pub use values::volume;
pub use write::Dataset;
