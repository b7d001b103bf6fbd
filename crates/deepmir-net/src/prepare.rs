//! From a subject's images to the network's input.

use deepmir_detect::CandidateImages;
use deepmir_lesion::{LabelMap, LesionClass, lesions_of};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{
    BoundingBox, Grid, Interpolation, Mask, Volume, resample_labels, resample_to_spacing,
    statistics,
};

use crate::NetError;
use crate::placement::{Placement, numbers_on, voxels_of};
use crate::plan::{Normalisation, Plan};
use deepmir_cases::{Case, CaseError, Modality};

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
    /// The plan's optional inputs that were not given; their images are zero throughout.
    pub missing: Vec<Modality>,
    /// The brain.
    pub brain: Mask,
    /// The true label map, where there is one, without classes that the plan does not predict.
    pub truth: Option<LabelMap>,
    /// The way back.
    pub placement: Placement,
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
        let placement = Placement { orientation, ras, part, resampled: spacing.is_some() };
        Ok(Self { id: case.id.clone(), images, missing, brain, truth, placement })
    }

    /// As if these inputs had not been given. `plan` is the one that was followed.
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

    /// The images that candidates are measured in. `plan` is the one that was followed.
    pub fn candidate_images(&self, plan: &Plan) -> CandidateImages<'_> {
        let image = |modality: Modality| {
            let place = plan.inputs.iter().position(|&input| input == modality)?;
            (!self.missing.contains(&modality)).then(|| &self.images[place])
        };
        let [swi, qsm, t2w] = [Modality::Swi, Modality::Qsm, Modality::T2w].map(image);
        CandidateImages::new(&self.brain, swi, qsm, t2w)
    }

    /// The grid of the prepared images.
    pub fn grid(&self) -> &Grid {
        self.brain.grid()
    }
}

/// Zero is where a susceptibility map says nothing; interpolation would ripple there.
fn clear_unmapped(resampled: &mut Volume<f32>, own: &Volume<f32>) {
    let mapped = resample_labels(&own.map(|&chi| chi != 0.0), resampled.grid(), false);
    for (value, &mapped) in resampled.data_mut().iter_mut().zip(mapped.data()) {
        *value = if mapped { *value } else { 0.0 };
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

/// Labels on another grid, of the classes that are wanted. Each voxel takes the nearest one's
/// label; a lesion too small to be nearest to any voxel keeps the one at its centre.
fn labels_on(labels: &Volume<u8>, target: &Grid, classes: &[LesionClass]) -> LabelMap {
    let mut wanted = LabelMap::empty(*labels.grid());
    for &class in classes {
        let voxels = (0..labels.data().len()).filter(|&n| labels.data()[n] == class.label());
        wanted.paint(&voxels.collect::<Vec<_>>(), class);
    }
    if target == labels.grid() {
        return wanted;
    }
    let lesions = lesions_of(&wanted, Connectivity::TwentySix);
    let numbers = numbers_on(&lesions.iter().collect::<Vec<_>>(), wanted.grid(), target);
    let mut on_target = LabelMap::empty(*target);
    for (lesion, voxels) in lesions.iter().zip(voxels_of(&numbers, lesions.len())) {
        on_target.paint(&voxels, lesion.class);
    }
    on_target
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::preset;
    use deepmir_lesion::Lesion;
    use deepmir_volume::{Affine, Orientation, nifti};

    /// A ball-shaped brain with one lesion of each class, prepared by a plan, and the case.
    pub(crate) fn prepared_subject(plan: &Plan) -> (Prepared, Case) {
        let affine = Affine::from_rows([
            [0.0, -0.75, 0.0, 30.0],
            [-0.75, 0.0, 0.0, 40.0],
            [0.0, 0.0, 1.5, -20.0],
            [0.0, 0.0, 0.0, 1.0],
        ]);
        let grid = Grid::new([64, 72, 24], affine.unwrap()).unwrap();
        let centre = grid.position_mm([32, 36, 12]);
        let apart = |voxel, from: [f64; 3]| {
            let place: [f64; 3] = grid.position_mm(voxel);
            (0..3).map(|axis| (place[axis] - from[axis]).powi(2)).sum::<f64>().sqrt()
        };
        let brain = Volume::from_fn(grid, |voxel| apart(voxel, centre) < 15.0);
        let mut truth = LabelMap::empty(grid);
        for (class, offset) in
            [(LesionClass::Cmb, [6.0, 2.0, 3.0]), (LesionClass::Nhid, [-7.0, 0.0, -3.0])]
        {
            let at = std::array::from_fn(|axis| centre[axis] + offset[axis]);
            let voxels: Vec<usize> =
                (0..grid.len()).filter(|&index| apart(grid.voxel(index), at) < 2.5).collect();
            truth.paint(&voxels, class);
        }
        let image = |inside: f32, lesion: f32| {
            let mut state = 7_u32;
            let value = |(&brain, &label): (&bool, &u8)| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
                match (brain, label) {
                    (false, _) => 0.0,
                    (true, 0) => inside + 0.1 * noise,
                    (true, _) => lesion + 0.1 * noise,
                }
            };
            let data = brain.data().iter().zip(truth.volume().data()).map(value).collect();
            Volume::new(grid, data).unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nii");
        nifti::write(&path, &brain, None).unwrap();
        let case = Case {
            id: "sub-ball".to_owned(),
            header: nifti::read_header(&path).unwrap(),
            images: BTreeMap::from([
                (Modality::Swi, image(1.0, 0.2)),
                (Modality::Qsm, image(0.05, 0.4)),
                (Modality::T2w, image(1.0, 0.6)),
            ]),
            brain,
            truth: Some(truth),
        };
        (Prepared::new(&case, plan).unwrap(), case)
    }

    #[test]
    fn prepared_images_are_ras_tight_and_normalised() {
        let (prepared, case) = prepared_subject(&preset::deepmir().plan);
        assert!(Orientation::of(prepared.grid().affine()).is_ras());
        assert!(prepared.grid().len() < case.grid().len());
        let inside = |image: &Volume<f32>| -> Vec<f32> {
            let voxels = image.data().iter().zip(prepared.brain.data());
            voxels.filter(|&(_, &inside)| inside).map(|(&value, _)| value).collect()
        };
        let median = |image| statistics::median(&mut inside(image)).unwrap();
        assert!(median(&prepared.images[0]).abs() < 1e-6);
        // 0.05 ppm over a scale of 0.1.
        assert!((median(&prepared.images[1]) - 0.5).abs() < 0.1);
        let outside = prepared.images[0].data().iter().zip(prepared.brain.data());
        assert!(outside.filter(|&(_, &inside)| !inside).all(|(&value, _)| value == 0.0));
    }

    #[test]
    fn a_map_comes_back_to_its_place_at_any_voxel_size() {
        for voxel_mm in [None, Some([0.75, 0.75, 1.5]), Some([1.0, 1.0, 1.0])] {
            let plan = Plan { voxel_mm, ..preset::deepmir().plan };
            let (prepared, case) = prepared_subject(&plan);
            let labels = prepared.truth.as_ref().unwrap().volume();
            let back = prepared.placement.restore(&labels.map(|&label| f32::from(label > 0)));
            let truth = case.truth.as_ref().unwrap().volume();
            assert_eq!(back.grid(), truth.grid());
            let (mut shared, mut either) = (0, 0);
            for (&map, &label) in back.data().iter().zip(truth.data()) {
                shared += usize::from(map >= 0.5 && label > 0);
                either += usize::from(map >= 0.5 || label > 0);
            }
            let iou = shared as f64 / either as f64;
            let least = if voxel_mm == Some([1.0; 3]) { 0.6 } else { 1.0 };
            assert!(iou >= least, "{voxel_mm:?}: {iou}");
        }
    }

    #[test]
    fn regions_come_back_with_their_voxels_at_any_voxel_size() {
        for voxel_mm in [None, Some([0.75, 0.75, 1.5]), Some([1.0, 1.0, 1.0])] {
            let plan = Plan { voxel_mm, ..preset::deepmir().plan };
            let (prepared, case) = prepared_subject(&plan);
            let truth = case.truth.as_ref().unwrap();
            let found = lesions_of(prepared.truth.as_ref().unwrap(), Connectivity::TwentySix);
            let regions: Vec<&Lesion> = found.iter().collect();
            let back = prepared.placement.restore_regions(&regions, prepared.grid());
            assert_eq!(back.len(), 2);
            for (lesion, voxels) in found.iter().zip(&back) {
                let shared = voxels.iter().filter(|&&v| truth.class_at(v) == Some(lesion.class));
                let dice = 2.0 * shared.count() as f64
                    / (voxels.len() + truth.count_of(lesion.class)) as f64;
                assert!(
                    dice > if voxel_mm.is_none() { 0.999 } else { 0.9 },
                    "{voxel_mm:?}: {dice}"
                );
            }
        }
    }

    #[test]
    fn an_optional_image_that_is_not_there_is_zero_and_one_that_is_needed_an_error() {
        let mut plan = preset::deepmir().plan;
        let (whole, mut case) = prepared_subject(&plan);
        case.images.remove(&Modality::T2w);
        let error = Prepared::new(&case, &plan).unwrap_err().to_string();
        assert!(error.contains("T2w"), "{error}");
        plan.optional = vec![Modality::T2w];
        let without = Prepared::new(&case, &plan).unwrap();
        assert_eq!(without.missing, [Modality::T2w]);
        assert!(without.images[2].data().iter().all(|&value| value == 0.0));
        let left_out = whole.without(&[Modality::T2w], &plan);
        assert_eq!((left_out.missing, left_out.images), (without.missing, without.images));
    }

    #[test]
    fn a_susceptibility_map_ends_where_it_ended_at_any_voxel_size() {
        let mut plan = preset::deepmir().plan;
        let (_, mut case) = prepared_subject(&plan);
        let chi = case.images.get_mut(&Modality::Qsm).unwrap();
        let grid = *chi.grid();
        let half = |at_mm: [f64; 3]| at_mm[0] < grid.position_mm([32, 36, 12])[0];
        for index in (0..grid.len()).filter(|&index| half(grid.position_mm(grid.voxel(index)))) {
            chi.data_mut()[index] = 0.0;
        }
        for voxel_mm in [None, Some([0.6, 0.6, 2.0])] {
            plan.voxel_mm = voxel_mm;
            let prepared = Prepared::new(&case, &plan).unwrap();
            let (mut wrong, mut inside) = (0, 0);
            for (index, _) in prepared.brain.data().iter().enumerate().filter(|(_, brain)| **brain)
            {
                let zero = prepared.images[1].data()[index] == 0.0;
                let at_mm = prepared.grid().position_mm(prepared.grid().voxel(index));
                wrong += usize::from(zero != half(at_mm));
                inside += 1;
            }
            // Half of a column of voxels at the border, of fifty.
            assert!(wrong * 50 < inside, "{voxel_mm:?}: {wrong} of {inside}");
        }
    }

    #[test]
    fn a_lesion_smaller_than_the_voxels_is_not_lost() {
        let plan = Plan { voxel_mm: Some([6.0; 3]), ..preset::deepmir().plan };
        let (prepared, _) = prepared_subject(&plan);
        let truth = prepared.truth.unwrap();
        assert!(truth.count_of(LesionClass::Cmb) > 0 && truth.count_of(LesionClass::Nhid) > 0);
    }

    #[test]
    fn classes_that_the_plan_does_not_tell_are_background() {
        let preset = preset::deepmir().with(&[Modality::Qsm], &[LesionClass::Nhid]);
        let (prepared, _) = prepared_subject(&preset.plan);
        let truth = prepared.truth.unwrap();
        assert_eq!(truth.count_of(LesionClass::Cmb), 0);
        assert!(truth.count_of(LesionClass::Nhid) > 0);
    }
}
