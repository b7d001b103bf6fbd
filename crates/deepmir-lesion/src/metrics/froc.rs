//! Sensitivity against false positives as the threshold moves.

use std::borrow::Borrow;

use serde::Serialize;

use crate::matching::{MatchRule, match_lesions};
use crate::{Candidate, Lesion};

/// The false positives a scan at which sensitivity is read off (as in the LUNA16 challenge).
pub const FALSE_POSITIVE_RATES: [f64; 7] = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

/// One class of one subject: how many true lesions, and every candidate's score with whether it
/// found one.
#[derive(Clone, Debug, PartialEq)]
pub struct Detections {
    truth: usize,
    /// Score, and whether a true lesion was found, highest score first.
    scored: Vec<(f32, bool)>,
}

impl Detections {
    /// Goes through the candidates from the highest score down; each takes the true lesion it
    /// matches best among those not yet taken, or is false.
    pub fn new(truth: &[&Lesion], candidates: &[&Candidate], rule: MatchRule) -> Self {
        let mut order: Vec<&Candidate> = candidates.to_vec();
        order.sort_by(|a, b| b.score().total_cmp(&a.score()));
        let mut free: Vec<&Lesion> = truth.to_vec();
        let scored = order.into_iter().map(|candidate| {
            let pairs = match_lesions(&free, &[&candidate.lesion], rule);
            if let Some(pair) = pairs.first() {
                free.remove(pair.truth);
            }
            (candidate.score(), !pairs.is_empty())
        });
        Self { truth: truth.len(), scored: scored.collect() }
    }
}

/// A point of the curve: everything at or above a score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FrocPoint {
    /// The lowest score counted.
    pub threshold: f32,
    /// True lesions found over true lesions.
    pub sensitivity: f64,
    /// True lesions found over candidates counted.
    pub precision: f64,
    /// False candidates a scan.
    pub false_positives_per_scan: f64,
}

/// The free-response ROC curve of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Froc {
    /// The curve, from the highest threshold down.
    pub points: Vec<FrocPoint>,
    /// Sensitivity at each of [`FALSE_POSITIVE_RATES`].
    pub sensitivity_at: Vec<(f64, f64)>,
    /// Their mean.
    pub mean_sensitivity: f64,
    /// Area under the precision–recall curve: the sum over thresholds of the gain in sensitivity
    /// times the precision there.
    pub average_precision: f64,
}

/// The curve over all subjects; `None` without subjects or true lesions.
pub fn froc<D: Borrow<Detections>>(subjects: &[D]) -> Option<Froc> {
    let subjects = || subjects.iter().map(Borrow::borrow);
    let scans = subjects().count() as f64;
    let truth: usize = subjects().map(|subject| subject.truth).sum();
    if truth == 0 {
        return None;
    }
    let mut scored: Vec<(f32, bool)> =
        subjects().flat_map(|subject| subject.scored.iter().copied()).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));

    let mut points: Vec<FrocPoint> = Vec::new();
    let (mut found, mut false_positives) = (0, 0);
    for (n, &(threshold, hit)) in scored.iter().enumerate() {
        found += usize::from(hit);
        false_positives += usize::from(!hit);
        // Equal scores fall together.
        if scored.get(n + 1).is_none_or(|next| next.0 < threshold) {
            points.push(FrocPoint {
                threshold,
                sensitivity: found as f64 / truth as f64,
                precision: found as f64 / (found + false_positives) as f64,
                false_positives_per_scan: false_positives as f64 / scans,
            });
        }
    }
    let mut average_precision = 0.0;
    let mut reached = 0.0;
    for point in &points {
        average_precision += (point.sensitivity - reached) * point.precision;
        reached = point.sensitivity;
    }
    let sensitivity_at = FALSE_POSITIVE_RATES.map(|rate| {
        let within = points.iter().filter(|point| point.false_positives_per_scan <= rate);
        (rate, within.map(|point| point.sensitivity).fold(0.0, f64::max))
    });
    let mean_sensitivity = sensitivity_at.iter().map(|(_, sensitivity)| sensitivity).sum::<f64>()
        / sensitivity_at.len() as f64;
    Some(Froc {
        points,
        sensitivity_at: sensitivity_at.to_vec(),
        mean_sensitivity,
        average_precision,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detections(truth: usize, scored: &[(f32, bool)]) -> Detections {
        Detections { truth, scored: scored.to_vec() }
    }

    #[test]
    fn a_worked_example() {
        // Two scans, four true lesions; candidates by score: hit .9, hit .8, false .7, hit .7, false .2
        let subjects = [
            detections(3, &[(0.9, true), (0.7, false), (0.2, false)]),
            detections(1, &[(0.8, true), (0.7, true)]),
        ];
        let froc = froc(&subjects).unwrap();
        let sensitivities: Vec<f64> = froc.points.iter().map(|point| point.sensitivity).collect();
        assert_eq!(sensitivities, [0.25, 0.5, 0.75, 0.75]);
        let rates: Vec<f64> = froc.points.iter().map(|p| p.false_positives_per_scan).collect();
        assert_eq!(rates, [0.0, 0.0, 0.5, 1.0]);
        // .25·1 + .25·1 + .25·.75
        assert!((froc.average_precision - 0.6875).abs() < 1e-12);
        assert_eq!(froc.sensitivity_at[0], (0.125, 0.5));
        assert_eq!(froc.sensitivity_at[2], (0.5, 0.75));
    }

    #[test]
    fn no_true_lesions_no_curve() {
        assert_eq!(froc(&[detections(0, &[(0.9, false)])]), None);
        let missed = froc(&[detections(2, &[])]).unwrap();
        assert_eq!((missed.average_precision, missed.mean_sensitivity), (0.0, 0.0));
    }
}
