//! On a ball-shaped brain with one lesion of each class.

use std::collections::BTreeMap;

use super::*;
use crate::preset;
use deepmir_lesion::{Lesion, LesionClass, lesions_of};
use deepmir_volume::components::Connectivity;
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
        contrast: deepmir_cases::Contrast::Swi,
        brain_source: deepmir_cases::BrainSource::Given,
        truth: Some(truth),
        unknown: None,
        warnings: Vec::new(),
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
            let dice =
                2.0 * shared.count() as f64 / (voxels.len() + truth.count_of(lesion.class)) as f64;
            assert!(dice > if voxel_mm.is_none() { 0.999 } else { 0.9 }, "{voxel_mm:?}: {dice}");
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
        for (index, _) in prepared.brain.data().iter().enumerate().filter(|(_, brain)| **brain) {
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
fn classes_that_the_plan_does_not_predict_are_background() {
    let preset = preset::deepmir().with(&[Modality::Qsm], &[LesionClass::Nhid]);
    let (prepared, _) = prepared_subject(&preset.plan);
    let truth = prepared.truth.unwrap();
    assert_eq!(truth.count_of(LesionClass::Cmb), 0);
    assert!(truth.count_of(LesionClass::Nhid) > 0);
}

#[test]
fn unknown_places_are_prepared_as_the_truth_and_no_label_is_unknown() {
    for voxel_mm in [Some([0.75, 0.75, 1.5]), Some([1.0; 3])] {
        let plan = Plan { voxel_mm, ..preset::deepmir().plan };
        let (prepared, mut case) = prepared_subject(&plan);
        assert!(prepared.unknown.is_none());
        // The ball of 6 mm around the CMB.
        let grid = *case.grid();
        let lesions = lesions_of(case.truth.as_ref().unwrap(), Connectivity::TwentySix);
        let near = |place: [f64; 3]| {
            (0..3).map(|axis| (place[axis] - lesions[0].centre_mm[axis]).powi(2)).sum::<f64>()
                < 36.0
        };
        case.unknown = Some(Volume::from_fn(grid, |voxel| near(grid.position_mm(voxel))));
        let prepared = Prepared::new(&case, &plan).unwrap();
        let (unknown, truth) = (prepared.unknown.unwrap(), prepared.truth.unwrap());
        let grid = *truth.grid();
        let (mut both, mut either) = (0, 0);
        for (index, &found) in unknown.data().iter().enumerate() {
            assert!(!found || truth.class_at(index).is_none());
            let wanted =
                near(grid.position_mm(grid.voxel(index))) && truth.class_at(index).is_none();
            both += usize::from(found && wanted);
            either += usize::from(found || wanted);
        }
        assert!(both > 300 && both as f64 > 0.85 * either as f64, "{both} of {either}");
    }
}
