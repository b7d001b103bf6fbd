//! Growing, shrinking and mending masks.

use crate::components::{Connectivity, components};
use crate::distance::distance_to;
use crate::{BoundingBox, Grid, Mask, Volume};

/// All voxels whose centres lie within `radius_mm` of a true voxel's centre.
pub fn dilate_mm(mask: &Mask, radius_mm: f32) -> Mask {
    distance_to(mask).map(|&distance| distance <= radius_mm)
}

/// The true voxels whose centres lie further than `radius_mm` from every false voxel's centre.
/// What lies outside the image counts as neither.
pub fn erode_mm(mask: &Mask, radius_mm: f32) -> Mask {
    distance_to(&not(mask)).map(|&distance| distance > radius_mm)
}

/// Erosion, then dilation: thin bridges and specks go, the rest keeps its size.
pub fn open_mm(mask: &Mask, radius_mm: f32) -> Mask {
    dilate_mm(&erode_mm(mask, radius_mm), radius_mm)
}

/// Dilation, then erosion: narrow gaps close, the rest keeps its size. The mask goes on beyond the image as
/// it is at the image's edge: what only comes near that edge does not grow to it.
pub fn close_mm(mask: &Mask, radius_mm: f32) -> Mask {
    let Some(place) = BoundingBox::around(mask) else {
        return mask.clone();
    };
    // The closing lies in the same box; room around it, also beyond the image, is for the dilation.
    let sizes = mask.grid().voxel_sizes_mm();
    let margin = sizes.map(|size| (f64::from(radius_mm) / size).clamp(0.0, 1e3) as usize + 1);
    let shape: [usize; 3] = std::array::from_fn(|axis| place.shape()[axis] + 2 * margin[axis]);
    let start = std::array::from_fn(|axis| place.start()[axis] as f64 - margin[axis] as f64);
    let middle = std::array::from_fn(|axis| margin[axis] + place.shape()[axis]);
    let (Ok(grid), Some(middle)) =
        (Grid::new(shape, mask.grid().affine().shifted(start)), BoundingBox::new(margin, middle))
    else {
        return mask.clone();
    };
    let last = mask.shape().map(|count| count - 1);
    let wide = Volume::from_fn(grid, |voxel| {
        mask[std::array::from_fn(|axis| {
            (place.start()[axis] + voxel[axis]).saturating_sub(margin[axis]).min(last[axis])
        })]
    });
    let closed = erode_mm(&dilate_mm(&wide, radius_mm), radius_mm);
    let mut result = mask.clone();
    result.paste(&closed.crop(&middle), &place);
    result
}

/// One step of dilation: every voxel that touches a true one.
pub fn dilate(mask: &Mask, connectivity: Connectivity) -> Mask {
    let [nx, ny, nz] = mask.shape();
    let mut grown = mask.clone();
    let offsets = neighbour_offsets(connectivity);
    let voxels = (0..mask.data().len()).filter(|&index| mask.data()[index]);
    for index in voxels {
        let voxel = mask.grid().voxel(index);
        for offset in &offsets {
            let moved: [Option<usize>; 3] =
                std::array::from_fn(|axis| voxel[axis].checked_add_signed(offset[axis]));
            if let [Some(i), Some(j), Some(k)] = moved
                && i < nx
                && j < ny
                && k < nz
            {
                grown[[i, j, k]] = true;
            }
        }
    }
    grown
}

/// One step of erosion: every true voxel whose neighbours are all true. Outside counts as false.
pub fn erode(mask: &Mask, connectivity: Connectivity) -> Mask {
    let [nx, ny, nz] = mask.shape();
    let offsets = neighbour_offsets(connectivity);
    Volume::from_fn(*mask.grid(), |voxel| {
        mask[voxel]
            && offsets.iter().all(|offset| {
                let moved: [Option<usize>; 3] =
                    std::array::from_fn(|axis| voxel[axis].checked_add_signed(offset[axis]));
                matches!(moved, [Some(i), Some(j), Some(k)]
                    if i < nx && j < ny && k < nz && mask[[i, j, k]])
            })
    })
}

/// Fills hollows: false regions (connected by faces) that do not reach the image's edge.
pub fn fill_holes(mask: &Mask) -> Mask {
    let [nx, ny, nz] = mask.shape();
    let mut filled = mask.clone();
    for hollow in components(&not(mask), false, Connectivity::Six) {
        let open = hollow.voxels.iter().any(|&index| {
            let [i, j, k] = mask.grid().voxel(index);
            i == 0 || j == 0 || k == 0 || i + 1 == nx || j + 1 == ny || k + 1 == nz
        });
        if !open {
            hollow.voxels.iter().for_each(|&index| filled.data_mut()[index] = true);
        }
    }
    filled
}

/// Only the largest component; an empty mask stays empty.
pub fn largest_component(mask: &Mask, connectivity: Connectivity) -> Mask {
    let mut largest = Volume::filled(*mask.grid(), false);
    let parts = components(mask, false, connectivity);
    if let Some(part) = parts.iter().max_by_key(|part| part.voxels.len()) {
        part.voxels.iter().for_each(|&index| largest.data_mut()[index] = true);
    }
    largest
}

/// True where `mask` is false.
pub fn not(mask: &Mask) -> Mask {
    mask.map(|inside| !inside)
}

fn neighbour_offsets(connectivity: Connectivity) -> Vec<[isize; 3]> {
    let most = match connectivity {
        Connectivity::Six => 1,
        Connectivity::Eighteen => 2,
        Connectivity::TwentySix => 3,
    };
    let mut offsets = Vec::new();
    for k in -1..=1_isize {
        for j in -1..=1_isize {
            for i in -1..=1_isize {
                let steps = i.abs() + j.abs() + k.abs();
                if (1..=most).contains(&steps) {
                    offsets.push([i, j, k]);
                }
            }
        }
    }
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, Grid};

    fn ball(radius_mm: f64) -> Mask {
        let grid =
            Grid::new([65, 65, 33], Affine::from_spacing([0.25, 0.25, 0.5], [-8.0; 3])).unwrap();
        Volume::from_fn(grid, |voxel| {
            grid.position_mm(voxel).iter().map(|x| x * x).sum::<f64>() <= radius_mm * radius_mm
        })
    }

    fn volume_mm3(mask: &Mask) -> f64 {
        mask.count() as f64 * mask.grid().voxel_volume_mm3()
    }

    #[test]
    fn closing_does_not_grow_to_the_edge_of_the_image() {
        let grid = Grid::new([24, 24, 12], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let near = |[i, j, k]: [usize; 3]| {
            (6..18).contains(&i) && (6..18).contains(&j) && (2..10).contains(&k)
        };
        let mask = Volume::from_fn(grid, near);
        assert_eq!(close_mm(&mask, 4.0).count(), mask.count());
        // Cut off by the edge, with a slit that goes on beyond it.
        let cut = |[i, j, k]: [usize; 3]| (6..18).contains(&i) && (6..18).contains(&j) && k < 10;
        let slit = Volume::from_fn(grid, |voxel| cut(voxel) && voxel[0] != 11);
        let closed = close_mm(&slit, 4.0);
        assert!(closed[[11, 12, 0]] && closed[[11, 12, 3]] && !closed[[5, 12, 0]]);
        let none = Volume::filled(grid, false);
        assert_eq!(close_mm(&none, 4.0).count(), 0);
    }

    #[test]
    fn a_ball_grows_and_shrinks_by_the_radius() {
        let sphere = |radius: f64| 4.0 / 3.0 * std::f64::consts::PI * radius.powi(3);
        let grown = volume_mm3(&dilate_mm(&ball(5.0), 2.0));
        let shrunk = volume_mm3(&erode_mm(&ball(6.0), 2.0));
        assert!((grown / sphere(7.0) - 1.0).abs() < 0.06, "{grown}");
        assert!((shrunk / sphere(4.0) - 1.0).abs() < 0.06, "{shrunk}");
    }

    #[test]
    fn opening_cuts_a_bridge_and_closing_a_slit() {
        let mut pair = Volume::from_fn(*ball(1.0).grid(), |[i, j, k]| {
            (5..15).contains(&j)
                && (5..12).contains(&k)
                && ((3..13).contains(&i) || (20..30).contains(&i))
        });
        for i in 13..20 {
            pair[[i, 8, 8]] = true;
        }
        assert_eq!(components(&pair, false, Connectivity::Six).len(), 1);
        assert_eq!(components(&open_mm(&pair, 0.5), false, Connectivity::Six).len(), 2);
        assert_eq!(components(&close_mm(&pair, 1.0), false, Connectivity::Six).len(), 1);
    }

    #[test]
    fn a_shell_is_filled_and_a_cup_is_not() {
        let shell = Volume::from_fn(*ball(1.0).grid(), ball_shell);
        let filled = fill_holes(&shell);
        assert!(filled[[20, 20, 10]]);
        let mut cup = shell;
        for k in 10..21 {
            cup[[20, 20, k]] = false;
        }
        assert!(!fill_holes(&cup)[[20, 20, 10]]);
    }

    fn ball_shell([i, j, k]: [usize; 3]) -> bool {
        let distance = |a: usize, b: f64| (a as f64 - b).powi(2);
        let radius = (distance(i, 20.0) + distance(j, 20.0) + 4.0 * distance(k, 10.0)).sqrt();
        (8.0..11.0).contains(&radius)
    }

    #[test]
    fn single_steps_are_the_neighbourhoods() {
        let grid = Grid::new([5, 5, 5], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let centre = Volume::from_fn(grid, |voxel| voxel == [2, 2, 2]);
        for (connectivity, size) in
            [(Connectivity::Six, 7), (Connectivity::Eighteen, 19), (Connectivity::TwentySix, 27)]
        {
            let grown = dilate(&centre, connectivity);
            assert_eq!(grown.count(), size);
            assert_eq!(erode(&grown, connectivity), centre);
        }
        assert_eq!(erode(&Volume::filled(grid, true), Connectivity::Six).count(), 27);
    }
}
