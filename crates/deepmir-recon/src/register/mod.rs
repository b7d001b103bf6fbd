//! Rigid registration of another image of the same head.

mod bias;
mod both_ways;
mod information;
mod powell;
mod search;
mod transform;

pub use bias::{BiasConfig, correct_bias};
pub use both_ways::{BothWays, register_both_ways};
pub use search::{Registration, RegistrationConfig, register_rigid};
pub use transform::RigidTransform;

use deepmir_volume::{Affine, Grid, Mask, Volume, resample_moved_in_range};

/// `moving` as seen on the grid it was registered to, by cubic B-splines; zero where it was not
/// imaged, and never below the smallest or above the largest value it had.
pub fn resample_registered(
    moving: &Volume<f32>,
    grid: &Grid,
    transform: &RigidTransform,
) -> Volume<f32> {
    resample_moved_in_range(moving, grid, &transform.affine())
}

/// How similar two images are as they lie, over the points of `mask` (on `fixed`'s grid): normalised
/// mutual information as [`register_rigid`] maximises it, 1 for independent images, 2 for equal ones.
/// `None` if the mask is empty.
pub fn similarity(fixed: &Volume<f32>, mask: &Mask, moving: &Volume<f32>) -> Option<f64> {
    let spacing_mm = RegistrationConfig::default().finest_mm;
    let information = information::Information::new(fixed, mask, moving.clone(), spacing_mm);
    let as_they_lie = Affine::from_spacing([1.0; 3], [0.0; 3]);
    (information.point_count() > 0).then(|| information.similarity(&as_they_lie).information)
}
