//! Growing one tree, best leaf first, on histograms of binned columns.

use super::{BoostingParams, Tree};

/// Bins of a column at most.
const BINS: usize = 255;
/// The bin of a missing value.
const MISSING: u8 = u8::MAX;
/// Least sum of second derivatives in a leaf.
const MIN_HESSIAN: f64 = 1e-3;

/// First and second derivative of the loss by the score.
#[derive(Clone, Copy, Default)]
pub(super) struct GradientPair {
    pub first: f64,
    pub second: f64,
}

impl GradientPair {
    fn add(&mut self, other: Self) {
        self.first += other.first;
        self.second += other.second;
    }

    fn less(self, other: Self) -> Self {
        Self { first: self.first - other.first, second: self.second - other.second }
    }

    /// Twice the reduction of the loss by a leaf with this sum.
    fn gain(self, l2: f64) -> f64 {
        self.first * self.first / (self.second + l2 + 1e-15)
    }
}

/// Rows in bins, column after column.
pub(super) struct Table {
    bins: Vec<Vec<u8>>,
    /// For each column, the thresholds between its bins.
    thresholds: Vec<Vec<f32>>,
    rows: usize,
}

/// For each column and bin, the number of a leaf's rows and the sum of their gradients.
type Histogram = Vec<[(usize, GradientPair); BINS + 1]>;

/// A leaf that may be split.
struct Leaf {
    rows: Vec<usize>,
    sum: GradientPair,
    histogram: Histogram,
    best: Option<Split>,
    /// The parent split, and whether this is its left branch; the root has none.
    parent: Option<(usize, bool)>,
}

#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    column: usize,
    /// The last bin that goes left; `None` if only missing values go right.
    bin: Option<u8>,
    missing_left: bool,
}

impl Table {
    pub(super) fn new(rows: &[Vec<f32>]) -> Self {
        let columns = rows.first().map_or(0, Vec::len);
        let thresholds: Vec<Vec<f32>> = (0..columns)
            .map(|column| {
                thresholds_of(rows.iter().map(|row| row[column]).filter(|v| !v.is_nan()).collect())
            })
            .collect();
        let bins = thresholds.iter().enumerate().map(|(column, thresholds)| {
            let bin = |value: f32| match value.is_nan() {
                true => MISSING,
                false => thresholds.partition_point(|&threshold| threshold < value) as u8,
            };
            rows.iter().map(|row| bin(row[column])).collect()
        });
        Self { bins: bins.collect(), thresholds, rows: rows.len() }
    }

    /// Grows a tree; `add_to_score` gets each row with what the tree adds to its score.
    pub(super) fn grow(
        &self,
        gradients: &[GradientPair],
        params: &BoostingParams,
        mut add_to_score: impl FnMut(usize, f64),
    ) -> Tree {
        let mut tree = Tree::default();
        let all_rows: Vec<usize> = (0..self.rows).collect();
        let histogram = self.histogram(&all_rows, gradients);
        let root = self.leaf(all_rows, histogram, gradients, params, None);
        let mut leaves = vec![root];
        while leaves.len() < params.max_leaves {
            let gain = |leaf: &Leaf| leaf.best.map_or(f64::NEG_INFINITY, |split| split.gain);
            let best = (0..leaves.len()).reduce(|best, next| {
                if gain(&leaves[next]) > gain(&leaves[best]) { next } else { best }
            });
            let Some((place, split)) = best.and_then(|n| Some((n, leaves[n].best?))) else { break };
            let Leaf { rows, histogram, parent, .. } = leaves.remove(place);
            let split_index = tree.column.len();
            tree.column.push(split.column);
            let thresholds = &self.thresholds[split.column];
            let threshold = split.bin.and_then(|bin| thresholds.get(usize::from(bin)));
            tree.threshold.push(threshold.copied().unwrap_or(f32::MAX));
            tree.left.push(0);
            tree.right.push(0);
            if let Some((parent, left)) = parent {
                let child = if left { &mut tree.left } else { &mut tree.right };
                child[parent] = split_index as i32;
            }
            let bins = &self.bins[split.column];
            let goes_left = |&row: &usize| match bins[row] {
                MISSING => split.missing_left,
                bin => split.bin.is_none_or(|last| bin <= last),
            };
            let none_missing = !rows.iter().any(|&row| bins[row] == MISSING);
            let (left, right): (Vec<usize>, Vec<usize>) = rows.into_iter().partition(goes_left);
            // Where no value was missing in training, a missing one goes with the majority.
            let missing_left =
                if none_missing { left.len() > right.len() } else { split.missing_left };
            tree.missing_left.push(missing_left);
            // Only the smaller side's histogram is counted; the other is the parent's less that.
            let left_is_smaller = left.len() <= right.len();
            let counted = self.histogram(if left_is_smaller { &left } else { &right }, gradients);
            let rest = without(histogram, &counted);
            let (left_histogram, right_histogram) =
                if left_is_smaller { (counted, rest) } else { (rest, counted) };
            leaves.push(self.leaf(
                left,
                left_histogram,
                gradients,
                params,
                Some((split_index, true)),
            ));
            leaves.push(self.leaf(
                right,
                right_histogram,
                gradients,
                params,
                Some((split_index, false)),
            ));
        }
        for (number, leaf) in leaves.iter().enumerate() {
            let value =
                -params.learning_rate * leaf.sum.first / (leaf.sum.second + params.l2 + 1e-15);
            tree.leaves.push(value as f32);
            if let Some((split_index, left)) = leaf.parent {
                let child = if left { &mut tree.left } else { &mut tree.right };
                child[split_index] = !(number as i32);
            }
            leaf.rows.iter().for_each(|&row| add_to_score(row, f64::from(value as f32)));
        }
        tree
    }

    fn histogram(&self, rows: &[usize], gradients: &[GradientPair]) -> Histogram {
        let of_column = |of_rows: &Vec<u8>| {
            let mut bins = [(0, GradientPair::default()); BINS + 1];
            for &row in rows {
                let (count, gradient) = &mut bins[usize::from(of_rows[row])];
                *count += 1;
                gradient.add(gradients[row]);
            }
            bins
        };
        self.bins.iter().map(of_column).collect()
    }

    fn leaf(
        &self,
        rows: Vec<usize>,
        histogram: Histogram,
        gradients: &[GradientPair],
        params: &BoostingParams,
        parent: Option<(usize, bool)>,
    ) -> Leaf {
        let mut sum = GradientPair::default();
        rows.iter().for_each(|&row| sum.add(gradients[row]));
        let may_split = rows.len() >= 2 * params.min_samples_leaf && sum.second >= MIN_HESSIAN;
        let best = if may_split { self.best_split(&histogram, &rows, sum, params) } else { None };
        Leaf { rows, sum, histogram, best, parent }
    }

    fn best_split(
        &self,
        histogram: &Histogram,
        rows: &[usize],
        sum: GradientPair,
        params: &BoostingParams,
    ) -> Option<Split> {
        let mut best: Option<Split> = None;
        for (column, bins) in histogram.iter().enumerate() {
            let thresholds = self.thresholds[column].len();
            let (missing, missing_sum) = bins[usize::from(MISSING)];
            let mut consider = |bin: Option<u8>, missing_left, count: usize, left: GradientPair| {
                let right = sum.less(left);
                let enough = count >= params.min_samples_leaf
                    && rows.len() - count >= params.min_samples_leaf
                    && left.second >= MIN_HESSIAN
                    && right.second >= MIN_HESSIAN;
                let gain = left.gain(params.l2) + right.gain(params.l2) - sum.gain(params.l2);
                if enough && gain > best.map_or(0.0, |best| best.gain) {
                    best = Some(Split { gain, column, bin, missing_left });
                }
            };
            let (mut count, mut left) = (0, GradientPair::default());
            for (bin, (here, gradient)) in bins[..=thresholds].iter().enumerate() {
                count += here;
                left.add(*gradient);
                if bin < thresholds {
                    consider(Some(bin as u8), false, count, left);
                } else if missing > 0 {
                    consider(None, false, count, left);
                }
            }
            if missing == 0 {
                continue;
            }
            let (mut count, mut left) = (missing, missing_sum);
            for (bin, (here, gradient)) in bins[..thresholds].iter().enumerate() {
                count += here;
                left.add(*gradient);
                consider(Some(bin as u8), true, count, left);
            }
        }
        best
    }
}

/// The difference of two histograms.
fn without(mut histogram: Histogram, other: &Histogram) -> Histogram {
    for (bins, others) in histogram.iter_mut().zip(other) {
        for ((count, gradient), (less, sum)) in bins.iter_mut().zip(others) {
            *count -= less;
            *gradient = gradient.less(*sum);
        }
    }
    histogram
}

/// Bin thresholds: midpoints between successive distinct values, or between quantiles if there are too many.
fn thresholds_of(mut values: Vec<f32>) -> Vec<f32> {
    values.sort_unstable_by(f32::total_cmp);
    let mut distinct = values.clone();
    distinct.dedup();
    let between = |low: f32, high: f32| (0.5 * (f64::from(low) + f64::from(high))) as f32;
    // 255 bins for values: the last of 256 numbers is that of missing values.
    if distinct.len() <= BINS {
        return distinct.windows(2).map(|pair| between(pair[0], pair[1])).collect();
    }
    let quantile = |n: usize| {
        let place = n as f64 / BINS as f64 * (values.len() - 1) as f64;
        between(values[place.floor() as usize], values[place.ceil() as usize])
    };
    let mut thresholds: Vec<f32> = (1..BINS).map(quantile).collect();
    thresholds.dedup();
    thresholds
}
