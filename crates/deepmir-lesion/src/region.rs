//! Lobar, deep or infratentorial, from the brain's extent alone.
//!
//! The regions are those of rating scales such as MARS (Gregoire et al. 2009), assigned without a parcellation: by the
//! position in the brain's bounding box. The rule was fitted to the sites of 80 lesions in nine simulated heads with
//! real anatomies and gives the right region for 20 of 22 lesions in three other such heads. It is less reliable for
//! heads tilted by more than about 15°.

use deepmir_volume::{Mask, Volume};
use serde::{Deserialize, Serialize};

use crate::BasalGanglia;

/// Where in the brain a lesion lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// Cortex and the white matter under it.
    Lobar,
    /// Basal ganglia, thalamus, internal and external capsule, deep white matter.
    Deep,
    /// Brainstem and cerebellum.
    Infratentorial,
}

impl Region {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lobar => "lobar",
            Self::Deep => "deep",
            Self::Infratentorial => "infratentorial",
        }
    }
}

/// Share of the brain's voxels left out on each side of its box, so that stray voxels of a mask do not count.
const STRAY: f64 = 0.005;

/// The extent of a brain: the box that it fills along the axes of the head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BrainExtent {
    low_mm: [f64; 3],
    size_mm: [f64; 3],
}

impl BrainExtent {
    /// The box of a mask, which must hold cerebrum and cerebellum; `None` if it is empty or flat.
    pub fn of(brain: &Mask) -> Option<Self> {
        let mut low_mm = [0.0; 3];
        let mut size_mm = [0.0; 3];
        for axis in 0..3 {
            let (low, high) = range_mm(brain, axis)?;
            (low_mm[axis], size_mm[axis]) = (low, high - low);
        }
        size_mm.iter().all(|&size| size > 0.0).then_some(Self { low_mm, size_mm })
    }

    /// The region of a place (RAS millimetres).
    pub fn region(&self, place_mm: [f64; 3]) -> Region {
        let [lateral, y, z] = self.relative(place_mm);
        if y < 0.47 && lateral < 0.36 && z < 0.35 {
            Region::Infratentorial
        } else if deep_distance(lateral, y, z) < 1.0 {
            Region::Deep
        } else {
            Region::Lobar
        }
    }

    /// Distance from the midline, place from back to front and from bottom to top, as parts of the
    /// box.
    pub fn relative(&self, place_mm: [f64; 3]) -> [f64; 3] {
        let [x, y, z] =
            std::array::from_fn(|axis| (place_mm[axis] - self.low_mm[axis]) / self.size_mm[axis]);
        [(x - 0.5).abs(), y, z]
    }
}

impl BasalGanglia for BrainExtent {
    /// The deep region and a margin, off the midline.
    fn may_hold(&self, point_mm: [f64; 3]) -> bool {
        let [lateral, y, z] = self.relative(point_mm);
        lateral > 0.04 && deep_distance(lateral, y, z) < 1.15
    }
}

/// 0 in the middle of the deep region, 1 at its surface.
fn deep_distance(lateral: f64, y: f64, z: f64) -> f64 {
    let parts = [lateral / 0.33, (y - 0.60) / 0.19, (z - 0.51) / 0.20];
    parts.iter().map(|part| part * part).sum::<f64>().sqrt()
}

/// The lowest and highest coordinate along a RAS axis, but for stray voxels.
fn range_mm(brain: &Volume<bool>, axis: usize) -> Option<(f64, f64)> {
    let grid = brain.grid();
    let inside = (0..grid.len()).filter(|&index| brain.data()[index]);
    let mut places: Vec<f64> =
        inside.map(|index| grid.position_mm(grid.voxel(index))[axis]).collect();
    if places.is_empty() {
        return None;
    }
    let stray = (STRAY * (places.len() - 1) as f64) as usize;
    let last = places.len() - 1 - stray;
    let (_, &mut low, _) = places.select_nth_unstable_by(stray, f64::total_cmp);
    let (_, &mut high, _) = places.select_nth_unstable_by(last, f64::total_cmp);
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid};

    #[test]
    fn places_of_a_brain_in_any_orientation_are_told() {
        // Stored from front to back, right to left, bottom to top; the brain is 130 × 160 × 120 mm.
        let affine = Affine::from_rows([
            [0.0, -2.0, 0.0, 90.0],
            [-2.0, 0.0, 0.0, 100.0],
            [0.0, 0.0, 2.0, -70.0],
            [0.0, 0.0, 0.0, 1.0],
        ]);
        let grid = Grid::new([100, 90, 70], affine.unwrap()).unwrap();
        let mut brain = Volume::from_fn(grid, |voxel| {
            let [x, y, z] = grid.position_mm(voxel);
            let radius = (x / 65.0).powi(2) + (y / 80.0).powi(2) + (z / 60.0).powi(2);
            radius < 1.0
        });
        *brain.data_mut().last_mut().unwrap() = true;
        let extent = BrainExtent::of(&brain).unwrap();
        assert_eq!(extent.region([20.0, 15.0, 0.0]), Region::Deep);
        assert_eq!(extent.region([-20.0, 15.0, 0.0]), Region::Deep);
        assert_eq!(extent.region([15.0, -45.0, -35.0]), Region::Infratentorial);
        assert_eq!(extent.region([0.0, -15.0, -45.0]), Region::Infratentorial);
        assert_eq!(extent.region([40.0, 40.0, 30.0]), Region::Lobar);
        assert_eq!(extent.region([-45.0, 20.0, -20.0]), Region::Lobar);
        assert!(BrainExtent::of(&brain.map(|_| false)).is_none());
    }
}
