//! How much memory subjects need, and how many fit at once.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

use deepmir_cases::CaseFiles;
use deepmir_volume::{Grid, nifti};

use crate::PipelineError;

/// Of the program itself with a model.
const BASE_GB: f64 = 0.10;
/// Reconstruction, per voxel, and per voxel of each echo.
const RECON_BYTES: f64 = 132.0;
const ECHO_BYTES: f64 = 12.0;
/// Prediction, per voxel of the image's grid, and per voxel of the model's grid around the brain.
const PREDICT_BYTES: f64 = 48.0;
const PREPARED_BYTES: f64 = 50.0;
/// Parcellation on voxels of 2 mm, whatever the grid, beside three images.
const PARCELLATION_GB: f64 = 0.52;
const IMAGES_BYTES: f64 = 12.0;
/// Registration of T2w, per voxel of both images.
const ALIGN_BYTES: f64 = 45.0;
/// The box around a large brain: images are cropped to the brain before they are resampled.
const BRAIN_BOX_MM3: f64 = 4.0e6;

/// What a scan needs at its peak, in GB, by the headers of its images. `model_voxel_mm` is the voxel size
/// that the model resamples to.
///
/// A scan is reconstructed, T2w is aligned, lesions are found, one after the other: the largest of the three
/// counts. The constants follow measurements by `workflow/memory.sh`, of which the tightest has 4 % to spare; the
/// table of what was used and counted is in `docs/cohorts.md`.
pub(crate) fn need_gb(
    grid: &Grid,
    echoes: usize,
    moving: Option<&Grid>,
    model_voxel_mm: Option<[f64; 3]>,
) -> f64 {
    let voxels = grid.len() as f64;
    let recon = match echoes {
        0 => 0.0,
        echoes => voxels * (RECON_BYTES + ECHO_BYTES * echoes as f64),
    };
    let align = moving.map_or(0.0, |moving| ALIGN_BYTES * (voxels + moving.len() as f64));
    let prepared = match model_voxel_mm {
        Some(sizes) => {
            let volume_mm3 = (voxels * grid.voxel_volume_mm3()).min(BRAIN_BOX_MM3);
            volume_mm3 / sizes.iter().product::<f64>()
        }
        None => voxels,
    };
    BASE_GB + (recon.max(align) / 1e9).max(detection_gb(voxels, prepared))
}

/// What prediction needs, when the grid that the images are prepared on is known.
pub(crate) fn predict_gb(grid: &Grid, prepared: &Grid) -> f64 {
    BASE_GB + detection_gb(grid.len() as f64, prepared.len() as f64)
}

/// What comparing two scans needs, by the header of an image of each: both are held at once.
///
/// # Errors
/// A header that cannot be read.
pub(crate) fn of_both(
    files: &[CaseFiles; 2],
    model_voxel_mm: Option<[f64; 3]>,
) -> Result<f64, PipelineError> {
    let images = files.iter().filter_map(|files| files.images.values().next());
    images.map(|path| Ok(need_gb(nifti::read_header(path)?.grid(), 0, None, model_voxel_mm))).sum()
}

/// The head is parcellated, then searched: the larger of the two.
fn detection_gb(voxels: f64, prepared: f64) -> f64 {
    let search = (PREDICT_BYTES * voxels + PREPARED_BYTES * prepared) / 1e9;
    search.max(PARCELLATION_GB + IMAGES_BYTES * voxels / 1e9)
}

/// Checks that what a scan needs can be had, so that it fails with a message where the operating system would end the
/// program. `limit_gb` is what may be used; if none is given, what is free counts.
///
/// # Errors
/// [`PipelineError::Memory`].
pub(crate) fn check(id: &str, need_gb: f64, limit_gb: Option<f64>) -> Result<(), PipelineError> {
    match limit_gb.or_else(free_gb) {
        Some(limit_gb) if need_gb > limit_gb => {
            Err(PipelineError::Memory { id: id.to_owned(), need_gb, limit_gb })
        }
        _ => Ok(()),
    }
}

/// The default memory of a run: four fifths of the least of what is free on the machine, the control group's limit and
/// Slurm's limit; 4 GB where none is known.
pub fn default_budget_gb() -> f64 {
    free_gb().map_or(4.0, |free| 0.8 * free)
}

/// The least of what is free on the machine, the control group's limit and Slurm's limit; `None` where none is known.
fn free_gb() -> Option<f64> {
    let limits = [available_gb(), control_group_gb(), slurm_gb()];
    limits.into_iter().flatten().reduce(f64::min)
}

fn available_gb() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024.0 / 1e9)
}

fn control_group_gb() -> Option<f64> {
    let limit = std::fs::read_to_string(Path::new("/sys/fs/cgroup/memory.max")).ok()?;
    Some(limit.trim().parse::<f64>().ok()? / 1e9)
}

/// The memory of a job, by `--mem`, or with `--mem-per-cpu` for each of its cores.
fn slurm_gb() -> Option<f64> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<f64>().ok();
    let mebibytes = number("SLURM_MEM_PER_NODE").or_else(|| {
        Some(number("SLURM_MEM_PER_CPU")? * number("SLURM_CPUS_ON_NODE").unwrap_or(1.0))
    })?;
    (mebibytes > 0.0).then_some(mebibytes * 1024.0 * 1024.0 / 1e9)
}

/// Memory shared by the subjects that are worked on.
pub(super) struct Budget {
    total_gb: f64,
    used_gb: Mutex<f64>,
    freed: Condvar,
}

/// A share of the budget, given back when dropped.
pub(super) struct Share<'a> {
    budget: &'a Budget,
    gb: f64,
}

impl Share<'_> {
    /// Whether it is as large as that.
    pub(super) fn covers(&self, gb: f64) -> bool {
        gb <= self.gb
    }
}

impl Budget {
    pub(super) fn new(total_gb: f64) -> Self {
        Self { total_gb, used_gb: Mutex::new(0.0), freed: Condvar::new() }
    }

    /// Waits until that much is free; `None` if it never will be.
    pub(super) fn take(&self, gb: f64) -> Option<Share<'_>> {
        if gb > self.total_gb {
            return None;
        }
        let mut used = self.used_gb.lock().unwrap_or_else(PoisonError::into_inner);
        // Sums of changing shares have a rounding error.
        while *used + gb > self.total_gb + 1e-6 {
            used = self.freed.wait(used).unwrap_or_else(PoisonError::into_inner);
        }
        *used += gb;
        Some(Share { budget: self, gb })
    }

    /// Whether that much must be waited for, though it will be free.
    pub(super) fn is_short_of(&self, gb: f64) -> bool {
        let used = *self.used_gb.lock().unwrap_or_else(PoisonError::into_inner);
        gb <= self.total_gb && used + gb > self.total_gb + 1e-6
    }

    pub(super) fn total_gb(&self) -> f64 {
        self.total_gb
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.budget.used_gb.lock().unwrap_or_else(PoisonError::into_inner) -= self.gb;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn what_does_not_fit_is_an_error_and_no_abort() {
        let grid = |size: usize, sides: f64| {
            let affine = deepmir_volume::Affine::from_spacing([sides; 3], [0.0; 3]);
            Grid::new([size; 3], affine).unwrap()
        };
        let (scan, prepared) = (grid(200, 1.0), grid(3000, 0.1));
        let need = predict_gb(&scan, &prepared);
        assert!(need > 1000.0, "{need}");
        let told = check("sub-01", need, Some(16.0)).unwrap_err().to_string();
        assert!(
            told.starts_with("sub-01 needs about 1350.5 GB of memory and 16.0 may be used"),
            "{told}"
        );
        assert!(check("sub-01", predict_gb(&scan, &scan), Some(16.0)).is_ok());
        assert!(check("sub-01", 1e9, None).is_err() || free_gb().is_none());
    }

    #[test]
    fn no_more_work_at_once_than_fits() {
        let budget = Budget::new(1.0);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    let share = budget.take(0.4).unwrap();
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    now.fetch_sub(1, Ordering::SeqCst);
                    drop(share);
                });
            }
        });
        assert!(most.into_inner() <= 2);
        assert!(budget.take(1.1).is_none());
        let _share = budget.take(0.7).unwrap();
        assert!(budget.is_short_of(0.4) && !budget.is_short_of(0.2) && !budget.is_short_of(1.1));
    }
}
