//! Paramagnetic and diamagnetic susceptibility of each lesion, where a reconstruction has separated them.

use deepmir_cases::{CaseFiles, Modality};
use deepmir_lesion::Lesion;
use deepmir_recon::output::parts_beside;
use deepmir_volume::nifti::{self, ReadOptions};
use deepmir_volume::{Grid, Volume, Warning, statistics};

use crate::PipelineError;

/// Their columns in the lesion table.
pub(super) const COLUMNS: [&str; 2] = ["chi_positive_mean_ppm", "chi_negative_mean_ppm"];

/// Mean of both parts over each lesion in ppm: of `*_paramagneticmap` and `*_diamagneticmap` beside the susceptibility
/// map. `None` if they are not there, or lie on another grid, which is the warning `parts_left_out`.
///
/// # Errors
/// A map that cannot be read.
pub(super) fn of_lesions<'a>(
    files: &CaseFiles,
    grid: &Grid,
    lesions: impl Iterator<Item = &'a Lesion>,
    read: &ReadOptions,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Vec<[Option<f64>; 2]>>, PipelineError> {
    let paths = files.images.get(&Modality::Qsm).and_then(|chi_map| parts_beside(chi_map));
    let Some(paths) = paths else { return Ok(None) };
    let mut maps = Vec::new();
    for path in &paths {
        let map: Volume<f32> = nifti::read_with(path, read)?.volume;
        if !map.grid().same_as(grid) {
            let message = format!(
                "no lesion has its paramagnetic and diamagnetic susceptibility, as this map is on another grid; resample it \
                 to that of the susceptibility map: {}",
                path.display()
            );
            warnings.push(Warning::new("parts_left_out", message));
            return Ok(None);
        }
        maps.push(map);
    }
    let of_lesion = |lesion: &Lesion| {
        let both = |&voxel: &usize| [maps[0].data()[voxel], maps[1].data()[voxel]];
        // Both are zero where susceptibility is not known, or R2 is not.
        let is_known = |parts: &[f32; 2]| *parts != [0.0; 2];
        let known: Vec<[f32; 2]> = lesion.voxels.iter().map(both).filter(is_known).collect();
        let mean = |part: usize| statistics::mean(known.iter().map(|parts| parts[part]));
        if 2 * known.len() < lesion.voxels.len() { [None; 2] } else { [0, 1].map(mean) }
    };
    Ok(Some(lesions.map(of_lesion).collect()))
}
