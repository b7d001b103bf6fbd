//! Two sets of implants against each other: two protocols, two models, or two sets of inputs.

use std::collections::BTreeMap;

use deepmir_lesion::metrics::{Bootstrap, Estimate};
use serde::Serialize;

use super::proportion::mcnemar;
use super::rows::ImplantRow;
use super::sensitivity::{Members, Units, percentiles};
use super::size_model::{Limit, SHARE, SizeModel};
use super::tally::Count;

/// Diameters of a curve.
const CURVE_POINTS: usize = 33;
/// Implants of one number are the same if their diameters and susceptibilities differ by no larger a share.
const SAME: f64 = 1.03;
/// The same implants on both sides, if so many of the fewer are.
const PAIRED: f64 = 0.9;
/// A limit that more resamples than this leave undefined has no interval.
const UNDEFINED: f64 = 0.2;

/// Pairs of the same implant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pairs {
    /// Found on both sides.
    pub both: usize,
    /// Found by the first only.
    pub first_only: usize,
    /// Found by the second only.
    pub second_only: usize,
    /// Found by none.
    pub neither: usize,
    /// McNemar's exact test, two-sided, in which implants of one scan count as independent.
    pub p: f64,
}

/// The second side less the first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// What was found on each side.
    pub counts: [Count; 2],
    /// The share found, with its interval. Of other implants it says as much about them as about what finds them.
    pub sensitivity: Option<Estimate>,
    /// Where the implants differ: the difference of the curves, averaged over the diameters and susceptibilities of the
    /// implants of both sides (direct standardisation). None of pairs, and where a side has no curve.
    pub standardised: Option<Estimate>,
    /// Of the same implants; none where they differ.
    pub pairs: Option<Pairs>,
    /// The susceptibility of curves and limits.
    pub chi_ppm: f64,
    /// The limit of each side.
    pub limits: Option<[Limit; 2]>,
    /// The difference of the limits in millimetres; none where one lies beyond the implants, or too many resamples
    /// leave it undefined.
    pub limit_difference_mm: Option<Estimate>,
    /// The difference of the curves: diameter, and value with interval.
    pub curve: Vec<(f64, Estimate)>,
}

impl Difference {
    /// Of implants of one kind. `None` where there are none on one side.
    #[must_use]
    pub fn of(
        first: &[&ImplantRow],
        second: &[&ImplantRow],
        bootstrap: &Bootstrap,
    ) -> Option<Self> {
        let shared = pairs_of(first, second);
        let fewer = first.len().min(second.len());
        if fewer == 0 {
            return None;
        }
        let is_paired = shared.len() as f64 >= PAIRED * fewer as f64;
        let (first, second) =
            if is_paired { shared.into_iter().unzip() } else { (first.to_vec(), second.to_vec()) };
        let sides = [&first, &second];
        let counts = sides.map(|side| Count::of(side.iter().copied()));
        // Both sides of a pair are drawn together.
        let (units, draws) = if is_paired {
            let all: Vec<ImplantRow> = first.iter().map(|row| (*row).clone()).collect();
            let units = Units::of(&all);
            let draws = units.draws(bootstrap);
            ([units.clone(), units], [draws.clone(), draws])
        } else {
            let units = sides
                .map(|side| Units::of(&side.iter().map(|row| (*row).clone()).collect::<Vec<_>>()));
            let other = Bootstrap { seed: bootstrap.seed.wrapping_add(1), ..*bootstrap };
            let draws = [units[0].draws(bootstrap), units[1].draws(&other)];
            (units, draws)
        };
        let [a, b] = [0, 1].map(|n| Side::new(sides[n], &units[n], &draws[n]));
        let chi_ppm = middle_chi(&first, &second);
        Some(Self {
            counts,
            sensitivity: sensitivity(&a, &b),
            standardised: if is_paired { None } else { standardised(&a, &b, sides) },
            pairs: is_paired.then(|| paired(&first, &second)),
            chi_ppm,
            limits: a.limit(chi_ppm).zip(b.limit(chi_ppm)).map(|(a, b)| [a, b]),
            limit_difference_mm: limit_difference(&a, &b, chi_ppm),
            curve: curve(&a, &b, chi_ppm),
        })
    }
}

impl Difference {
    /// What may be said of the share found: of the same implants the raw difference, of others that at the same
    /// diameters and susceptibilities.
    #[must_use]
    pub fn comparable(&self) -> Option<Estimate> {
        if self.pairs.is_some() { self.sensitivity } else { self.standardised }
    }
}

/// The same implants of two tables.
fn pairs_of<'a>(
    first: &[&'a ImplantRow],
    second: &[&'a ImplantRow],
) -> Vec<(&'a ImplantRow, &'a ImplantRow)> {
    let key = |row: &ImplantRow| (row.scan.clone(), row.source_id, row.kind.clone());
    let others: BTreeMap<_, &ImplantRow> = second.iter().map(|row| (key(row), *row)).collect();
    let is_near = |a: f64, b: f64| {
        let (low, high) = (a.abs().min(b.abs()), a.abs().max(b.abs()));
        high <= low * SAME
    };
    let same = |row: &&'a ImplantRow| {
        let other = *others.get(&key(row))?;
        let near =
            is_near(row.diameter_mm, other.diameter_mm) && is_near(row.chi_ppm, other.chi_ppm);
        near.then_some((*row, other))
    };
    first.iter().filter_map(same).collect()
}

fn paired(first: &[&ImplantRow], second: &[&ImplantRow]) -> Pairs {
    let mut pairs = Pairs::default();
    for (a, b) in first.iter().zip(second) {
        *match (a.found, b.found) {
            (true, true) => &mut pairs.both,
            (true, false) => &mut pairs.first_only,
            (false, true) => &mut pairs.second_only,
            (false, false) => &mut pairs.neither,
        } += 1;
    }
    Pairs { p: mcnemar(pairs.first_only, pairs.second_only), ..pairs }
}

/// One side: its models and, resample by resample, the share found.
struct Side {
    models: Option<(SizeModel, Vec<Option<SizeModel>>)>,
    share: f64,
    resampled_shares: Vec<Option<f64>>,
}

impl Side {
    fn new(rows: &[&ImplantRow], units: &Units, draws: &[Vec<f64>]) -> Self {
        let count = Count::of(rows.iter().copied());
        let mut by_unit = vec![Count::default(); units.count()];
        for row in rows {
            let unit = &mut by_unit[units.place(row)];
            unit.implants += 1;
            unit.found += usize::from(row.found);
        }
        let share = |draw: &Vec<f64>| {
            let sum = |value: fn(&Count) -> usize| {
                draw.iter().zip(&by_unit).map(|(n, unit)| n * value(unit) as f64).sum::<f64>()
            };
            let implants = sum(|unit| unit.implants);
            (implants > 0.0).then(|| sum(|unit| unit.found) / implants)
        };
        Self {
            models: Members::of(rows.iter().copied(), units).models(draws),
            share: count.found as f64 / count.implants.max(1) as f64,
            resampled_shares: draws.iter().map(share).collect(),
        }
    }

    /// None where all implants were found, or none: their sizes hold no limit.
    fn limit(&self, chi_ppm: f64) -> Option<Limit> {
        let models = self.models.as_ref();
        let models = models.filter(|(model, _)| model.uniform.is_none());
        models.map(|(model, _)| model.limit(SHARE, chi_ppm))
    }
}

fn sensitivity(a: &Side, b: &Side) -> Option<Estimate> {
    let resampled = a.resampled_shares.iter().zip(&b.resampled_shares);
    let differences = resampled.filter_map(|(a, b)| Some((*b)? - (*a)?)).collect();
    let [low, high] = percentiles(differences)?;
    Some(Estimate { value: b.share - a.share, low, high })
}

/// Pairs of models: of all implants, and of each resample that has both.
fn both<'a>(a: &'a Side, b: &'a Side) -> Option<(Models<'a>, Vec<Models<'a>>)> {
    let ((a, more_a), (b, more_b)) = (a.models.as_ref()?, b.models.as_ref()?);
    let pairs = more_a.iter().zip(more_b);
    Some(((a, b), pairs.filter_map(|(a, b)| Some((a.as_ref()?, b.as_ref()?))).collect()))
}

/// The same, unless one is a penalty's and not the data's: where all implants were found, or none.
fn fitted<'a>(a: &'a Side, b: &'a Side) -> Option<(Models<'a>, Vec<Models<'a>>)> {
    both(a, b).filter(|((a, b), _)| a.uniform.is_none() && b.uniform.is_none())
}

type Models<'a> = (&'a SizeModel, &'a SizeModel);

fn limit_difference(a: &Side, b: &Side, chi_ppm: f64) -> Option<Estimate> {
    let (all, resampled) = both(a, b)?;
    let difference = |(a, b): &Models<'_>| {
        let [a, b] = [a, b].map(|model| model.limit(SHARE, chi_ppm).ordinal());
        // Both beyond the implants on the same side: nobody knows.
        Some(b - a).filter(|difference| !difference.is_nan())
    };
    let value = difference(&all).filter(|value| value.is_finite())?;
    let differences: Vec<f64> = resampled.iter().filter_map(difference).collect();
    let undefined = resampled.len() - differences.iter().filter(|d| d.is_finite()).count();
    if undefined as f64 > UNDEFINED * resampled.len() as f64 {
        return None;
    }
    let [low, high] = percentiles(differences)?;
    Some(Estimate { value, low, high }).filter(|e| e.low.is_finite() && e.high.is_finite())
}

/// The difference of the curves over the diameters that both sides have.
fn curve(a: &Side, b: &Side, chi_ppm: f64) -> Vec<(f64, Estimate)> {
    let Some((all, resampled)) = fitted(a, b) else { return Vec::new() };
    let low = all.0.diameters_mm[0].max(all.1.diameters_mm[0]);
    let high = all.0.diameters_mm[1].min(all.1.diameters_mm[1]);
    if low >= high {
        return Vec::new();
    }
    let at = |mm: f64, (a, b): &Models<'_>| b.sensitivity(mm, chi_ppm) - a.sensitivity(mm, chi_ppm);
    let point = |n: usize| {
        let mm = low + (high - low) * n as f64 / (CURVE_POINTS - 1) as f64;
        let ends = percentiles(resampled.iter().map(|models| at(mm, models)).collect())?;
        let value = at(mm, &all);
        Some((mm, Estimate { value, low: ends[0].min(value), high: ends[1].max(value) }))
    };
    (0..CURVE_POINTS).filter_map(point).collect()
}

/// Over the implants of both sides whose diameter and susceptibility both sides have.
fn standardised(a: &Side, b: &Side, sides: [&Vec<&ImplantRow>; 2]) -> Option<Estimate> {
    let (all, resampled) = fitted(a, b)?;
    let within = |[low, high]: [f64; 2], value: f64| low <= value && value <= high;
    let is_common = |row: &&&ImplantRow| {
        [all.0, all.1].iter().all(|model| {
            within(model.diameters_mm, row.diameter_mm) && within(model.chis_ppm, row.chi_ppm.abs())
        })
    };
    let common: Vec<&ImplantRow> = sides.into_iter().flatten().filter(is_common).copied().collect();
    if common.is_empty() {
        return None;
    }
    let mean = |(a, b): &Models<'_>| {
        let gained = common.iter().map(|row| {
            let at = |model: &SizeModel| model.sensitivity(row.diameter_mm, row.chi_ppm.abs());
            at(b) - at(a)
        });
        gained.sum::<f64>() / common.len() as f64
    };
    let value = mean(&all);
    let [low, high] = percentiles(resampled.iter().map(mean).collect())?;
    Some(Estimate { value, low: low.min(value), high: high.max(value) })
}

fn middle_chi(first: &[&ImplantRow], second: &[&ImplantRow]) -> f64 {
    let mut all: Vec<f64> =
        first.iter().chain(second).map(|row| row.chi_ppm.abs()).filter(|chi| *chi > 0.0).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qualify::logistic::expit;
    use crate::qualify::rows::tests::implant;

    const SIZES: [f64; 6] = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0];

    /// Eight subjects, whose lesions are found from about `half_mm` on; luck is the implants' own.
    fn rows(half_mm: f64) -> Vec<ImplantRow> {
        let mut rows = Vec::new();
        for scan in 0..8_u32 {
            for n in 0..30_u32 {
                let mm = SIZES[n as usize % SIZES.len()];
                let luck = f64::from(scan * 30 + n) * 0.618_034 % 1.0;
                let found = luck < expit(6.0 * (mm / half_mm).ln());
                rows.push(implant(&format!("sub-{scan:02}"), n, mm, found));
            }
        }
        rows
    }

    fn refs(rows: &[ImplantRow]) -> Vec<&ImplantRow> {
        rows.iter().collect()
    }

    const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 200, seed: 4 };

    #[test]
    fn the_better_side_is_told_by_pairs() {
        let (first, second) = (rows(2.2), rows(1.8));
        let difference = Difference::of(&refs(&first), &refs(&second), &BOOTSTRAP).unwrap();
        let pairs = difference.pairs.unwrap();
        assert_eq!(pairs.both + pairs.first_only + pairs.second_only + pairs.neither, 240);
        assert_eq!(pairs.first_only, 0, "luck is the same");
        assert!(pairs.second_only > 10 && pairs.p < 0.001);
        let sensitivity = difference.sensitivity.unwrap();
        assert!((sensitivity.value - pairs.second_only as f64 / 240.0).abs() < 1e-12);
        assert!(sensitivity.low > 0.0);
        // Of the limits, which are half_mm times the same number.
        let mm = difference.limit_difference_mm.unwrap();
        let expected = -0.4 * (9.0_f64.ln() / 6.0).exp();
        assert!((mm.value - expected).abs() < 0.15 && mm.high < 0.0, "{mm:?} {expected}");
        assert!(difference.curve.iter().all(|(_, e)| e.low <= e.value && e.value <= e.high));
    }

    #[test]
    fn other_implants_are_compared_without_pairs() {
        let (first, mut second) = (rows(2.0), rows(2.0));
        for row in &mut second {
            row.source_id += 1000;
            row.scan = row.scan.replace("sub-0", "sub-1");
        }
        let difference = Difference::of(&refs(&first), &refs(&second), &BOOTSTRAP).unwrap();
        assert_eq!(difference.pairs, None);
        let sensitivity = difference.sensitivity.unwrap();
        assert!(sensitivity.value == 0.0 && sensitivity.low < 0.0 && sensitivity.high > 0.0);
        // The same side twice differs in nothing, pair by pair.
        let same = Difference::of(&refs(&first), &refs(&first), &BOOTSTRAP).unwrap();
        assert_eq!(same.pairs.unwrap().p, 1.0);
        let sensitivity = same.sensitivity.unwrap();
        assert_eq!((sensitivity.low, sensitivity.high), (0.0, 0.0));
        assert!(Difference::of(&refs(&first), &[], &BOOTSTRAP).is_none());
    }

    #[test]
    fn larger_implants_do_not_make_a_side_the_better_one() {
        // The same program; the second side has the larger implants, and so a larger share found.
        let first: Vec<_> = rows(2.0).into_iter().filter(|row| row.diameter_mm < 3.0).collect();
        let mut second: Vec<_> =
            rows(2.0).into_iter().filter(|row| row.diameter_mm > 1.2).collect();
        for row in &mut second {
            row.source_id += 1000;
        }
        let difference = Difference::of(&refs(&first), &refs(&second), &BOOTSTRAP).unwrap();
        assert_eq!(difference.pairs, None);
        assert!(difference.sensitivity.unwrap().low > 0.05);
        let same = difference.standardised.unwrap();
        assert!(same.value.abs() < 0.03 && same.low < 0.0 && same.high > 0.0, "{same:?}");
        // A truly better one is.
        let mut better = rows(1.4);
        for row in &mut better {
            row.source_id += 1000;
        }
        let difference = Difference::of(&refs(&first), &refs(&better), &BOOTSTRAP).unwrap();
        assert!(difference.standardised.unwrap().low > 0.05);
        assert_eq!(difference.comparable(), difference.standardised);
    }

    #[test]
    fn a_limit_beyond_the_implants_has_no_difference() {
        let (first, second) = (rows(2.0), rows(20.0));
        let difference = Difference::of(&refs(&first), &refs(&second), &BOOTSTRAP).unwrap();
        assert_eq!(difference.limits.unwrap()[1], Limit::Above(4.0));
        assert_eq!(difference.limit_difference_mm, None);
        assert!(difference.sensitivity.unwrap().high < 0.0);
    }
}
