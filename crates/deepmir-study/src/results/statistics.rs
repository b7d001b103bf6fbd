//! Numbers with intervals, and differences between arms on the same subjects.

use deepmir_lesion::LesionClass;
use deepmir_lesion::metrics::{Bootstrap, ClassScore, Detections, Estimate, METRICS, froc};

use crate::results::scan::ScanResult;

/// A summary measure over scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measure {
    /// As in tables.
    pub name: &'static str,
    /// Of which class; none for class accuracy.
    pub class: Option<LesionClass>,
}

/// Of the true lesions that were found as anything, the share that was given its own class.
pub(crate) const CLASS_ACCURACY: &str = "class_accuracy";
pub(crate) const AVERAGE_PRECISION: &str = "average_precision";

/// The measures of arms that predict these classes.
pub(crate) fn measures(classes: &[LesionClass]) -> Vec<Measure> {
    let names = || METRICS.iter().map(|metric| metric.name).chain([AVERAGE_PRECISION]);
    let mut measures: Vec<Measure> = classes
        .iter()
        .flat_map(|&class| names().map(move |name| Measure { name, class: Some(class) }))
        .collect();
    if classes.len() > 1 {
        measures.push(Measure { name: CLASS_ACCURACY, class: None });
    }
    measures
}

impl Measure {
    /// Its value over some scans; `None` where it is undefined.
    pub(crate) fn value(&self, results: &[&ScanResult]) -> Option<f64> {
        let Some(class) = self.class else { return class_accuracy(results) };
        if self.name == AVERAGE_PRECISION {
            let parts: Vec<&Detections> =
                results.iter().filter_map(|result| result.detections_of(class)).collect();
            return froc(&parts).map(|froc| froc.average_precision);
        }
        let scores: Vec<&ClassScore> =
            results.iter().filter_map(|result| result.score.of(class)).collect();
        let metric = METRICS.iter().find(|metric| metric.name == self.name)?;
        (metric.compute)(&scores)
    }

    /// `CMB`, `NHID` or `CMB+NHID`.
    pub(crate) fn class_name(&self) -> &'static str {
        self.class.map_or("CMB+NHID", LesionClass::name)
    }
}

fn class_accuracy(results: &[&ScanResult]) -> Option<f64> {
    let (mut right, mut all) = (0, 0);
    for result in results {
        for truth in LesionClass::ALL {
            for predicted in LesionClass::ALL {
                let count = result.score.confusion.count(Some(truth), Some(predicted));
                all += count;
                right += if truth == predicted { count } else { 0 };
            }
        }
    }
    (all > 0).then(|| right as f64 / all as f64)
}

/// A measure of an arm on the cohort as it is and on every resample of it. The same resamples serve
/// all arms, so that differences between them are paired.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resampled {
    /// With its interval.
    pub estimate: Option<Estimate>,
    /// On the cohort, then on each resample.
    values: Vec<Option<f64>>,
}

impl Resampled {
    /// `by_unit` are an arm's results, unit by unit: a unit's scans (and seeds) are drawn together.
    pub(crate) fn new(
        measure: &Measure,
        by_unit: &[Vec<&ScanResult>],
        bootstrap: &Bootstrap,
    ) -> Self {
        let mut values = Vec::with_capacity(bootstrap.resamples + 1);
        let mut drawn: Vec<&ScanResult> = Vec::new();
        let estimate = bootstrap.estimate(by_unit.len(), |units| {
            drawn.clear();
            units.iter().for_each(|&unit| drawn.extend(&by_unit[unit]));
            let value = measure.value(&drawn);
            values.push(value);
            value
        });
        Self { estimate, values }
    }

    /// This arm less another: the difference with its interval, and the two-sided p value of there
    /// being none, the share of resamples on the other side of zero (Efron and Tibshirani 1993,
    /// chapter 16), never below one in the number of resamples. `None` if either is undefined.
    pub(crate) fn less(&self, other: &Self, bootstrap: &Bootstrap) -> Option<(Estimate, f64)> {
        let differences: Vec<Option<f64>> =
            self.values.iter().zip(&other.values).map(|(a, b)| Some((*a)? - (*b)?)).collect();
        let mut next = differences.iter().copied();
        let estimate = bootstrap.estimate(1, |_| next.next().flatten())?;
        let resampled: Vec<f64> = differences.iter().skip(1).flatten().copied().collect();
        let beyond = |side: fn(&f64) -> bool| resampled.iter().filter(|value| side(value)).count();
        let fewer = beyond(|value| *value <= 0.0).min(beyond(|value| *value >= 0.0));
        let p = 2.0 * (fewer + 1) as f64 / (resampled.len() + 1) as f64;
        Some((estimate, p.min(1.0)))
    }
}

/// Mean and standard deviation (over n − 1); the latter is undefined for fewer than two values.
pub(crate) fn mean_and_deviation(values: &[f64]) -> (Option<f64>, Option<f64>) {
    if values.is_empty() {
        return (None, None);
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    let deviation = (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt());
    (Some(mean), deviation)
}

/// P values corrected for their number (Holm 1979), in the order given.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![0.0; p_values.len()];
    let mut least: f64 = 0.0;
    for (rank, &n) in order.iter().enumerate() {
        least = least.max((p_values[n] * (p_values.len() - rank) as f64).min(1.0));
        corrected[n] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holms_worked_example() {
        // R's p.adjust(c(.01, .04, .03, .005), "holm").
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (value, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((value - expected).abs() < 1e-12, "{corrected:?}");
        }
        assert_eq!(holm(&[0.6, 0.7]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    fn resampled(values: &[f64], bootstrap: &Bootstrap) -> Resampled {
        let mut values_drawn = Vec::new();
        let estimate = bootstrap.estimate(values.len(), |drawn| {
            let mean = drawn.iter().map(|&n| values[n]).sum::<f64>() / drawn.len() as f64;
            values_drawn.push(Some(mean));
            Some(mean)
        });
        Resampled { estimate, values: values_drawn }
    }

    #[test]
    fn pairing_sees_what_the_spread_between_subjects_hides() {
        // Subjects differ widely; the second arm is better by 1 ± 0.5 on each.
        let first: Vec<f64> = (0..30).map(|n| f64::from(n * 13 % 30)).collect();
        let noise = |n: usize| ((n * 7) % 11) as f64 / 10.0 - 0.5;
        let second: Vec<f64> =
            first.iter().enumerate().map(|(n, value)| value + 1.0 + noise(n)).collect();
        let bootstrap = Bootstrap { resamples: 2000, seed: 3 };
        let (a, b) = (resampled(&second, &bootstrap), resampled(&first, &bootstrap));
        let (difference, p) = a.less(&b, &bootstrap).unwrap();
        // The normal interval of the mean difference.
        let spread: Vec<f64> = (0..30).map(|n| 1.0 + noise(n)).collect();
        let (mean, deviation) = mean_and_deviation(&spread);
        let half = 1.96 * deviation.unwrap() / 30.0_f64.sqrt();
        assert!((difference.value - mean.unwrap()).abs() < 1e-12);
        assert!((difference.low - (mean.unwrap() - half)).abs() < 0.03, "{difference:?}");
        assert!((difference.high - (mean.unwrap() + half)).abs() < 0.03, "{difference:?}");
        assert!(p < 0.002, "{p}");
        let unpaired = a.estimate.unwrap();
        assert!(unpaired.low < b.estimate.unwrap().high, "unpaired they overlap");
        let (_, same) = a.less(&a, &bootstrap).unwrap();
        assert_eq!(same, 1.0);
    }

    #[test]
    fn the_spread_of_one_value_is_unknown() {
        assert_eq!(mean_and_deviation(&[]), (None, None));
        assert_eq!(mean_and_deviation(&[0.5]), (Some(0.5), None));
        let (mean, deviation) = mean_and_deviation(&[1.0, 2.0, 3.0]);
        assert_eq!((mean, deviation), (Some(2.0), Some(1.0)));
    }
}
