//! Agreement of two raters, neither of whom is the truth.

use serde::{Deserialize, Serialize};

use super::{Bootstrap, Estimate};
use crate::matching::{MatchRule, match_lesions};
use crate::{Lesion, LesionClass, Region};

/// Cohen's kappa of two raters' yes and no (Educational and Psychological Measurement 20:37, 1960):
/// agreement beyond what their frequencies would give by chance. `None` where both say the same of
/// everything, so that chance alone would agree fully, and without ratings.
pub fn cohen_kappa(ratings: &[(bool, bool)]) -> Option<f64> {
    let count = ratings.len() as f64;
    let share = |wanted: fn(&(bool, bool)) -> bool| {
        ratings.iter().filter(|&pair| wanted(pair)).count() as f64 / count
    };
    let (first, second) = (share(|pair| pair.0), share(|pair| pair.1));
    let observed = share(|pair| pair.0 == pair.1);
    let chance = first * second + (1.0 - first) * (1.0 - second);
    (count > 0.0 && chance < 1.0).then(|| (observed - chance) / (1.0 - chance))
}

/// The intraclass correlation ICC(2,1) of Shrout and Fleiss (Psychological Bulletin 86:420, 1979):
/// two-way random effects, absolute agreement, single rater. A row a subject, a column a rater.
/// `None` with fewer than two subjects, and where nothing varies.
pub fn icc_2_1(ratings: &[[f64; 2]]) -> Option<f64> {
    let (n, k) = (ratings.len() as f64, 2.0);
    if ratings.len() < 2 {
        return None;
    }
    let grand = ratings.iter().flatten().sum::<f64>() / (n * k);
    let square = |value: f64| value * value;
    let rows: f64 = ratings.iter().map(|row| k * square(row.iter().sum::<f64>() / k - grand)).sum();
    let columns: f64 = (0..2)
        .map(|rater| n * square(ratings.iter().map(|row| row[rater]).sum::<f64>() / n - grand))
        .sum();
    let total: f64 = ratings.iter().flatten().map(|&value| square(value - grand)).sum();
    let between = rows / (n - 1.0);
    let raters = columns / (k - 1.0);
    let error = (total - rows - columns) / ((n - 1.0) * (k - 1.0));
    let below = between + (k - 1.0) * error + k * (raters - error) / n;
    (total > 0.0 && below.abs() > f64::EPSILON * total).then(|| (between - error) / below)
}

/// One scan as two raters marked it.
#[derive(Clone, Debug)]
pub struct RatedScan {
    /// Its name.
    pub id: String,
    /// Each rater's lesions with their regions, where known. Voxels are of one grid.
    pub lesions: [Vec<(Lesion, Option<Region>)>; 2],
}

/// How two raters agree on one class, everywhere or in one region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The class.
    pub class: LesionClass,
    /// The region; everywhere without one.
    pub region: Option<Region>,
    /// Scans.
    pub scans: usize,
    /// Lesions of the first and of the second rater.
    pub lesions: [usize; 2],
    /// Lesions that both marked.
    pub matched: usize,
    /// Cohen's kappa on whether a scan has any.
    pub kappa_presence: Option<Estimate>,
    /// ICC(2,1) of the number in a scan.
    pub icc_count: Option<Estimate>,
    /// Share of the marked lesions that both marked: 2·both / (first + second).
    pub lesion_agreement: Option<Estimate>,
    /// Mean Dice over scans in which either marked something.
    pub dice: Option<Estimate>,
}

/// Agreement on a class, in a region or (`None`) everywhere. Lesions are matched one to one; the
/// region of a lesion is the one that its own rater gave. Intervals resample scans.
pub fn agreement(
    scans: &[RatedScan],
    class: LesionClass,
    region: Option<Region>,
    rule: MatchRule,
    bootstrap: &Bootstrap,
) -> Agreement {
    let scores: Vec<Score> =
        scans.iter().map(|scan| Score::of(scan, class, region, rule)).collect();
    let drawn = |subjects: &[usize]| subjects.iter().map(|&n| &scores[n]).collect::<Vec<_>>();
    let estimate = |statistic: fn(&[&Score]) -> Option<f64>| {
        bootstrap.estimate(scores.len(), |subjects| statistic(&drawn(subjects)))
    };
    let count = |rater: usize| scores.iter().map(|score| score.counts[rater]).sum();
    Agreement {
        class,
        region,
        scans: scans.len(),
        lesions: [count(0), count(1)],
        matched: scores.iter().map(|score| score.matched).sum(),
        kappa_presence: estimate(|scores| {
            let pairs: Vec<(bool, bool)> =
                scores.iter().map(|score| (score.counts[0] > 0, score.counts[1] > 0)).collect();
            cohen_kappa(&pairs)
        }),
        icc_count: estimate(|scores| {
            let rows: Vec<[f64; 2]> =
                scores.iter().map(|score| score.counts.map(|count| count as f64)).collect();
            icc_2_1(&rows)
        }),
        lesion_agreement: estimate(|scores| {
            let marked: usize = scores.iter().map(|score| score.counts[0] + score.counts[1]).sum();
            let both: usize = scores.iter().map(|score| score.matched).sum();
            (marked > 0).then(|| 2.0 * both as f64 / marked as f64)
        }),
        dice: estimate(|scores| {
            let defined: Vec<f64> = scores.iter().filter_map(|score| score.dice).collect();
            (!defined.is_empty()).then(|| defined.iter().sum::<f64>() / defined.len() as f64)
        }),
    }
}

struct Score {
    counts: [usize; 2],
    matched: usize,
    dice: Option<f64>,
}

impl Score {
    fn of(scan: &RatedScan, class: LesionClass, region: Option<Region>, rule: MatchRule) -> Self {
        let [first, second] = [0, 1].map(|rater| {
            let all = scan.lesions[rater].iter();
            all.filter(|(lesion, place)| {
                lesion.class == class && region.is_none_or(|region| *place == Some(region))
            })
            .map(|(lesion, _)| lesion)
            .collect::<Vec<&Lesion>>()
        });
        let voxels = |lesions: &[&Lesion]| {
            lesions
                .iter()
                .flat_map(|lesion| lesion.voxels.iter().copied())
                .collect::<std::collections::BTreeSet<usize>>()
        };
        let (one, other) = (voxels(&first), voxels(&second));
        let both = one.intersection(&other).count() as f64;
        let sum = (one.len() + other.len()) as f64;
        Self {
            counts: [first.len(), second.len()],
            matched: match_lesions(&first, &second, rule).len(),
            dice: (sum > 0.0).then(|| 2.0 * both / sum),
        }
    }
}

/// A lesion that the raters do not agree on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disagreement {
    /// The scan.
    pub scan: String,
    /// The centre (of the first rater's mark, where there is one), RAS+ millimetres.
    pub centre_mm: [f64; 3],
    /// The class that each rater gave; `None`: not marked.
    pub classes: [Option<LesionClass>; 2],
    /// The volume that each rater marked.
    pub volumes_mm3: [Option<f64>; 2],
    /// Where it is, if a rater said so.
    pub region: Option<Region>,
}

/// Every lesion that one rater marked alone, or both as different classes. Lesions are matched
/// whatever their class.
pub fn disagreements(scans: &[RatedScan], rule: MatchRule) -> Vec<Disagreement> {
    let mut found = Vec::new();
    for scan in scans {
        let lists = [0, 1].map(|rater| {
            scan.lesions[rater].iter().map(|(lesion, _)| lesion).collect::<Vec<&Lesion>>()
        });
        let pairs = match_lesions(&lists[0], &lists[1], rule);
        let mut both = |sides: [Option<usize>; 2]| {
            let of = |rater: usize| sides[rater].map(|n| &scan.lesions[rater][n]);
            let marks = [of(0), of(1)];
            let Some(first) = marks.into_iter().flatten().next() else { return };
            found.push(Disagreement {
                scan: scan.id.clone(),
                centre_mm: first.0.centre_mm,
                classes: marks.map(|mark| mark.map(|(lesion, _)| lesion.class)),
                volumes_mm3: marks.map(|mark| mark.map(|(lesion, _)| lesion.volume_mm3)),
                region: marks.into_iter().flatten().find_map(|(_, region)| *region),
            });
        };
        for pair in &pairs {
            if lists[0][pair.truth].class != lists[1][pair.predicted].class {
                both([Some(pair.truth), Some(pair.predicted)]);
            }
        }
        for n in (0..lists[0].len()).filter(|n| pairs.iter().all(|pair| pair.truth != *n)) {
            both([Some(n), None]);
        }
        for n in (0..lists[1].len()).filter(|n| pairs.iter().all(|pair| pair.predicted != *n)) {
            both([None, Some(n)]);
        }
    }
    found
}

#[cfg(test)]
mod tests {

    use deepmir_volume::{Affine, Grid};

    use super::*;

    #[test]
    fn kappa_of_cohens_own_kind_of_table() {
        // 20 both yes, 15 both no, 5 and 10 apart: (0.7 − 0.5) / (1 − 0.5).
        let table =
            [(20, (true, true)), (5, (true, false)), (10, (false, true)), (15, (false, false))];
        let ratings: Vec<(bool, bool)> =
            table.iter().flat_map(|&(count, pair)| std::iter::repeat_n(pair, count)).collect();
        assert!((cohen_kappa(&ratings).unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(cohen_kappa(&[(true, true), (true, true)]), None);
        assert_eq!(cohen_kappa(&[]), None);
        assert!((cohen_kappa(&[(true, false), (false, true)]).unwrap() + 1.0).abs() < 1e-12);
    }

    #[test]
    fn icc_needs_agreement_not_only_order() {
        let same: Vec<[f64; 2]> = (0..5).map(|n| [f64::from(n); 2]).collect();
        assert!((icc_2_1(&same).unwrap() - 1.0).abs() < 1e-12);
        let shifted: Vec<[f64; 2]> = (0..5).map(|n| [f64::from(n), f64::from(n) + 2.0]).collect();
        assert!(icc_2_1(&shifted).unwrap() < 0.6);
        assert_eq!(icc_2_1(&[[1.0, 1.0], [1.0, 1.0]]), None);
        assert_eq!(icc_2_1(&[[1.0, 2.0]]), None);
    }

    #[test]
    fn a_class_given_twice_is_two_half_agreements_and_one_disagreement() {
        let affine = Affine::from_spacing([1.0; 3], [0.0; 3]);
        let grid = Grid::new([20, 20, 20], affine).unwrap();
        let lesion = |class, start: usize| {
            let voxels = (start..start + 4).collect();
            (Lesion::new(class, voxels, &grid), Some(Region::Deep))
        };
        use LesionClass::{Cmb, Nhid};
        let scans = [
            RatedScan {
                id: "one".to_owned(),
                lesions: [
                    vec![lesion(Cmb, 0), lesion(Cmb, 100)],
                    vec![lesion(Cmb, 2), lesion(Nhid, 101)],
                ],
            },
            RatedScan { id: "two".to_owned(), lesions: [vec![lesion(Cmb, 0)], vec![]] },
        ];
        let bootstrap = Bootstrap { resamples: 50, seed: 0 };
        let cmb = agreement(&scans, Cmb, None, MatchRule::Overlap, &bootstrap);
        assert_eq!((cmb.lesions, cmb.matched), ([3, 1], 1));
        assert!((cmb.lesion_agreement.unwrap().value - 0.5).abs() < 1e-12);
        assert!((cmb.dice.unwrap().value - (2.0 * 2.0 / 12.0 + 0.0) / 2.0).abs() < 1e-12);
        let lobar = agreement(&scans, Cmb, Some(Region::Lobar), MatchRule::Overlap, &bootstrap);
        assert_eq!((lobar.lesions, lobar.dice), ([0, 0], None));
        let apart = disagreements(&scans, MatchRule::Overlap);
        let classes: Vec<_> = apart.iter().map(|one| (one.scan.as_str(), one.classes)).collect();
        assert_eq!(classes, [("one", [Some(Cmb), Some(Nhid)]), ("two", [Some(Cmb), None])]);
    }
}
