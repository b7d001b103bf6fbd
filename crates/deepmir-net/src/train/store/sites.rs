//! The places in a subject that the sampler draws from: lesions, mimics, brain.

use deepmir_cases::Modality;
use deepmir_lesion::{LabelMap, Lesion, LesionClass, lesions_of};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Grid, statistics};

use crate::Plan;

/// Most voxels of the brain that are kept for sampling.
pub(super) const BACKGROUND_SITES: usize = 4096;
/// Most dark voxels that are kept as possible mimics.
const MIMIC_SITES: usize = 2048;

/// A lesion, slice by slice.
#[derive(Clone, Debug, PartialEq)]
pub struct LesionSite {
    /// Its class.
    pub class: LesionClass,
    /// For each slice that it reaches, the slice and the centre of its pixels there.
    pub slices: Vec<(usize, [f64; 2])>,
}

pub(super) fn lesion_sites(truth: &LabelMap) -> Vec<LesionSite> {
    let lesions = lesions_of(truth, Connectivity::TwentySix);
    let site = |lesion: &Lesion| {
        let mut slices: Vec<(usize, [f64; 2], usize)> = Vec::new();
        for &index in &lesion.voxels {
            let [i, j, k] = truth.grid().voxel(index);
            if slices.last().is_none_or(|last| last.0 != k) {
                slices.push((k, [0.0; 2], 0));
            }
            if let Some((_, sum, count)) = slices.last_mut() {
                sum[0] += i as f64;
                sum[1] += j as f64;
                *count += 1;
            }
        }
        let middle = |(k, sum, count): (usize, [f64; 2], usize)| (k, sum.map(|x| x / count as f64));
        LesionSite { class: lesion.class, slices: slices.into_iter().map(middle).collect() }
    };
    lesions.iter().map(site).collect()
}

/// The channel in which lesions are dark, SWI or else the first, and the sign that makes them dark.
pub(super) fn darkness(plan: &Plan) -> (usize, f32) {
    let channel = plan.inputs.iter().position(|&input| input == Modality::Swi).unwrap_or(0);
    (channel, if plan.inputs.get(channel) == Some(&Modality::Qsm) { -1.0 } else { 1.0 })
}

/// The darkest voxels of the brain outside lesions.
pub(super) fn mimic_sites(
    image: &[f32],
    truth: &LabelMap,
    brain: impl Fn(usize) -> bool,
) -> Vec<[usize; 3]> {
    let eligible = |index: usize| brain(index) && truth.class_at(index).is_none();
    let mut values: Vec<f32> =
        (0..image.len()).filter(|&index| eligible(index)).map(|index| image[index]).collect();
    // The darkest fiftieth of the brain: veins, edges, nuclei, calcifications.
    let Some(dark) = statistics::quantile(&mut values, 0.02) else {
        return Vec::new();
    };
    spread(truth.grid(), |index| eligible(index) && image[index] <= dark, MIMIC_SITES)
}

/// Up to `most` of the `wanted` voxels, evenly spread over the order of the data.
pub(super) fn spread(grid: &Grid, wanted: impl Fn(usize) -> bool, most: usize) -> Vec<[usize; 3]> {
    let all: Vec<usize> = (0..grid.len()).filter(|&index| wanted(index)).collect();
    let step = (all.len() as f64 / most as f64).max(1.0);
    let count = (all.len() as f64 / step) as usize;
    (0..count).map(|n| grid.voxel(all[(n as f64 * step) as usize])).collect()
}
