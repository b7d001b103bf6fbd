//! Which way the voxel axes of a grid run.
//!
//! A grid's axes rarely lie along the head's: scanners store slices left to right, back to front,
//! or tilted. An [`Orientation`] names, for each voxel axis, the anatomical axis nearest to it and
//! its direction. There are 48: six permutations times eight choices of direction. Bringing a
//! volume to RAS (first axis to the right, second to the front, third to the top) only permutes
//! and flips axes; it never interpolates, so it can be undone exactly.

use crate::{Affine, Grid, Volume};

/// The anatomical axis nearest to each voxel axis, and whether the voxel axis runs against it.
///
/// ```
/// use deepmir_volume::{Affine, Orientation};
///
/// let affine = Affine::from_spacing([1.0; 3], [0.0; 3]);
/// assert_eq!(Orientation::of(&affine), Orientation::RAS);
/// assert_eq!(Orientation::all().count(), 48);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Orientation {
    /// For each voxel axis: 0 for left–right, 1 for back–front, 2 for bottom–top.
    world_axis: [usize; 3],
    /// For each voxel axis: true if it runs to the left, back or bottom.
    reversed: [bool; 3],
}

impl Orientation {
    /// RAS+: voxel axes run to the right, the front and the top.
    pub const RAS: Self = Self { world_axis: [0, 1, 2], reversed: [false; 3] };

    /// All 48 orientations.
    pub fn all() -> impl Iterator<Item = Self> {
        const PERMUTATIONS: [[usize; 3]; 6] =
            [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        PERMUTATIONS.into_iter().flat_map(|world_axis| {
            (0..8).map(move |bits| Self {
                world_axis,
                reversed: std::array::from_fn(|axis| bits >> axis & 1 == 1),
            })
        })
    }

    /// The orientation nearest to an affine, found as nibabel does: the rotation closest to the
    /// affine's linear part (its polar factor) is taken, then axes are assigned by largest cosine.
    pub fn of(affine: &Affine) -> Self {
        let mut directions = affine.linear();
        for mut column in directions.column_iter_mut() {
            let length = column.norm();
            column /= length;
        }
        let svd = directions.svd(true, true);
        let rotation = match (svd.u, svd.v_t) {
            (Some(u), Some(v_t)) => u * v_t,
            _ => directions,
        };

        let mut world_axis = [0; 3];
        let mut reversed = [false; 3];
        let mut voxel_free = [true; 3];
        let mut world_free = [true; 3];
        for _ in 0..3 {
            let (mut best, mut best_voxel, mut best_world) = (-1.0, 0, 0);
            for voxel in (0..3).filter(|&voxel| voxel_free[voxel]) {
                for world in (0..3).filter(|&world| world_free[world]) {
                    let cosine = rotation[(world, voxel)].abs();
                    if cosine > best {
                        (best, best_voxel, best_world) = (cosine, voxel, world);
                    }
                }
            }
            world_axis[best_voxel] = best_world;
            reversed[best_voxel] = rotation[(best_world, best_voxel)] < 0.0;
            voxel_free[best_voxel] = false;
            world_free[best_world] = false;
        }
        Self { world_axis, reversed }
    }

    /// Three letters, one a voxel axis, naming where it runs to: `RAS`, `LPI`, …
    pub fn codes(&self) -> String {
        const LETTERS: [[char; 2]; 3] = [['R', 'L'], ['A', 'P'], ['S', 'I']];
        (0..3)
            .map(|axis| LETTERS[self.world_axis[axis]][usize::from(self.reversed[axis])])
            .collect()
    }

    /// Whether the volume is RAS+ already.
    pub fn is_ras(&self) -> bool {
        *self == Self::RAS
    }

    /// The voxel axis that runs along world axis `world` (0 left–right, 1 back–front, 2 bottom–top).
    fn voxel_axis_along(&self, world: usize) -> usize {
        (0..3).find(|&axis| self.world_axis[axis] == world).unwrap_or(world)
    }

    /// The same voxels, in RAS+ order. `volume` must have this orientation.
    pub fn to_ras<T: Copy>(&self, volume: &Volume<T>) -> Volume<T> {
        let shape = volume.shape();
        let strides = [1, shape[0], shape[0] * shape[1]];
        let mut steps = [AxisStep::default(); 3];
        for (world, step) in steps.iter_mut().enumerate() {
            let axis = self.voxel_axis_along(world);
            *step = AxisStep {
                length: shape[axis],
                stride: strides[axis],
                reversed: self.reversed[axis],
            };
        }
        Volume::from_parts(self.grid_to_ras(volume.grid()), gather(volume.data(), steps))
    }

    /// Undoes [`Orientation::to_ras`]: brings RAS+ voxels to this orientation.
    pub fn from_ras<T: Copy>(&self, volume: &Volume<T>) -> Volume<T> {
        let shape = volume.shape();
        let strides = [1, shape[0], shape[0] * shape[1]];
        let steps = std::array::from_fn(|axis| {
            let world = self.world_axis[axis];
            AxisStep { length: shape[world], stride: strides[world], reversed: self.reversed[axis] }
        });
        Volume::from_parts(self.grid_from_ras(volume.grid()), gather(volume.data(), steps))
    }

    /// The grid that [`Orientation::to_ras`] gives.
    pub fn grid_to_ras(&self, grid: &Grid) -> Grid {
        let shape = std::array::from_fn(|world| grid.shape()[self.voxel_axis_along(world)]);
        // Column `world` of the map takes a RAS index to the index of the original voxel axis.
        let mut rows = [[0.0; 4]; 4];
        rows[3][3] = 1.0;
        for world in 0..3 {
            let axis = self.voxel_axis_along(world);
            let last = grid.shape()[axis] as f64 - 1.0;
            rows[axis][world] = if self.reversed[axis] { -1.0 } else { 1.0 };
            rows[axis][3] = if self.reversed[axis] { last } else { 0.0 };
        }
        Grid::from_parts(shape, permuted(grid.affine(), rows))
    }

    /// The grid that [`Orientation::from_ras`] gives.
    pub fn grid_from_ras(&self, grid: &Grid) -> Grid {
        let shape: [usize; 3] = std::array::from_fn(|axis| grid.shape()[self.world_axis[axis]]);
        let mut rows = [[0.0; 4]; 4];
        rows[3][3] = 1.0;
        for axis in 0..3 {
            let last = shape[axis] as f64 - 1.0;
            rows[self.world_axis[axis]][axis] = if self.reversed[axis] { -1.0 } else { 1.0 };
            rows[self.world_axis[axis]][3] = if self.reversed[axis] { last } else { 0.0 };
        }
        Grid::from_parts(shape, permuted(grid.affine(), rows))
    }
}

impl std::fmt::Display for Orientation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.codes())
    }
}

/// `affine` after a signed permutation, which always has an inverse.
fn permuted(affine: &Affine, rows: [[f64; 4]; 4]) -> Affine {
    Affine::from_rows(rows).map_or(*affine, |permutation| affine.after(&permutation))
}

#[derive(Clone, Copy, Default)]
struct AxisStep {
    length: usize,
    stride: usize,
    reversed: bool,
}

impl AxisStep {
    fn offset(&self, index: usize) -> usize {
        let index = if self.reversed { self.length - 1 - index } else { index };
        index * self.stride
    }
}

fn gather<T: Copy>(data: &[T], [x, y, z]: [AxisStep; 3]) -> Vec<T> {
    let mut gathered = Vec::with_capacity(data.len());
    for k in 0..z.length {
        for j in 0..y.length {
            let row = z.offset(k) + y.offset(j);
            gathered.extend((0..x.length).map(|i| data[row + x.offset(i)]));
        }
    }
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(orientation: Orientation) -> Volume<u16> {
        let ras = Grid::new(
            [3, 4, 5],
            Affine::from_rows([
                [0.7, 0.02, -0.05, -20.0],
                [-0.01, 0.8, 0.1, 7.0],
                [0.03, -0.06, 1.5, 3.0],
                [0.0, 0.0, 0.0, 1.0],
            ])
            .unwrap(),
        )
        .unwrap();
        let mut count = 0;
        let volume = Volume::from_fn(ras, |_| {
            count += 1;
            count
        });
        orientation.from_ras(&volume)
    }

    #[test]
    fn all_48_orientations_are_told_apart_and_undone() {
        let mut seen = std::collections::HashSet::new();
        for orientation in Orientation::all() {
            let volume = numbered(orientation);
            assert_eq!(Orientation::of(volume.grid().affine()), orientation);
            assert!(seen.insert(orientation.codes()));
            let ras = orientation.to_ras(&volume);
            assert!(Orientation::of(ras.grid().affine()).is_ras());
            let back = orientation.from_ras(&ras);
            assert_eq!(back.data(), volume.data());
            assert_eq!(back.shape(), volume.shape());
            assert!(back.grid().difference_voxels(volume.grid()).unwrap() < 1e-9);
        }
        assert_eq!(seen.len(), 48);
    }

    #[test]
    fn every_voxel_keeps_its_place_in_the_head() {
        for orientation in Orientation::all() {
            let volume = numbered(orientation);
            let ras = orientation.to_ras(&volume);
            for [i, j, k] in [[0, 0, 0], [1, 2, 3], [2, 3, 4]] {
                let place = ras.grid().affine().apply([i as f64, j as f64, k as f64]);
                let index = volume.grid().affine().inverse().apply(place);
                let index = index.map(|value| value.round() as usize);
                assert_eq!(volume[index], ras[[i, j, k]], "{orientation}");
            }
        }
    }
}
