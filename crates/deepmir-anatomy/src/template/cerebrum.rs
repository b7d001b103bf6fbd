//! The outline of the hemispheres and the corpus callosum.

use super::hindbrain::tentorium_height;
use super::shapes::{Point, ellipsoid, ramp, smooth_cut, smooth_union, tube, turned};

/// The smooth outline of a hemisphere, sulci closed; `p` is mirrored to positive x.
pub(super) fn outline(p: Point) -> f64 {
    let body = ellipsoid(p, [24.0, -18.0, 18.5], [44.5, 84.0, 55.5]);
    let frontal = ellipsoid(p, [24.0, 30.0, 6.0], [36.0, 39.0, 38.0]);
    let occipital = ellipsoid(p, [25.0, -74.0, 2.0], [33.0, 30.5, 33.0]);
    let upper = smooth_union(smooth_union(body, frontal, 12.0), occipital, 12.0);
    let upper = smooth_cut(upper, floor_height(p) - p[2], 4.0);
    let centre = [44.0, -16.0, -20.0];
    let temporal = ellipsoid(turned(p, centre, 0, -14.0), centre, [25.0, 44.0, 23.0]);
    let parahippocampal = ellipsoid(p, [25.5, -21.0, -21.0], [11.5, 30.0, 13.0]);
    let temporal = smooth_union(temporal, parahippocampal, 6.0);
    // The temporal lobe stays above the tentorium at the back and ends on the petrous bone.
    let petrous = tentorium_height(p) + 0.8 - p[2] - 40.0 * ramp(-35.0, -10.0, p[1]);
    let temporal = smooth_cut(temporal, petrous, 6.0);
    smooth_cut(smooth_union(upper, temporal, 5.0), 1.0 - p[0], 2.0)
}

/// The underside of frontal, parietal and occipital lobe.
fn floor_height(p: Point) -> f64 {
    // The roofs of the orbits bulge into the frontal lobes; the straight gyri lie between them.
    let orbital = -24.0 + 9.0 * (-((p[0] - 28.0) / 14.0).powi(2)).exp();
    let middle = -12.0;
    let back = tentorium_height(p) + 0.8;
    let front = middle + ramp(2.0, 18.0, p[1]) * (orbital - middle);
    front + ramp(-30.0, -50.0, p[1]) * (back - front)
}

/// The corpus callosum: an arch of fibres between the hemispheres that fan out and up as they enter
/// them.
pub(super) fn corpus_callosum(p: Point) -> f64 {
    let arch = [
        ([0.0, 17.0, -3.0], 1.5),
        ([0.0, 27.0, 3.0], 3.8),
        ([0.0, 26.0, 13.0], 4.0),
        ([0.0, 15.0, 22.0], 3.0),
        ([0.0, -5.0, 27.0], 2.8),
        ([0.0, -25.0, 25.0], 2.8),
        ([0.0, -38.0, 17.0], 4.2),
        ([0.0, -39.0, 12.0], 4.6),
    ];
    let beside = p[0].abs();
    let bent = [0.0, p[1], p[2] - 0.006 * beside * beside];
    tube(bent, &arch).max(beside - 26.0)
}
