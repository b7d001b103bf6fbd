//! Lesions: the connected components of a label map.

use deepmir_volume::components::{Connectivity, components};
use deepmir_volume::morphology::largest_component;
use deepmir_volume::{BoundingBox, Grid, Mask, Volume};

use crate::{LabelMap, LesionClass};

/// A connected component of one class.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesion {
    /// Its class.
    pub class: LesionClass,
    /// Its voxels: positions in the data of the grid it was found on, ascending.
    pub voxels: Vec<usize>,
    /// Its centre of mass in RAS+ millimetres.
    pub centre_mm: [f64; 3],
    /// Its volume in mm³.
    pub volume_mm3: f64,
}

impl Lesion {
    /// From its voxels on `grid`.
    pub fn new(class: LesionClass, voxels: Vec<usize>, grid: &Grid) -> Self {
        let mut sum = [0.0; 3];
        for &index in &voxels {
            let voxel = grid.voxel(index);
            (0..3).for_each(|axis| sum[axis] += voxel[axis] as f64);
        }
        let count = voxels.len().max(1) as f64;
        Self {
            class,
            centre_mm: grid.affine().apply(sum.map(|sum| sum / count)),
            volume_mm3: voxels.len() as f64 * grid.voxel_volume_mm3(),
            voxels,
        }
    }

    /// The diameter of the ball of the same volume, in millimetres.
    pub fn diameter_mm(&self) -> f64 {
        diameter_of_ball_mm(self.volume_mm3)
    }

    /// Sorts lesions into the order of [`lesions_of`].
    pub fn sort(lesions: &mut [Self]) {
        lesions.sort_by(order);
    }
}

/// The diameter of a ball of the given volume.
pub fn diameter_of_ball_mm(volume_mm3: f64) -> f64 {
    (6.0 * volume_mm3 / std::f64::consts::PI).cbrt()
}

/// Every lesion of a label map: its connected components, class by class, largest first within a
/// class (the order of [`crate::table`]'s rows).
pub fn lesions_of(labels: &LabelMap, connectivity: Connectivity) -> Vec<Lesion> {
    let mut lesions: Vec<Lesion> = components(labels.volume(), 0, connectivity)
        .into_iter()
        .filter_map(|component| {
            let class = LesionClass::from_label(component.value)?;
            Some(Lesion::new(class, component.voxels, labels.grid()))
        })
        .collect();
    Lesion::sort(&mut lesions);
    lesions
}

/// A map of the lesions' numbers, from 1 on in the order given: unlike a [`LabelMap`] it keeps lesions apart that
/// touch.
pub fn numbered<'a>(lesions: impl IntoIterator<Item = &'a Lesion>, grid: &Grid) -> Volume<u16> {
    let mut numbers = Volume::filled(*grid, 0);
    for (number, lesion) in (1..=u16::MAX).zip(lesions) {
        lesion.voxels.iter().for_each(|&voxel| numbers.data_mut()[voxel] = number);
    }
    numbers
}

/// The part of `grid` around some voxels, grown by `margin` on every side, and where they are in it; `None`
/// without voxels.
pub(crate) fn cut_out(
    voxels: &[usize],
    grid: &Grid,
    margin: [usize; 3],
) -> Option<(BoundingBox, Mask)> {
    let tight = BoundingBox::around_voxels(voxels.iter().map(|&index| grid.voxel(index)))?;
    let part = tight.grown(margin, grid);
    let mut inside = Volume::filled(part.grid_of(grid), false);
    for &index in voxels {
        let voxel = grid.voxel(index);
        inside[std::array::from_fn(|axis| voxel[axis] - part.start()[axis])] = true;
    }
    Some((part, inside))
}

/// Positions in `grid` of the true voxels of a mask on a part of it, ascending.
pub(crate) fn put_back(mask: &Mask, part: &BoundingBox, grid: &Grid) -> Vec<usize> {
    let within = (0..mask.data().len()).filter(|&at| mask.data()[at]);
    let back = |at| {
        let voxel = mask.grid().voxel(at);
        grid.index(std::array::from_fn(|axis| voxel[axis] + part.start()[axis]))
    };
    within.map(back).collect()
}

/// The largest connected piece (by faces, edges and corners) of some voxels of `grid`, ascending.
pub fn largest_piece(voxels: &[usize], grid: &Grid) -> Vec<usize> {
    let Some((part, inside)) = cut_out(voxels, grid, [0; 3]) else { return Vec::new() };
    put_back(&largest_component(&inside, Connectivity::TwentySix), &part, grid)
}

/// By class, then by decreasing volume, then by place in the head: the order does not depend on the
/// orientation of the file.
pub(crate) fn order(a: &Lesion, b: &Lesion) -> std::cmp::Ordering {
    let micrometres = |lesion: &Lesion| lesion.centre_mm.map(|mm| (mm * 1e3).round() as i64);
    a.class
        .cmp(&b.class)
        .then(b.voxels.len().cmp(&a.voxels.len()))
        .then(micrometres(a).cmp(&micrometres(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::Affine;

    #[test]
    fn a_digital_ball_has_its_volume_centre_and_diameter() {
        let affine = Affine::from_spacing([0.5, 0.5, 1.0], [-10.0, -11.0, -12.0]);
        let grid = Grid::new([40, 40, 24], affine).unwrap();
        let centre = [0.4, -1.1, 0.3];
        let mut labels = LabelMap::empty(grid);
        let inside: Vec<usize> = (0..grid.len())
            .filter(|&index| {
                let place = grid.position_mm(grid.voxel(index));
                (0..3).map(|axis| (place[axis] - centre[axis]).powi(2)).sum::<f64>() <= 16.0
            })
            .collect();
        labels.paint(&inside, LesionClass::Cmb);
        let lesions = lesions_of(&labels, Connectivity::TwentySix);
        assert_eq!(lesions.len(), 1);
        assert!((lesions[0].diameter_mm() / 8.0 - 1.0).abs() < 0.02);
        for (found, drawn) in lesions[0].centre_mm.iter().zip(centre) {
            assert!((found - drawn).abs() < 0.1);
        }
    }

    #[test]
    fn lesions_that_touch_keep_their_numbers() {
        let grid = Grid::new([6, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let lesion = |voxels| Lesion::new(LesionClass::Cmb, voxels, &grid);
        let lesions = [lesion(vec![1, 2]), lesion(vec![3]), lesion(vec![5])];
        assert_eq!(numbered(&lesions, &grid).data(), [0, 1, 1, 2, 0, 3]);
        assert_eq!(lesions_of(&LabelMap::of(grid, &lesions), Connectivity::TwentySix).len(), 2);
    }
}
