//! Label maps: which voxels belong to which class.

use std::collections::BTreeMap;
use std::path::Path;

use deepmir_volume::nifti::{self, Image};
use deepmir_volume::{Grid, Mask, Volume};

use crate::{Lesion, LesionClass, LesionError};

/// A volume of 0 (background), 1 (CMB) and 2 (NHID), and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelMap(Volume<u8>);

impl LabelMap {
    /// No lesions.
    pub fn empty(grid: Grid) -> Self {
        Self(Volume::filled(grid, 0))
    }

    /// A map of lesions; where two overlap, the later one's class.
    pub fn of<'a>(grid: Grid, lesions: impl IntoIterator<Item = &'a Lesion>) -> Self {
        let mut labels = Self::empty(grid);
        for lesion in lesions {
            labels.paint(&lesion.voxels, lesion.class);
        }
        labels
    }

    /// Checks the values of a volume read from `path`.
    ///
    /// # Errors
    /// [`LesionError::LabelValues`], listing the values that stand for nothing.
    pub fn from_integers(volume: &Volume<i32>, path: &Path) -> Result<Self, LesionError> {
        let known = |value: i32| (0..=2).contains(&value);
        if volume.data().iter().all(|&value| known(value)) {
            return Ok(Self(volume.map(|&value| value as u8)));
        }
        let mut counts = BTreeMap::new();
        for &value in volume.data().iter().filter(|&&value| !known(value)) {
            *counts.entry(value).or_insert(0_usize) += 1;
        }
        let mut values: Vec<String> = counts
            .iter()
            .take(8)
            .map(|(value, count)| {
                format!("{value} ({count} voxel{})", if *count == 1 { "" } else { "s" })
            })
            .collect();
        if counts.len() > values.len() {
            values.push(format!("and {} other values", counts.len() - values.len()));
        }
        Err(LesionError::LabelValues { path: path.to_owned(), values: values.join(", ") })
    }

    /// Reads a NIfTI label map.
    ///
    /// # Errors
    /// If the file cannot be read, or holds other values than 0, 1 and 2.
    pub fn read(path: &Path) -> Result<(Self, nifti::Header), LesionError> {
        let Image { volume, header } = nifti::read_integers(path)?;
        Ok((Self::from_integers(&volume, path)?, header))
    }

    /// The voxels.
    pub fn volume(&self) -> &Volume<u8> {
        &self.0
    }

    /// The grid.
    pub fn grid(&self) -> &Grid {
        self.0.grid()
    }

    /// The class at a position in the data; `None` on background.
    pub fn class_at(&self, index: usize) -> Option<LesionClass> {
        LesionClass::from_label(self.0.data()[index])
    }

    /// Gives voxels (positions in the data) a class.
    pub fn paint(&mut self, voxels: &[usize], class: LesionClass) {
        let data = self.0.data_mut();
        voxels.iter().for_each(|&index| data[index] = class.label());
    }

    /// The voxels of one class.
    pub fn mask_of(&self, class: LesionClass) -> Mask {
        self.0.map(|&value| value == class.label())
    }

    /// How many voxels a class has.
    pub fn count_of(&self, class: LesionClass) -> usize {
        self.0.data().iter().filter(|&&value| value == class.label()).count()
    }
}
