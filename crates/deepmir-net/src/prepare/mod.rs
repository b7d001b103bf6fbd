//! Preprocessing: from a subject's images to the network's input.

mod labels;
mod normalise;

use deepmir_cases::{Case, CaseError, Modality};
use deepmir_detect::CandidateImages;
use deepmir_lesion::LabelMap;
use deepmir_volume::{
    BoundingBox, Grid, Interpolation, Mask, Volume, resample_labels, resample_to_spacing,
    statistics,
};

use crate::NetError;
use crate::placement::Placement;
use crate::plan::{Normalisation, Plan};
use labels::{known_where_labelled, labels_on};
use normalise::normalise;

/// Margin around the brain in millimetres, so that convolutions at its edge see what surrounds it.
const MARGIN_MM: f64 = 6.0;
/// A brain mask that is longer, with the margin, holds more than a head with its neck: the sizes or the mask are wrong.
const LONGEST_MM: f64 = 400.0;
/// Voxel sizes that differ by a smaller share are not resampled.
const SAME_SPACING: f64 = 0.05;

/// A subject preprocessed for the network: oriented to RAS, cropped to the brain, resampled to the plan's voxel size,
/// normalised.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The subject's name.
    pub id: String,
    /// An image for each of the plan's inputs; zero outside the brain.
    pub images: Vec<Volume<f32>>,
    /// Missing modalities: optional inputs of the plan that were not given. Their images are zero throughout.
    pub missing: Vec<Modality>,
    /// The brain mask.
    pub brain: Mask,
    /// The true label map, where there is one, without classes that the plan does not predict.
    pub truth: Option<LabelMap>,
    /// Where nobody knows whether there is a lesion, where that is said; no labelled voxel.
    pub unknown: Option<Mask>,
    /// The way back to the subject's own grid.
    pub placement: Placement,
}

impl Prepared {
    /// Prepares a subject as a plan says.
    ///
    /// # Errors
    /// A missing image, an empty brain mask, or an image that is the same everywhere.
    pub fn new(case: &Case, plan: &Plan) -> Result<Self, NetError> {
        let orientation = case.orientation();
        let brain = orientation.to_ras(&case.brain);
        let ras = *brain.grid();
        let Cut { part, spacing, target } = Cut::around(&brain, plan, &case.id)?;

        let brain = resample_labels(&brain.crop(&part), &target, false);
        let mut images = Vec::with_capacity(plan.inputs.len());
        let mut missing = Vec::new();
        for (&modality, normalisation) in plan.inputs.iter().zip(&plan.normalisation) {
            let image = match case.images.get(&modality) {
                Some(image) => image,
                None if plan.optional.contains(&modality) => {
                    missing.push(modality);
                    images.push(Volume::filled(target, 0.0));
                    continue;
                }
                None => {
                    return Err(CaseError::MissingModality { id: case.id.clone(), modality }.into());
                }
            };
            // The paper's statistics are the whole volume's, background and all.
            let whole = (*normalisation == Normalisation::WholeVolume)
                .then(|| statistics::mean_and_deviation(image.data()))
                .flatten();
            let own = orientation.to_ras(image).crop(&part);
            let mut image = match spacing {
                Some(spacing) => {
                    let mut image =
                        resample_to_spacing(&own, spacing, Interpolation::CubicBSpline)?;
                    if modality == Modality::Qsm {
                        clear_unmapped(&mut image, &own);
                    }
                    image
                }
                None => own,
            };
            normalise(&mut image, &brain, normalisation, whole)
                .ok_or_else(|| NetError::FlatImage { id: case.id.clone(), modality })?;
            images.push(image);
        }
        let truth = case.truth.as_ref().map(|truth| {
            let labels = orientation.to_ras(truth.volume()).crop(&part);
            labels_on(&labels, &target, &plan.classes)
        });
        let unknown = case.unknown.as_ref().map(|unknown| {
            let unknown = orientation.to_ras(unknown).crop(&part);
            known_where_labelled(resample_labels(&unknown, &target, false), truth.as_ref())
        });
        let placement = Placement { orientation, ras, part, resampled: spacing.is_some() };
        let id = case.id.clone();
        Ok(Self { id, images, missing, brain, truth, unknown, placement })
    }

    /// The same subject with some modalities missing. `plan` is the one that it was prepared by.
    #[must_use]
    pub fn without(mut self, left_out: &[Modality], plan: &Plan) -> Self {
        for (modality, image) in plan.inputs.iter().zip(&mut self.images) {
            if left_out.contains(modality) && !self.missing.contains(modality) {
                image.data_mut().fill(0.0);
                self.missing.push(*modality);
            }
        }
        self
    }

    /// The images that candidates are measured in. `plan` is the one that the subject was prepared by.
    pub fn candidate_images(&self, plan: &Plan) -> CandidateImages<'_> {
        let image = |modality: Modality| {
            let place = plan.inputs.iter().position(|&input| input == modality)?;
            (!self.missing.contains(&modality)).then(|| &self.images[place])
        };
        let [swi, qsm, t2w] = [Modality::Swi, Modality::Qsm, Modality::T2w].map(image);
        let images = CandidateImages::new(&self.brain, swi, qsm, t2w);
        match plan.qsm_scale_ppm() {
            Some(scale_ppm) => images.with_qsm_scale_ppm(scale_ppm),
            None => images,
        }
    }

    /// The grid that a subject's images come to when they are prepared: for the memory that takes.
    ///
    /// # Errors
    /// An empty brain mask, or one larger than a head.
    pub fn grid_of(case: &Case, plan: &Plan) -> Result<Grid, NetError> {
        let brain = case.orientation().to_ras(&case.brain);
        Ok(Cut::around(&brain, plan, &case.id)?.target)
    }

    /// Whether nobody knows if a voxel is a lesion, voxel by voxel; empty if nothing is unknown.
    pub(crate) fn unknown_voxels(&self) -> &[bool] {
        self.unknown.as_ref().map_or(&[], |unknown| unknown.data())
    }

    /// The grid of the prepared images.
    pub fn grid(&self) -> &Grid {
        self.brain.grid()
    }
}

/// What is cut out of a subject's images, in RAS order.
struct Cut {
    part: BoundingBox,
    /// The plan's voxel size, if the part is resampled to it.
    spacing: Option<[f64; 3]>,
    /// The grid it comes to.
    target: Grid,
}

impl Cut {
    fn around(brain: &Mask, plan: &Plan, id: &str) -> Result<Self, NetError> {
        let Some(tight) = BoundingBox::around(brain) else {
            return Err(NetError::NoBrain { id: id.to_owned() });
        };
        let ras = brain.grid();
        let margin = ras.voxel_sizes_mm().map(|size| (MARGIN_MM / size).ceil() as usize);
        let part = tight.grown(margin, ras);
        let part_grid = part.grid_of(ras);
        let (sizes, shape) = (part_grid.voxel_sizes_mm(), part_grid.shape());
        let extent_mm: [f64; 3] = std::array::from_fn(|axis| sizes[axis] * shape[axis] as f64);
        if extent_mm.iter().any(|&side| side > LONGEST_MM) {
            return Err(NetError::NoHead { id: id.to_owned(), extent_mm });
        }
        let spacing = plan.voxel_mm.filter(|target| differ(*target, sizes));
        let target = spacing.map_or(Ok(part_grid), |spacing| part_grid.with_spacing(spacing))?;
        Ok(Self { part, spacing, target })
    }
}

/// Sets a resampled susceptibility map to zero where the original is zero, which means unmapped: spline interpolation
/// rings at that edge.
fn clear_unmapped(resampled: &mut Volume<f32>, own: &Volume<f32>) {
    let mapped = resample_labels(&own.map(|&chi| chi != 0.0), resampled.grid(), false);
    for (value, &mapped) in resampled.data_mut().iter_mut().zip(mapped.data()) {
        *value = if mapped { *value } else { 0.0 };
    }
}

fn differ(target: [f64; 3], own: [f64; 3]) -> bool {
    (0..3).any(|axis| (target[axis] / own[axis] - 1.0).abs() > SAME_SPACING)
}

#[cfg(test)]
pub(crate) mod tests;
