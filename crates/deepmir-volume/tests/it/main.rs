//! Tests against other implementations and hostile input; one binary, so that it links once.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

mod common;
mod formats;
mod nifti_bad_files;
mod nifti_lenient;
mod nifti_nibabel;
mod nifti_round_trip;
mod scipy;
