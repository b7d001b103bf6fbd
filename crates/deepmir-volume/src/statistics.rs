//! Numbers that sum up many voxels.

/// The `q`-quantile (0 to 1) with linear interpolation between order statistics; `None` without
/// values. Reorders `values`.
pub fn quantile(values: &mut [f32], q: f64) -> Option<f32> {
    if values.is_empty() {
        return None;
    }
    let place = q.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let (low, part) = (place.floor() as usize, (place - place.floor()) as f32);
    let (_, &mut at, above) = values.select_nth_unstable_by(low, f32::total_cmp);
    let next = above.iter().copied().min_by(f32::total_cmp).unwrap_or(at);
    Some(at + part * (next - at))
}

/// The median; `None` without values. Reorders `values`.
pub fn median(values: &mut [f32]) -> Option<f32> {
    quantile(values, 0.5)
}

/// The arithmetic mean, summed in double precision; `None` without values.
pub fn mean(values: impl IntoIterator<Item = f32>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_usize);
    for value in values {
        sum += f64::from(value);
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

/// Mean and (population) standard deviation; `None` without values.
pub fn mean_and_deviation(values: &[f32]) -> Option<(f64, f64)> {
    let mean = mean(values.iter().copied())?;
    let squares: f64 = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum();
    Some((mean, (squares / values.len() as f64).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        let mut values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.0];
        // numpy.quantile of the same, q = 0, .1, .5, .77, 1
        for (q, want) in [(0.0, 1.0), (0.1, 1.25), (0.5, 2.5), (0.77, 3.85), (1.0, 9.0)] {
            assert!((quantile(&mut values, q).unwrap() - want).abs() < 1e-6, "{q}");
        }
        assert_eq!(median(&mut []), None);
    }

    #[test]
    fn deviation_is_the_population_s() {
        let (mean, deviation) =
            mean_and_deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_eq!((mean, deviation), (5.0, 2.0));
    }
}
