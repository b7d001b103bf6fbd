//! What is unlike the rest of the cohort.

use deepmir_lesion::LesionClass;

use super::Row;

/// Beyond this a value is an outlier (Iglewicz & Hoaglin, "How to detect and handle outliers", 1993).
pub const MOST_ROBUST_Z: f64 = 3.5;
/// With fewer values nothing is usual, and so nothing unusual.
const FEWEST: usize = 5;
/// Median absolute deviation to standard deviation, of a normal distribution.
const MAD_TO_DEVIATION: f64 = 1.4826;

/// A measure of a scan that is far from the cohort's median.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outlier {
    pub(super) row: usize,
    pub(super) measure: &'static str,
    pub(super) value: f64,
    pub(super) z: f64,
}

/// The measures that are compared.
pub(super) fn measures(row: &Row) -> [(&'static str, Option<f64>); 6] {
    let quality = row.quality.as_ref();
    let count = |class| {
        let of_class = row.lesions.iter().filter(|lesion| lesion.class == class).count();
        quality.map(|_| of_class as f64)
    };
    [
        ("brain_ml", quality.map(|quality| quality.brain_ml)),
        ("snr", quality.and_then(|quality| quality.snr)),
        ("registration_similarity", quality.and_then(|quality| quality.registration_similarity)),
        ("chi_deviation_ppm", quality.and_then(|quality| quality.chi_deviation_ppm)),
        ("cmb_count", count(LesionClass::Cmb)),
        ("nhid_count", count(LesionClass::Nhid)),
    ]
}

/// Robust z of each value: its distance from the median over 1.4826 times the median absolute
/// deviation. `None` for a value that is not there, and for all where fewer than five are there or
/// more than half are equal.
pub fn robust_z(values: &[Option<f64>]) -> Vec<Option<f64>> {
    let there: Vec<f64> = values.iter().copied().flatten().filter(|x| x.is_finite()).collect();
    let nothing = vec![None; values.len()];
    if there.len() < FEWEST {
        return nothing;
    }
    let middle = median(there.clone());
    let deviation = MAD_TO_DEVIATION * median(there.iter().map(|x| (x - middle).abs()).collect());
    if deviation <= 0.0 {
        return nothing;
    }
    values.iter().map(|value| value.map(|x| (x - middle) / deviation)).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { 0.5 * (values[middle - 1] + values[middle]) }
}

/// Every outlier, the farthest out first.
pub(super) fn outliers(rows: &[Row]) -> Vec<Outlier> {
    let all: Vec<[(&'static str, Option<f64>); 6]> = rows.iter().map(measures).collect();
    let mut found = Vec::new();
    for n in 0..6 {
        let values: Vec<Option<f64>> = all.iter().map(|measures| measures[n].1).collect();
        for (row, z) in robust_z(&values).into_iter().enumerate() {
            if let (Some(z), Some(value)) = (z, values[row])
                && z.abs() > MOST_ROBUST_Z
            {
                found.push(Outlier { row, measure: all[row][n].0, value, z });
            }
        }
    }
    found.sort_by(|a, b| b.z.abs().total_cmp(&a.z.abs()).then(a.row.cmp(&b.row)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_far_away_is_found_and_does_not_hide_itself() {
        let values: Vec<Option<f64>> =
            [10.0, 11.0, 9.0, 10.5, 9.5, 100.0].into_iter().map(Some).collect();
        let z = robust_z(&values);
        // median 10.25, absolute deviations .25 .75 1.25 .25 .75 89.75: their median is .75
        assert!((z[5].unwrap() - 89.75 / (1.4826 * 0.75)).abs() < 1e-9);
        assert!(z[..5].iter().all(|z| z.unwrap().abs() < MOST_ROBUST_Z));
    }

    #[test]
    fn few_or_equal_values_have_no_outliers() {
        assert_eq!(robust_z(&[Some(1.0), Some(2.0), Some(90.0), None]), [None; 4]);
        let equal: Vec<Option<f64>> = vec![Some(0.0), Some(0.0), Some(0.0), Some(0.0), Some(7.0)];
        assert_eq!(robust_z(&equal), [None; 5]);
    }
}
