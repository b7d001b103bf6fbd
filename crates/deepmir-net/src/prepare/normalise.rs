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
        Normalisation::ZScoreBrain { clip } => {
            let (mean, deviation) = statistics::mean_and_deviation(&inside(image, brain))?;
            (mean as f32, deviation as f32, clip)
        }
        Normalisation::RobustBrain { clip } => {
            let mut inside = inside(image, brain);
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

fn inside(image: &Volume<f32>, brain: &Mask) -> Vec<f32> {
    let both = image.data().iter().zip(brain.data());
    both.filter(|&(_, &inside)| inside).map(|(&value, _)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid};

    #[test]
    fn the_brain_has_mean_0_and_deviation_1_and_nothing_is_outside() {
        let grid = Grid::new([5, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        let brain = Volume::from_fn(grid, |[x, ..]| x < 4);
        let mut image = Volume::from_fn(grid, |[x, ..]| [1.0, 1.0, 3.0, 3.0, 70.0][x]);
        normalise(&mut image, &brain, &Normalisation::ZScoreBrain { clip: 8.0 }, None).unwrap();
        assert_eq!(image.data(), [-1.0, -1.0, 1.0, 1.0, 0.0]);
    }
}
