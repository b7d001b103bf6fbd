//! Findings too large for a microbleed, followed over both visits: a new haemorrhage must not hide among the warnings.

use serde::Serialize;

use super::Comparison;
use crate::predict::LargeFinding;

/// Findings of two visits whose centres lie closer than this are one, or closer than half its length if that is more.
const NEAR_MM: f64 = 5.0;

/// A large finding over two visits.
#[derive(Clone, Debug, PartialEq)]
pub struct LargeOverVisits {
    /// Its place among the large findings of each visit; `None` where none lies there.
    pub at: [Option<usize>; 2],
    /// The number of the lesion that lies there, where one of the visits shows a lesion in its place.
    pub lesion: Option<usize>,
}

/// A finding as the sidecar has it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    number: usize,
    #[serde(rename = "Longest_mm")]
    longest_mm: f64,
    #[serde(rename = "Volume_mm3")]
    volume_mm3: f64,
    #[serde(rename = "Centre_mm")]
    centre_mm: [f64; 3],
}

impl Comparison {
    /// The large findings of both visits, those of the follow-up alone first.
    pub fn large_findings(&self) -> Vec<LargeOverVisits> {
        let places = [0, 1].map(|visit: usize| {
            let to_halfway = self.halfway.to_visits[visit].inverse();
            let large = self.visits[visit].prediction.large.iter();
            let place = |finding: &LargeFinding| {
                let row = &finding.row;
                (to_halfway.apply([row.x_mm, row.y_mm, row.z_mm]), finding.longest_mm)
            };
            large.map(place).collect::<Vec<_>>()
        });
        let lesions = self.lesions.iter().filter_map(|lesion| {
            let visit = usize::from(lesion.change.is_there(1));
            let row = lesion.rows[visit].as_ref()?;
            let to_halfway = self.halfway.to_visits[visit].inverse();
            Some((lesion.number, to_halfway.apply([row.x_mm, row.y_mm, row.z_mm])))
        });
        let lesions: Vec<(usize, [f64; 3])> = lesions.collect();
        let mut all = paired(places.each_ref().map(Vec::as_slice));
        for over in &mut all {
            if let [Some(_), Some(_)] = over.at {
                continue;
            }
            let own = [0, 1].iter().find_map(|&visit| over.at[visit].map(|n| places[visit][n]));
            let Some((centre, longest_mm)) = own else { continue };
            let near = lesions.iter().map(|(number, at)| (apart(*at, centre), *number));
            let nearest = near.min_by(|a, b| a.0.total_cmp(&b.0));
            over.lesion =
                nearest.filter(|(mm, _)| *mm <= reach(longest_mm)).map(|(_, number)| number);
        }
        all
    }

    /// A row for the page: what is at the baseline, and at the follow-up.
    pub(super) fn large_row(&self, over: &LargeOverVisits) -> Vec<String> {
        let there = [0, 1].map(|visit| {
            let finding = over.at[visit].map(|n| &self.visits[visit].prediction.large[n]);
            match (finding, over.lesion) {
                (Some(finding), _) => finding.title(),
                (None, Some(lesion)) => format!("lesion {lesion} lies there"),
                (None, None) => "none found there".to_owned(),
            }
        });
        there.into()
    }

    /// For the sidecar.
    pub(super) fn large_json(&self) -> serde_json::Value {
        let told = |visit: usize, n: Option<usize>| {
            n.map(|n| {
                let LargeFinding { row, longest_mm, .. } = &self.visits[visit].prediction.large[n];
                Told {
                    number: row.lesion_id,
                    longest_mm: *longest_mm,
                    volume_mm3: row.volume_mm3,
                    centre_mm: [row.x_mm, row.y_mm, row.z_mm],
                }
            })
        };
        let each = self.large_findings().into_iter().map(|over| {
            serde_json::json!({
                "Baseline": told(0, over.at[0]),
                "Followup": told(1, over.at[1]),
                "Lesion": over.lesion,
            })
        });
        each.collect()
    }
}

fn apart(one: [f64; 3], other: [f64; 3]) -> f64 {
    (0..3).map(|axis| (one[axis] - other[axis]).powi(2)).sum::<f64>().sqrt()
}

fn reach(longest_mm: f64) -> f64 {
    NEAR_MM.max(longest_mm / 2.0)
}

/// Pairs findings, each a centre and a length in one space, the nearest first.
fn paired(places: [&[([f64; 3], f64)]; 2]) -> Vec<LargeOverVisits> {
    let mut near: Vec<(f64, usize, usize)> = Vec::new();
    for (n, (one, long)) in places[0].iter().enumerate() {
        for (m, (other, longer)) in places[1].iter().enumerate() {
            let mm = apart(*one, *other);
            if mm <= reach(long.max(*longer)) {
                near.push((mm, n, m));
            }
        }
    }
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut of_followup: Vec<Option<usize>> = vec![None; places[1].len()];
    for (_, n, m) in near {
        if of_followup[m].is_none() && !of_followup.contains(&Some(n)) {
            of_followup[m] = Some(n);
        }
    }
    let pair = |at| LargeOverVisits { at, lesion: None };
    let mut all: Vec<LargeOverVisits> =
        of_followup.iter().enumerate().map(|(m, n)| pair([*n, Some(m)])).collect();
    all.sort_by_key(|over| over.at[0].is_some());
    let gone = (0..places[0].len()).filter(|n| !of_followup.contains(&Some(*n)));
    all.extend(gone.map(|n| pair([Some(n), None])));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_paired_once_with_the_nearest_and_the_new_come_first() {
        let before = [([0.0, 0.0, 0.0], 12.0), ([40.0, 0.0, 0.0], 11.0)];
        let after = [([1.0, 0.0, 0.0], 14.0), ([4.0, 0.0, 0.0], 11.0), ([0.0, 30.0, 0.0], 25.0)];
        let at: Vec<[Option<usize>; 2]> =
            paired([&before, &after]).into_iter().map(|over| over.at).collect();
        let wanted = [[None, Some(1)], [None, Some(2)], [Some(0), Some(0)], [Some(1), None]];
        assert_eq!(at, wanted);
        // A long one may be seen with another centre.
        let moved = [([0.0, 12.0, 0.0], 26.0)];
        assert_eq!(paired([&moved[..], &[([0.0, 24.0, 0.0], 20.0)][..]])[0].at, [Some(0), Some(0)]);
        assert_eq!(paired([&moved[..], &[([0.0, 26.0, 0.0], 20.0)][..]]).len(), 2);
        assert!(paired([&[], &[]]).is_empty());
    }
}
