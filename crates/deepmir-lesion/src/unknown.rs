//! Places where nobody knows whether there is a lesion: what is predicted there is neither right nor wrong.
//!
//! A region of which nobody knows is one that reaches into an unknown place, or has its centre there, and shares no voxel
//! with a labelled lesion. Labels come first: a labelled lesion is known wherever it lies.

use std::collections::BTreeMap;

use deepmir_volume::Mask;
use deepmir_volume::components::Connectivity;

use crate::matching::{MatchRule, match_lesions};
use crate::{LabelMap, Lesion, LesionClass, lesions_of};

/// Whether nobody knows if a region is a lesion. `labelled` are the labelled lesions of any class, `unknown` the places
/// where nobody knows, all on one grid.
///
/// ```
/// use deepmir_lesion::{Lesion, LesionClass, is_unknown};
/// use deepmir_volume::{Affine, Grid, Volume};
///
/// let grid = Grid::new([10, 1, 1], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
/// let unknown = Volume::from_fn(grid, |[i, _, _]| i < 6);
/// let lesion = |voxels: &[usize]| Lesion::new(LesionClass::Cmb, voxels.to_vec(), &grid);
/// let labelled = [lesion(&[1, 2])];
/// assert!(is_unknown(&lesion(&[5, 6]), &labelled, &unknown));
/// assert!(!is_unknown(&lesion(&[2, 3]), &labelled, &unknown), "a labelled lesion");
/// assert!(!is_unknown(&lesion(&[7, 8]), &labelled, &unknown), "elsewhere");
/// ```
pub fn is_unknown(region: &Lesion, labelled: &[Lesion], unknown: &Mask) -> bool {
    reaches(region, unknown) && !labelled.iter().any(|lesion| share_a_voxel(region, lesion))
}

/// Whether a region reaches into a mask or has its centre in it, such as a ring around it.
fn reaches(region: &Lesion, mask: &Mask) -> bool {
    let inside = |voxel: &usize| mask.data().get(*voxel).copied().unwrap_or(false);
    let grid = mask.grid();
    let centre = grid.affine().inverse().apply(region.centre_mm).map(f64::round);
    let shape = grid.shape();
    let within = (0..3).all(|axis| centre[axis] >= 0.0 && centre[axis] < shape[axis] as f64);
    region.voxels.iter().any(inside) || within && mask[centre.map(|place| place as usize)]
}

fn share_a_voxel(one: &Lesion, other: &Lesion) -> bool {
    one.voxels.iter().any(|voxel| other.voxels.binary_search(voxel).is_ok())
}

/// Predicted lesions without those of which nobody knows.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownPredictions {
    /// Those that count.
    pub labels: LabelMap,
    /// How many were left out, by class.
    pub left_out: BTreeMap<LesionClass, usize>,
}

impl KnownPredictions {
    /// Leaves out the predicted lesions of which nobody knows ([`is_unknown`]) and which no labelled lesion could be paired
    /// with, whatever the classes. All maps are on one grid.
    pub fn of(
        predicted: &LabelMap,
        truth: &LabelMap,
        unknown: &Mask,
        rule: MatchRule,
        connectivity: Connectivity,
    ) -> Self {
        let labelled = lesions_of(truth, connectivity);
        let mut known =
            Self { labels: LabelMap::empty(*predicted.grid()), left_out: BTreeMap::new() };
        for lesion in lesions_of(predicted, connectivity) {
            if leaves_out(&lesion, &labelled, unknown, rule) {
                *known.left_out.entry(lesion.class).or_default() += 1;
            } else {
                known.labels.paint(&lesion.voxels, lesion.class);
            }
        }
        known
    }
}

/// Whether a region is left out of a comparison: nobody knows of it ([`is_unknown`]), and by `rule` no labelled lesion could
/// be paired with it.
pub fn leaves_out(region: &Lesion, labelled: &[Lesion], unknown: &Mask, rule: MatchRule) -> bool {
    let pairs = || {
        let all: Vec<&Lesion> = labelled.iter().collect();
        match_lesions(&all, &[region], rule)
    };
    is_unknown(region, labelled, unknown) && pairs().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid, Volume};

    const CMB: LesionClass = LesionClass::Cmb;

    fn grid() -> Grid {
        Grid::new([20, 5, 1], Affine::from_spacing([1.0; 3], [-3.0, 2.0, 0.0])).unwrap()
    }

    #[test]
    fn a_ring_around_an_unknown_place_is_unknown() {
        let grid = grid();
        let at = |i, j| grid.index([i, j, 0]);
        let ring: Vec<usize> =
            (0..9).filter(|n| *n != 4).map(|n| at(4 + n % 3, 1 + n / 3)).collect();
        let mut unknown = Volume::filled(grid, false);
        let mut ring = Lesion::new(CMB, ring, &grid);
        ring.voxels.sort_unstable();
        assert!(!is_unknown(&ring, &[], &unknown));
        unknown[[5, 2, 0]] = true;
        assert!(is_unknown(&ring, &[], &unknown));
        let labelled = Lesion::new(LesionClass::Nhid, vec![at(4, 1)], &grid);
        assert!(!is_unknown(&ring, &[labelled], &unknown), "labelled, of another class");
    }

    #[test]
    fn predictions_where_nobody_knows_are_left_out_and_counted() {
        let grid = grid();
        let at = |i| grid.index([i, 0, 0]);
        let unknown = Volume::from_fn(grid, |[i, _, _]| i >= 6);
        let (mut truth, mut predicted) = (LabelMap::empty(grid), LabelMap::empty(grid));
        truth.paint(&[at(8), at(9)], CMB);
        // A false one elsewhere, a match, two where nobody knows, one of which is near the labelled lesion.
        for (voxels, class) in [
            (vec![at(1)], CMB),
            (vec![at(9), at(10)], CMB),
            (vec![at(12)], LesionClass::Nhid),
            (vec![at(17), at(18)], CMB),
        ] {
            predicted.paint(&voxels, class);
        }
        let of = |rule| {
            KnownPredictions::of(&predicted, &truth, &unknown, rule, Connectivity::TwentySix)
        };
        let overlap = of(MatchRule::Overlap);
        assert_eq!(overlap.left_out, BTreeMap::from([(CMB, 1), (LesionClass::Nhid, 1)]));
        assert_eq!(lesions_of(&overlap.labels, Connectivity::TwentySix).len(), 2);
        let centre = of(MatchRule::Centre(5.0));
        assert_eq!(centre.left_out, BTreeMap::from([(CMB, 1)]), "3.5 mm from the labelled one");
        let nowhere = Volume::filled(grid, false);
        let all = KnownPredictions::of(
            &predicted,
            &truth,
            &nowhere,
            MatchRule::Overlap,
            Connectivity::TwentySix,
        );
        assert_eq!((&all.labels, all.left_out.len()), (&predicted, 0));
    }
}
