//! Veins on a fine grid.

use deepmir_volume::{Affine, Grid, Volume};

use super::VeinSegment;

/// What a full voxel holds.
pub(crate) const FULL: u8 = 255;

/// The part of every voxel that veins fill, from 0 to [`FULL`]. `to_head` is rigid and takes the
/// grid's millimetres to the head's.
pub(crate) fn rasterise(segments: &[VeinSegment], grid: &Grid, to_head: &Affine) -> Volume<u8> {
    let to_grid = to_head.inverse();
    let to_index = grid.affine().inverse().after(&to_grid);
    let sizes = grid.voxel_sizes_mm();
    let size = sizes.iter().product::<f64>().cbrt();
    let mut filled = Volume::filled(*grid, 0_u8);
    for segment in segments {
        let (start, end) = (to_index.apply(segment.start_mm), to_index.apply(segment.end_mm));
        let widest = segment.start_radius_mm.max(segment.end_radius_mm);
        let (mut low, mut high) = ([0_usize; 3], [0_usize; 3]);
        for axis in 0..3 {
            let reach = widest / sizes[axis] + 1.5;
            let (first, last) = (start[axis].min(end[axis]), start[axis].max(end[axis]));
            low[axis] = (first - reach).ceil().max(0.0) as usize;
            let top = (last + reach).floor().max(-1.0) + 1.0;
            high[axis] = (top as usize).min(grid.shape()[axis]);
        }
        // In voxels times their sizes, so that distances are millimetres.
        let scaled =
            |index: [f64; 3]| -> [f64; 3] { std::array::from_fn(|axis| index[axis] * sizes[axis]) };
        let (start, end) = (scaled(start), scaled(end));
        for k in low[2]..high[2] {
            for j in low[1]..high[1] {
                for i in low[0]..high[0] {
                    let at = scaled([i as f64, j as f64, k as f64]);
                    let (distance, part) = distance_to_line(at, start, end);
                    let radius = segment.start_radius_mm
                        + part * (segment.end_radius_mm - segment.start_radius_mm);
                    let value = (f64::from(FULL) * fraction(distance, radius, size)) as u8;
                    let voxel = &mut filled[[i, j, k]];
                    *voxel = (*voxel).max(value);
                }
            }
        }
    }
    filled
}

/// The part of a voxel of `size` that a tube of `radius` fills at a distance from its axis. Over a
/// cross-section it adds up to the tube's area, also where the tube is thinner than a voxel.
fn fraction(distance: f64, radius: f64, size: f64) -> f64 {
    let ratio = radius / size;
    let height = ratio + 0.5;
    // What the profile below adds up to without the factor, in units of π·size².
    let profile = if height < 1.0 { height.powi(3) / 3.0 } else { ratio * ratio + 1.0 / 12.0 };
    let scale = ratio * ratio / profile;
    scale * (height - distance / size).clamp(0.0, 1.0)
}

/// Distance from a line between two places, and how far along it the nearest place is (0 to 1).
fn distance_to_line(at: [f64; 3], start: [f64; 3], end: [f64; 3]) -> (f64, f64) {
    let along: [f64; 3] = std::array::from_fn(|axis| end[axis] - start[axis]);
    let to_at: [f64; 3] = std::array::from_fn(|axis| at[axis] - start[axis]);
    let dot = |a: [f64; 3], b: [f64; 3]| (0..3).map(|axis| a[axis] * b[axis]).sum::<f64>();
    let part = (dot(to_at, along) / dot(along, along).max(1e-12)).clamp(0.0, 1.0);
    let offset: [f64; 3] = std::array::from_fn(|axis| to_at[axis] - part * along[axis]);
    (dot(offset, offset).sqrt(), part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tubes_thin_and_thick_keep_their_volume() {
        let grid =
            Grid::new([24, 24, 60], Affine::from_spacing([0.5; 3], [-5.75, -5.75, 0.0])).unwrap();
        for radius in [0.15, 0.3, 0.8, 2.0] {
            let vein = VeinSegment {
                start_mm: [0.1, -0.2, 4.0],
                end_mm: [0.4, 0.3, 25.0],
                start_radius_mm: radius,
                end_radius_mm: radius,
            };
            let filled = rasterise(&[vein], &grid, &Affine::from_spacing([1.0; 3], [0.0; 3]));
            let middle: f64 = (20..40)
                .flat_map(|k| filled.slice(k).iter())
                .map(|&value| f64::from(value) / f64::from(FULL) * 0.125)
                .sum();
            let truth = std::f64::consts::PI * radius * radius * 10.0;
            assert!((middle / truth - 1.0).abs() < 0.12, "{radius}: {middle} of {truth}");
        }
    }
}
