//! Brainstem and cerebellum.

use rand::rngs::ChaCha8Rng;

use super::cerebrum::tentorium_height;
use crate::noise::Noise;
use crate::structure::Structure;
use deepmir_volume::shapes::{Point, ellipsoid, smooth_cut, smooth_union, tube};

/// Outline of midbrain, pons, medulla and the uppermost cord.
pub(crate) fn brainstem(p: Point) -> f64 {
    let side = [p[0].abs(), p[1], p[2]];
    let midbrain = ellipsoid(p, [0.0, -27.0, -12.0], [14.0, 11.0, 12.0]);
    let peduncle = tube(side, &[([12.0, -15.0, -7.0], 6.0), ([6.5, -18.5, -22.0], 6.2)]);
    let tectum = tube(side, &[([4.0, -36.0, -5.0], 3.6), ([4.0, -37.5, -13.0], 3.6)]);
    let pons = ellipsoid(p, [0.0, -25.0, -33.0], [16.5, 13.0, 13.5]);
    let medulla = tube(
        p,
        &[([0.0, -33.0, -46.0], 9.0), ([0.0, -39.0, -62.0], 7.0), ([0.0, -43.0, -74.0], 5.8)],
    );
    let olives = tube(side, &[([5.0, -29.0, -48.0], 3.6), ([4.5, -33.0, -57.0], 3.0)]);
    let upper = smooth_union(smooth_union(midbrain, peduncle, 4.0), tectum, 2.5);
    // The fossa between the peduncles.
    let fossa = tube(p, &[([0.0, -9.0, -10.0], 3.8), ([0.0, -12.0, -20.0], 3.0)]);
    let upper = smooth_cut(upper, -fossa, 2.0);
    smooth_union(smooth_union(upper, pons, 3.0), smooth_union(medulla, olives, 2.0), 5.0)
}

/// The spinal cord below the brainstem.
pub(crate) fn spinal_cord(p: Point) -> f64 {
    tube(p, &[([0.0, -43.0, -73.0], 5.6), ([0.0, -52.0, -110.0], 5.4), ([0.0, -54.0, -190.0], 5.2)])
}

/// The middle peduncles, from the pons into the cerebellum.
fn middle_peduncle(p: Point) -> f64 {
    let side = [p[0].abs(), p[1], p[2]];
    tube(
        side,
        &[([12.0, -28.0, -34.0], 7.0), ([22.0, -42.0, -36.0], 6.0), ([24.0, -54.0, -38.0], 5.0)],
    )
}

/// Aqueduct and fourth ventricle.
pub(crate) fn fourth_ventricle(p: Point) -> f64 {
    let aqueduct = tube(
        p,
        &[([0.0, -29.0, -2.0], 1.1), ([0.0, -35.0, -18.0], 1.1), ([0.0, -39.0, -25.0], 1.8)],
    );
    // A lozenge in front, a tent behind.
    let lozenge = ellipsoid(p, [0.0, -41.5, -35.0], [7.5, 3.6, 13.0]);
    let tent = ellipsoid(p, [0.0, -46.0, -33.0], [3.2, 6.0, 5.0]);
    aqueduct.min(smooth_union(lozenge, tent, 3.0))
}

/// Outline of the cerebellum, fissures closed.
pub(crate) fn cerebellum(p: Point) -> f64 {
    let side = [p[0].abs(), p[1], p[2]];
    let hemisphere = ellipsoid(side, [26.0, -60.0, -36.0], [32.0, 31.0, 28.0]);
    let vermis = ellipsoid(p, [0.0, -60.0, -24.0], [20.0, 27.0, 29.0]);
    let tonsil = ellipsoid(side, [8.0, -50.0, -54.0], [7.0, 8.0, 9.0]);
    let joined = smooth_union(smooth_union(hemisphere, vermis, 5.0), tonsil, 3.0);
    let under = p[2] - (tentorium_height(p) - 0.8);
    let behind_stem = smooth_cut(joined, under, 2.0);
    // Room for the brainstem and a notch at the back between the hemispheres.
    let notch = ellipsoid(p, [0.0, -92.0, -42.0], [4.0, 10.0, 14.0]);
    behind_stem.max(-notch).max(2.0 - brainstem(p).max(-30.0) - 3.0)
}

/// The folia of one person.
pub(crate) struct Cerebellum {
    bend: Noise,
    fissure_mm: f64,
}

impl Cerebellum {
    /// Draws the course of the fissures.
    pub(crate) fn draw(atrophy: f64, generator: &mut ChaCha8Rng) -> Self {
        Self { bend: Noise::smooth(8.0, 64, 4.0, generator), fissure_mm: 0.45 + 0.7 * atrophy }
    }

    /// What lies at a place inside the outline; `depth_mm` is its distance to the outline.
    pub(crate) fn structure(&self, p: Point, depth_mm: f64) -> Structure {
        if fourth_ventricle(p) < 0.0 {
            return Structure::FourthVentricle;
        }
        if middle_peduncle(p) < 0.0 {
            return Structure::CerebellarWhiteMatter;
        }
        // Folia run from side to side, stacked around the cerebellum's hilum.
        let (forward, up) = (p[1] + 46.0, p[2] + 36.0);
        let angle = up.atan2(-forward);
        let bend = self.bend.value(p);
        let turns = |folia: f64| {
            let phase = angle * folia + 0.55 * bend + 0.012 * p[0].abs() * folia * 0.25;
            // Distance along the arc to the nearest fissure.
            let offset = phase - phase.round();
            offset.abs() / folia * forward.hypot(up).max(8.0)
        };
        let sheet = |aside: f64, reach: f64| aside.hypot((depth_mm - reach).max(0.0));
        let fissures = sheet(turns(2.9), 13.0 + 2.0 * bend)
            .min(sheet(turns(5.8), 6.5 + bend))
            .min(sheet(turns(11.6), 2.6) + 0.15);
        let to_fluid = smooth_union(depth_mm, fissures - 0.5 * self.fissure_mm, 0.8);
        if to_fluid < 0.0 {
            Structure::CerebrospinalFluid
        } else if to_fluid < 1.9 || depth_mm < 3.2 {
            Structure::CerebellarCortex
        } else {
            Structure::CerebellarWhiteMatter
        }
    }
}
