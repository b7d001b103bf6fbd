//! Brainstem and cerebellum; points are mirrored to positive x.

use deepmir_volume::shapes::{Point, ellipsoid, smooth_cut, smooth_union, tube};

/// The height of the tentorium: a tent with its ridge in the middle, sloping to the sides and the
/// back.
fn tentorium_height(p: Point) -> f64 {
    -1.5 - 0.28 * p[0] - 0.16 * (-45.0 - p[1]).max(0.0)
}

/// Midbrain, pons and medulla.
pub(super) fn brainstem(p: Point) -> f64 {
    let midbrain = ellipsoid(p, [0.0, -29.0, -13.0], [12.5, 9.5, 11.0]);
    let peduncle = tube(p, &[([9.5, -21.0, -12.0], 4.5), ([6.5, -20.5, -22.0], 5.5)]);
    let tectum = tube(p, &[([4.0, -36.0, -5.0], 3.6), ([4.0, -37.5, -13.0], 3.6)]);
    let pons = ellipsoid(p, [0.0, -27.5, -33.5], [16.0, 12.0, 13.0]);
    let medulla = tube(p, &[([0.0, -35.0, -46.0], 8.5), ([0.0, -43.0, -66.0], 6.5)]);
    let upper = smooth_union(smooth_union(midbrain, peduncle, 4.0), tectum, 2.5);
    // The fossa between the peduncles.
    let fossa = tube(p, &[([0.0, -9.0, -10.0], 3.8), ([0.0, -12.0, -20.0], 3.0)]);
    let upper = smooth_cut(upper, -fossa, 2.0);
    smooth_union(smooth_union(upper, pons, 3.0), medulla, 5.0)
}

/// The cerebellum, fissures closed.
pub(super) fn cerebellum(p: Point) -> f64 {
    let hemisphere = ellipsoid(p, [25.5, -61.5, -37.5], [29.5, 28.5, 24.0]);
    let vermis = ellipsoid(p, [0.0, -61.5, -26.0], [18.0, 24.5, 26.0]);
    let tonsil = ellipsoid(p, [8.0, -51.5, -53.0], [7.0, 7.5, 8.5]);
    let joined = smooth_union(smooth_union(hemisphere, vermis, 5.0), tonsil, 3.0);
    let under = p[2] - (tentorium_height(p) - 0.8);
    // A notch at the back between the hemispheres.
    let notch = ellipsoid(p, [0.0, -92.0, -42.0], [4.0, 10.0, 14.0]);
    smooth_cut(joined, under, 2.0).max(-notch).max(-1.0 - brainstem(p))
}
