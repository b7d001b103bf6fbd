//! The rungs of a ladder, or ranges where sizes were drawn at random.

/// Values of one rung differ by a smaller share: an implant's volume is that of its voxels.
const RUNG: f64 = 1.12;
/// More clusters of values are no ladder.
const MOST_RUNGS: usize = 12;
/// Ranges of values drawn at random.
const RANGES: usize = 6;

/// A range of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The least of its values.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// The middle one.
    pub middle: f64,
}

impl Bin {
    /// Whether a value is one of its own.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// `2.0`, or `1.8–2.4` where its values differ.
    #[must_use]
    pub fn label(&self, digits: usize) -> String {
        if self.high <= self.low * RUNG {
            format!("{:.digits$}", self.middle)
        } else {
            format!("{:.digits$}–{:.digits$}", self.low, self.high)
        }
    }
}

/// Bins that hold all of some positive values, ascending: the values' clusters where they are few, else as many
/// values in each.
#[must_use]
pub fn bins(values: &[f64]) -> Vec<Bin> {
    let mut sorted: Vec<f64> = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let clusters: Vec<&[f64]> = sorted.chunk_by(|a, b| *b <= *a * RUNG).collect();
    let is_wide = |cluster: &&[f64]| cluster[cluster.len() - 1] > cluster[0] * RUNG * RUNG;
    if clusters.len() <= MOST_RUNGS && !clusters.iter().any(is_wide) {
        return clusters.into_iter().map(bin).collect();
    }
    let size = sorted.len().div_ceil(RANGES);
    let mut ranges = Vec::new();
    let mut rest = sorted.as_slice();
    while let Some(last) = rest.get(size.min(rest.len()).wrapping_sub(1)) {
        // Equal values stay together.
        let (range, more) = rest.split_at(rest.partition_point(|value| value <= last));
        ranges.push(bin(range));
        rest = more;
    }
    ranges
}

/// Of some sorted values.
fn bin(values: &[f64]) -> Bin {
    Bin { low: values[0], high: values[values.len() - 1], middle: values[values.len() / 2] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_of_a_ladder_are_told_apart() {
        let values = [2.02, 1.0, 0.98, 1.99, 3.1, 3.0, 1.01, 2.0];
        let bins = bins(&values);
        let labels: Vec<String> = bins.iter().map(|bin| bin.label(1)).collect();
        assert_eq!(labels, ["1.0", "2.0", "3.1"]);
        for value in values {
            assert_eq!(bins.iter().filter(|bin| bin.holds(value)).count(), 1);
        }
    }

    #[test]
    fn drawn_sizes_fall_into_ranges() {
        let values: Vec<f64> = (0..60).map(|n| 1.0 + 0.1 * f64::from(n)).collect();
        let bins = bins(&values);
        assert_eq!(bins.len(), 6);
        for &value in &values {
            assert_eq!(bins.iter().filter(|bin| bin.holds(value)).count(), 1);
        }
        assert_eq!(bins[0].label(1), "1.0–1.9");
        assert!(super::bins(&[]).is_empty());
    }

    #[test]
    fn a_value_lies_in_one_range_only() {
        let mut values = vec![2.0; 30];
        values.extend((0..30).map(|n| 1.0 + 0.1 * f64::from(n)));
        let bins = bins(&values);
        assert_eq!(bins.iter().filter(|bin| bin.holds(2.0)).count(), 1, "{bins:?}");
        // Each implant thrice, as with three sets of inputs.
        let thrice: Vec<f64> = (0..117).map(|n| 1.5 + 0.1 * f64::from(n / 3)).collect();
        assert_eq!(super::bins(&thrice).len(), 6);
    }
}
