//! Where two raters differ.

use deepmir_lesion::Lesion;
use deepmir_lesion::matching::{MatchRule, match_lesions};
use serde::Serialize;

use crate::candidates::Candidate;
use crate::case::LoadedCase;
use crate::layer::{Annotation, Layer, Origin};

/// Why something must be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// Both marked it, as different classes.
    Class,
    /// Only one marked it.
    OneOnly,
}

/// One thing to settle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dispute {
    /// How they differ.
    pub difference: Difference,
    /// The candidates' names: of the first rater, of the second.
    pub sides: [Option<String>; 2],
}

/// Two raters' marks on one case side by side.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// What to settle: differing classes, then what one marked alone, in the order of the lesions.
    pub disputes: Vec<Dispute>,
    /// Every lesion of both raters; `anna:3` is lesion 3 of anna.
    pub candidates: Vec<Candidate>,
    /// What both marked as the same class: the voxels of either, and the less sure of the two.
    pub agreed: Layer,
}

/// Compares the marks of two raters. Lesions that share a voxel are the same, one to one.
pub fn compare(case: &LoadedCase, raters: [&str; 2], layers: [&Layer; 2]) -> Comparison {
    let lesions = layers.map(|layer| lesions(case, layer));
    let refs =
        [0, 1].map(|side| lesions[side].iter().map(|(_, _, lesion)| lesion).collect::<Vec<_>>());
    let pairs = match_lesions(&refs[0], &refs[1], MatchRule::Overlap);
    let mut comparison = Comparison::default();
    let name = |side: usize, n: usize| format!("{}:{}", raters[side], lesions[side][n].0);
    let mut matched = [vec![false; lesions[0].len()], vec![false; lesions[1].len()]];
    for pair in &pairs {
        let (n, m) = (pair.truth, pair.predicted);
        (matched[0][n], matched[1][m]) = (true, true);
        let ((_, first, one), (_, second, other)) = (&lesions[0][n], &lesions[1][m]);
        if first.class == second.class {
            comparison.agree(first, second, one.voxels.iter().chain(&other.voxels));
        } else {
            comparison.disputes.push(Dispute {
                difference: Difference::Class,
                sides: [Some(name(0, n)), Some(name(1, m))],
            });
        }
    }
    for side in 0..2 {
        for n in (0..lesions[side].len()).filter(|&n| !matched[side][n]) {
            let mut sides = [None, None];
            sides[side] = Some(name(side, n));
            comparison.disputes.push(Dispute { difference: Difference::OneOnly, sides });
        }
        for (n, (_, said, lesion)) in lesions[side].iter().enumerate() {
            let said = Annotation { origin: Origin::Adjudicated, ..said.clone() };
            comparison.candidates.push(Candidate::new(name(side, n), said, lesion.voxels.clone()));
        }
    }
    comparison.disputes.sort_by_key(|dispute| dispute.difference);
    comparison
}

impl Comparison {
    fn agree<'a>(
        &mut self,
        first: &Annotation,
        second: &Annotation,
        voxels: impl Iterator<Item = &'a usize>,
    ) {
        let id = self.agreed.lesions.len() as u16 + 1;
        let comments = [&first.comment, &second.comment].map(|text| text.trim());
        let comments: Vec<&str> = comments.into_iter().filter(|text| !text.is_empty()).collect();
        let said = Annotation {
            class: first.class,
            certainty: first.certainty.or_less(second.certainty),
            region: first.region.or(second.region),
            comment: comments.join("; "),
            origin: Origin::Adjudicated,
            change: None,
        };
        self.agreed.lesions.insert(id, said);
        for &voxel in voxels {
            self.agreed.voxels.entry(voxel as u32).or_insert(id);
        }
    }
}

fn lesions(case: &LoadedCase, layer: &Layer) -> Vec<(u16, Annotation, Lesion)> {
    let voxels = layer.voxels_of_lesions().into_iter();
    let lesions = voxels.filter_map(|(id, voxels)| {
        let said = layer.lesions.get(&id)?.clone();
        let lesion = Lesion::new(said.class, voxels, &case.grid);
        Some((id, said, lesion))
    });
    lesions.collect()
}
