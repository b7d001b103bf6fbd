//! Gradient boosted trees: small trees, each fitted to what those before it leave wrong.
//!
//! Multinomial log-loss with second derivatives, values in bins, trees grown best leaf first, as LightGBM
//! does it (Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", 2017) and scikit-learn's
//! `HistGradientBoostingClassifier` after it, whose numbers the tests compare.

use serde::{Deserialize, Serialize};

/// How trees are grown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    /// Trees for each kind.
    pub rounds: usize,
    /// How far each tree goes towards what it was fitted to.
    pub rate: f64,
    /// Leaves of a tree at most.
    pub leaves: usize,
    /// Rows in a leaf at least.
    pub least_rows: usize,
    /// What is added to the sum of second derivatives: holds leaves at zero.
    pub ridge: f64,
}

/// Bins of a column at most.
const BINS: usize = 255;
/// The bin of a value that could not be measured.
const ABSENT: u8 = u8::MAX;
/// Second derivatives of a leaf sum to this at least.
const LEAST_CURVATURE: f64 = 1e-3;

/// A tree in flat arrays, one entry a question but for `leaves`. Questions are asked from the first on; a row goes to
/// `below` where its value is at most `threshold`, else to `above`: another question where that is positive
/// or zero, the leaf `!n` where it is negative.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// Which column is asked about.
    pub column: Vec<usize>,
    /// What it is compared with.
    pub threshold: Vec<f32>,
    /// Whether a value that could not be measured counts as below.
    pub absent_below: Vec<bool>,
    /// Where to go on.
    pub below: Vec<i32>,
    /// Where else.
    pub above: Vec<i32>,
    /// What leaves add to the score; a tree without questions has one.
    pub leaves: Vec<f32>,
}

impl Tree {
    /// What it adds for a row, NaN being a value that could not be measured.
    pub fn value(&self, row: &[f32]) -> f64 {
        let mut at = if self.column.is_empty() { !0 } else { 0 };
        while let Ok(question) = usize::try_from(at) {
            let value = row[self.column[question]];
            let below = match value.is_nan() {
                true => self.absent_below[question],
                false => value <= self.threshold[question],
            };
            at = if below { self.below[question] } else { self.above[question] };
        }
        f64::from(self.leaves[!at as usize])
    }

    /// Why it cannot be followed for rows of so many columns; `None` if it can.
    pub(super) fn fault(&self, columns: usize) -> Option<String> {
        let questions = self.column.len();
        let lengths =
            [self.threshold.len(), self.absent_below.len(), self.below.len(), self.above.len()];
        if lengths.iter().any(|&length| length != questions) || self.leaves.len() != questions + 1 {
            return Some("a tree of the second look is cut off".to_owned());
        }
        // Every way leads on to a later question, so that it ends.
        let leads = |from: usize, to: i32| match usize::try_from(to) {
            Ok(question) => question > from && question < questions,
            Err(_) => (!to as usize) < self.leaves.len(),
        };
        let sound = (0..questions).all(|n| {
            leads(n, self.below[n]) && leads(n, self.above[n]) && self.column[n] < columns
        });
        let finite = self.leaves.iter().all(|leaf| leaf.is_finite());
        (!sound || !finite).then(|| "a tree of the second look leads nowhere".to_owned())
    }
}

/// Fits trees: for each round one tree for each kind, and before them what every row's score begins with.
/// `rows` are as long as each other, NaN where a value could not be measured; `truth[n]` is the kind of
/// row n, and every kind below `kinds` is there; `weights[n]` is how much the row counts.
pub(super) fn boost(
    rows: &[Vec<f32>],
    truth: &[usize],
    weights: &[f64],
    kinds: usize,
    growth: &Growth,
) -> (Vec<f64>, Vec<Vec<Tree>>) {
    let all: f64 = weights.iter().sum();
    let share = |kind| {
        let of_kind = weights.iter().zip(truth).filter(|(_, other)| **other == kind);
        of_kind.map(|(weight, _)| weight).sum::<f64>() / all
    };
    let mut offsets: Vec<f64> = (0..kinds).map(|kind| share(kind).max(1e-9).ln()).collect();
    let middle = offsets.iter().sum::<f64>() / kinds as f64;
    offsets.iter_mut().for_each(|offset| *offset -= middle);

    let scores = (0..rows.len()).flat_map(|_| offsets.iter().copied()).collect();
    let trees = boost_from(scores, rows, truth, weights, &vec![true; kinds], growth);
    (offsets, trees)
}

/// [`boost`] from scores that rows have already, those of row n from `n * raised.len()` on; trees of kinds that are not
/// to be `raised` add nothing.
pub(super) fn boost_from(
    mut scores: Vec<f64>,
    rows: &[Vec<f32>],
    truth: &[usize],
    weights: &[f64],
    raised: &[bool],
    growth: &Growth,
) -> Vec<Vec<Tree>> {
    let table = Table::new(rows);
    let (count, kinds) = (rows.len(), raised.len());
    let mut trees = Vec::with_capacity(growth.rounds);
    for _ in 0..growth.rounds {
        let mut probabilities = scores.clone();
        probabilities.chunks_exact_mut(kinds).for_each(super::softmax);
        let round: Vec<Tree> = (0..kinds)
            .map(|kind| {
                if !raised[kind] {
                    return Tree { leaves: vec![0.0], ..Tree::default() };
                }
                let slopes = (0..count).map(|row| {
                    let probability = probabilities[row * kinds + kind];
                    let wrong = probability - f64::from(u8::from(truth[row] == kind));
                    Slope {
                        first: weights[row] * wrong,
                        second: weights[row] * probability * (1.0 - probability),
                    }
                });
                let slopes: Vec<Slope> = slopes.collect();
                table.grow(&slopes, growth, |row, value| scores[row * kinds + kind] += value)
            })
            .collect();
        trees.push(round);
    }
    trees
}

/// First and second derivative of the loss by the score.
#[derive(Clone, Copy, Default)]
struct Slope {
    first: f64,
    second: f64,
}

impl Slope {
    fn add(&mut self, other: Self) {
        self.first += other.first;
        self.second += other.second;
    }

    fn less(self, other: Self) -> Self {
        Self { first: self.first - other.first, second: self.second - other.second }
    }

    /// How much a leaf of these lowers the loss, twice.
    fn worth(self, ridge: f64) -> f64 {
        self.first * self.first / (self.second + ridge + 1e-15)
    }
}

/// Rows in bins, column after column.
struct Table {
    bins: Vec<Vec<u8>>,
    /// For each column, the thresholds between its bins.
    thresholds: Vec<Vec<f32>>,
    rows: usize,
}

/// For each column and bin, how many rows of a leaf are there, and the sum of their slopes.
type Histogram = Vec<[(usize, Slope); BINS + 1]>;

/// A leaf that may be parted.
struct Leaf {
    rows: Vec<usize>,
    sum: Slope,
    histogram: Histogram,
    best: Option<Split>,
    /// The question that it hangs on, and whether below; none is the root.
    hangs_on: Option<(usize, bool)>,
}

#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    column: usize,
    /// The last bin that goes below; `None` if only absent values go above.
    bin: Option<u8>,
    absent_below: bool,
}

impl Table {
    fn new(rows: &[Vec<f32>]) -> Self {
        let columns = rows.first().map_or(0, Vec::len);
        let thresholds: Vec<Vec<f32>> = (0..columns)
            .map(|column| {
                thresholds_of(rows.iter().map(|row| row[column]).filter(|v| !v.is_nan()).collect())
            })
            .collect();
        let bins = thresholds.iter().enumerate().map(|(column, thresholds)| {
            let bin = |value: f32| match value.is_nan() {
                true => ABSENT,
                false => thresholds.partition_point(|&threshold| threshold < value) as u8,
            };
            rows.iter().map(|row| bin(row[column])).collect()
        });
        Self { bins: bins.collect(), thresholds, rows: rows.len() }
    }

    /// Grows a tree; `raise` hears what each row's score gains.
    fn grow(&self, slopes: &[Slope], growth: &Growth, mut raise: impl FnMut(usize, f64)) -> Tree {
        let mut tree = Tree::default();
        let everyone: Vec<usize> = (0..self.rows).collect();
        let histogram = self.histogram(&everyone, slopes);
        let root = self.leaf(everyone, histogram, slopes, growth, None);
        let mut leaves = vec![root];
        while leaves.len() < growth.leaves {
            let gain = |leaf: &Leaf| leaf.best.map_or(f64::NEG_INFINITY, |split| split.gain);
            let best = (0..leaves.len()).reduce(|best, next| {
                if gain(&leaves[next]) > gain(&leaves[best]) { next } else { best }
            });
            let Some((place, split)) = best.and_then(|n| Some((n, leaves[n].best?))) else { break };
            let Leaf { rows, histogram, hangs_on, .. } = leaves.remove(place);
            let question = tree.column.len();
            tree.column.push(split.column);
            let thresholds = &self.thresholds[split.column];
            let threshold = split.bin.and_then(|bin| thresholds.get(usize::from(bin)));
            tree.threshold.push(threshold.copied().unwrap_or(f32::MAX));
            tree.below.push(0);
            tree.above.push(0);
            if let Some((above, below)) = hangs_on {
                let place = if below { &mut tree.below } else { &mut tree.above };
                place[above] = question as i32;
            }
            let bins = &self.bins[split.column];
            let goes_below = |&row: &usize| match bins[row] {
                ABSENT => split.absent_below,
                bin => split.bin.is_none_or(|last| bin <= last),
            };
            let nothing_absent = !rows.iter().any(|&row| bins[row] == ABSENT);
            let (below, above): (Vec<usize>, Vec<usize>) = rows.into_iter().partition(goes_below);
            // What was never absent goes with most, should it be so one day.
            let absent_below =
                if nothing_absent { below.len() > above.len() } else { split.absent_below };
            tree.absent_below.push(absent_below);
            // What the fewer rows have is counted, the rest of the leaf's is the others'.
            let fewer_below = below.len() <= above.len();
            let counted = self.histogram(if fewer_below { &below } else { &above }, slopes);
            let rest = without(histogram, &counted);
            let (of_below, of_above) = if fewer_below { (counted, rest) } else { (rest, counted) };
            leaves.push(self.leaf(below, of_below, slopes, growth, Some((question, true))));
            leaves.push(self.leaf(above, of_above, slopes, growth, Some((question, false))));
        }
        for (number, leaf) in leaves.iter().enumerate() {
            let value = -growth.rate * leaf.sum.first / (leaf.sum.second + growth.ridge + 1e-15);
            tree.leaves.push(value as f32);
            if let Some((question, below)) = leaf.hangs_on {
                let place = if below { &mut tree.below } else { &mut tree.above };
                place[question] = !(number as i32);
            }
            leaf.rows.iter().for_each(|&row| raise(row, f64::from(value as f32)));
        }
        tree
    }

    fn histogram(&self, rows: &[usize], slopes: &[Slope]) -> Histogram {
        let of_column = |of_rows: &Vec<u8>| {
            let mut bins = [(0, Slope::default()); BINS + 1];
            for &row in rows {
                let (count, slope) = &mut bins[usize::from(of_rows[row])];
                *count += 1;
                slope.add(slopes[row]);
            }
            bins
        };
        self.bins.iter().map(of_column).collect()
    }

    fn leaf(
        &self,
        rows: Vec<usize>,
        histogram: Histogram,
        slopes: &[Slope],
        growth: &Growth,
        hangs_on: Option<(usize, bool)>,
    ) -> Leaf {
        let mut sum = Slope::default();
        rows.iter().for_each(|&row| sum.add(slopes[row]));
        let may_part = rows.len() >= 2 * growth.least_rows && sum.second >= LEAST_CURVATURE;
        let best = if may_part { self.best_split(&histogram, &rows, sum, growth) } else { None };
        Leaf { rows, sum, histogram, best, hangs_on }
    }

    fn best_split(
        &self,
        histogram: &Histogram,
        rows: &[usize],
        sum: Slope,
        growth: &Growth,
    ) -> Option<Split> {
        let mut best: Option<Split> = None;
        for (column, bins) in histogram.iter().enumerate() {
            let thresholds = self.thresholds[column].len();
            let (absent, absent_sum) = bins[usize::from(ABSENT)];
            let mut consider = |bin: Option<u8>, absent_below, count: usize, below: Slope| {
                let above = sum.less(below);
                let enough = count >= growth.least_rows
                    && rows.len() - count >= growth.least_rows
                    && below.second >= LEAST_CURVATURE
                    && above.second >= LEAST_CURVATURE;
                let gain =
                    below.worth(growth.ridge) + above.worth(growth.ridge) - sum.worth(growth.ridge);
                if enough && gain > best.map_or(0.0, |best| best.gain) {
                    best = Some(Split { gain, column, bin, absent_below });
                }
            };
            let (mut count, mut below) = (0, Slope::default());
            for (bin, (here, slope)) in bins[..=thresholds].iter().enumerate() {
                count += here;
                below.add(*slope);
                if bin < thresholds {
                    consider(Some(bin as u8), false, count, below);
                } else if absent > 0 {
                    consider(None, false, count, below);
                }
            }
            if absent == 0 {
                continue;
            }
            let (mut count, mut below) = (absent, absent_sum);
            for (bin, (here, slope)) in bins[..thresholds].iter().enumerate() {
                count += here;
                below.add(*slope);
                consider(Some(bin as u8), true, count, below);
            }
        }
        best
    }
}

/// What a histogram has beyond another.
fn without(mut histogram: Histogram, other: &Histogram) -> Histogram {
    for (bins, others) in histogram.iter_mut().zip(other) {
        for ((count, slope), (less, sum)) in bins.iter_mut().zip(others) {
            *count -= less;
            *slope = slope.less(*sum);
        }
    }
    histogram
}

/// Between values that follow on each other, or, of many, between quantiles.
fn thresholds_of(mut values: Vec<f32>) -> Vec<f32> {
    values.sort_unstable_by(f32::total_cmp);
    let mut distinct = values.clone();
    distinct.dedup();
    let between = |low: f32, high: f32| (0.5 * (f64::from(low) + f64::from(high))) as f32;
    // One value less than the bins there are numbers for, as the last is that of absent values.
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
