//! Whether a parcellation is to be trusted.

use serde::Serialize;

use super::coarse::Coarse;
use super::volumes::{self, StructureVolume, brain_ml, intracranial_ml};
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
    /// How many of the structures, left and right apart, have volumes that adults do not have.
    pub unusual_volumes: usize,
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

/// Entropy above which a parcellation is doubtful, and above which it is refused: noise had 0.42, a knee 0.37.
const ENTROPY: [f64; 2] = [0.30, 0.38];
/// Entropy above which the head is also read as if it lay otherwise. Heads of scans and phantoms as they lay had 0.22 to
/// 0.26, turned ones 0.27 to 0.33.
const TURNED_ENTROPY: f64 = 0.265;
/// What a brain measures, in millilitres, whole or with its top or bottom outside the field.
const BRAIN_ML: [f64; 2] = [750.0, 2100.0];
const PART_OF_BRAIN_ML: f64 = 250.0;
/// The brain is cut where more of its largest cross-section lies in the field's outermost slice.
const CUT: f64 = 0.10;
/// More of it to the left, right, back or front: a part of the head is missing.
const MISSING: f64 = 0.35;
/// The smaller side over the larger one, at the least.
const SYMMETRY: f64 = 0.7;
/// Volumes of adults of 20 to 95 years in millilitres, of a side where there are two, with a margin of a third for what a
/// network takes off or adds (Potvin et al., NeuroImage 137:4, 2016; Coupé et al., Hum Brain Mapp 38:5501, 2017).
const USUAL_ML: [(Tissue, [f64; 2]); 9] = [
    (Tissue::Thalamus, [3.0, 12.0]),
    (Tissue::Caudate, [1.8, 8.0]),
    (Tissue::Putamen, [2.0, 9.0]),
    (Tissue::Pallidum, [0.7, 3.5]),
    (Tissue::Hippocampus, [2.5, 10.0]),
    (Tissue::Brainstem, [10.0, 36.0]),
    (Tissue::CerebellarCortex, [25.0, 90.0]),
    (Tissue::CerebellarWhiteMatter, [5.0, 30.0]),
    (Tissue::WhiteMatter, [110.0, 400.0]),
];
/// More structures of unusual volume than this and there is no parcellation.
const UNUSUAL: usize = 3;

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
            let share =
                |slice: usize| areas[axis].get(slice).copied().unwrap_or(0) as f64 / largest;
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
            unusual_volumes: unusual(&volumes).count(),
            verdict: Verdict::Good,
        };
        quality.verdict = quality.judge(&volumes);
        quality
    }

    /// Whether top and bottom of the brain are in the field.
    fn is_whole(&self) -> bool {
        self.cut[2].iter().all(|&share| share <= CUT)
    }

    /// Whether the head may lie otherwise than its header says.
    pub(super) fn may_be_turned(&self) -> bool {
        self.missing() <= MISSING
            && (self.entropy > TURNED_ENTROPY || (self.is_whole() && self.unusual_volumes > 0))
    }

    /// The largest part of a cross-section that lies in an outermost slice at the left, right, back or front.
    fn missing(&self) -> f64 {
        self.cut[..2].iter().flatten().copied().fold(0.0, f64::max)
    }

    fn judge(&self, volumes: &[StructureVolume]) -> Verdict {
        let mut refused = Vec::new();
        let mut doubts = Vec::new();
        let is_whole = self.is_whole();
        let [least, most] = BRAIN_ML;
        let brain_ml = self.brain_ml;
        if brain_ml < if is_whole { least } else { PART_OF_BRAIN_ML } || brain_ml > most {
            refused.push(format!(
                "what looks like a brain measures {brain_ml:.0} mL, which is no brain"
            ));
        }
        if self.entropy > ENTROPY[1] {
            let entropy = self.entropy;
            refused.push(format!(
                "no part of a head is recognised with certainty (entropy {entropy:.2})"
            ));
        }
        if self.missing() > MISSING || self.symmetry < SYMMETRY {
            refused.push("a part of the head lies outside the image".to_owned());
        }
        let unusual: Vec<String> = unusual(volumes).collect();
        if is_whole && unusual.len() > UNUSUAL {
            refused.push(format!("{} parts of the brain have impossible volumes", unusual.len()));
        }
        if !refused.is_empty() {
            return Verdict::Refused(refused);
        }
        if self.entropy > ENTROPY[0] {
            doubts
                .push(format!("the parts of the head are uncertain (entropy {:.2})", self.entropy));
        }
        if !is_whole {
            doubts.push(
                "the field of view cuts the brain, so volumes are those of a part".to_owned(),
            );
        } else if !unusual.is_empty() {
            doubts.push(format!("unusual volumes: {}", unusual.join(", ")));
        }
        if doubts.is_empty() { Verdict::Good } else { Verdict::Doubtful(doubts) }
    }
}

/// The structures whose volumes adults do not have.
fn unusual(volumes: &[StructureVolume]) -> impl Iterator<Item = String> {
    volumes.iter().filter_map(|one| {
        let (_, [least, most]) = USUAL_ML.iter().find(|(tissue, _)| *tissue == one.tissue)?;
        let side = one.side.map_or(String::new(), |side| format!("{} ", side.name()));
        let outside = one.volume_ml < *least || one.volume_ml > *most;
        outside.then(|| format!("{side}{} {:.1} mL", one.tissue.name(), one.volume_ml))
    })
}
