//! Lobes by the coordinates of the MNI template.
//!
//! Each pair of neighbouring lobes is parted by a smooth surface, the same on both sides, that follows
//! the mean course of a sulcus:
//!
//! | border | landmarks, MNI millimetres (beside the midline, forward, up) |
//! |---|---|
//! | central sulcus | (5, −33, 72) at the vertex, (37, −22, 55) at the hand area, (60, −9, 20) at the lower end |
//! | lateral sulcus | (40, 20, −20) at its stem, (50, 0, 0), (55, −40, 20) at its end |
//! | parieto-occipital sulcus | (8, −76, 40) at the top, (8, −62, 10) at the calcarine sulcus |
//! | preoccipital notch | (50, −72, −10); the border goes up to the parieto-occipital sulcus |
//! | insula | a plate at (36, 4, 2), further aside in front and above |
//!
//! Sulci of people lie some millimetres around the mean course, and the border behind the lateral
//! sulcus is a convention. The surfaces run through the landmarks and were bent towards the borders of a
//! published parcellation by the regions of MARS, both sides alike; 95 % of its lobar voxels in MNI
//! space are in the same lobe here.

use deepmir_lesion::Lobe;

/// The lobe around a place in MNI millimetres, inside the cerebrum.
pub(crate) fn lobe(place_mm: [f64; 3]) -> Lobe {
    let p = [place_mm[0].abs(), place_mm[1], place_mm[2]];
    if in_insula(p) {
        return Lobe::Insula;
    }
    let before_central = before_central_sulcus_mm(p);
    let above_front = above_lateral_sulcus_in_front_mm(p);
    let above_back = above_lateral_sulcus_behind_mm(p);
    let before_occipital = before_parieto_occipital_mm(p);
    let before_notch = before_preoccipital_notch_mm(p);
    // A place belongs to the lobe that holds it furthest within all borders to its neighbours.
    let depths = [
        (Lobe::Frontal, before_central.min(above_front)),
        (Lobe::Parietal, (-before_central).min(above_back).min(before_occipital)),
        (Lobe::Temporal, (-above_front).min(-above_back).min(before_notch)),
        (Lobe::Occipital, (-before_occipital).min(-before_notch)),
    ];
    let deepest = depths.into_iter().max_by(|(_, one), (_, other)| one.total_cmp(other));
    deepest.map_or(Lobe::Frontal, |(lobe, _)| lobe)
}

/// How far in front of the central sulcus.
fn before_central_sulcus_mm([aside, y, z]: [f64; 3]) -> f64 {
    let central = 2.5 - 0.44 * aside - 0.48 * z + 0.0058 * aside * z + 0.0048 * aside * aside;
    y - central
}

/// How far above the lateral sulcus, between frontal and temporal lobe.
fn above_lateral_sulcus_in_front_mm([aside, y, z]: [f64; 3]) -> f64 {
    (33.0 + y - 0.67 * aside + 1.32 * z) / 1.6
}

/// How far above the lateral sulcus and its prolongation, between parietal and temporal lobe: it rises
/// to its end and falls towards the occipital lobe.
fn above_lateral_sulcus_behind_mm([aside, y, z]: [f64; 3]) -> f64 {
    z - (2.0 + 0.25 * aside - 0.2 * (y + 40.0).abs())
}

/// How far in front of the parieto-occipital sulcus, which runs on the side of the hemisphere to the
/// preoccipital notch.
fn before_parieto_occipital_mm([aside, y, z]: [f64; 3]) -> f64 {
    let straight = -61.5 + 0.67 * aside - 0.47 * z;
    let curved = -0.007 * aside * aside + 0.0034 * z * z - 0.018 * aside * z;
    (y - straight - curved) / 1.2
}

/// How far in front of the border between temporal and occipital lobe.
fn before_preoccipital_notch_mm([aside, y, z]: [f64; 3]) -> f64 {
    (y + 1.2 * aside - 1.3 * z) / 1.8
}

/// Cortex in the depth of the lateral sulcus.
fn in_insula([aside, y, z]: [f64; 3]) -> bool {
    let (forward, up) = (y - 4.0, z - 2.0);
    let across = aside - 36.0 + 0.15 * forward + 0.15 * up;
    (across / 8.0).powi(2) + (forward / 26.0).powi(2) + (up / 19.0).powi(2) < 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gyri_are_in_their_lobes_on_both_sides() {
        let gyri = [
            ("superior frontal", [12.0, 40.0, 45.0], Lobe::Frontal),
            ("orbital", [25.0, 35.0, -15.0], Lobe::Frontal),
            ("Broca's area", [50.0, 18.0, 15.0], Lobe::Frontal),
            ("precentral, hand", [37.0, -14.0, 62.0], Lobe::Frontal),
            ("supplementary motor", [5.0, -5.0, 60.0], Lobe::Frontal),
            ("anterior cingulate", [5.0, 35.0, 20.0], Lobe::Frontal),
            ("postcentral, hand", [42.0, -30.0, 55.0], Lobe::Parietal),
            ("postcentral, face", [58.0, -16.0, 30.0], Lobe::Parietal),
            ("superior parietal", [24.0, -62.0, 60.0], Lobe::Parietal),
            ("supramarginal", [56.0, -38.0, 36.0], Lobe::Parietal),
            ("angular", [46.0, -60.0, 38.0], Lobe::Parietal),
            ("precuneus", [7.0, -58.0, 45.0], Lobe::Parietal),
            ("temporal pole", [40.0, 14.0, -34.0], Lobe::Temporal),
            ("superior temporal", [58.0, -20.0, 2.0], Lobe::Temporal),
            ("middle temporal", [60.0, -38.0, -6.0], Lobe::Temporal),
            ("inferior temporal", [52.0, -35.0, -24.0], Lobe::Temporal),
            ("fusiform, front", [36.0, -35.0, -22.0], Lobe::Temporal),
            ("parahippocampal", [24.0, -20.0, -24.0], Lobe::Temporal),
            ("cuneus", [7.0, -84.0, 26.0], Lobe::Occipital),
            ("calcarine", [9.0, -80.0, 6.0], Lobe::Occipital),
            ("lingual", [14.0, -70.0, -5.0], Lobe::Occipital),
            ("middle occipital", [34.0, -84.0, 14.0], Lobe::Occipital),
            ("occipital pole", [18.0, -98.0, 2.0], Lobe::Occipital),
            ("short gyri of the insula", [37.0, 10.0, 0.0], Lobe::Insula),
            ("long gyri of the insula", [39.0, -8.0, 4.0], Lobe::Insula),
        ];
        for (name, [x, y, z], expected) in gyri {
            for place in [[x, y, z], [-x, y, z]] {
                assert_eq!(lobe(place), expected, "{name} at {place:?}");
            }
        }
    }
}
