//! Label maps from files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmir_volume::{Orientation, Volume, nifti};

use crate::PhantomError;
use crate::structure::Structure;

/// Least volumes of what a whole brain has, in ml.
const NEEDED: [(Structure, &str, f64); 3] = [
    (Structure::WhiteMatter, "cerebral white matter", 50.0),
    (Structure::Cortex, "cerebral cortex", 50.0),
    (Structure::Thalamus, "thalamus", 1.0),
];

/// Reads a label map with FreeSurfer's numbers, in any orientation, and brings it to RAS.
///
/// # Errors
/// If the file cannot be read, has unknown labels or no whole brain.
pub fn read_label_map(path: &Path) -> Result<Volume<Structure>, PhantomError> {
    let image = nifti::read_integers(path)?;
    let ras = Orientation::of(image.volume.grid().affine()).to_ras(&image.volume);
    let mut unknown: BTreeMap<i32, usize> = BTreeMap::new();
    let labels = ras.map(|&number| {
        Structure::from_freesurfer(number).unwrap_or_else(|| {
            *unknown.entry(number).or_default() += 1;
            Structure::Air
        })
    });
    if !unknown.is_empty() {
        let some: Vec<String> = unknown.keys().take(12).map(ToString::to_string).collect();
        return Err(PhantomError::UnknownLabels {
            path: path.to_owned(),
            labels: some.join(", "),
            voxels: unknown.values().sum(),
        });
    }
    let voxel_ml = labels.grid().voxel_volume_mm3() / 1000.0;
    for (structure, name, least_ml) in NEEDED {
        let count = labels.data().iter().filter(|&&label| label == structure).count();
        let found_ml = count as f64 * voxel_ml;
        if found_ml < least_ml {
            return Err(PhantomError::NotABrain {
                path: path.to_owned(),
                structure: name,
                found: format!("{found_ml:.1} ml"),
            });
        }
    }
    Ok(labels)
}

/// The NIfTI files of a folder in the order of their names, or the one file given.
///
/// # Errors
/// If the folder cannot be read or has none.
pub fn list_label_maps(path: &Path) -> Result<Vec<PathBuf>, PhantomError> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let fail = |source| PhantomError::Read { path: path.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(fail)? {
        let file = entry.map_err(fail)?.path();
        if file.is_file() && nifti::is_nifti_name(&file) {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(PhantomError::NoAnatomies { path: path.to_owned() });
    }
    Ok(files)
}
