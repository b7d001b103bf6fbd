//! Connected components: which voxels hang together.

use crate::{Grid, Volume};

/// Which neighbours of a voxel touch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connectivity {
    /// Those that share a face.
    Six,
    /// Those that share a face or an edge.
    Eighteen,
    /// Those that share a face, an edge or a corner.
    TwentySix,
}

/// One component: its value and its voxels, in the order of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component<T> {
    /// What all its voxels hold.
    pub value: T,
    /// Positions in the data, ascending.
    pub voxels: Vec<usize>,
}

/// The components of equal value, but for `background`. Touching voxels of different values are
/// different components. They come in the order of their first voxels.
///
/// Rows are taken apart into runs and runs that touch are united (union–find), so the cost goes
/// with the number of runs, not of voxels: lesions in a head take as long as one pass over the data.
pub fn components<T: Copy + PartialEq>(
    volume: &Volume<T>,
    background: T,
    connectivity: Connectivity,
) -> Vec<Component<T>> {
    let runs = Runs::of(volume, background);
    let mut sets = DisjointSets::new(runs.runs.len());
    let [_, ny, nz] = volume.shape();
    for k in 0..nz {
        for j in 0..ny {
            for (dj, dk, reach) in earlier_rows(connectivity) {
                let (Some(row), Some(slice)) = (j.checked_add_signed(dj), k.checked_sub(dk)) else {
                    continue;
                };
                if row < ny {
                    runs.unite_touching(&mut sets, j + ny * k, row + ny * slice, reach);
                }
            }
        }
    }
    runs.gather(&mut sets, volume.grid())
}

/// The rows before a row (in data order) that touch it: offsets in y, slices back, and whether
/// voxels one further along x touch too.
fn earlier_rows(connectivity: Connectivity) -> impl Iterator<Item = (isize, usize, usize)> {
    let all: [(isize, usize); 4] = [(-1, 0), (0, 1), (-1, 1), (1, 1)];
    all.into_iter().filter_map(move |(dj, dk)| {
        let diagonal = dj != 0 && dk != 0;
        let reach = match connectivity {
            Connectivity::Six => (!diagonal).then_some(0),
            Connectivity::Eighteen => Some(usize::from(!diagonal)),
            Connectivity::TwentySix => Some(1),
        };
        reach.map(|reach| (dj, dk, reach))
    })
}

#[derive(Clone, Copy)]
struct Run<T> {
    value: T,
    /// First voxel along x, and the first past the end.
    start: usize,
    end: usize,
}

struct Runs<T> {
    runs: Vec<Run<T>>,
    /// For each row, where its runs begin; one more entry at the end.
    rows: Vec<usize>,
}

impl<T: Copy + PartialEq> Runs<T> {
    fn of(volume: &Volume<T>, background: T) -> Self {
        let nx = volume.shape()[0];
        let mut runs: Vec<Run<T>> = Vec::new();
        let mut rows = Vec::with_capacity(volume.data().len() / nx + 1);
        for row in volume.data().chunks_exact(nx) {
            rows.push(runs.len());
            let mut x = 0;
            while x < nx {
                let value = row[x];
                let length = row[x..].iter().take_while(|&&next| next == value).count();
                // A value that does not equal itself (NaN) still takes a step.
                let end = x + length.max(1);
                if value != background {
                    runs.push(Run { value, start: x, end });
                }
                x = end;
            }
        }
        rows.push(runs.len());
        Self { runs, rows }
    }

    fn unite_touching(&self, sets: &mut DisjointSets, row: usize, earlier: usize, reach: usize) {
        let earlier = self.rows[earlier]..self.rows[earlier + 1];
        let mut first = earlier.start;
        for run in self.rows[row]..self.rows[row + 1] {
            let Run { value, start, end } = self.runs[run];
            while first < earlier.end && self.runs[first].end + reach <= start {
                first += 1;
            }
            for other in first..earlier.end {
                if self.runs[other].start >= end + reach {
                    break;
                }
                if self.runs[other].value == value {
                    sets.unite(run, other);
                }
            }
        }
    }

    fn gather(&self, sets: &mut DisjointSets, grid: &Grid) -> Vec<Component<T>> {
        let nx = grid.shape()[0];
        let mut number_of_root = vec![usize::MAX; self.runs.len()];
        let mut components: Vec<Component<T>> = Vec::new();
        for (row, ends) in self.rows.windows(2).enumerate() {
            for run in ends[0]..ends[1] {
                let root = sets.root(run);
                if number_of_root[root] == usize::MAX {
                    number_of_root[root] = components.len();
                    components.push(Component { value: self.runs[run].value, voxels: Vec::new() });
                }
                let Run { start, end, .. } = self.runs[run];
                components[number_of_root[root]].voxels.extend(row * nx + start..row * nx + end);
            }
        }
        components
    }
}

/// Union–find with path halving, the lower number being the root.
struct DisjointSets(Vec<usize>);

impl DisjointSets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut member: usize) -> usize {
        while self.0[member] != member {
            self.0[member] = self.0[self.0[member]];
            member = self.0[member];
        }
        member
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Affine;

    fn volume(shape: [usize; 3], voxels: &[([usize; 3], u8)]) -> Volume<u8> {
        let grid = Grid::new(shape, Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let mut volume = Volume::filled(grid, 0);
        for &(voxel, value) in voxels {
            volume[voxel] = value;
        }
        volume
    }

    fn count(volume: &Volume<u8>, connectivity: Connectivity) -> usize {
        components(volume, 0, connectivity).len()
    }

    #[test]
    fn faces_edges_and_corners_touch_as_the_connectivity_says() {
        let face = volume([3, 3, 3], &[([1, 1, 1], 1), ([1, 1, 2], 1)]);
        let edges = [[0, 0, 1], [2, 0, 1], [0, 1, 0], [2, 1, 2], [1, 2, 0], [1, 0, 0]];
        for connectivity in [Connectivity::Six, Connectivity::Eighteen, Connectivity::TwentySix] {
            assert_eq!(count(&face, connectivity), 1);
        }
        for edge in edges {
            let volume = volume([3, 3, 3], &[([1, 1, 1], 1), (edge, 1)]);
            assert_eq!(count(&volume, Connectivity::Six), 2, "{edge:?}");
            assert_eq!(count(&volume, Connectivity::Eighteen), 1, "{edge:?}");
        }
        for bits in 0..8 {
            let corner = std::array::from_fn(|axis| if bits >> axis & 1 == 1 { 2 } else { 0 });
            let volume = volume([3, 3, 3], &[([1, 1, 1], 1), (corner, 1)]);
            assert_eq!(count(&volume, Connectivity::Eighteen), 2, "{corner:?}");
            assert_eq!(count(&volume, Connectivity::TwentySix), 1, "{corner:?}");
        }
    }

    #[test]
    fn different_labels_that_touch_stay_apart() {
        let volume = volume([4, 1, 1], &[([0, 0, 0], 1), ([1, 0, 0], 1), ([2, 0, 0], 2)]);
        let found = components(&volume, 0, Connectivity::TwentySix);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].value, found[0].voxels.as_slice()), (1, [0, 1].as_slice()));
        assert_eq!((found[1].value, found[1].voxels.as_slice()), (2, [2].as_slice()));
    }

    #[test]
    fn a_label_joins_over_a_corner_beside_another_label() {
        // Row 0: 2 2 1; row 1: 1 1 2. Each label hangs together by a corner only.
        let rows = [[2, 2, 1], [1, 1, 2]];
        let mut voxels = Vec::new();
        for (j, row) in rows.iter().enumerate() {
            voxels.extend(row.iter().enumerate().map(|(i, &value)| ([i, j, 0], value)));
        }
        assert_eq!(count(&volume([3, 2, 1], &voxels), Connectivity::TwentySix), 2);
        assert_eq!(count(&volume([3, 2, 1], &voxels), Connectivity::Six), 4);
    }

    #[test]
    fn a_u_shape_joined_only_at_its_end_is_one() {
        let arms = |k| [([0, 0, k], 1), ([2, 0, k], 1)];
        let mut voxels: Vec<_> = (0..4).flat_map(arms).collect();
        assert_eq!(count(&volume([3, 1, 5], &voxels), Connectivity::Six), 2);
        voxels.extend([([0, 0, 4], 1), ([1, 0, 4], 1), ([2, 0, 4], 1)]);
        assert_eq!(count(&volume([3, 1, 5], &voxels), Connectivity::Six), 1);
    }
}
