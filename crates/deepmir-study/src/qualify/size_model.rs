//! How the chance that a lesion is found depends on its diameter and its susceptibility.

use deepmir_lesion::metrics::Z95;
use serde::Serialize;

use super::logistic::{Fit, Observation, expit};

/// The share that limits of detection stand for.
pub const SHARE: f64 = 0.9;

/// An implant as the model sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// In millimetres, above 0.
    pub diameter_mm: f64,
    /// In ppm; its size counts, not its sign.
    pub chi_ppm: f64,
    /// Whether it was found.
    pub found: bool,
}

/// The smallest diameter from which on a share of lesions is found, within the diameters that were implanted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "mm")]
pub enum Limit {
    /// The smallest implants are found as often: it is this or smaller.
    AtMost(f64),
    /// This.
    At(f64),
    /// Not reached up to this, the largest implants.
    Above(f64),
}

impl Limit {
    /// A number that sorts as limits do: infinite beyond the implants' diameters.
    #[must_use]
    pub fn ordinal(self) -> f64 {
        match self {
            Self::AtMost(_) => f64::NEG_INFINITY,
            Self::At(mm) => mm,
            Self::Above(_) => f64::INFINITY,
        }
    }

    /// Of such a number.
    #[must_use]
    pub fn of_ordinal(ordinal: f64, [least, most]: [f64; 2]) -> Self {
        match ordinal {
            mm if mm < least => Self::AtMost(least),
            mm if mm > most => Self::Above(most),
            mm => Self::At(mm),
        }
    }
}

/// `2.6`, `≤ 1.0` or `> 6.0`.
impl std::fmt::Display for Limit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(mm) => write!(formatter, "≤ {mm:.1}"),
            Self::At(mm) => write!(formatter, "{mm:.1}"),
            Self::Above(mm) => write!(formatter, "> {mm:.1}"),
        }
    }
}

/// A logistic regression of being found on the logarithms of diameter and susceptibility.
#[derive(Clone, Debug, PartialEq)]
pub struct SizeModel {
    /// Its coefficients: intercept, ln mm and, if it varies, ln ppm.
    pub fit: Fit,
    /// Smallest and largest implant.
    pub diameters_mm: [f64; 2],
    /// Weakest and strongest implant.
    pub chis_ppm: [f64; 2],
    /// What became of all of them, if it was the same: the curve is then a penalty's, not the data's.
    pub uniform: Option<bool>,
}

/// The predictors of some implants.
#[derive(Clone, Debug)]
pub struct Design {
    rows: Vec<[f64; 3]>,
    found: Vec<bool>,
    /// 2, or 3 with susceptibility.
    used: usize,
    diameters_mm: [f64; 2],
    chis_ppm: [f64; 2],
}

/// Values that differ by a smaller share count as one.
const VARIES: f64 = 1.05;

impl Design {
    /// Of implants; `None` if all have one diameter, or there are none.
    #[must_use]
    pub fn new(points: &[Point]) -> Option<Self> {
        let usable = |point: &&Point| point.diameter_mm > 0.0 && point.chi_ppm != 0.0;
        let points: Vec<&Point> = points.iter().filter(usable).collect();
        let range = |value: fn(&Point) -> f64| {
            points.iter().fold([f64::INFINITY, 0.0_f64], |[low, high], point| {
                [low.min(value(point)), high.max(value(point))]
            })
        };
        let (diameters_mm, chis_ppm) = (range(|p| p.diameter_mm), range(|p| p.chi_ppm.abs()));
        let varies = |[low, high]: [f64; 2]| high > low * VARIES;
        if points.is_empty() || !varies(diameters_mm) {
            return None;
        }
        let row = |point: &&Point| [1.0, point.diameter_mm.ln(), point.chi_ppm.abs().ln()];
        Some(Self {
            rows: points.iter().map(row).collect(),
            found: points.iter().map(|point| point.found).collect(),
            used: if varies(chis_ppm) { 3 } else { 2 },
            diameters_mm,
            chis_ppm,
        })
    }

    /// The model, each implant counting so often (once without `weights`). `near` is one of similar implants.
    #[must_use]
    pub fn fit(&self, weights: Option<&[f64]>, near: Option<&SizeModel>) -> Option<SizeModel> {
        let with = |used: usize| {
            let rows = self.rows.iter().zip(&self.found).enumerate();
            let observations: Vec<Observation<'_>> = rows
                .map(|(n, (row, &found))| {
                    let weight = weights.map_or(1.0, |weights| weights[n]);
                    Observation { x: &row[..used], found, weight }
                })
                .collect();
            let start = near.map(|near| near.fit.coefficients.as_slice());
            Fit::new(&observations, start.filter(|start| start.len() == used))
        };
        // A resample may hold one susceptibility only.
        let fit = with(self.used).or_else(|| (self.used == 3).then(|| with(2)).flatten())?;
        let counts = |n: &usize| weights.is_none_or(|weights| weights[*n] > 0.0);
        let mut outcomes = (0..self.found.len()).filter(counts).map(|n| self.found[n]);
        let first = outcomes.next();
        let uniform = first.filter(|first| outcomes.all(|found| found == *first));
        let Self { diameters_mm, chis_ppm, .. } = *self;
        Some(SizeModel { fit, diameters_mm, chis_ppm, uniform })
    }
}

impl SizeModel {
    fn predictors(&self, diameter_mm: f64, chi_ppm: f64) -> Vec<f64> {
        let all = [1.0, diameter_mm.ln(), chi_ppm.abs().ln()];
        all[..self.fit.coefficients.len()].to_vec()
    }

    /// The chance of being found.
    #[must_use]
    pub fn sensitivity(&self, diameter_mm: f64, chi_ppm: f64) -> f64 {
        expit(self.fit.logit(&self.predictors(diameter_mm, chi_ppm)).0)
    }

    /// The chance of being found with its 95 % interval by the delta method, in which implants of one scan count as
    /// independent.
    #[must_use]
    pub fn sensitivity_interval(&self, diameter_mm: f64, chi_ppm: f64) -> [f64; 3] {
        self.fit.probability(&self.predictors(diameter_mm, chi_ppm))
    }

    /// The smallest diameter from which on so large a share is found.
    #[must_use]
    pub fn limit(&self, share: f64, chi_ppm: f64) -> Limit {
        let [least, most] = self.diameters_mm;
        match self.uniform {
            Some(true) => return Limit::AtMost(least),
            Some(false) => return Limit::Above(most),
            None => {}
        }
        let reached = |mm: f64| self.sensitivity(mm, chi_ppm) >= share;
        match (reached(least), reached(most)) {
            (_, false) => Limit::Above(most),
            (true, true) => Limit::AtMost(least),
            (false, true) => {
                let inverse = self.fit.inverse(share, &self.predictors(most, chi_ppm), 1);
                inverse.map_or(Limit::Above(most), |(log_mm, _)| {
                    Limit::At(log_mm.exp().clamp(least, most))
                })
            }
        }
    }

    /// The limit's 95 % interval by the delta method, in which implants of one scan count as independent.
    #[must_use]
    pub fn limit_interval(&self, share: f64, chi_ppm: f64) -> [Limit; 2] {
        let [least, most] = self.diameters_mm;
        if self.uniform.is_some() {
            return [Limit::AtMost(least), Limit::Above(most)];
        }
        let slope = self.fit.coefficients[1];
        match self.fit.inverse(share, &self.predictors(most, chi_ppm), 1) {
            Some((log_mm, error)) if slope > 0.0 => {
                [-Z95, Z95].map(|z| Limit::of_ordinal((log_mm + z * error).exp(), [least, most]))
            }
            _ => [Limit::AtMost(least), Limit::Above(most)],
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Implants of a ladder, so many of each rung, that are found with the chance of a known model.
    pub(crate) fn ladder(
        diameters: &[f64],
        chis: &[f64],
        each: usize,
        chance: impl Fn(f64, f64) -> f64,
    ) -> Vec<Point> {
        let mut points = Vec::new();
        for &diameter_mm in diameters {
            for &chi_ppm in chis {
                for n in 0..each {
                    // As many as the chance says, to the nearest.
                    let found = (n as f64 + 0.5) / (each as f64) < chance(diameter_mm, chi_ppm);
                    points.push(Point { diameter_mm, chi_ppm, found });
                }
            }
        }
        points
    }

    #[test]
    fn a_known_model_is_found_again() {
        let truth = |mm: f64, ppm: f64| expit(-3.0 + 4.0 * mm.ln() + 2.0 * ppm.ln());
        let sizes = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0];
        let points = ladder(&sizes, &[0.4, 0.8, 1.6], 400, truth);
        let model = Design::new(&points).unwrap().fit(None, None).unwrap();
        for (mm, ppm) in [(1.2, 0.8), (2.0, 1.6), (3.0, 0.4)] {
            assert!((model.sensitivity(mm, ppm) - truth(mm, ppm)).abs() < 0.005);
        }
        // ln mm = (ln 9 + 3 − 2 ln 0.8) / 4.
        let expected = ((9.0_f64.ln() + 3.0 - 2.0 * 0.8_f64.ln()) / 4.0).exp();
        let Limit::At(mm) = model.limit(SHARE, 0.8) else { panic!("within the ladder") };
        assert!((mm / expected - 1.0).abs() < 0.01, "{mm} {expected}");
        let [low, high] = model.limit_interval(SHARE, 0.8).map(Limit::ordinal);
        assert!(low < mm && mm < high && high / low < 1.2);
        assert!(!model.fit.separated);
    }

    #[test]
    fn nothing_is_said_beyond_the_ladder() {
        let easy = ladder(&[2.0, 3.0], &[0.8], 50, |_, _| 1.0);
        let model = Design::new(&easy).unwrap().fit(None, None).unwrap();
        assert_eq!(model.limit(SHARE, 0.8), Limit::AtMost(2.0));
        assert!(model.fit.separated && model.uniform == Some(true));
        let hard = ladder(&[2.0, 3.0], &[0.8], 50, |mm, _| mm / 10.0);
        let model = Design::new(&hard).unwrap().fit(None, None).unwrap();
        assert_eq!(model.limit(SHARE, 0.8), Limit::Above(3.0));
        assert_eq!(model.limit(SHARE, 0.8).to_string(), "> 3.0");
        // Found the less, the larger: there is no diameter from which on.
        let odd = ladder(&[2.0, 3.0, 4.0], &[0.8], 50, |mm, _| 1.2 - mm / 5.0);
        let model = Design::new(&odd).unwrap().fit(None, None).unwrap();
        assert_eq!(model.limit(SHARE, 0.8), Limit::Above(4.0));
        // One size tells nothing of sizes.
        assert!(Design::new(&ladder(&[2.0], &[0.4, 0.8], 50, |_, _| 0.5)).is_none());
        assert!(Design::new(&[]).is_none());
    }
}
