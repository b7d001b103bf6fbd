//! Slices of a prepared subject as network input, and probabilities back on its grid.

use crate::Prepared;

/// A mirroring of the slice for test-time augmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mirror {
    left_right: bool,
    front_back: bool,
}

impl Mirror {
    /// The slice as it is, its two mirror images and its half turn.
    pub(super) const ALL: [Self; 4] = [
        Self { left_right: false, front_back: false },
        Self { left_right: true, front_back: false },
        Self { left_right: false, front_back: true },
        Self { left_right: true, front_back: true },
    ];
}

/// Slices of a prepared subject, padded to the size that the network takes.
pub(super) struct PaddedSlices<'a> {
    pub prepared: &'a Prepared,
    /// Neighbouring slices that the network sees at once.
    pub context: usize,
    pub width: usize,
    pub height: usize,
}

impl PaddedSlices<'_> {
    /// The input of some slices, `[slice, channel, height, width]`. Beyond the first and last slice, these are repeated.
    pub(super) fn input(&self, slices: &[usize], mirror: Mirror) -> Vec<f32> {
        let [nx, ny, nz] = self.prepared.grid().shape();
        let area = self.width * self.height;
        let channels = self.prepared.images.len() * self.context;
        let mut input = vec![0.0; slices.len() * channels * area];
        let mut planes = input.chunks_exact_mut(area);
        for &slice in slices {
            for image in &self.prepared.images {
                for offset in 0..self.context {
                    let k = (slice + offset).saturating_sub(self.context / 2).min(nz - 1);
                    let Some(plane) = planes.next() else { break };
                    for (j, row) in image.slice(k).chunks_exact(nx).enumerate() {
                        let v = if mirror.front_back { ny - 1 - j } else { j };
                        let to = &mut plane[v * self.width..v * self.width + nx];
                        to.copy_from_slice(row);
                        if mirror.left_right {
                            to.reverse();
                        }
                    }
                }
            }
        }
        input
    }

    /// Adds `weight` times a plane of the network's output to a slice of the grid, mirrored back.
    pub(super) fn add(&self, slice: &mut [f32], plane: &[f32], mirror: Mirror, weight: f32) {
        let [nx, ny, _] = self.prepared.grid().shape();
        for (j, row) in slice.chunks_exact_mut(nx).enumerate() {
            let v = if mirror.front_back { ny - 1 - j } else { j };
            let from = &plane[v * self.width..v * self.width + nx];
            for (i, value) in row.iter_mut().enumerate() {
                let u = if mirror.left_right { nx - 1 - i } else { i };
                *value += weight * from[u];
            }
        }
    }
}
