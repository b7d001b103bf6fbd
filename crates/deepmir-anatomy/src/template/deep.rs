//! Ventricles, nuclei and hippocampus of one side; all points are mirrored to positive x.

use deepmir_volume::shapes::{Point, ellipsoid, smooth_union, tube, turned};

/// The lateral ventricle with its three horns, of a middle-aged person.
pub(super) fn lateral_ventricle(p: Point) -> f64 {
    let front = [
        ([6.5, 31.0, 4.0], 2.9),
        ([7.5, 22.0, 10.0], 5.4),
        ([7.5, 8.0, 17.5], 5.0),
        ([8.5, -8.0, 22.0], 4.9),
        ([12.0, -24.0, 21.0], 5.6),
        ([22.0, -38.0, 13.0], 7.6),
    ];
    let back = [([22.0, -38.0, 13.0], 7.4), ([26.0, -54.0, 9.0], 3.6), ([24.0, -68.0, 6.0], 1.2)];
    smooth_union(smooth_union(tube(p, &front), tube(p, &back), 3.0), temporal_horn(p), 3.0)
}

/// The temporal horn of the lateral ventricle.
fn temporal_horn(p: Point) -> f64 {
    let horn = [
        ([24.0, -38.0, 10.0], 6.3),
        ([32.0, -33.0, -3.0], 3.4),
        ([35.0, -20.0, -14.0], 2.5),
        ([32.0, -8.0, -20.0], 2.1),
    ];
    tube(p, &horn)
}

/// The third ventricle.
pub(super) fn third_ventricle(p: Point) -> f64 {
    ellipsoid(p, [0.0, -12.0, -1.0], [2.6, 17.0, 12.0])
}

/// The caudate with the accumbens.
pub(super) fn caudate(p: Point) -> f64 {
    let path = [
        ([12.0, 19.0, -2.0], 5.2),
        ([13.5, 15.5, 5.5], 6.0),
        ([14.5, 5.5, 13.0], 5.0),
        ([17.0, -9.0, 19.0], 3.5),
        ([20.0, -22.0, 19.0], 2.3),
    ];
    tube(p, &path).min(ellipsoid(p, [9.5, 12.0, -7.0], [4.5, 5.0, 4.0]))
}

/// The putamen.
pub(super) fn putamen(p: Point) -> f64 {
    let centre = [27.0, 0.5, -0.5];
    let body = ellipsoid(turned(p, centre, 2, 12.0), centre, [6.2, 18.5, 12.5]);
    let front = ellipsoid(p, [22.5, 10.0, -2.5], [6.0, 7.5, 8.0]);
    smooth_union(body, front, 4.0).max(-pallidum(p))
}

/// The pallidum, wide at the putamen and narrow at the genu of the capsule.
pub(super) fn pallidum(p: Point) -> f64 {
    let centre = [20.3, -3.5, -1.5];
    let seen = turned(p, centre, 2, 28.0);
    let narrowing = 1.0 - 0.035 * (seen[0] - centre[0]).clamp(-6.0, 0.0).abs();
    ellipsoid(seen, centre, [5.8, 10.8 * narrowing, 7.2 * narrowing])
}

/// The thalamus.
pub(super) fn thalamus(p: Point) -> f64 {
    let centre = [12.0, -17.6, 6.3];
    let body = ellipsoid(turned(p, centre, 2, 24.0), centre, [9.9, 17.2, 11.2]);
    let pulvinar = ellipsoid(p, [16.0, -27.0, 6.3], [7.0, 6.5, 7.5]);
    smooth_union(body, pulvinar, 4.0).max(1.3 - p[0])
}

/// Hippocampus and amygdala.
pub(super) fn hippocampus(p: Point) -> f64 {
    let path = [
        ([24.0, -10.0, -21.0], 5.6),
        ([27.5, -18.0, -17.5], 5.4),
        ([29.0, -27.5, -11.0], 4.8),
        ([24.0, -37.0, -2.0], 3.8),
    ];
    tube(p, &path).min(ellipsoid(p, [23.0, -5.0, -19.5], [7.0, 7.0, 7.0]))
}

/// Hypothalamus, subthalamic nucleus and substantia nigra.
pub(super) fn ventral_diencephalon(p: Point) -> f64 {
    ellipsoid(p, [9.5, -13.0, -8.0], [9.0, 10.0, 6.0])
}
