//! Normalisation of image values.

use deepmir_volume::{Mask, Volume, statistics};

use crate::plan::Normalisation;

/// Normalises an image in place and sets voxels outside the brain to zero; `None` if it has no contrast. `whole` holds
/// mean and standard deviation of the whole volume where the method needs them.
pub(super) fn normalise(
    image: &mut Volume<f32>,
    brain: &Mask,
    method: &Normalisation,
    whole: Option<(f64, f64)>,
) -> Option<()> {
    let (offset, scale, clip) = match *method {
        Normalisation::FixedScale { scale_ppm, clip } => (0.0, scale_ppm, clip),
        Normalisation::WholeVolume => {
            let (mean, deviation) = whole?;
            (mean as f32, deviation as f32, f32::INFINITY)
        }
        Normalisation::RobustBrain { clip } => {
            let mut inside: Vec<f32> = image
                .data()
                .iter()
                .zip(brain.data())
                .filter(|&(_, &inside)| inside)
                .map(|(&value, _)| value)
                .collect();
            let median = statistics::median(&mut inside)?;
            let low = statistics::quantile(&mut inside, 0.25)?;
            let high = statistics::quantile(&mut inside, 0.75)?;
            // The interquartile range of a normal distribution is 1.349 deviations.
            (median, (high - low) / 1.349, clip)
        }
    };
    if !(scale > 0.0 && scale.is_finite()) {
        return None;
    }
    let keep_outside = *method == Normalisation::WholeVolume;
    for (value, &inside) in image.data_mut().iter_mut().zip(brain.data()) {
        *value = if inside || keep_outside {
            ((*value - offset) / scale).clamp(-clip, clip)
        } else {
            0.0
        };
    }
    Some(())
}
