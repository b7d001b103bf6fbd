//! The scale of intensities that the network sees.

/// Largest magnitude after [`normalise`].
pub const LIMIT: f32 = 5.0;

/// Brings an image of any unit to a common scale, from the image alone: `(value - median) / ((p95 - p5) / 2)`,
/// limited to ±[`LIMIT`], where the three are taken over the foreground: the voxels whose magnitude is more
/// than a tenth of the 99th percentile of the magnitudes that are not zero. Air, noisy or zero, and what is
/// outside the field or a mask so hardly count, and for signed images (susceptibility maps) foreground is what
/// differs from zero. All zeros get one value, as has any other intensity. Values that are not finite are taken
/// as zero. An image without contrast becomes 0.
pub fn normalise(image: &mut [f32]) {
    let mut magnitudes = Vec::with_capacity(image.len());
    for value in image.iter_mut() {
        if !value.is_finite() {
            *value = 0.0;
        }
        if *value != 0.0 {
            magnitudes.push(value.abs());
        }
    }
    let least = 0.1 * percentile(&mut magnitudes, 0.99);
    let mut foreground: Vec<f32> =
        image.iter().copied().filter(|value| value.abs() > least).collect();
    let median = percentile(&mut foreground, 0.5);
    let mut half = (percentile(&mut foreground, 0.95) - percentile(&mut foreground, 0.05)) / 2.0;
    if half <= 1e-4 * median.abs() {
        half = median.abs();
    }
    if half > 0.0 && half.is_finite() {
        image.iter_mut().for_each(|value| {
            *value = ((*value - median) / half).clamp(-LIMIT, LIMIT);
        });
    } else {
        image.fill(0.0);
    }
}

/// The value below which a part of the values lies; 0 of none.
fn percentile(values: &mut [f32], part: f64) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let place = ((values.len() - 1) as f64 * part).round() as usize;
    *values.select_nth_unstable_by(place, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(air: f32, tissue: impl Fn(usize) -> f32) -> Vec<f32> {
        (0..4000).map(|n| if n < 2000 { air * (n % 7) as f32 } else { tissue(n) }).collect()
    }

    #[test]
    fn the_unit_and_the_air_do_not_matter() {
        let tissue = |n: usize| 100.0 + (n % 101) as f32;
        let mut zero_air = image(0.0, tissue);
        let mut noisy_air = image(0.8, tissue);
        let mut other_unit = image(0.0, |n| 0.003 * tissue(n));
        [&mut zero_air, &mut noisy_air, &mut other_unit].into_iter().for_each(|it| normalise(it));
        for n in 2000..4000 {
            assert!((zero_air[n] - other_unit[n]).abs() < 1e-3);
            assert!((zero_air[n] - noisy_air[n]).abs() < 1e-3);
        }
        // 105 to 195 are the percentiles.
        assert!((zero_air[2000] - (tissue(2000) - 150.0) / 45.0).abs() < 0.1);
        assert!(zero_air[..2000].iter().all(|&value| value == zero_air[0]));
    }

    #[test]
    fn signed_images_keep_zero_near_the_middle_and_nonsense_is_no_harm() {
        let mut signed = image(0.0, |n| (n % 101) as f32 - 50.0);
        normalise(&mut signed);
        assert!(signed[0].abs() < 0.15, "{}", signed[0]);
        let mut empty = vec![0.0; 10];
        normalise(&mut empty);
        assert_eq!(empty, [0.0; 10]);
        normalise(&mut []);
        let mut broken = image(0.0, |n| n as f32);
        broken[3000] = f32::NAN;
        broken[3001] = f32::INFINITY;
        normalise(&mut broken);
        assert!(broken.iter().all(|value| value.abs() <= LIMIT));
        assert_eq!(broken[3000], broken[0]);
        let mut flat = image(0.0, |_| 7.0);
        normalise(&mut flat);
        assert_eq!((flat[0], flat[3000]), (-1.0, 0.0));
    }
}
