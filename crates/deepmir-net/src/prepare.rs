//! From a subject's images to the network's input, and from its output back.

use deepmir_lesion::{LabelMap, LesionClass, lesions_of};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{
    BoundingBox, Grid, Interpolation, Mask, Orientation, Volume, resample, resample_labels,
    resample_to_spacing, statistics,
};

use crate::plan::{Normalisation, Plan};
use crate::{Case, NetError};

/// Room around the brain, in millimetres, so that convolutions at its edge see what they would see
/// inside a larger image.
const MARGIN_MM: f64 = 6.0;
/// Voxel sizes that differ by less are left alone.
const SAME_SPACING: f64 = 0.05;

/// A subject ready for the network: RAS, cut to the brain, at the plan's voxel size, normalised.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Its name.
    pub id: String,
    /// An image for each of the plan's inputs; zero outside the brain.
    pub images: Vec<Volume<f32>>,
    /// The brain.
    pub brain: Mask,
    /// The true label map, where there is one, without classes that the plan does not tell.
    pub truth: Option<LabelMap>,
    /// The way back.
    pub placement: Placement,
}

/// Where a prepared volume belongs in the subject's own grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    orientation: Orientation,
    /// The whole image in RAS.
    ras: Grid,
    /// The part around the brain.
    part: BoundingBox,
    /// Whether the part was resampled.
    resampled: bool,
}

impl Prepared {
    /// Follows a plan.
    ///
    /// # Errors
    /// An empty brain mask, or an image that is the same everywhere.
    pub fn new(case: &Case, plan: &Plan) -> Result<Self, NetError> {
        let orientation = case.orientation();
        let brain = orientation.to_ras(&case.brain);
        let Some(tight) = BoundingBox::around(&brain) else {
            return Err(NetError::NoBrain { id: case.id.clone() });
        };
        let ras = *brain.grid();
        let margin = ras.voxel_sizes_mm().map(|size| (MARGIN_MM / size).ceil() as usize);
        let part = tight.grown(margin, &ras);
        let part_grid = part.grid_of(&ras);
        let spacing = plan.voxel_mm.filter(|target| differ(*target, part_grid.voxel_sizes_mm()));
        let target = spacing.map_or(Ok(part_grid), |spacing| part_grid.with_spacing(spacing))?;

        let brain = resample_labels(&brain.crop(&part), &target, false);
        let mut images = Vec::with_capacity(plan.inputs.len());
        for (&modality, normalisation) in plan.inputs.iter().zip(&plan.normalisation) {
            let image = case
                .images
                .get(&modality)
                .ok_or_else(|| NetError::MissingModality { id: case.id.clone(), modality })?;
            // The paper's statistics are the whole volume's, background and all.
            let whole = (*normalisation == Normalisation::WholeVolume)
                .then(|| statistics::mean_and_deviation(image.data()))
                .flatten();
            let image = orientation.to_ras(image).crop(&part);
            let mut image = match spacing {
                Some(spacing) => resample_to_spacing(&image, spacing, Interpolation::CubicBSpline)?,
                None => image,
            };
            normalise(&mut image, &brain, normalisation, whole)
                .ok_or_else(|| NetError::FlatImage { id: case.id.clone(), modality })?;
            images.push(image);
        }
        let truth = case.truth.as_ref().map(|truth| {
            let labels = orientation.to_ras(truth.volume()).crop(&part);
            labels_on(&labels, &target, &plan.classes)
        });
        let placement = Placement { orientation, ras, part, resampled: spacing.is_some() };
        Ok(Self { id: case.id.clone(), images, brain, truth, placement })
    }

    /// The grid of the prepared images.
    pub fn grid(&self) -> &Grid {
        self.brain.grid()
    }
}

impl Placement {
    /// A map on the prepared grid brought back to the subject's own grid and orientation; zero
    /// where the network did not look.
    pub fn restore(&self, map: &Volume<f32>) -> Volume<f32> {
        let part_grid = self.part.grid_of(&self.ras);
        let mut whole = Volume::filled(self.ras, 0.0);
        if self.resampled {
            whole.paste(&resample(map, &part_grid, Interpolation::Linear, 0.0), &self.part);
        } else {
            whole.paste(map, &self.part);
        }
        self.orientation.from_ras(&whole)
    }
}

fn differ(target: [f64; 3], own: [f64; 3]) -> bool {
    (0..3).any(|axis| (target[axis] / own[axis] - 1.0).abs() > SAME_SPACING)
}

/// Normalises in place and clears what is not brain; `None` if the image has no contrast.
fn normalise(
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

/// Labels on another grid. Each voxel takes the nearest one's label; a lesion too small to be
/// nearest to any voxel keeps the one at its centre.
fn labels_on(labels: &Volume<u8>, target: &Grid, classes: &[LesionClass]) -> LabelMap {
    let mut wanted = LabelMap::empty(*labels.grid());
    for class in classes {
        let voxels: Vec<usize> =
            (0..labels.data().len()).filter(|&n| labels.data()[n] == class.label()).collect();
        wanted.paint(&voxels, *class);
    }
    if target == labels.grid() {
        return wanted;
    }
    let moved = resample_labels(wanted.volume(), target, 0);
    let mut on_target = LabelMap::empty(*target);
    for class in classes {
        let voxels: Vec<usize> =
            (0..moved.data().len()).filter(|&n| moved.data()[n] == class.label()).collect();
        on_target.paint(&voxels, *class);
    }
    let to_index = target.affine().inverse();
    for lesion in lesions_of(&wanted, Connectivity::TwentySix) {
        let at = to_index.apply(lesion.centre_mm).map(|index| index.round());
        let inside = (0..3).all(|axis| at[axis] >= 0.0 && at[axis] < target.shape()[axis] as f64);
        if inside {
            let index = target.index(at.map(|index| index as usize));
            if on_target.class_at(index).is_none() {
                on_target.paint(&[index], lesion.class);
            }
        }
    }
    on_target
}
