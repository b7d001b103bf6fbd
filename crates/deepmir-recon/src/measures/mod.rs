//! How near a susceptibility map comes to the truth, by the measures of the second QSM reconstruction challenge and of
//! the open ranking QSM-CI.
//!
//! The challenge: QSM Challenge 2.0 Organization Committee, Magnetic Resonance in Medicine 86:1241, 2021; its phantom,
//! whose labels [`TissueLabels`] takes: Marques et al., Magnetic Resonance in Medicine 86:526, 2021. The ranking's
//! rules are those of its own code (github.com/QSMxT/QSM-CI). XSIM: Milovic et al., Magnetic Resonance in Medicine
//! 93:411, 2025. docs/recon.md lists the definitions and what differs.
//!
//! Both maps are set to zero outside the region that is evaluated, before anything is filtered. Voxels of the brain
//! mask where the map is exactly zero are outside: nothing was reconstructed there.

mod calcification;
mod field;
mod files;
mod regions;

use deepmir_volume::{Mask, Volume};

use crate::accuracy::{map_error, xsim};
use field::Field;
pub use files::{CompareMaps, Compared, remove_measures};
pub use regions::TissueLabels;

/// A measure of a map against the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// Its name in tables.
    pub name: &'static str,
    /// Over which part of the evaluated region.
    pub region: &'static str,
    /// Voxels of that part.
    pub voxels: usize,
    /// Unit; `1` of ratios and correlations.
    pub unit: &'static str,
    /// The value, where it is defined: not of an empty part, nor where the truth does not vary.
    pub value: Option<f64>,
}

/// Names, and what they mean.
pub const MEANINGS: [(&str, &str); 14] = [
    ("rmse", "root mean square of the difference, of the maps as they are"),
    ("mad", "mean absolute difference, of the maps as they are"),
    ("nrmse", "norm of the difference over the truth's norm, both maps without their means"),
    ("detrended_nrmse", "nrmse after the map was divided by its slope over the truth"),
    ("slope", "slope of the map over the truth, by least squares"),
    ("correlation", "Pearson's correlation"),
    (
        "hfen",
        "norm of the difference over the truth's norm, after a Laplacian of Gaussian of 1.5 voxels",
    ),
    (
        "xsim",
        "structural similarity for susceptibility maps, windows of 5 × 5 × 5 voxels, constants 0.01 and 0.001 ppm",
    ),
    ("xsim_gaussian", "xsim with Gaussian windows of 1.5 voxels"),
    (
        "gradient_error",
        "root mean square of the gradients' difference, all components, in the region's box",
    ),
    (
        "normalised_mutual_information",
        "entropies' sum over the joint entropy (1 to 2), 100 bins a map",
    ),
    ("linearity_deviation", "one less the slope of the nuclei's means over the truth's, absolute"),
    ("moment_deviation", "summed susceptibility of the calcification less the true one, absolute"),
    (
        "streaking",
        "deviation around the calcification that the truth does not explain, over its mean",
    ),
];

/// The evaluated region: voxels of the brain where the map has a value.
pub fn evaluated(chi_ppm: &Volume<f32>, brain: &Mask) -> Mask {
    let mut region = brain.clone();
    region
        .data_mut()
        .iter_mut()
        .zip(chi_ppm.data())
        .for_each(|(inside, chi)| *inside &= *chi != 0.0);
    region
}

/// Measures a map in ppm against the truth over the region that is [`evaluated`]; with tissue labels also by tissue.
///
/// # Panics
/// If the volumes are not of one shape (check their grids first).
///
/// ```
/// use deepmir_recon::measures::measure;
/// use deepmir_volume::{Affine, Grid, Volume};
///
/// let grid = Grid::new([8; 3], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
/// let truth = Volume::from_fn(grid, |[i, j, k]| 0.01 * ((3 * i + 5 * j + 7 * k) % 11) as f32 + 0.01);
/// let half = truth.map(|chi| 0.5 * chi);
/// let found = measure(&half, &truth, &Volume::filled(grid, true), None);
/// let value = |name| found.iter().find(|measure| measure.name == name).unwrap().value.unwrap();
/// assert!((value("nrmse") - 50.0).abs() < 1e-4, "per cent");
/// assert!(value("detrended_nrmse") < 1e-3 && (value("slope") - 0.5).abs() < 1e-6);
/// ```
pub fn measure(
    chi_ppm: &Volume<f32>,
    truth_ppm: &Volume<f32>,
    brain: &Mask,
    labels: Option<&TissueLabels>,
) -> Vec<Measure> {
    assert_eq!(chi_ppm.shape(), truth_ppm.shape(), "maps of one grid");
    assert_eq!(chi_ppm.shape(), brain.shape(), "a mask of the maps' grid");
    let region = evaluated(chi_ppm, brain);
    let voxels = region.count();
    let mut measures = Vec::new();
    let mut add = |name, unit, value: Option<f64>| {
        let value = value.filter(|value| value.is_finite());
        measures.push(Measure { name, region: "brain", voxels, unit, value });
    };
    let differences = || {
        let pairs = chi_ppm.data().iter().zip(truth_ppm.data()).zip(region.data());
        pairs.filter(|(_, inside)| **inside).map(|((&a, &b), _)| f64::from(a) - f64::from(b))
    };
    let mean = |sum: f64| (voxels > 0).then(|| sum / voxels as f64);
    add("rmse", "ppm", mean(differences().map(|d| d * d).sum()).map(f64::sqrt));
    add("mad", "ppm", mean(differences().map(f64::abs).sum()));
    let line = map_error(chi_ppm, truth_ppm, &region);
    add("nrmse", "percent", line.map(|line| line.nrmse_percent));
    add("detrended_nrmse", "percent", line.map(|line| line.detrended_nrmse_percent));
    add("slope", "1", line.map(|line| line.slope));
    add("correlation", "1", line.map(|line| line.correlation));
    let [chi, truth] = [chi_ppm, truth_ppm].map(|map| Field::inside(map, &region));
    add("hfen", "percent", field::hfen_percent(&chi, &truth, &region));
    add("xsim", "1", field::xsim_of_boxes(&chi, &truth, &region));
    add("xsim_gaussian", "1", xsim(chi_ppm, truth_ppm, &region));
    add("gradient_error", "ppm/voxel", field::gradient_error(&chi, &truth, &region));
    add("normalised_mutual_information", "1", mutual_information(chi_ppm, truth_ppm, &region));
    if let Some(labels) = labels {
        assert_eq!(chi_ppm.shape(), labels.shape(), "labels of the maps' grid");
        measures.extend(regions::by_tissue(chi_ppm, truth_ppm, &region, labels));
    }
    measures
}

/// Entropy of one map plus that of the other over that of both (Studholme et al., Pattern Recognition 32:71, 1999), from
/// histograms of 100 bins between each map's least and largest value, as scikit-image has it.
fn mutual_information(chi: &Volume<f32>, truth: &Volume<f32>, region: &Mask) -> Option<f64> {
    const BINS: usize = 100;
    let values = |map: &Volume<f32>| -> Vec<f64> {
        let inside = map.data().iter().zip(region.data()).filter(|(_, inside)| **inside);
        inside.map(|(&value, _)| f64::from(value)).collect()
    };
    let bins = |values: &[f64]| -> Option<Vec<usize>> {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let width = most - least;
        let bin = |value: &f64| (((value - least) / width * BINS as f64) as usize).min(BINS - 1);
        (width > 0.0).then(|| values.iter().map(bin).collect())
    };
    let [one, other] = [chi, truth].map(|map| bins(&values(map)));
    let (one, other) = (one?, other?);
    let mut joint = vec![0_usize; BINS * BINS];
    one.iter().zip(&other).for_each(|(&a, &b)| joint[a * BINS + b] += 1);
    let total = one.len() as f64;
    let entropy = |counts: &mut dyn Iterator<Item = usize>| -> f64 {
        let shares = counts.filter(|&count| count > 0).map(|count| count as f64 / total);
        -shares.map(|share| share * share.ln()).sum::<f64>()
    };
    let of_one = entropy(&mut joint.chunks_exact(BINS).map(|row| row.iter().sum()));
    let of_other = entropy(&mut (0..BINS).map(|b| joint.iter().skip(b).step_by(BINS).sum()));
    let of_both = entropy(&mut joint.iter().copied());
    (of_both > 0.0).then(|| (of_one + of_other) / of_both)
}
