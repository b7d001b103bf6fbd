//! The channel blocks of concatenated maps.

use crate::block::LANES;

/// The channel blocks of one or more concatenated maps. Each map starts a new block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels {
    /// Number of channels of each map.
    counts: Vec<usize>,
    /// First channel of each block.
    first: Vec<usize>,
    /// Number of channels in use of each block.
    lanes: Vec<usize>,
}

impl Channels {
    /// The blocks of maps with these numbers of channels.
    #[must_use]
    pub fn new(counts: &[usize]) -> Self {
        let (mut first, mut lanes, mut channel) = (Vec::new(), Vec::new(), 0);
        for &count in counts {
            for start in (0..count).step_by(LANES) {
                first.push(channel + start);
                lanes.push((count - start).min(LANES));
            }
            channel += count;
        }
        Self { counts: counts.to_vec(), first, lanes }
    }

    /// Number of channels of all maps.
    #[must_use]
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Number of blocks of all maps.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.lanes.len()
    }

    /// Number of channels in use of each block.
    #[must_use]
    pub fn lanes(&self) -> &[usize] {
        &self.lanes
    }

    /// The channels of a block, numbered through all maps.
    #[must_use]
    pub fn of_block(&self, block: usize) -> std::ops::Range<usize> {
        self.first[block]..self.first[block] + self.lanes[block]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_map_starts_a_block() {
        let channels = Channels::new(&[20, 3, 16]);
        assert_eq!(channels.lanes(), [16, 4, 3, 16]);
        assert_eq!(channels.total(), 39);
        assert_eq!(channels.of_block(2), 20..23);
        assert_eq!(channels.of_block(3), 23..39);
    }
}
