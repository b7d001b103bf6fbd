use deepmir_volume::Affine;

use super::*;

fn grid(shape: [usize; 3]) -> Grid {
    Grid::new(shape, Affine::from_spacing([2.0; 3], [0.0; 3])).unwrap()
}

/// Probabilities of 0.9 for what is said to be at a voxel, the side by the side of x = 24.
fn probabilities(tissue: impl Fn([usize; 3]) -> Tissue) -> Probabilities {
    let values = Volume::from_fn(grid([48, 48, 48]), |voxel| {
        let mut values = [0.1 / (Tissue::COUNT - 1) as f32; 16];
        values[tissue(voxel) as usize] = 0.9;
        values[crate::network::SIDE] = if voxel[0] < 24 { 0.1 } else { 0.9 };
        values
    });
    Probabilities { values }
}

fn ball(voxel: [usize; 3], centre: [usize; 3], radius: usize) -> bool {
    (0..3).map(|axis| voxel[axis].abs_diff(centre[axis]).pow(2)).sum::<usize>() < radius * radius
}

#[test]
fn a_second_brain_a_second_nucleus_and_a_stray_side_are_mended() {
    let stray = [30, 24, 24];
    let mut found = probabilities(|voxel| {
        let nucleus = ball(voxel, [14, 24, 24], 3) || ball(voxel, [14, 34, 24], 2);
        if nucleus {
            Tissue::Pallidum
        } else if ball(voxel, [24; 3], 16) || ball(voxel, [43, 43, 43], 4) {
            Tissue::WhiteMatter
        } else {
            Tissue::Outside
        }
    });
    let place = found.values.grid().index(stray);
    found.values.data_mut()[place][crate::network::SIDE] = 0.2;
    consistency::enforce(&mut found);
    let labels = found.labels();
    assert_eq!(labels.tissue[[43; 3]], Tissue::Outside as u8);
    assert_eq!(labels.tissue[[14, 24, 24]], Tissue::Pallidum as u8);
    assert!(labels.tissue[[14, 34, 24]] != Tissue::Pallidum as u8);
    assert_eq!((labels.side[stray], labels.side[[14, 24, 24]]), (2, 1));
}

#[test]
fn labels_on_a_finer_oblique_grid_lie_where_the_coarse_ones_do() {
    let found = probabilities(|voxel| {
        if ball(voxel, [24, 20, 30], 9) { Tissue::Thalamus } else { Tissue::WhiteMatter }
    });
    let rows =
        [[0.9, 0.1, 0.0, 5.0], [-0.1, 0.9, 0.0, 12.0], [0.0, 0.0, 1.2, 20.0], [0.0, 0.0, 0.0, 1.0]];
    let fine = Grid::new([80, 60, 50], Affine::from_rows(rows).unwrap()).unwrap();
    let (tissue, side) = fine::labels(&found, &fine);
    let mut wrong = 0;
    for index in 0..fine.len() {
        let place = fine.position_mm(fine.voxel(index));
        let apart: f64 =
            (0..3).map(|axis| (place[axis] / 2.0 - [24.0, 20.0, 30.0][axis]).powi(2)).sum();
        // The surface of a ball of voxels is uneven by half a voxel.
        let expected = if apart.sqrt() < 8.2 {
            Tissue::Thalamus
        } else if apart.sqrt() > 9.3 {
            Tissue::WhiteMatter
        } else {
            continue;
        };
        wrong += usize::from(tissue.data()[index] != expected as u8);
        if (place[0] / 2.0 - 23.5).abs() > 0.6 {
            assert_eq!(side.data()[index], if place[0] / 2.0 < 23.5 { 1 } else { 2 });
        }
    }
    assert_eq!(wrong, 0);
}

#[test]
fn volumes_count_probabilities() {
    let found =
        probabilities(
            |voxel| {
                if ball(voxel, [14, 24, 24], 5) { Tissue::Putamen } else { Tissue::Outside }
            },
        );
    let volumes = volumes::of(&found);
    let of = |side| {
        let one =
            volumes.iter().find(|one| one.tissue == Tissue::Putamen && one.side == Some(side));
        one.unwrap().volume_ml
    };
    let background = 0.1 / 14.0 * 48.0_f64.powi(3) * 0.008;
    let inside =
        found.labels().tissue.data().iter().filter(|&&t| t == Tissue::Putamen as u8).count();
    let extra = inside as f64 * 0.008 * (0.9 - 0.1 / 14.0);
    assert!((of(Side::Left) - (background / 2.0 + 0.9 * extra)).abs() < 1e-2);
    assert!((of(Side::Right) - (background / 2.0 + 0.1 * extra)).abs() < 1e-2);
}

#[test]
fn a_turned_image_comes_back_and_its_field_with_it() {
    let image = Volume::from_fn(grid([8, 16, 24]), |[i, j, k]| (i + 10 * j + 1000 * k) as f32);
    let coarse = Coarse { image: image.clone(), field: [[0, 8], [3, 14], [1, 20]] };
    let turned = coarse.turned([0, 2, 1], [false, true, false]).unwrap();
    assert_eq!(turned.image.shape(), [8, 24, 16]);
    assert_eq!(turned.field, [[0, 8], [4, 23], [3, 14]]);
    assert_eq!(turned.image[[2, 23, 5]], image[[2, 5, 0]]);
    let back = turned.turned([0, 2, 1], [false, false, true]).unwrap();
    assert_eq!((back.image.data(), back.field), (image.data(), coarse.field));
}

#[test]
fn small_fields_are_padded_large_ones_cut_around_the_head() {
    let spacing = |voxel_mm: f64, shape| {
        Grid::new(shape, Affine::from_spacing([voxel_mm; 3], [-50.0, 7.0, 3.0])).unwrap()
    };
    let small = Volume::from_fn(spacing(3.0, [20, 30, 10]), |[i, j, k]| (i + j + k) as f32 + 1.0);
    let coarse = Coarse::of(&small).unwrap();
    assert_eq!(coarse.image.shape(), [96, 128, 96]);
    let [x, y, z] = coarse.field.map(|[first, end]| end - first);
    assert_eq!([x, y, z], [30, 45, 15]);
    // A place keeps its intensity rank.
    let at = |place: [f64; 3]| {
        let index = coarse.image.grid().affine().inverse().apply(place);
        coarse.image[index.map(|at| at.round() as usize)]
    };
    assert!(at(small.grid().position_mm([15, 20, 8])) > at(small.grid().position_mm([5, 6, 2])));

    let head = |voxel: [usize; 3]| if ball(voxel, [70, 60, 150], 35) { 100.0 } else { 0.01 };
    let large = Volume::from_fn(spacing(2.0, [150, 140, 200]), head);
    let coarse = Coarse::of(&large).unwrap();
    assert_eq!(coarse.image.shape(), [112, 128, 96]);
    let middle =
        coarse.image.grid().affine().inverse().apply(large.grid().position_mm([70, 60, 150]));
    assert!(coarse.image[middle.map(|at| at.round() as usize)] > coarse.image[[0; 3]]);
    assert!(
        middle.iter().zip([104.0, 128.0, 96.0]).all(|(at, side)| *at > 35.0 && *at < side - 35.0)
    );
}

#[test]
fn a_brain_mask_closes_sulci_and_drops_pieces() {
    let tissue = Volume::from_fn(grid([40, 40, 40]), |voxel| {
        let sulcus = voxel[0] == 20 && voxel[1] > 20;
        if (ball(voxel, [20; 3], 14) && !sulcus) || ball(voxel, [37; 3], 2) {
            Tissue::Cortex as u8
        } else {
            Tissue::SulcalFluid as u8
        }
    });
    let brain = brain_mask(&tissue);
    assert!(brain[[20, 25, 20]] && !brain[[37; 3]] && !brain[[2, 20, 20]]);
}
