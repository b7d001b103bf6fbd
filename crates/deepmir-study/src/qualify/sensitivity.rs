//! Curves and limits of detection with intervals over subjects.

use std::collections::BTreeMap;

use deepmir_cases::cohort::subject_of;
use deepmir_lesion::metrics::{Bootstrap, Estimate};
use rayon::prelude::*;
use serde::Serialize;

use super::bins::{Bin, bins};
use super::rows::ImplantRow;
use super::size_model::{Design, Limit, Point, SHARE, SizeModel};

/// Diameters of a curve.
const CURVE_POINTS: usize = 33;

/// Which implants are counted, with which inputs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// `CMB` or `NHID`.
    pub kind: String,
    /// Such as `SWI+QSM`.
    pub inputs: String,
}

/// A curve of sensitivity against diameter at one susceptibility.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// The susceptibility.
    pub chi_ppm: f64,
    /// Diameter, and sensitivity with its interval.
    pub points: Vec<(f64, Estimate)>,
    /// The smallest diameter from which on 90 % are found, with the ends of its interval.
    pub limit: [Limit; 3],
}

/// What was found of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sensitivity {
    /// `CMB` or `NHID`.
    pub kind: String,
    /// Such as `SWI+QSM`.
    pub inputs: String,
    /// Implants.
    pub implants: usize,
    /// Those found, as any class.
    pub found: usize,
    /// Intercept, ln mm, ln ppm; none where no curve can be fitted.
    pub coefficients: Vec<f64>,
    /// Whether found and missed implants are separated by size, so that the curve's slope is Firth's.
    pub separated: bool,
    /// Smallest and largest diameter.
    pub diameters_mm: [f64; 2],
    /// At some susceptibilities of the implants, weak ones first; none where all were found, or none, or all have one
    /// size.
    pub curves: Vec<Curve>,
    /// Resamples that the intervals come from; 0 where there is one subject and one scan, and they are the delta
    /// method's.
    pub resamples: usize,
}

/// Which implants are drawn together: those of one subject, or of one scan where there is one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Units {
    names: Vec<String>,
    /// Whether they are subjects, not scans.
    pub are_subjects: bool,
}

impl Units {
    /// Of all implants of a table.
    #[must_use]
    pub fn of(rows: &[ImplantRow]) -> Self {
        let named = |name: &dyn Fn(&ImplantRow) -> String| {
            let mut names: Vec<String> = rows.iter().map(name).collect();
            names.sort();
            names.dedup();
            names
        };
        let subjects = named(&|row| subject_of(&row.scan));
        if subjects.len() > 1 {
            return Self { names: subjects, are_subjects: true };
        }
        Self { names: named(&|row| row.scan.clone()), are_subjects: false }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Which one a row belongs to.
    #[must_use]
    pub fn place(&self, row: &ImplantRow) -> usize {
        let subject = subject_of(&row.scan);
        let name = if self.are_subjects { &subject } else { &row.scan };
        self.names.binary_search(name).unwrap_or(0)
    }

    /// How often each is drawn in each resample: the same for every group, so that groups are compared in pairs.
    #[must_use]
    pub fn draws(&self, bootstrap: &Bootstrap) -> Vec<Vec<f64>> {
        if self.count() < 2 {
            return Vec::new();
        }
        let counted = |drawn: Vec<usize>| {
            let mut counts = vec![0.0; self.count()];
            drawn.into_iter().for_each(|unit| counts[unit] += 1.0);
            counts
        };
        bootstrap.draws(self.count()).map(counted).collect()
    }
}

/// The implants of a group.
#[derive(Clone, Debug)]
pub struct Members {
    points: Vec<Point>,
    units: Vec<usize>,
}

impl Members {
    /// Of the rows of a group; those without a size are left out.
    #[must_use]
    pub fn of<'a>(rows: impl Iterator<Item = &'a ImplantRow>, units: &Units) -> Self {
        let usable = rows.filter(|row| row.diameter_mm > 0.0 && row.chi_ppm != 0.0);
        let (points, units) = usable
            .map(|row| {
                let ImplantRow { diameter_mm, chi_ppm, found, .. } = *row;
                (Point { diameter_mm, chi_ppm, found }, units.place(row))
            })
            .unzip();
        Self { points, units }
    }

    /// The model of them all, and of each resample of which there is one.
    #[must_use]
    pub fn models(&self, draws: &[Vec<f64>]) -> Option<(SizeModel, Vec<Option<SizeModel>>)> {
        let design = Design::new(&self.points)?;
        let model = design.fit(None, None)?;
        let resampled = draws.par_iter().map(|draw| {
            let weights: Vec<f64> = self.units.iter().map(|&unit| draw[unit]).collect();
            design.fit(Some(&weights), (!model.fit.separated).then_some(&model))
        });
        let resampled = resampled.collect();
        Some((model, resampled))
    }

    /// Susceptibilities of theirs: the weakest rung, the middle one of all implants and the strongest.
    #[must_use]
    pub fn chis(&self) -> Vec<f64> {
        let all: Vec<f64> = self.points.iter().map(|point| point.chi_ppm.abs()).collect();
        let bins: Vec<Bin> = bins(&all);
        let mut sorted = all;
        sorted.sort_by(f64::total_cmp);
        let Some(middle) = sorted.get(sorted.len() / 2) else { return Vec::new() };
        let at = bins.iter().position(|bin| bin.holds(*middle)).unwrap_or(0);
        let mut places = vec![0, at, bins.len() - 1];
        places.dedup();
        places.into_iter().map(|n| bins[n].middle).collect()
    }
}

/// The middle of the susceptibilities that curves are drawn at.
#[must_use]
pub fn middle(curves: &[Curve]) -> Option<&Curve> {
    // Of two, the stronger.
    curves.get(curves.len() / 2)
}

/// Every group of a table with its curves, in the order of kinds and of the inputs' numbers.
#[must_use]
pub fn sensitivities(rows: &[ImplantRow], units: &Units, draws: &[Vec<f64>]) -> Vec<Sensitivity> {
    let of = |group: Group| {
        let members =
            rows.iter().filter(|row| row.kind == group.kind && row.inputs == group.inputs);
        let members: Vec<&ImplantRow> = members.collect();
        let found = members.iter().filter(|row| row.found).count();
        let drawn = Members::of(members.iter().copied(), units);
        let models = drawn.models(draws);
        let curve = |chi_ppm| {
            let (model, resampled) = models.as_ref()?;
            Some(curve(model, resampled, chi_ppm))
        };
        let model = models.as_ref().map(|(model, _)| model);
        Sensitivity {
            implants: members.len(),
            found,
            coefficients: model.map(|model| model.fit.coefficients.clone()).unwrap_or_default(),
            separated: model.is_some_and(|model| model.fit.separated),
            diameters_mm: members.iter().fold([f64::INFINITY, 0.0], |[low, high], row| {
                [low.min(row.diameter_mm), high.max(row.diameter_mm)]
            }),
            // All found, or none: no curve tells more.
            curves: if model.is_some_and(|model| model.uniform.is_none()) {
                drawn.chis().into_iter().filter_map(curve).collect()
            } else {
                Vec::new()
            },
            resamples: draws.len(),
            kind: group.kind,
            inputs: group.inputs,
        }
    };
    groups(rows).into_iter().map(of).collect()
}

/// The groups of lesions in a table: `CMB` first, few inputs first.
#[must_use]
pub fn groups(rows: &[ImplantRow]) -> Vec<Group> {
    let mut groups: BTreeMap<(String, usize, String), Group> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.class().is_some()) {
        let key = (row.kind.clone(), row.inputs.matches('+').count(), row.inputs.clone());
        let group = || Group { kind: row.kind.clone(), inputs: row.inputs.clone() };
        groups.entry(key).or_insert_with(group);
    }
    groups.into_values().collect()
}

/// The curve at a susceptibility, its interval from the resamples or, without any, by the delta method.
fn curve(model: &SizeModel, resampled: &[Option<SizeModel>], chi_ppm: f64) -> Curve {
    let models: Vec<&SizeModel> = resampled.iter().flatten().collect();
    let [least, most] = model.diameters_mm;
    let diameter = |n: usize| least + (most - least) * n as f64 / (CURVE_POINTS - 1) as f64;
    let point = |mm: f64| {
        let [value, low, high] = model.sensitivity_interval(mm, chi_ppm);
        let values = models.iter().map(|model| model.sensitivity(mm, chi_ppm)).collect();
        let [low, high] = percentiles(values).unwrap_or([low, high]);
        (mm, Estimate { value, low: low.min(value), high: high.max(value) })
    };
    let limits = models.iter().map(|model| model.limit(SHARE, chi_ppm).ordinal()).collect();
    let [low, high] = match percentiles(limits) {
        Some(ends) => ends.map(|end| Limit::of_ordinal(end, model.diameters_mm)),
        None => model.limit_interval(SHARE, chi_ppm),
    };
    Curve {
        chi_ppm,
        points: (0..CURVE_POINTS).map(diameter).map(point).collect(),
        limit: [model.limit(SHARE, chi_ppm), low, high],
    }
}

/// The 2.5th and 97.5th percentile, each a value that occurs: values may be infinite. `None` of none.
#[must_use]
pub fn percentiles(mut values: Vec<f64>) -> Option<[f64; 2]> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let low = (0.025 * last as f64).floor() as usize;
    Some([values[low], values[last - low]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qualify::logistic::expit;
    use crate::qualify::rows::tests::implant;

    /// Six subjects with two copies each, whose lesions are found by a known model.
    fn rows() -> Vec<ImplantRow> {
        let mut rows = Vec::new();
        for scan in 0..12 {
            for (n, mm) in [1.0_f64, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0].into_iter().enumerate() {
                for again in 0..4 {
                    // Low-discrepancy numbers in place of chance.
                    let chance = (f64::from(scan * 28 + again) + 4.0 * n as f64) * 0.618_034 % 1.0;
                    let found = chance < expit(-4.0 + 6.0 * mm.ln());
                    let name = format!("sub-{:02}_ses-implant{:02}", scan / 2, scan % 2);
                    let mut row = implant(&name, again as u32 + 10 * n as u32, mm, found);
                    row.chi_ppm = [0.4, 0.8][again as usize % 2];
                    rows.push(row);
                }
            }
        }
        rows
    }

    #[test]
    fn curve_and_limit_are_near_the_truth_and_within_their_intervals() {
        let rows = rows();
        let units = Units::of(&rows);
        assert!(units.are_subjects && units.count() == 6);
        let draws = units.draws(&Bootstrap { resamples: 300, seed: 1 });
        let [group] = sensitivities(&rows, &units, &draws).try_into().unwrap();
        assert_eq!((group.implants, group.resamples, group.separated), (336, 300, false));
        assert_eq!(group.curves.len(), 2);
        let [limit, low, high] = middle(&group.curves).unwrap().limit;
        let expected = ((9.0_f64.ln() + 4.0) / 6.0).exp();
        let Limit::At(mm) = limit else { panic!("{limit:?}") };
        assert!((mm - expected).abs() < 0.25, "{mm} {expected}");
        assert!(low.ordinal() <= mm && mm <= high.ordinal(), "{low} {high}");
        assert!(high.ordinal() - low.ordinal() > 0.05, "six subjects differ");
        for (_, estimate) in &group.curves[0].points {
            assert!(estimate.low <= estimate.value && estimate.value <= estimate.high);
        }
        let values: Vec<f64> = group.curves[0].points.iter().map(|(_, e)| e.value).collect();
        assert!(values.is_sorted(), "larger ones are found more often");
    }

    #[test]
    fn one_scan_has_intervals_too() {
        let mut rows = rows();
        rows.iter_mut().for_each(|row| row.scan = "sub-01".to_owned());
        let units = Units::of(&rows);
        let draws = units.draws(&Bootstrap::default());
        assert!(draws.is_empty());
        let [group] = sensitivities(&rows, &units, &draws).try_into().unwrap();
        let [limit, low, high] = group.curves[0].limit;
        assert!(low.ordinal() < limit.ordinal() && limit.ordinal() < high.ordinal());
        assert_eq!(group.resamples, 0);
    }

    #[test]
    fn percentiles_are_values_that_occur() {
        let mut values: Vec<f64> = (0..199).map(f64::from).collect();
        values.extend([f64::INFINITY; 10]);
        assert_eq!(percentiles(values), Some([5.0, f64::INFINITY]));
        assert_eq!(percentiles(Vec::new()), None);
    }
}
