//! A head drawn from the template, turned, shrunk and moved: its places must be found again.

use deepmir_lesion::Region;
use deepmir_volume::Affine;

use super::*;
use crate::template::Part;

/// From the template's millimetres to the head's: turned by 12° about z and −8° about x, 8 % smaller,
/// wider than long, and moved.
fn to_head() -> Affine {
    let ((sz, cz), (sx, cx)) = (12_f64.to_radians().sin_cos(), (-8_f64).to_radians().sin_cos());
    let (wide, long, high) = (0.95, 0.9, 0.92);
    Affine::from_rows([
        [wide * cz, -long * sz, 0.0, 9.0],
        [wide * cx * sz, long * cx * cz, -high * sx, -14.0],
        [wide * sx * sz, long * sx * cz, high * cx, 22.0],
        [0.0, 0.0, 0.0, 1.0],
    ])
    .unwrap()
}

/// The tissue of a place in the template: hemispheres are white with 5 mm of cortex.
fn tissue_at(place: [f64; 3]) -> Tissue {
    let filled = |part: Part| part.occupancy(place) >= 0.5;
    let cerebrum = |at: [f64; 3]| {
        Part::LeftCerebrum.occupancy(at).max(Part::RightCerebrum.occupancy(at)) >= 0.5
    };
    let nuclei = [
        (Part::Ventricles, Tissue::Ventricle),
        (Part::Pallidum, Tissue::Pallidum),
        (Part::Thalamus, Tissue::Thalamus),
        (Part::Hippocampus, Tissue::Hippocampus),
        (Part::Brainstem, Tissue::Brainstem),
        (Part::Cerebellum, Tissue::CerebellarCortex),
    ];
    if let Some((_, tissue)) = nuclei.into_iter().find(|&(part, _)| filled(part)) {
        return tissue;
    }
    if filled(Part::Striatum) {
        // Putamen and caudate are parted by the capsule.
        return if place[0].abs() > 18.0 && place[2] < 14.0 {
            Tissue::Putamen
        } else {
            Tissue::Caudate
        };
    }
    if !cerebrum(place) {
        return Tissue::Background;
    }
    let insular = (36.0..40.0).contains(&place[0].abs())
        && (-16.0..22.0).contains(&place[1])
        && (-10.0..14.0).contains(&place[2]);
    let around = [[5.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 5.0]];
    let outer = around.iter().any(|step| {
        [1.0, -1.0].iter().any(|sign| {
            let beside: [f64; 3] = std::array::from_fn(|axis| place[axis] + sign * step[axis]);
            beside[0] * place[0] > 0.0 && !cerebrum(beside)
        })
    });
    if insular || outer { Tissue::Cortex } else { Tissue::WhiteMatter }
}

fn drawn_head() -> (Volume<u8>, Volume<u8>) {
    let grid =
        Grid::new([84, 104, 92], Affine::from_spacing([2.0; 3], [-74.0, -132.0, -66.0])).unwrap();
    let to_template = to_head().inverse();
    let place = |voxel| to_template.apply(grid.position_mm(voxel));
    let tissue = Volume::from_fn(grid, |voxel| tissue_at(place(voxel)) as u8);
    let side = Volume::from_fn(grid, |voxel| if place(voxel)[0] < 0.0 { 1 } else { 2 });
    (tissue, side)
}

#[test]
fn places_of_a_turned_and_shrunk_head_are_found_again() {
    use MarsRegion::{
        BasalGanglia, Brainstem, Cerebellum, CorpusCallosum, DeepWhiteMatter, ExternalCapsule,
        Frontal, Insula, InternalCapsule, Occipital, Parietal, Temporal, Thalamus,
    };
    let (tissue, side) = drawn_head();
    let regions = Regions::of(&tissue, &side).unwrap();
    let places = [
        ([12.0, 40.0, 45.0], Frontal),
        ([48.0, 20.0, 15.0], Frontal),
        ([37.0, -13.0, 58.0], Frontal),
        ([42.0, -34.0, 52.0], Parietal),
        ([48.0, -50.0, 42.0], Parietal),
        ([40.0, 10.0, -32.0], Temporal),
        ([58.0, -25.0, -5.0], Temporal),
        ([27.0, -18.0, -17.0], Temporal),
        ([14.0, -84.0, 14.0], Occipital),
        ([20.0, -96.0, 2.0], Occipital),
        ([38.0, 4.0, 2.0], Insula),
        ([28.0, 2.0, 0.0], BasalGanglia),
        ([20.0, -4.0, -1.0], BasalGanglia),
        ([13.0, 14.0, 6.0], BasalGanglia),
        ([12.0, -18.0, 6.0], Thalamus),
        ([23.0, -12.0, 7.0], InternalCapsule),
        ([34.4, 1.0, 1.0], ExternalCapsule),
        ([5.0, -5.0, 27.0], CorpusCallosum),
        ([30.0, -36.0, 22.0], DeepWhiteMatter),
        ([8.0, -28.0, -34.0], Brainstem),
        ([25.0, -62.0, -38.0], Cerebellum),
    ];
    for ([x, y, z], mars) in places {
        for (mirrored, expected) in [(-x, Side::Left), (x, Side::Right)] {
            let place = regions.place(to_head().apply([mirrored, y, z])).unwrap();
            assert_eq!(place.mars, mars, "at {:?}", [mirrored, y, z]);
            let side = (mars != Brainstem).then_some(expected);
            assert_eq!(place.side, side, "side at {:?}", [mirrored, y, z]);
            if mars.region() == Region::Lobar {
                assert_eq!(place.lobe.map(Lobe::mars), Some(mars));
            }
        }
    }
    let deep = regions.place(to_head().apply([-16.0, 34.0, 8.0])).unwrap();
    assert_eq!((deep.mars, deep.lobe), (DeepWhiteMatter, Some(Lobe::Frontal)));
}

#[test]
fn distances_are_those_of_the_head() {
    let (tissue, side) = drawn_head();
    let regions = Regions::of(&tissue, &side).unwrap();
    let at = |place| regions.distances(to_head().apply(place)).unwrap();
    let in_putamen = at([28.0, 2.0, 0.0]);
    assert_eq!(in_putamen.lentiform_mm, 0.0);
    assert!(in_putamen.edge_mm > 14.0 && in_putamen.cortex_mm > 4.0, "{in_putamen:?}");
    let at_vertex = at([20.0, -20.0, 72.0]);
    assert!(at_vertex.edge_mm < 6.0 && at_vertex.cortex_mm <= 2.0, "{at_vertex:?}");
    assert!(at_vertex.ventricle_mm > 35.0, "{at_vertex:?}");
    // Iron may lie in the nuclei and close to them.
    let may_hold = |place| regions.may_hold(to_head().apply(place));
    assert!(
        may_hold([28.0, 2.0, 0.0])
            && !may_hold([20.0, -20.0, 72.0])
            && !may_hold([500.0, 0.0, 0.0])
    );
    assert!(regions.distances([500.0, 0.0, 0.0]).is_none());
}

#[test]
fn close_outside_the_brain_counts_and_far_outside_does_not() {
    let (tissue, side) = drawn_head();
    let regions = Regions::of(&tissue, &side).unwrap();
    let occipital = (0..20)
        .map(|step| to_head().apply([18.0, -96.0 - f64::from(step), 2.0]))
        .find(|&place| {
            let at =
                tissue.grid().affine().inverse().apply(place).map(|index| index.round() as usize);
            tissue[at] == Tissue::Background as u8
        })
        .unwrap();
    assert_eq!(regions.place(occipital).unwrap().mars, MarsRegion::Occipital);
    assert_eq!(regions.place(to_head().apply([18.0, -125.0, 2.0])), None);
}

#[test]
fn without_a_brain_or_half_of_it_there_are_no_regions() {
    let (tissue, side) = drawn_head();
    assert!(Regions::of(&tissue.map(|_| 0), &side).is_none());
    let half = Volume::from_fn(*tissue.grid(), |voxel| {
        if side[voxel] == 1 { tissue[voxel] } else { Tissue::Background as u8 }
    });
    assert!(Regions::of(&half, &side).is_none());
    let shifted = Grid::new(tissue.shape(), Affine::from_spacing([2.0; 3], [0.0; 3])).unwrap();
    assert!(Regions::of(&tissue, &side.clone().with_grid(shifted).unwrap()).is_none());
}
