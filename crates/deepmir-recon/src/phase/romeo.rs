//! Exact unwrapping in space along the most trusted edges.

use std::f32::consts::TAU;

use deepmir_volume::{Mask, Volume};

use super::edges::{EdgeWeights, positions};

/// Unwraps a phase inside a mask, in place: every voxel keeps its value but for whole turns.
///
/// Regions grow from the voxel of the highest quality over the best edge at hand, kept in 256
/// buckets by weight (Dymerska et al. 2021); a part of the mask that no edge reaches starts from its
/// own best voxel, between −π and π.
///
/// # Panics
/// If the shapes differ.
pub fn unwrap_romeo(phase: &mut Volume<f32>, edges: &EdgeWeights, mask: &Mask) {
    assert_eq!(phase.shape(), edges.shape());
    assert_eq!(phase.shape(), mask.shape());
    let mut growth = Growth::new(edges, mask);
    let phase = phase.data_mut();
    for seed in by_quality(edges, mask) {
        if growth.open[seed as usize] {
            growth.reach(seed);
            while let Some(edge) = growth.edges_at_hand.best() {
                growth.follow(edge, phase);
            }
        }
    }
}

/// The mask's voxels, the best first.
fn by_quality(edges: &EdgeWeights, mask: &Mask) -> Vec<u32> {
    let mut voxels: Vec<(u8, u32)> = positions(mask)
        .into_iter()
        .map(|voxel| (255 - edges.mean(voxel as usize) as u8, voxel))
        .collect();
    voxels.sort_unstable();
    voxels.into_iter().map(|(_, voxel)| voxel).collect()
}

struct Growth<'a> {
    edges: &'a EdgeWeights,
    shape: [usize; 3],
    strides: [usize; 3],
    /// In the mask and not reached yet.
    open: Vec<bool>,
    edges_at_hand: Buckets,
}

impl<'a> Growth<'a> {
    fn new(edges: &'a EdgeWeights, mask: &Mask) -> Self {
        let shape = mask.shape();
        let strides = [1, shape[0], shape[0] * shape[1]];
        Self { edges, shape, strides, open: mask.data().to_vec(), edges_at_hand: Buckets::new() }
    }

    /// Marks a voxel as done and lays its edges to open voxels at hand.
    fn reach(&mut self, voxel: u32) {
        let here = voxel as usize;
        self.open[here] = false;
        let [nx, ny, nz] = self.shape;
        let at = [here % nx, here / nx % ny, here / (nx * ny)];
        let weights = self.edges.of(here);
        for axis in 0..3 {
            let stride = self.strides[axis];
            if at[axis] + 1 < [nx, ny, nz][axis] && self.open[here + stride] {
                self.edges_at_hand
                    .add(weights[axis], Edge { from: voxel, to: (here + stride) as u32 });
            }
            if at[axis] > 0 && self.open[here - stride] {
                let weight = self.edges.of(here - stride)[axis];
                self.edges_at_hand.add(weight, Edge { from: voxel, to: (here - stride) as u32 });
            }
        }
    }

    fn follow(&mut self, edge: Edge, phase: &mut [f32]) {
        if self.open[edge.to as usize] {
            let (from, to) = (phase[edge.from as usize], phase[edge.to as usize]);
            phase[edge.to as usize] = to - TAU * ((to - from) / TAU).round();
            self.reach(edge.to);
        }
    }
}

/// A step from a voxel that is done to one that was open when the edge was laid at hand.
#[derive(Clone, Copy)]
struct Edge {
    from: u32,
    to: u32,
}

/// Edges sorted into buckets by weight.
struct Buckets {
    buckets: Vec<Vec<Edge>>,
    /// No bucket above this one holds an edge.
    highest: usize,
}

impl Buckets {
    fn new() -> Self {
        Self { buckets: vec![Vec::new(); 256], highest: 0 }
    }

    fn add(&mut self, weight: u8, edge: Edge) {
        let weight = usize::from(weight);
        self.buckets[weight].push(edge);
        self.highest = self.highest.max(weight);
    }

    fn best(&mut self) -> Option<Edge> {
        loop {
            if let Some(edge) = self.buckets[self.highest].pop() {
                return Some(edge);
            }
            self.highest = self.highest.checked_sub(1)?;
        }
    }
}
