//! Whether a parcellation is to be trusted.

use serde::Serialize;

use super::coarse::Coarse;
use super::volumes::{self, brain_ml, intracranial_ml};
use super::{Probabilities, most_probable};
use crate::Tissue;

/// What is known of a parcellation's quality.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// Mean over the brain of the entropy of the tissues' probabilities, from 0 (certain) to 1 (all alike).
    pub entropy: f64,
    /// Parenchyma and ventricles in millilitres.
    pub brain_ml: f64,
    /// The same with the fluid around it.
    pub intracranial_ml: f64,
    /// Part of the brain's largest cross-section that lies in the field's first or last slice, by axis and end: left,
    /// right, back, front, bottom, top. Above zero, the brain goes on outside.
    pub cut: [[f64; 2]; 3],
    /// The smaller of the two sides over the larger one.
    pub symmetry: f64,
    /// What follows.
    pub verdict: Verdict,
}

/// What to do with a parcellation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "reasons")]
pub enum Verdict {
    /// Use it.
    Good,
    /// Look at it first, for these reasons.
    Doubtful(Vec<String>),
    /// It is of no use, for these reasons.
    Refused(Vec<String>),
}

impl Quality {
    /// Measures what was found in an image.
    pub(super) fn of(found: &Probabilities, coarse: &Coarse) -> Self {
        let grid = found.values.grid();
        let mut entropy = 0.0;
        let mut count = 0_usize;
        let mut sides = [0_usize; 3];
        let mut areas: [Vec<usize>; 3] = grid.shape().map(|length| vec![0; length]);
        for (index, values) in found.values.data().iter().enumerate() {
            let (tissue, side) = most_probable(values);
            if !Tissue::ALL[usize::from(tissue)].is_brain() {
                continue;
            }
            count += 1;
            sides[usize::from(side)] += 1;
            let of_tissues = values[..Tissue::COUNT].iter().filter(|&&p| p > 1e-6);
            entropy -= of_tissues.map(|&p| f64::from(p * p.ln())).sum::<f64>();
            let voxel = grid.voxel(index);
            (0..3).for_each(|axis| areas[axis][voxel[axis]] += 1);
        }
        let entropy = entropy / (count.max(1) as f64) / (Tissue::COUNT as f64).ln();
        let cut = std::array::from_fn(|axis| {
            let largest = areas[axis].iter().copied().max().unwrap_or(0).max(1) as f64;
            let [first, end] = coarse.field[axis];
            let share = |slice: usize| areas[axis].get(slice).copied().unwrap_or(0) as f64 / largest;
            [share(first), share(end - 1)]
        });
        let [_, left, right] = sides.map(|count| count as f64);
        let symmetry = left.min(right) / left.max(right).max(1.0);
        let volumes = volumes::of(found);
        let mut quality = Self {
            entropy,
            brain_ml: brain_ml(&volumes),
            intracranial_ml: intracranial_ml(&volumes),
            cut,
            symmetry,
            verdict: Verdict::Good,
        };
        quality.verdict = quality.judge();
        quality
    }

    fn judge(&self) -> Verdict {
        Verdict::Good
    }
}
