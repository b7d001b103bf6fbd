//! Detection on synthetic heads and against scikit-learn; one binary, so that it links once.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

mod blobs;
mod by_inputs;
mod candidate_classifier;
mod candidate_threshold;
mod head;
mod patch_scorer;
mod warm_start;
