//! Integration tests: one binary.

mod blobs;
mod candidate_classifier;
mod candidate_threshold;
mod head;
mod patch_scorer;
mod warm_start;
