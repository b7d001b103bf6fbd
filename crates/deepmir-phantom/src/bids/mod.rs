//! Files of the Brain Imaging Data Structure.

mod dataset;
mod record;
mod scan;

pub use dataset::{AnatomySource, DatasetPlan, Event, Summary, write_dataset};
pub use record::Record;
pub use scan::{ScanName, write_bids};
