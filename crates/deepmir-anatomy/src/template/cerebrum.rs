//! The outline of the hemispheres and the corpus callosum.

use deepmir_volume::shapes::{Point, ellipsoid, ramp, smooth_cut, smooth_union, tube, turned};

/// The smooth outline of a hemisphere, sulci closed; `p` is mirrored to positive x.
///
/// The numbers are those of the closest such shape to the mean hemisphere of eight heads (label maps of
/// SynthSeg's training, registered to MNI space), both sides alike.
pub(super) fn outline(p: Point) -> f64 {
    let body = ellipsoid(p, [3.6, -12.8, 19.0], [60.7, 72.0, 52.9]);
    let frontal = ellipsoid(p, [4.2, 32.6, 1.5], [51.0, 39.2, 40.7]);
    let occipital = ellipsoid(p, [14.5, -71.9, 2.4], [34.6, 34.1, 33.4]);
    let parietal = ellipsoid(p, [11.8, -33.0, 12.5], [58.9, 61.2, 64.2]);
    let upper = smooth_union(smooth_union(body, frontal, 12.0), occipital, 12.0);
    let upper = smooth_union(upper, parietal, 12.0);
    let upper = smooth_cut(upper, floor_height(p) - p[2], 4.0);
    let centre = [41.0, -27.9, -5.6];
    let temporal = ellipsoid(turned(p, centre, 0, -36.4), centre, [28.8, 59.3, 27.8]);
    let parahippocampal = ellipsoid(p, [26.6, 11.8, -2.6], [27.1, 53.9, 22.3]);
    let temporal = smooth_union(temporal, parahippocampal, 6.0);
    // The temporal lobe stays above the tentorium at the back and ends on the petrous bone.
    let petrous = back_floor_height(p) - p[2] - 40.0 * ramp(-35.0, -10.0, p[1]);
    let temporal = smooth_cut(temporal, petrous, 6.0);
    smooth_cut(smooth_union(upper, temporal, 5.0), 1.0 - p[0], 2.0)
}

/// The underside of frontal, parietal and occipital lobe.
fn floor_height(p: Point) -> f64 {
    // The roofs of the orbits bulge into the frontal lobes; the straight gyri lie between them.
    let orbital = -28.4 + 12.3 * (-((p[0] - 32.9) / 14.0).powi(2)).exp();
    let front = ramp(2.0, 18.0, p[1]) * orbital;
    front + ramp(-30.0, -50.0, p[1]) * (back_floor_height(p) - front)
}

/// The underside of the occipital lobe, on the tentorium, which slopes to the side.
fn back_floor_height(p: Point) -> f64 {
    -6.2 - 0.4 * p[0]
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
