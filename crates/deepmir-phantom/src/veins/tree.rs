//! Trees of shortest ways.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use deepmir_volume::Volume;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::VeinSegment;
use crate::structure::Structure;

/// A coarser lattice over a label map: each cell is a cube of eight voxels.
pub(crate) struct Lattice<'a> {
    labels: &'a Volume<Structure>,
    shape: [usize; 3],
}

/// One cell: the structures of its eight voxels.
pub(crate) struct Cell([Structure; 8]);

impl Cell {
    /// The part of the cell that is `wanted`.
    pub(crate) fn part(&self, wanted: impl Fn(Structure) -> bool) -> f64 {
        self.0.iter().filter(|&&structure| wanted(structure)).count() as f64 / 8.0
    }
}

impl<'a> Lattice<'a> {
    pub(crate) fn new(labels: &'a Volume<Structure>) -> Self {
        Self { labels, shape: labels.shape().map(|length| length / 2) }
    }

    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    fn cell(&self, index: usize) -> Cell {
        let [i, j, k] = self.voxel(index).map(|n| 2 * n);
        Cell(std::array::from_fn(|n| self.labels[[i + (n & 1), j + (n >> 1 & 1), k + (n >> 2)]]))
    }

    fn voxel(&self, index: usize) -> [usize; 3] {
        let [nx, ny, _] = self.shape;
        [index % nx, index / nx % ny, index / (nx * ny)]
    }

    fn place_mm(&self, index: usize) -> [f64; 3] {
        self.labels.grid().affine().apply(self.voxel(index).map(|n| 2.0 * n as f64 + 0.5))
    }

    /// The cells that are `wanted`, in the order of the data.
    pub(crate) fn cells_where(&self, wanted: impl Fn(&Cell) -> bool) -> Vec<usize> {
        (0..self.len()).filter(|&index| wanted(&self.cell(index))).collect()
    }

    /// The neighbours of a cell (26) and their distances in cells.
    fn neighbours(&self, index: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let [i, j, k] = self.voxel(index);
        let [nx, ny, nz] = self.shape;
        (0..27_usize).filter(|&n| n != 13).filter_map(move |n| {
            let step = [n % 3, n / 3 % 3, n / 9];
            let [a, b, c] = [i + step[0], j + step[1], k + step[2]];
            let fits = a >= 1 && b >= 1 && c >= 1 && a <= nx && b <= ny && c <= nz;
            let steps = step.iter().filter(|&&s| s != 1).count();
            fits.then(|| (a - 1 + nx * (b - 1 + ny * (c - 1)), (steps as f64).sqrt()))
        })
    }
}

/// The shortest way from every cell to a set of goals.
pub(crate) struct Tree<'a> {
    lattice: &'a Lattice<'a>,
    /// The next cell on the way; a goal is its own.
    next: Vec<u32>,
    /// Length of the way in millimetres.
    length_mm: Vec<f32>,
}

const NOWHERE: u32 = u32::MAX;

impl<'a> Tree<'a> {
    /// Dijkstra's tree: `goal` says which cells are goals, `cost` what a millimetre through a cell
    /// costs (`None`: no way). Costs vary by a third at random, so that ways meander.
    pub(crate) fn towards(
        lattice: &'a Lattice<'a>,
        goal: impl Fn(&Cell) -> bool,
        cost: impl Fn(&Cell) -> Option<f64>,
        generator: &mut ChaCha8Rng,
    ) -> Self {
        let mut costs = vec![f64::INFINITY; lattice.len()];
        let mut next = vec![NOWHERE; lattice.len()];
        let mut total = vec![f64::INFINITY; lattice.len()];
        let mut length_mm = vec![f32::INFINITY; lattice.len()];
        let mut heap = BinaryHeap::new();
        for index in 0..lattice.len() {
            let cell = lattice.cell(index);
            let noise = 1.0 + 0.35 * generator.random::<f64>();
            if goal(&cell) {
                (total[index], length_mm[index], next[index]) = (0.0, 0.0, index as u32);
                heap.push(Reverse((0_u64, index as u32)));
            }
            costs[index] = cost(&cell).map_or(f64::INFINITY, |cost| cost * noise);
        }
        while let Some(Reverse((reached, index))) = heap.pop() {
            let index = index as usize;
            if reached > key(total[index]) {
                continue;
            }
            for (neighbour, distance) in lattice.neighbours(index) {
                let through = total[index] + 2.0 * distance * costs[neighbour];
                if through < total[neighbour] {
                    total[neighbour] = through;
                    length_mm[neighbour] = length_mm[index] + 2.0 * distance as f32;
                    next[neighbour] = index as u32;
                    heap.push(Reverse((key(through), neighbour as u32)));
                }
            }
        }
        Self { lattice, next, length_mm }
    }

    /// The veins that begin at `count` of the `starts` whose ways are between the two lengths.
    /// Where ways meet they go on as one, wider vein: cross-sections add up, from the first radius
    /// to at most the second.
    pub(crate) fn veins(
        &self,
        starts: &[usize],
        count: usize,
        lengths_mm: [f64; 2],
        radii_mm: [f64; 2],
        generator: &mut ChaCha8Rng,
    ) -> Vec<VeinSegment> {
        let fits = |&&index: &&usize| {
            let length = f64::from(self.length_mm[index]);
            (lengths_mm[0]..=lengths_mm[1]).contains(&length)
        };
        let starts: Vec<usize> = starts.iter().filter(fits).copied().collect();
        if starts.is_empty() {
            return Vec::new();
        }
        // How many veins flow through a cell.
        let mut flow = std::collections::BTreeMap::<usize, f64>::new();
        for _ in 0..count {
            let mut at = starts[generator.random_range(0..starts.len())];
            // Veins begin thin and gather blood from the tissue along their way.
            let mut gathered = 0.6 + 0.8 * generator.random::<f64>();
            loop {
                *flow.entry(at).or_default() += gathered;
                let next = self.next[at] as usize;
                if next == at || self.next[at] == NOWHERE {
                    break;
                }
                gathered += 0.02;
                at = next;
            }
        }
        let places = self.smoothed(&flow, generator);
        let radius = |index: usize| {
            (radii_mm[0] * flow.get(&index).copied().unwrap_or(1.0).sqrt()).min(radii_mm[1])
        };
        flow.keys()
            .filter_map(|&index| {
                let next = self.next[index] as usize;
                (next != index).then(|| VeinSegment {
                    start_mm: places[&index],
                    end_mm: places[&next],
                    start_radius_mm: radius(index),
                    end_radius_mm: radius(next).max(radius(index)),
                })
            })
            .collect()
    }

    /// Places of the cells with flow: jittered, then drawn towards the mean of their neighbours on
    /// the tree, so that ways bend instead of breaking.
    fn smoothed(
        &self,
        flow: &std::collections::BTreeMap<usize, f64>,
        generator: &mut ChaCha8Rng,
    ) -> std::collections::BTreeMap<usize, [f64; 3]> {
        let mut places: std::collections::BTreeMap<usize, [f64; 3]> = flow
            .keys()
            .map(|&index| {
                let place = self.lattice.place_mm(index);
                (index, place.map(|mm| mm + 1.2 * (generator.random::<f64>() - 0.5)))
            })
            .collect();
        for _ in 0..3 {
            let mut sums: std::collections::BTreeMap<usize, ([f64; 3], f64)> =
                places.iter().map(|(&index, &place)| (index, (place, 1.0))).collect();
            for (&index, &place) in &places {
                let next = self.next[index] as usize;
                let there = places[&next];
                for (to, from) in [(index, there), (next, place)] {
                    if let Some((sum, count)) = sums.get_mut(&to) {
                        (0..3).for_each(|axis| sum[axis] += from[axis]);
                        *count += 1.0;
                    }
                }
            }
            for (index, (sum, count)) in sums {
                // Goals stay: they are where the sinus is.
                if self.next[index] as usize != index {
                    places.insert(index, sum.map(|sum| sum / count));
                }
            }
        }
        places
    }
}

/// Costs in order as whole numbers.
fn key(cost: f64) -> u64 {
    (cost * 1024.0) as u64
}

#[cfg(test)]
mod tests {
    use deepmir_volume::{Affine, Grid};

    use super::*;
    use crate::random::{Purpose, stream};

    #[test]
    fn veins_reach_the_sinus_widen_and_hang_together() {
        let grid = Grid::new([60, 60, 40], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let labels =
            Volume::from_fn(
                grid,
                |[_, _, k]| {
                    if k >= 36 { Structure::Vein } else { Structure::WhiteMatter }
                },
            );
        let lattice = Lattice::new(&labels);
        let mut generator = stream(3, Purpose::Veins, 0);
        let tree = Tree::towards(
            &lattice,
            |cell| cell.part(|structure| structure == Structure::Vein) > 0.5,
            |_| Some(1.0),
            &mut generator,
        );
        let starts = lattice.cells_where(|_| true);
        let veins = tree.veins(&starts, 12, [10.0, 60.0], [0.3, 1.0], &mut generator);
        assert!(!veins.is_empty());
        for vein in &veins {
            assert!(vein.end_radius_mm >= vein.start_radius_mm);
            let goes_on = veins.iter().any(|other| other.start_mm == vein.end_mm);
            let at_goal = vein.end_mm[2] > 34.0;
            assert!(goes_on || at_goal, "{vein:?}");
        }
    }
}
