//! Lobes and regions of real heads, where their label maps are there.

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

use std::path::{Path, PathBuf};

use deepmir_anatomy::{Regions, Side, Tissue};
use deepmir_lesion::{Lobe, MarsRegion};
use deepmir_volume::{Affine, Grid, Orientation, Volume, nifti, resample_labels};

/// The map of a head beside the repository; `None` where it is absent.
fn map_of_head(number: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/anatomy");
    let path = folder.join(format!("training_seg_{number}.nii.gz"));
    path.is_file().then_some(path)
}

/// Tissues and sides at 2 mm in RAS order.
fn parcellation(path: &Path) -> (Volume<u8>, Volume<u8>) {
    let labels = nifti::read_integers(path).unwrap().volume;
    let labels = Orientation::of(labels.grid().affine()).to_ras(&labels);
    let origin = labels.grid().position_mm([0; 3]);
    let shape = labels.shape().map(|length| length / 2);
    let grid = Grid::new(shape, Affine::from_spacing([2.0; 3], origin)).unwrap();
    let coarse = resample_labels(&labels, &grid, 0);
    let tissue = |&number: &i32| Tissue::from_freesurfer(number).map_or(0, |(t, _)| t as u8);
    let side = |&number: &i32| match Tissue::from_freesurfer(number) {
        Some((_, Some(Side::Left))) => 1,
        Some((_, Some(Side::Right))) => 2,
        _ => 0,
    };
    (coarse.map(tissue), coarse.map(side))
}

#[test]
fn lobes_of_real_heads_have_their_sizes_and_sides() {
    // Shares of the cortex's volume, wide enough for every convention of the borders.
    let usual = [
        (Lobe::Frontal, 0.32..0.44),
        (Lobe::Parietal, 0.19..0.30),
        (Lobe::Temporal, 0.18..0.28),
        (Lobe::Occipital, 0.10..0.20),
        (Lobe::Insula, 0.01..0.05),
    ];
    for number in ["01", "06"] {
        // Absent outside the developers' machines; there is nothing to compare with then.
        let Some(path) = map_of_head(number) else { return };
        let (tissue, side) = parcellation(&path);
        let regions = Regions::of(&tissue, &side).unwrap();
        let count = |lobe: Lobe, side: u8| {
            (0..tissue.data().len())
                .filter(|&position| {
                    tissue.data()[position] == Tissue::Cortex as u8
                        && regions.lobe().data()[position] == lobe as u8 + 1
                        && regions.side().data()[position] == side
                })
                .count() as f64
        };
        let all: f64 = Lobe::ALL.iter().map(|&lobe| count(lobe, 1) + count(lobe, 2)).sum();
        for (lobe, shares) in &usual {
            let (left, right) = (count(*lobe, 1), count(*lobe, 2));
            let share = (left + right) / all;
            assert!(shares.contains(&share), "head {number}: {lobe:?} is {share:.3} of the cortex");
            assert!(
                (0.75..1.33).contains(&(left / right)),
                "head {number}: {lobe:?} {left} {right}"
            );
        }
        for (position, &mars) in regions.mars().data().iter().enumerate() {
            let known = side.data()[position];
            let brainstem = mars == MarsRegion::Brainstem as u8 + 1;
            if mars > 0 && known > 0 && !brainstem {
                assert_eq!(regions.side().data()[position], known);
            }
        }
        let nuclei = [
            (Tissue::Thalamus, MarsRegion::Thalamus),
            (Tissue::Putamen, MarsRegion::BasalGanglia),
            (Tissue::Hippocampus, MarsRegion::Temporal),
            (Tissue::CerebellarCortex, MarsRegion::Cerebellum),
        ];
        for (of, expected) in nuclei {
            let pairs = tissue.data().iter().zip(regions.mars().data());
            let mut found = pairs.filter(|&(&tissue, _)| tissue == of as u8);
            assert!(found.all(|(_, &mars)| mars == expected as u8 + 1), "{of:?}");
        }
    }
}
