//! The hemispheres: their shape, and the folds of their cortex.

use rand::rngs::ChaCha8Rng;

use crate::config::uniform;
use crate::noise::Noise;
use crate::structure::Structure;
use deepmir_volume::shapes::{
    Point, ellipsoid, length, ramp, smooth_cut, smooth_union, tube, turned,
};

/// The smooth outline of both hemispheres, sulci closed, in MNI millimetres. Left and right are
/// mirror images; folds are not.
pub(crate) fn outline(p: Point) -> f64 {
    let p = [p[0].abs(), p[1], p[2]];
    let body = ellipsoid(p, [24.0, -17.0, 20.0], [44.0, 85.0, 55.0]);
    let frontal = ellipsoid(p, [24.0, 30.0, 6.0], [36.0, 39.0, 38.0]);
    let occipital = ellipsoid(p, [25.0, -74.0, 3.0], [33.0, 31.0, 33.0]);
    let upper = smooth_union(smooth_union(body, frontal, 12.0), occipital, 12.0);
    let upper = smooth_cut(upper, floor_height(p) - p[2], 4.0);
    let tilted = turned(p, [44.0, -15.0, -17.0], 0, -14.0);
    let temporal = ellipsoid(tilted, [44.0, -15.0, -17.0], [24.0, 44.0, 22.0]);
    let parahippocampal = ellipsoid(p, [25.5, -20.0, -18.0], [11.5, 30.0, 12.0]);
    let temporal = smooth_union(temporal, parahippocampal, 6.0);
    // The temporal lobe stays above the tentorium at the back and ends on the petrous bone.
    let temporal = smooth_cut(
        temporal,
        tentorium_height(p) + 0.8 - p[2] - 40.0 * ramp(-35.0, -10.0, p[1]),
        6.0,
    );
    smooth_cut(smooth_union(upper, temporal, 5.0), 1.0 - p[0], 2.0)
}

/// The underside of frontal, parietal and occipital lobe.
fn floor_height(p: Point) -> f64 {
    // The roofs of the orbits bulge into the frontal lobes; the straight gyri lie between them.
    let orbital = -24.0 + 9.0 * (-((p[0] - 28.0) / 14.0).powi(2)).exp();
    let middle = -12.0;
    let back = tentorium_height(p) + 0.8;
    let forward = ramp(2.0, 18.0, p[1]);
    let backward = ramp(-30.0, -50.0, p[1]);
    let front = middle + forward * (orbital - middle);
    front + backward * (back - front)
}

/// The tentorium: a tent with its ridge in the middle, sloping to the sides and the back.
pub(crate) fn tentorium_height(p: Point) -> f64 {
    1.0 - 0.30 * p[0].abs() - 0.16 * (-45.0 - p[1]).max(0.0)
}

/// The folded cortex of one person.
pub(crate) struct Cortex {
    folds: Noise,
    secondary: Noise,
    depth: Noise,
    /// Bends the walls of sulci, one field an axis.
    bend: [Noise; 3],
    /// Width of a sulcus in millimetres.
    sulcus_mm: f64,
    thickness_mm: f64,
    /// Width of the lateral (Sylvian) fissure.
    sylvian_mm: f64,
}

impl Cortex {
    /// Draws folds; `atrophy` (0 to about 1.5) widens sulci and thins the cortex.
    pub(crate) fn draw(atrophy: f64, generator: &mut ChaCha8Rng) -> Self {
        Self {
            folds: Noise::banded(uniform([22.0, 25.0], generator), 0.16, 128, 2.0, generator),
            secondary: Noise::banded(17.0, 0.2, 128, 2.0, generator),
            depth: Noise::smooth(9.0, 64, 4.0, generator),
            bend: std::array::from_fn(|_| Noise::smooth(7.0, 64, 4.0, generator)),
            sulcus_mm: 1.0 + 1.5 * atrophy,
            thickness_mm: uniform([2.4, 2.8], generator) - 0.3 * atrophy,
            sylvian_mm: 1.8 + 2.6 * atrophy,
        }
    }

    /// What lies at a place inside the outline; `depth_mm` is its distance to the outline.
    pub(crate) fn structure(&self, p: Point, depth_mm: f64) -> Structure {
        if depth_mm > 34.0 && p[0].abs() < 25.0 {
            return Structure::WhiteMatter;
        }
        let normal = normal(p);
        let p: Point = std::array::from_fn(|axis| p[axis] + 2.2 * self.bend[axis].value(p));
        let surface: Point = std::array::from_fn(|axis| p[axis] + depth_mm * normal[axis]);
        let modulation = self.depth.value(surface);
        let reach = (19.0 + 5.0 * modulation).clamp(8.0, 29.0);
        let primary = self.fold(&self.folds, surface, normal, depth_mm, reach);
        let shallow = (8.0 + 4.0 * modulation).clamp(2.0, 14.0);
        // Shallow side branches, bent by the depth field so that they do not line up.
        let branch = self.fold(&self.secondary, surface, normal, depth_mm, shallow);
        let opening = |reach: f64| {
            self.sulcus_mm * 0.5 * (0.8 + 0.7 * (1.0 - depth_mm / reach).clamp(0.0, 1.0))
        };
        let sylvian = sylvian_fissure(p) - 0.5 * self.sylvian_mm;
        let walls = (primary - opening(reach)).min(branch - 0.7 * opening(shallow)).min(sylvian);
        let to_fluid = smooth_union(depth_mm, walls, 2.0);
        let thickness = self.thickness_mm * (1.0 + 0.08 * modulation);
        if to_fluid < 0.0 {
            Structure::CerebrospinalFluid
        } else if to_fluid < thickness {
            Structure::Cortex
        } else {
            Structure::WhiteMatter
        }
    }

    /// Distance to the sheet of a sulcus: it hangs from the zero line of `noise` on the surface
    /// down to `reach`.
    fn fold(&self, noise: &Noise, surface: Point, normal: Point, depth: f64, reach: f64) -> f64 {
        let [value, gx, gy, gz] = noise.at(surface);
        let along = gx * normal[0] + gy * normal[1] + gz * normal[2];
        let tangential =
            length([gx - along * normal[0], gy - along * normal[1], gz - along * normal[2]]);
        let aside = value.abs() / tangential.max(0.07);
        let below = (depth - reach).max(0.0);
        aside.hypot(below)
    }
}

/// Outward unit normal of the outline.
fn normal(p: Point) -> Point {
    const STEP: f64 = 1.0;
    let slope: Point = std::array::from_fn(|axis| {
        let mut ahead = p;
        let mut behind = p;
        ahead[axis] += STEP;
        behind[axis] -= STEP;
        outline(ahead) - outline(behind)
    });
    let size = length(slope).max(1e-6);
    slope.map(|part| part / size)
}

/// Distance to the middle of the lateral fissure: a stem from the side of the head inwards, and
/// the cleft over the insula.
fn sylvian_fissure(p: Point) -> f64 {
    let side = p[0].abs();
    let height = -3.0 - 0.27 * (p[1] - 8.0);
    if !(-52.0..46.0).contains(&p[1]) || side < 25.0 {
        return f64::INFINITY;
    }
    let ends = (p[1] - 30.0).max(-40.0 - p[1]).max(0.0);
    let stem = (p[2] - height).abs().hypot((37.0 - side).max(0.0)).hypot(ends);
    let insula_ends = (p[1] - 24.0).max(-22.0 - p[1]).max(0.0);
    let cleft_x = 39.0 + 0.02 * (p[2] - height).powi(2).min(100.0) * 0.3;
    let above = ((p[2] - height).abs() - 13.0).max(0.0);
    let cleft = (side - cleft_x).abs().hypot(above).hypot(insula_ends);
    stem.min(cleft)
}

/// Distance to the corpus callosum, an arch of fibres between the hemispheres.
pub(crate) fn corpus_callosum(p: Point) -> f64 {
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
    // The fibres fan out and up as they enter the hemispheres.
    let bent = [0.0, p[1], p[2] - 0.006 * beside * beside];
    tube(bent, &arch).max(beside - 26.0)
}

/// Negative where no cortex is: the deep white matter and nuclei around the ventricles.
pub(crate) fn core(p: Point) -> f64 {
    let p = [p[0].abs(), p[1], p[2]];
    let capsule = ellipsoid(p, [14.0, -8.0, 5.0], [20.0, 36.0, 21.0]);
    let base = ellipsoid(p, [0.0, -8.0, -4.0], [15.0, 17.0, 12.0]);
    smooth_union(capsule, base, 6.0)
}
