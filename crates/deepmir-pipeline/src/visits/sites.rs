//! Joint reading: the candidates of both visits together, each measured in both.

use std::collections::HashSet;

use deepmir_detect::candidate_classifier::{Feature, Features};
use deepmir_lesion::{BasalGanglia, Candidate, LesionClass};
use deepmir_model::{Detected, Detector};
use deepmir_volume::{Affine, Grid};
use serde::Serialize;

use crate::PipelineError;

/// Candidates that are less probable in both visits are not followed.
const LEAST_PROBABILITY: f32 = 0.05;
/// How far apart the centres of one place may lie in two visits, beside a part of its size: registration, and voxels
/// that lie differently.
const SAME_WITHIN_MM: f64 = 2.5;
const SAME_WITHIN_DIAMETERS: f64 = 0.25;
/// Log-odds beyond these say no more.
const MOST_LOG_ODDS: f64 = 7.0;

/// What one visit shows at a place.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The region on the visit's prepared grid, with its probabilities.
    pub candidate: Candidate,
    /// Whether the visit itself had a candidate there; else the other's region was measured in it.
    pub own: bool,
    /// What the classifiers say.
    pub evidence: Evidence,
}

/// What the classifiers say of a place in one visit, whatever its class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// The candidate classifier's log-odds of a lesion, within ±7.
    pub log_odds: f64,
    /// The patch classifier's log-odds, of the likelier class, within ±7; as those of the candidate classifier without
    /// one.
    pub patch_log_odds: f64,
    /// −log₁₀(1 − p) of the highest probability of the segmentation networks.
    pub peak: f64,
    /// How much darker than its surroundings the SWI is, in standard deviations of the brain.
    pub swi_contrast: f64,
    /// How much higher than around it susceptibility is; `None` without a map.
    pub chi_contrast: Option<f64>,
}

impl Evidence {
    fn of(candidate: &Candidate, features: Option<&Features>) -> Self {
        let p = f64::from(candidate.score()).clamp(1e-6, 1.0 - 1e-6);
        let within = |odds: f64| odds.clamp(-MOST_LOG_ODDS, MOST_LOG_ODDS);
        let log_odds = within((p / (1.0 - p)).ln());
        let get = |feature| features.and_then(|features| features.get(feature));
        let patch = [Feature::PatchCmb, Feature::PatchNhid].into_iter().filter_map(get);
        let difference = |a, b| Some(get(a)? - get(b)?);
        Self {
            log_odds,
            patch_log_odds: patch.reduce(f64::max).map_or(log_odds, within),
            peak: get(Feature::Peak).unwrap_or_default(),
            swi_contrast: difference(Feature::SwiAround, Feature::SwiMean).unwrap_or_default(),
            chi_contrast: difference(Feature::ChiMean, Feature::ChiAround),
        }
    }
}

/// A place that may hold a lesion in either visit.
#[derive(Clone, Debug)]
pub struct Site {
    /// The class that the visits together say.
    pub class: LesionClass,
    /// Baseline and follow-up.
    pub seen: [Sight; 2],
}

/// The places where either visit has a candidate, each measured in both.
///
/// # Errors
/// If the patch classifier fails.
pub(super) fn joint_reading(
    detector: &Detector,
    visits: [&Detected; 2],
    nuclei: [Option<&dyn BasalGanglia>; 2],
    to_visits: &[Affine; 2],
) -> Result<Vec<Site>, PipelineError> {
    let movement = |from: usize, to: usize| to_visits[to].after(&to_visits[from].inverse());
    let middles = [0, 1].map(|visit| {
        let to_halfway = to_visits[visit].inverse();
        let each = visits[visit].candidates.iter();
        each.map(|candidate| to_halfway.apply(candidate.lesion.centre_mm)).collect::<Vec<_>>()
    });
    let pairs = pair(visits, &middles);
    let likely = |visit: usize, n: usize| visits[visit].candidates[n].score() >= LEAST_PROBABILITY;
    let mut sites: Vec<Site> = Vec::new();
    for &(one, other) in &pairs {
        if likely(0, one) || likely(1, other) {
            let seen = [own(visits[0], one), own(visits[1], other)];
            sites.push(Site { class: class_of(&seen), seen });
        }
    }
    for visit in [0, 1] {
        let there = 1 - visit;
        let is_paired = |n: usize| pairs.iter().any(|pair| [pair.0, pair.1][visit] == n);
        let alone =
            (0..visits[visit].candidates.len()).filter(|&n| likely(visit, n) && !is_paired(n));
        // What other candidates of that visit cover is theirs.
        let taken: HashSet<usize> = sites
            .iter()
            .filter(|site| site.seen[there].own)
            .flat_map(|site| site.seen[there].candidate.lesion.voxels.iter().copied())
            .collect();
        let (mut from, mut regions) = (Vec::new(), Vec::new());
        for n in alone {
            let voxels = &visits[visit].candidates[n].lesion.voxels;
            let (grid, target) = (visits[visit].prepared.grid(), visits[there].prepared.grid());
            let mut region = carried(voxels, grid, target, &movement(visit, there));
            region.retain(|voxel| !taken.contains(voxel));
            // Outside the other visit's image, or a piece of a lesion that is one there.
            if !region.is_empty() {
                from.push(n);
                regions.push(region);
            }
        }
        let measured = detector.score_regions(visits[there], nuclei[there], regions)?;
        for (k, (n, candidate)) in from.into_iter().zip(measured.candidates).enumerate() {
            let evidence = Evidence::of(&candidate, measured.features.get(k));
            let carried = Sight { candidate, own: false, evidence };
            let mut seen = [own(visits[visit], n), carried];
            if visit == 1 {
                seen.swap(0, 1);
            }
            sites.push(Site { class: class_of(&seen), seen });
        }
    }
    Ok(sites)
}

fn own(visit: &Detected, n: usize) -> Sight {
    let candidate = visit.candidates[n].clone();
    let evidence = Evidence::of(&candidate, visit.features.get(n));
    Sight { candidate, own: true, evidence }
}

/// That of the visit that is surer.
fn class_of(seen: &[Sight; 2]) -> LesionClass {
    let surer = usize::from(seen[1].candidate.score() > seen[0].candidate.score());
    seen[surer].candidate.lesion.class
}

/// One to one, the nearest first.
fn pair(visits: [&Detected; 2], middles: &[Vec<[f64; 3]>; 2]) -> Vec<(usize, usize)> {
    let mut near: Vec<(f64, usize, usize)> = Vec::new();
    for (n, one) in middles[0].iter().enumerate() {
        for (m, other) in middles[1].iter().enumerate() {
            let apart = (0..3).map(|axis| (one[axis] - other[axis]).powi(2)).sum::<f64>().sqrt();
            let diameters = visits[0].candidates[n].lesion.diameter_mm()
                + visits[1].candidates[m].lesion.diameter_mm();
            if apart <= SAME_WITHIN_MM + SAME_WITHIN_DIAMETERS * diameters {
                near.push((apart, n, m));
            }
        }
    }
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ones, mut others) = (HashSet::new(), HashSet::new());
    let free = |&(_, n, m): &(f64, usize, usize)| {
        let free = !ones.contains(&n) && !others.contains(&m);
        if free {
            ones.insert(n);
            others.insert(m);
        }
        free
    };
    near.into_iter().filter(free).map(|(_, n, m)| (n, m)).collect()
}

/// The voxels of another grid that a region covers there, ascending; of a region that covers the middle of none, the
/// nearest. Empty outside the grid. `movement` goes from the region's millimetres to the other grid's.
pub(super) fn carried(voxels: &[usize], from: &Grid, to: &Grid, movement: &Affine) -> Vec<usize> {
    let there = to.affine().inverse().after(movement).after(from.affine());
    let back = there.inverse();
    let region: HashSet<usize> = voxels.iter().copied().collect();
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    let mut middle = [0.0; 3];
    for &index in voxels {
        let place = there.apply(from.voxel(index).map(|at| at as f64));
        for axis in 0..3 {
            low[axis] = low[axis].min(place[axis]);
            high[axis] = high[axis].max(place[axis]);
            middle[axis] += place[axis] / voxels.len() as f64;
        }
    }
    let range = |axis: usize| {
        let last = to.shape()[axis] as f64 - 1.0;
        let [low, high] = [low[axis] - 1.0, high[axis] + 1.0].map(|at| at.clamp(0.0, last));
        low.floor() as usize..=high.ceil() as usize
    };
    let nearest = |place: [f64; 3], grid: &Grid| {
        let mut voxel = [0; 3];
        for axis in 0..3 {
            let at = place[axis].round();
            if !(0.0..grid.shape()[axis] as f64).contains(&at) {
                return None;
            }
            voxel[axis] = at as usize;
        }
        Some(grid.index(voxel))
    };
    let mut found = Vec::new();
    if low[0].is_finite() {
        for k in range(2) {
            for j in range(1) {
                for i in range(0) {
                    let place = back.apply([i, j, k].map(|at| at as f64));
                    if nearest(place, from).is_some_and(|index| region.contains(&index)) {
                        found.push(to.index([i, j, k]));
                    }
                }
            }
        }
        if found.is_empty() {
            found.extend(nearest(middle, to));
        }
    }
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(size: usize, spacing_mm: f64) -> Grid {
        Grid::new([size; 3], Affine::from_spacing([spacing_mm; 3], [0.0; 3])).unwrap()
    }

    #[test]
    fn a_region_is_carried_to_the_same_place() {
        let (from, to) = (grid(20, 1.0), grid(40, 0.5));
        let region = [[5, 5, 5], [6, 5, 5]].map(|voxel| from.index(voxel));
        let moved = Affine::from_spacing([1.0; 3], [2.0, 0.0, 0.0]);
        let there = carried(&region, &from, &to, &moved);
        // Each voxel of 1 mm³ covers the middles of 8 or fewer of an eighth of it.
        let volume = there.len() as f64 / 8.0;
        assert!((1.0..=3.5).contains(&volume), "{volume}");
        let mean = there.iter().map(|&index| to.position_mm(to.voxel(index))[0]).sum::<f64>()
            / there.len() as f64;
        assert!((mean - 7.5).abs() < 0.3, "{mean}");
        assert!(there.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_small_region_takes_the_nearest_of_coarse_voxels() {
        let (from, to) = (grid(40, 0.5), grid(8, 3.0));
        let still = Affine::from_spacing([1.0; 3], [0.0; 3]);
        let region = [from.index([14, 14, 14])];
        assert_eq!(carried(&region, &from, &to, &still), [to.index([2, 2, 2])]);
        let away = Affine::from_spacing([1.0; 3], [100.0, 0.0, 0.0]);
        assert!(carried(&region, &from, &to, &away).is_empty());
    }
}
