//! Measures of one place in both visits, over the same voxels of the halfway space.

use deepmir_cases::Modality;
use deepmir_volume::{BoundingBox, Mask, Volume, distance::distance_to, statistics};
use serde::Serialize;

use super::halfway::Halfway;
use super::sites::{Site, carried};
use deepmir_model::Detected;

/// A lesion's blooming and partial volume reach beyond its outline.
const REACH_MM: f32 = 1.0;
/// What is around it.
const SHELL_MM: [f32; 2] = [1.5, 3.5];
/// With fewer voxels around a place there is nothing to measure against.
const LEAST_SHELL: usize = 20;
/// With more of the place unmapped, a susceptibility map tells nothing of it.
const MOST_UNMAPPED: f64 = 0.3;

/// Sums over a place, against the median around it: independent of blooming and partial volume, as long as the place
/// holds the whole lesion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PlaceSums {
    /// How much signal the SWI lacks: the volume of a lesion without any signal that would lack as much, in mm³.
    pub swi_deficit_mm3: Option<f64>,
    /// Susceptibility above that of the surroundings, summed over the volume, in ppm·mm³.
    pub chi_total_ppm_mm3: Option<f64>,
}

/// Each place in both visits.
pub(super) fn place_sums(
    halfway: &Halfway,
    sites: &[Site],
    visits: [&Detected; 2],
) -> Vec<[PlaceSums; 2]> {
    let grid = halfway.grid();
    let regions: Vec<Vec<usize>> = sites
        .iter()
        .map(|site| {
            let mut voxels: Vec<usize> = Vec::new();
            for visit in [0, 1] {
                let to_halfway = halfway.to_visits[visit].inverse();
                let there = &site.seen[visit].candidate.lesion.voxels;
                voxels.extend(carried(there, visits[visit].prepared.grid(), grid, &to_halfway));
            }
            voxels.sort_unstable();
            voxels.dedup();
            voxels
        })
        .collect();
    let mut lesions: Mask = Volume::filled(*grid, false);
    regions.iter().flatten().for_each(|&voxel| lesions.data_mut()[voxel] = true);
    let brain = halfway.common_brain();
    regions.iter().map(|region| sums_of(region, &lesions, &brain, halfway)).collect()
}

fn sums_of(region: &[usize], lesions: &Mask, brain: &Mask, halfway: &Halfway) -> [PlaceSums; 2] {
    let grid = halfway.grid();
    let margin =
        grid.voxel_sizes_mm().map(|size| (f64::from(SHELL_MM[1]) / size).ceil() as usize + 1);
    let Some(tight) = BoundingBox::around_voxels(region.iter().map(|&index| grid.voxel(index)))
    else {
        return [PlaceSums::default(); 2];
    };
    let part = tight.grown(margin, grid);
    let small = part.grid_of(grid);
    let mut inside: Mask = Volume::filled(small, false);
    for &index in region {
        let voxel = grid.voxel(index);
        let at = std::array::from_fn(|axis| voxel[axis] - part.start()[axis]);
        inside.data_mut()[small.index(at)] = true;
    }
    let distance = distance_to(&inside);
    let (brain, lesions) = (brain.crop(&part), lesions.crop(&part));
    let all = || 0..small.len();
    let core: Vec<usize> =
        all().filter(|&n| distance.data()[n] <= REACH_MM && brain.data()[n]).collect();
    let is_shell = |n: &usize| {
        let mm = distance.data()[*n];
        (SHELL_MM[0]..=SHELL_MM[1]).contains(&mm) && brain.data()[*n] && !lesions.data()[*n]
    };
    let shell: Vec<usize> = all().filter(is_shell).collect();
    let volume = grid.voxel_volume_mm3();
    [0, 1].map(|visit| {
        let images = &halfway.images[visit];
        let of = |modality: Modality| images.get(&modality).map(|image| image.crop(&part));
        let around = |image: &Volume<f32>, mapped: bool| {
            let mut values: Vec<f32> = shell.iter().map(|&n| image.data()[n]).collect();
            values.retain(|&value| !mapped || value != 0.0);
            (values.len() >= LEAST_SHELL).then(|| statistics::quantile(&mut values, 0.5))?
        };
        let swi_deficit_mm3 = of(Modality::Swi).and_then(|swi| {
            let around = around(&swi, false).filter(|around| *around > 0.0)?;
            let lacks = core.iter().map(|&n| 1.0 - f64::from(swi.data()[n] / around));
            Some(lacks.sum::<f64>() * volume)
        });
        let chi_total_ppm_mm3 = of(Modality::Qsm).and_then(|chi| {
            let around = f64::from(around(&chi, true)?);
            let mapped: Vec<f64> =
                core.iter().map(|&n| f64::from(chi.data()[n])).filter(|&chi| chi != 0.0).collect();
            let unmapped = 1.0 - mapped.len() as f64 / core.len().max(1) as f64;
            (unmapped <= MOST_UNMAPPED)
                .then(|| mapped.iter().map(|chi| chi - around).sum::<f64>() * volume)
        });
        PlaceSums { swi_deficit_mm3, chi_total_ppm_mm3 }
    })
}
