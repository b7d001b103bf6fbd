//! Normalised mutual information of two images under a transform.

use deepmir_volume::{Affine, Mask, Volume, statistics};
use rayon::prelude::*;

/// Grey levels of the joint histogram on each side.
const BINS: usize = 40;
/// Pieces that are counted apart: fixed, so that sums do not hang on the number of threads.
const PIECES: usize = 16;

/// Points of the fixed image with their grey levels, and the moving image.
pub(super) struct Information {
    points: Vec<Point>,
    moving: Volume<f32>,
    to_levels: Levels,
}

struct Point {
    at_mm: [f64; 3],
    level: u8,
}

/// From values to grey levels: linear between two quantiles.
#[derive(Clone, Copy)]
struct Levels {
    least: f32,
    per_level: f32,
}

/// Similarity and the part of the points that fell into the moving image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Similarity {
    /// (H(fixed) + H(moving)) / H(both): 1 for independent images, 2 for equal ones (Studholme et
    /// al., "An overlap invariant entropy measure of 3D medical image alignment", 1999).
    pub(super) information: f64,
    /// 0 to 1.
    pub(super) overlap: f64,
}

impl Information {
    /// Takes one point inside `mask` from every cell of `spacing_mm`, at a place within the cell
    /// that depends on the cell alone (points on a lattice would favour whole-voxel shifts).
    pub(super) fn new(
        fixed: &Volume<f32>,
        mask: &Mask,
        moving: Volume<f32>,
        spacing_mm: f64,
    ) -> Self {
        let grid = *fixed.grid();
        let sizes = grid.voxel_sizes_mm();
        let step: [f64; 3] = sizes.map(|size| (spacing_mm / size).max(1.0));
        let cells: [usize; 3] =
            std::array::from_fn(|axis| (grid.shape()[axis] as f64 / step[axis]).ceil() as usize);
        let levels = Levels::of(
            fixed.data().iter().zip(mask.data()).filter(|(_, inside)| **inside).map(|(&v, _)| v),
        );
        let mut points = Vec::new();
        for number in 0..cells.iter().product() {
            let cell =
                [number % cells[0], number / cells[0] % cells[1], number / cells[0] / cells[1]];
            let jitter = jitter(number as u64);
            let at: [f64; 3] =
                std::array::from_fn(|axis| (cell[axis] as f64 + jitter[axis]) * step[axis] - 0.5);
            if let Some(value) = linear(fixed, at)
                && mask[nearest(&grid, at)]
            {
                let at_mm = grid.affine().apply(at);
                points.push(Point { at_mm, level: levels.level(value) as u8 });
            }
        }
        let to_levels = Levels::of(moving.data().iter().copied().filter(|&value| value != 0.0));
        Self { points, moving, to_levels }
    }

    pub(super) fn point_count(&self) -> usize {
        self.points.len()
    }

    /// Similarity under a transform from fixed to moving millimetres.
    pub(super) fn similarity(&self, to_moving: &Affine) -> Similarity {
        let map = self.moving.grid().affine().inverse().after(to_moving);
        let size = self.points.len().div_ceil(PIECES).max(1);
        let pieces: Vec<(Vec<f32>, usize)> = self
            .points
            .par_chunks(size)
            .map(|points| {
                let mut joint = vec![0.0_f32; BINS * BINS];
                let mut inside = 0;
                for point in points {
                    if let Some(value) = linear(&self.moving, map.apply(point.at_mm)) {
                        inside += 1;
                        self.to_levels.share(value, &mut joint[usize::from(point.level) * BINS..]);
                    }
                }
                (joint, inside)
            })
            .collect();
        let mut joint = vec![0.0_f64; BINS * BINS];
        let mut inside = 0;
        for (piece, count) in pieces {
            joint.iter_mut().zip(piece).for_each(|(to, from)| *to += f64::from(from));
            inside += count;
        }
        let overlap = inside as f64 / self.points.len().max(1) as f64;
        Similarity { information: normalised_information(&joint), overlap }
    }
}

fn normalised_information(joint: &[f64]) -> f64 {
    let total: f64 = joint.iter().sum();
    if total <= 0.0 {
        return 1.0;
    }
    let entropy = |counts: &mut dyn Iterator<Item = f64>| -> f64 {
        counts.filter(|&count| count > 0.0).map(|count| -count / total * (count / total).ln()).sum()
    };
    let fixed = entropy(&mut joint.chunks_exact(BINS).map(|row| row.iter().sum()));
    let moving = entropy(&mut (0..BINS).map(|column| joint[column..].iter().step_by(BINS).sum()));
    let both = entropy(&mut joint.iter().copied());
    if both > 0.0 { (fixed + moving) / both } else { 1.0 }
}

impl Levels {
    fn of(values: impl Iterator<Item = f32>) -> Self {
        let mut values: Vec<f32> = values.collect();
        let least = statistics::quantile(&mut values, 0.002).unwrap_or(0.0);
        let most = statistics::quantile(&mut values, 0.998).unwrap_or(1.0);
        let range = (most - least).max(f32::MIN_POSITIVE);
        Self { least, per_level: (BINS - 1) as f32 / range }
    }

    fn place(&self, value: f32) -> f32 {
        ((value - self.least) * self.per_level).clamp(0.0, (BINS - 1) as f32)
    }

    fn level(&self, value: f32) -> usize {
        self.place(value).round() as usize
    }

    /// Counts a value in the two levels it lies between.
    fn share(&self, value: f32, row: &mut [f32]) {
        let place = self.place(value);
        let low = (place as usize).min(BINS - 2);
        let part = place - low as f32;
        row[low] += 1.0 - part;
        row[low + 1] += part;
    }
}

/// Three numbers from 0 to 1 that look random (SplitMix64).
fn jitter(number: u64) -> [f64; 3] {
    std::array::from_fn(|axis| {
        let mut z = (3 * number + axis as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    })
}

fn nearest(grid: &deepmir_volume::Grid, at: [f64; 3]) -> [usize; 3] {
    std::array::from_fn(|axis| ((at[axis] + 0.5).max(0.0) as usize).min(grid.shape()[axis] - 1))
}

/// Trilinear value at a fractional index; `None` outside the voxels' boxes.
fn linear(volume: &Volume<f32>, at: [f64; 3]) -> Option<f32> {
    let shape = volume.shape();
    let mut low = [0; 3];
    let mut high = [0; 3];
    let mut part = [0.0_f32; 3];
    for axis in 0..3 {
        let last = shape[axis] as f64 - 1.0;
        if !(at[axis] >= -0.5 && at[axis] <= last + 0.5) {
            return None;
        }
        let clamped = at[axis].clamp(0.0, last);
        low[axis] = clamped as usize;
        high[axis] = (low[axis] + 1).min(shape[axis] - 1);
        part[axis] = (clamped - low[axis] as f64) as f32;
    }
    let data = volume.data();
    let row = |j: usize, k: usize| {
        let start = shape[0] * (j + shape[1] * k);
        data[start + low[0]] * (1.0 - part[0]) + data[start + high[0]] * part[0]
    };
    let plane = |k: usize| row(low[1], k) * (1.0 - part[1]) + row(high[1], k) * part[1];
    Some(plane(low[2]) * (1.0 - part[2]) + plane(high[2]) * part[2])
}
