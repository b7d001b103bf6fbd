//! The deep veins that everyone has, at the template's places.

use super::VeinSegment;
use crate::head::Head;

/// Places in MNI millimetres on the right side with radii in millimetres, each way ending where
/// the next vessel takes it up.
const PATHS: [&[([f64; 3], f64)]; 5] = [
    // Internal cerebral vein, from the foramen of Monro to the vein of Galen.
    &[
        ([4.0, 2.0, 11.0], 0.7),
        ([2.2, -10.0, 14.0], 0.9),
        ([2.0, -24.0, 11.0], 1.0),
        ([1.5, -35.0, 8.0], 1.1),
        ([0.0, -41.0, 8.0], 1.4),
    ],
    // Thalamostriate vein, between thalamus and caudate.
    &[
        ([20.0, -22.0, 15.0], 0.3),
        ([15.0, -10.0, 16.0], 0.45),
        ([9.0, -2.0, 14.0], 0.6),
        ([4.0, 2.0, 11.0], 0.7),
    ],
    // Septal vein.
    &[
        ([6.0, 27.0, 9.0], 0.3),
        ([2.5, 18.0, 12.0], 0.45),
        ([2.5, 8.0, 13.0], 0.5),
        ([4.0, 2.0, 11.0], 0.6),
    ],
    // Basal vein, around the midbrain.
    &[
        ([13.0, 2.0, -15.0], 0.5),
        ([14.0, -10.0, -14.0], 0.7),
        ([17.0, -22.0, -9.0], 0.8),
        ([13.0, -33.0, -2.0], 0.9),
        ([5.0, -38.0, 5.0], 1.0),
        ([0.0, -41.0, 8.0], 1.4),
    ],
    // Vein of Galen and straight sinus.
    &[
        ([0.0, -41.0, 8.0], 1.6),
        ([0.0, -46.0, 5.0], 1.8),
        ([0.0, -70.0, -2.0], 2.0),
        ([0.0, -96.0, -9.0], 2.4),
    ],
];

/// The deep veins of both sides.
pub(crate) fn segments(head: &Head) -> Vec<VeinSegment> {
    let to_head = head.to_template().inverse();
    let mut segments = Vec::new();
    for side in [-1.0, 1.0] {
        for path in PATHS {
            let place = |[x, y, z]: [f64; 3]| to_head.apply([side * x, y, z]);
            segments.extend(path.windows(2).map(|ends| VeinSegment {
                start_mm: place(ends[0].0),
                end_mm: place(ends[1].0),
                start_radius_mm: ends[0].1,
                end_radius_mm: ends[1].1,
            }));
        }
    }
    segments
}
