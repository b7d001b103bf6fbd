//! What of the head is shown: brain masks, removed faces, cut fields.

use deepmir_volume::distance::distance_to;
use deepmir_volume::{Affine, Grid, Volume};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::config::MaskConfig;
use super::noise::{Field, between, chance, normal};
use super::{Example, IGNORED, VOXEL_MM};
use crate::Tissue;

impl Example {
    /// Sets the image to zero where it is not shown. What a mask removes becomes [`Tissue::Background`]; what
    /// is outside the field of view, [`IGNORED`].
    pub(super) fn hide(&mut self, config: &MaskConfig, strip: f32, rng: &mut ChaCha8Rng) {
        let brain = self.tissue.iter().map(|&number| is_brain(number)).collect();
        let grid = Grid::new(self.shape, Affine::from_spacing([VOXEL_MM; 3], [0.0; 3]));
        if let Some(brain) = grid.ok().and_then(|grid| Volume::new(grid, brain).ok()) {
            if chance(strip, rng) {
                self.strip(&brain, config, rng);
            } else if chance(config.deface_probability, rng) {
                self.deface(&brain, rng);
            }
        }
        self.cut(config, rng);
    }

    /// Leaves the brain and a margin.
    fn strip(&mut self, brain: &Volume<bool>, config: &MaskConfig, rng: &mut ChaCha8Rng) {
        /// Distance between the knots of the margin's unevenness, in voxels.
        const KNOTS: f32 = 8.0;
        let margin = between(config.margin_mm, rng);
        let uneven = between([0.0, 1.0], rng);
        let soft = chance(0.2, rng);
        // A mask of the brain and its fluid only, or one that does not know what it covers.
        let blind = chance(0.4, rng);
        let closed = chance(0.7, rng);
        let mut depth = depth(brain, closed, margin - 3.0 * uneven < 0.0);
        let [nx, ny, _] = self.shape;
        let field = Field::draw(self.shape, KNOTS, rng);
        let (mut scratch, mut row) = (Vec::new(), vec![0.0; nx]);
        for (n, depths) in depth.chunks_exact_mut(nx).enumerate() {
            field.row(n % ny, n / ny, &mut scratch, &mut row);
            for (depth, unevenness) in depths.iter_mut().zip(&row) {
                *depth += margin + uneven * unevenness;
            }
        }
        if chance(config.fault_probability, rng) {
            self.add_faults(&mut depth, rng);
        }
        for (index, &depth) in depth.iter().enumerate() {
            let covered = is_brain(self.tissue[index])
                || self.tissue[index] == Tissue::SulcalFluid as u8
                || blind
                || depth == f32::INFINITY;
            let part = if soft { depth.clamp(0.0, 1.0) } else { f32::from(depth > 0.0) };
            if covered && part > 0.0 {
                self.image[index] *= part;
            } else {
                self.remove(index);
            }
        }
    }

    /// Cuts pieces out of a mask at its edge, or adds some there: depths without end.
    fn add_faults(&self, depth: &mut [f32], rng: &mut ChaCha8Rng) {
        let [nx, ny, _] = self.shape;
        for _ in 0..rng.random_range(1..5) {
            let near_edge = (0..400).find_map(|_| {
                let index = rng.random_range(0..depth.len());
                (depth[index].abs() < 4.0).then_some(index)
            });
            let Some(centre) = near_edge else { return };
            let place = |index: usize| [index % nx, index / nx % ny, index / (nx * ny)];
            let centre = place(centre).map(|index| index as f32);
            let missing = chance(0.5, rng);
            let radius = between([2.0, 10.0], rng);
            let stretch = [0.0; 3].map(|_: f32| between([0.6, 1.5], rng));
            for (index, depth) in depth.iter_mut().enumerate() {
                let place = place(index);
                let squared: f32 = (0..3)
                    .map(|axis| ((place[axis] as f32 - centre[axis]) * stretch[axis]).powi(2))
                    .sum();
                if squared < radius * radius {
                    *depth = if missing { f32::NEG_INFINITY } else { f32::INFINITY };
                }
            }
        }
    }

    /// Removes what lies to the front and bottom of a slanting plane, as far as it is not near the brain.
    fn deface(&mut self, brain: &Volume<bool>, rng: &mut ChaCha8Rng) {
        let distance = distance_to(brain);
        let [nx, ny, _] = self.shape;
        let (mut count, mut sum) = (0.0, [0.0; 2]);
        for index in (0..brain.data().len()).filter(|&index| brain.data()[index]) {
            count += 1.0;
            sum[0] += (index / nx % ny) as f64;
            sum[1] += (index / (nx * ny)) as f64;
        }
        let centre = sum.map(|sum| (sum / f64::max(count, 1.0)) as f32);
        let (sine, cosine) = (0.8 + 0.2 * normal(rng)).sin_cos();
        let from_centre = between([20.0, 38.0], rng);
        let spared_mm = between([4.0, 12.0], rng);
        for index in 0..self.image.len() {
            let y = (index / nx % ny) as f32 - centre[0];
            let z = (index / (nx * ny)) as f32 - centre[1];
            if y * cosine - z * sine > from_centre && distance.data()[index] > spared_mm {
                self.remove(index);
            }
        }
    }

    /// Cuts slabs off the field at random sides.
    fn cut(&mut self, config: &MaskConfig, rng: &mut ChaCha8Rng) {
        let [nx, ny, nz] = self.shape;
        let mut first = [0; 3];
        let mut end = self.shape;
        if chance(config.cut_probability, rng) {
            for _ in 0..rng.random_range(1..4) {
                // Bottom and top are cut the most often.
                let axis = [2, 2, 2, 1, 0][rng.random_range(0..5_usize)];
                let part: f32 = rng.random();
                let part = if axis == 2 { part } else { part * part };
                let depth = (self.shape[axis] as f32 * config.cut * part) as usize;
                if chance(0.5, rng) {
                    first[axis] = depth;
                } else {
                    end[axis] = self.shape[axis] - depth;
                }
            }
        }
        for z in 0..nz {
            for y in 0..ny {
                for x in 0..nx {
                    let index = x + nx * (y + ny * z);
                    let outside = [x, y, z]
                        .into_iter()
                        .zip(first.into_iter().zip(end))
                        .any(|(at, (first, end))| at < first || at >= end);
                    if outside || self.tissue[index] == IGNORED {
                        self.image[index] = 0.0;
                        self.tissue[index] = IGNORED;
                        self.side[index] = 0;
                    }
                }
            }
        }
    }

    fn remove(&mut self, index: usize) {
        self.image[index] = 0.0;
        self.side[index] = 0;
        if self.tissue[index] != IGNORED {
            self.tissue[index] = Tissue::Background as u8;
        }
    }
}

/// How deep each voxel lies below the brain's surface in millimetres, below zero outside. The surface runs half a voxel
/// beyond the outermost centres; `closed`, it bridges the sulci. The depth inside is 0 unless `inner`.
fn depth(brain: &Volume<bool>, closed: bool, inner: bool) -> Vec<f32> {
    /// How far the brain is grown and shrunk again to close the sulci, and as far outside is the depth known.
    const BRIDGE_MM: f32 = 8.0;
    const HALF: f32 = 0.5 * VOXEL_MM as f32;
    let outer = distance_to(brain);
    if closed {
        let beyond = outer.map(|&distance| distance > BRIDGE_MM);
        return distance_to(&beyond).data().iter().map(|depth| depth - BRIDGE_MM - HALF).collect();
    }
    let mut depth: Vec<f32> = outer.data().iter().map(|distance| HALF - distance).collect();
    if inner {
        let inside = distance_to(&brain.map(|&inside| !inside));
        depth
            .iter_mut()
            .zip(inside.data())
            .for_each(|(depth, inside)| *depth += (inside - VOXEL_MM as f32).max(0.0));
    }
    depth
}

fn is_brain(number: u8) -> bool {
    Tissue::ALL.get(usize::from(number)).is_some_and(|tissue| tissue.is_brain())
}
