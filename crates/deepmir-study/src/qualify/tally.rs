//! Counts: cells of the ladder, sites, classes, thresholds.

use deepmir_lesion::LesionClass;
use serde::Serialize;

use super::bins::{Bin, bins};
use super::proportion::wilson;
use super::rows::{CallPlace, CallRow, ImplantRow};
use super::sensitivity::{Group, groups};

/// Implants and those of them that were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Implants.
    pub implants: usize,
    /// Found, as any class.
    pub found: usize,
}

impl Count {
    /// Of some rows.
    pub fn of<'a>(rows: impl Iterator<Item = &'a ImplantRow>) -> Self {
        rows.fold(Self::default(), |Self { implants, found }, row| Self {
            implants: implants + 1,
            found: found + usize::from(row.found),
        })
    }

    /// The share found with Wilson's interval; `None` of none.
    #[must_use]
    pub fn share(self) -> Option<[f64; 3]> {
        wilson(self.found, self.implants)
    }
}

/// The ladder of a kind: diameters and susceptibilities, weak and small ones first.
#[derive(Clone, Debug, PartialEq)]
pub struct Rungs {
    /// Of diameters in millimetres.
    pub diameters: Vec<Bin>,
    /// Of susceptibilities in ppm, without sign.
    pub chis: Vec<Bin>,
}

impl Rungs {
    /// Of all implants of a kind.
    #[must_use]
    pub fn of(rows: &[ImplantRow], kind: &str) -> Self {
        let of = |value: fn(&ImplantRow) -> f64| {
            let of_kind = rows.iter().filter(|row| row.kind == kind).map(value);
            bins(&of_kind.filter(|value| *value > 0.0).collect::<Vec<_>>())
        };
        Self { diameters: of(|row| row.diameter_mm), chis: of(|row| row.chi_ppm.abs()) }
    }
}

/// A row of `sensitivity.tsv`: implants of one kind, some of them by site and rung, with one set of inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Kind and inputs.
    pub group: Group,
    /// One site, or all.
    pub site: Option<String>,
    /// One rung, or all.
    pub diameter: Option<Bin>,
    /// One rung, or all.
    pub chi: Option<Bin>,
    /// What was found.
    pub count: Count,
}

/// Every cell with an implant: all of a kind, by site, by diameter, and by diameter and susceptibility.
#[must_use]
pub fn cells(rows: &[ImplantRow]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for group in groups(rows) {
        let of_group = |row: &&ImplantRow| row.kind == group.kind && row.inputs == group.inputs;
        let members: Vec<&ImplantRow> = rows.iter().filter(of_group).collect();
        let mut add = |site: Option<&str>, diameter: Option<Bin>, chi: Option<Bin>| {
            let here = |row: &&&ImplantRow| {
                site.is_none_or(|site| row.site == site)
                    && diameter.is_none_or(|bin| bin.holds(row.diameter_mm))
                    && chi.is_none_or(|bin| bin.holds(row.chi_ppm.abs()))
            };
            let count = Count::of(members.iter().filter(here).copied());
            if count.implants > 0 {
                let site = site.map(str::to_owned);
                cells.push(Cell { group: group.clone(), site, diameter, chi, count });
            }
        };
        add(None, None, None);
        sites(&members).into_iter().for_each(|site| add(Some(site), None, None));
        let Rungs { diameters, chis } = Rungs::of(rows, &group.kind);
        diameters.iter().for_each(|&diameter| add(None, Some(diameter), None));
        for &diameter in &diameters {
            chis.iter().for_each(|&chi| add(None, Some(diameter), Some(chi)));
        }
    }
    cells
}

fn sites<'a>(members: &[&'a ImplantRow]) -> Vec<&'a str> {
    let mut sites: Vec<&str> = members.iter().map(|row| row.site.as_str()).collect();
    sites.sort_unstable();
    sites.dedup();
    sites
}

/// What implants of a kind were called, with one set of inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Called {
    /// The kind, of mimics too.
    pub kind: String,
    /// The inputs.
    pub inputs: String,
    /// Called a microbleed.
    pub cmb: usize,
    /// Called an iron deposit.
    pub nhid: usize,
    /// Not called.
    pub nothing: usize,
}

/// The confusion of kinds with classes.
#[must_use]
pub fn confusion(rows: &[ImplantRow]) -> Vec<Called> {
    let mut all: Vec<Called> = Vec::new();
    for row in rows {
        let place = all.iter().position(|one| one.kind == row.kind && one.inputs == row.inputs);
        let place = place.unwrap_or_else(|| {
            let (kind, inputs) = (row.kind.clone(), row.inputs.clone());
            all.push(Called { kind, inputs, cmb: 0, nhid: 0, nothing: 0 });
            all.len() - 1
        });
        let one = &mut all[place];
        match row.called {
            Some(LesionClass::Cmb) => one.cmb += 1,
            Some(LesionClass::Nhid) => one.nhid += 1,
            None => one.nothing += 1,
        }
    }
    // Lesions first, then what resembles them.
    let order = |one: &Called| {
        let is_mimic = one.kind.parse::<LesionClass>().is_err();
        (one.inputs.matches('+').count(), one.inputs.clone(), is_mimic, one.kind.clone())
    };
    all.sort_by_key(order);
    all
}

/// A threshold for the probabilities of both classes, and what it does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtThreshold {
    /// The inputs.
    pub inputs: String,
    /// Candidates of this probability on are lesions.
    pub threshold: f64,
    /// Implanted microbleeds.
    pub cmb: Count,
    /// Implanted iron deposits.
    pub nhid: Count,
    /// Calls elsewhere in each scan.
    pub false_calls_per_scan: f64,
}

/// Thresholds that are tried.
pub const THRESHOLDS: [f64; 19] = [
    0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85,
    0.9, 0.95,
];

/// What each threshold does with each set of inputs.
#[must_use]
pub fn at_thresholds(implants: &[ImplantRow], calls: &[CallRow]) -> Vec<AtThreshold> {
    let mut at = Vec::new();
    for inputs in input_sets(implants) {
        let scans = scans(implants, &inputs).max(1);
        let here: Vec<&ImplantRow> = implants.iter().filter(|row| row.inputs == inputs).collect();
        let elsewhere: Vec<f64> = calls
            .iter()
            .filter(|call| call.inputs == inputs && call.place == CallPlace::Elsewhere)
            .map(|call| call.probability)
            .collect();
        for threshold in THRESHOLDS {
            let of = |class: LesionClass| {
                let of_class = here.iter().filter(|row| row.class() == Some(class));
                let reached = |row: &&&ImplantRow| {
                    row.candidate_probability.is_some_and(|reached| reached >= threshold)
                };
                let implants = of_class.clone().count();
                Count { implants, found: of_class.filter(reached).count() }
            };
            let calls = elsewhere.iter().filter(|probability| **probability >= threshold).count();
            at.push(AtThreshold {
                inputs: inputs.clone(),
                threshold,
                cmb: of(LesionClass::Cmb),
                nhid: of(LesionClass::Nhid),
                false_calls_per_scan: calls as f64 / scans as f64,
            });
        }
    }
    at
}

/// The sets of inputs of a table, few inputs first.
#[must_use]
pub fn input_sets(rows: &[ImplantRow]) -> Vec<String> {
    let mut sets: Vec<String> = rows.iter().map(|row| row.inputs.clone()).collect();
    sets.sort_by_key(|set| (set.matches('+').count(), set.clone()));
    sets.dedup();
    sets
}

/// How many scans of a table were seen with some inputs.
#[must_use]
pub fn scans(rows: &[ImplantRow], inputs: &str) -> usize {
    let mut scans: Vec<&str> =
        rows.iter().filter(|row| row.inputs == inputs).map(|row| row.scan.as_str()).collect();
    scans.sort_unstable();
    scans.dedup();
    scans.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qualify::rows::tests::implant;

    #[test]
    fn cells_hold_each_implant_once() {
        let mut rows: Vec<ImplantRow> = Vec::new();
        for (n, mm) in [1.0, 1.02, 2.0, 2.0, 4.0].into_iter().enumerate() {
            let mut row = implant("sub-01", n as u32, mm, n > 1);
            row.site = ["lobar", "deep"][n % 2].to_owned();
            row.chi_ppm = [0.4, 0.8][n / 3];
            rows.push(row);
        }
        let cells = cells(&rows);
        assert_eq!(cells[0].count, Count { implants: 5, found: 3 });
        let sum = |of: &dyn Fn(&&Cell) -> bool| {
            cells.iter().filter(of).map(|cell| cell.count.implants).sum::<usize>()
        };
        assert_eq!(sum(&|cell| cell.site.is_some()), 5);
        assert_eq!(sum(&|cell| cell.diameter.is_some() && cell.chi.is_none()), 5);
        assert_eq!(sum(&|cell| cell.diameter.is_some() && cell.chi.is_some()), 5);
        let smallest = cells.iter().find(|cell| cell.diameter.is_some()).unwrap();
        assert_eq!(smallest.count, Count { implants: 2, found: 0 });
    }

    #[test]
    fn a_lower_threshold_finds_more_and_calls_more() {
        let mut rows: Vec<ImplantRow> = (0..4).map(|n| implant("sub-01", n, 2.0, true)).collect();
        for (row, probability) in rows.iter_mut().zip([Some(0.9), Some(0.5), Some(0.2), None]) {
            row.candidate_probability = probability;
        }
        let call = |probability, place| CallRow {
            scan: "sub-01".to_owned(),
            inputs: "SWI".to_owned(),
            class: LesionClass::Cmb,
            called: probability > 0.5,
            place,
            probability,
            x_mm: 0.0,
            y_mm: 0.0,
            z_mm: 0.0,
            volume_mm3: 1.0,
            region: None,
        };
        let calls = [
            call(0.6, CallPlace::Elsewhere),
            call(0.3, CallPlace::Elsewhere),
            call(0.9, CallPlace::Unknown),
        ];
        let at = at_thresholds(&rows, &calls);
        assert_eq!(at.len(), THRESHOLDS.len());
        let half = at.iter().find(|at| at.threshold == 0.5).unwrap();
        assert_eq!(half.cmb, Count { implants: 4, found: 2 });
        assert_eq!(half.nhid, Count::default());
        assert_eq!(half.false_calls_per_scan, 1.0);
        let low = &at[0];
        assert_eq!((low.cmb.found, low.false_calls_per_scan), (3, 2.0));
    }

    #[test]
    fn what_was_called_what() {
        let mut rows = vec![implant("sub-01", 1, 2.0, true), implant("sub-01", 2, 2.0, false)];
        rows.push(ImplantRow {
            kind: "calcification".to_owned(),
            ..implant("sub-01", 3, 2.0, true)
        });
        rows.push(ImplantRow {
            kind: "NHID".to_owned(),
            called: Some(LesionClass::Nhid),
            ..implant("sub-01", 4, 2.0, true)
        });
        let confusion = confusion(&rows);
        let kinds: Vec<&str> = confusion.iter().map(|one| one.kind.as_str()).collect();
        assert_eq!(kinds, ["CMB", "NHID", "calcification"]);
        assert_eq!((confusion[0].cmb, confusion[0].nothing), (1, 1));
        assert_eq!((confusion[1].nhid, confusion[2].cmb), (1, 1));
    }
}
