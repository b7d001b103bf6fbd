//! Small structures that label maps lack: substantia nigra, red nucleus, dentate, the inner
//! pallidum, the pineal gland.

use deepmir_volume::{Affine, Volume};
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;

use super::landmarks::Landmarks;
use crate::builtin::{ellipsoid, turned};
use crate::noise::Noise;
use crate::structure::Structure;

/// Places what is missing, at the template's places as nearby landmarks have them.
pub(crate) fn place(
    labels: &mut Volume<Structure>,
    landmarks: &Landmarks,
    generator: &mut ChaCha8Rng,
) {
    let lacks =
        [Structure::RedNucleus, Structure::Dentate, Structure::InnerPallidum, Structure::Pineal]
            .map(|wanted| !labels.data().contains(&wanted));
    let [lacks_midbrain, lacks_dentate, lacks_inner, lacks_pineal] = lacks;
    let crumple = Noise::banded(6.0, 0.25, 32, 2.0, generator);
    if lacks_midbrain {
        paint(labels, &landmarks.to_template([0.0, -19.0, -10.0], 25.0), |old, p| {
            midbrain_nucleus(old, [p[0].abs(), p[1], p[2]])
        });
    }
    if lacks_dentate {
        paint(labels, &landmarks.to_template([0.0, -57.0, -36.0], 35.0), |old, p| {
            dentate(old, p, &crumple)
        });
    }
    let basal = landmarks.to_template([0.0, -4.0, 0.0], 30.0);
    if lacks_inner {
        paint(labels, &basal, |old, p| {
            let side = turned([p[0].abs(), p[1], p[2]], [19.0, -4.5, -1.0], 2, 28.0);
            (old == Structure::OuterPallidum && side[0] < 18.0).then_some(Structure::InnerPallidum)
        });
    }
    if lacks_pineal {
        paint(labels, &basal, |old, p| {
            let free = old.is_fluid() || old == Structure::Air || old == Structure::WhiteMatter;
            let inside = ellipsoid(p, [0.0, -32.0, 2.0], [3.2, 4.4, 2.8]) < 0.0;
            (free && inside).then_some(Structure::Pineal)
        });
    }
}

/// Red nucleus and substantia nigra. `p` is on the right side, in MNI millimetres.
fn midbrain_nucleus(old: Structure, p: [f64; 3]) -> Option<Structure> {
    let room = matches!(
        old,
        Structure::Brainstem | Structure::VentralDiencephalon | Structure::WhiteMatter
    );
    if !room {
        return None;
    }
    if ellipsoid(p, [4.9, -20.5, -8.5], [3.1, 3.3, 4.2]) < 0.0 {
        return Some(Structure::RedNucleus);
    }
    // A curved plate in front of it, from the middle to the side and back, leaning outwards.
    let centre = [9.8 + 0.25 * (p[2] + 12.0), -16.3, -12.0];
    let seen = turned(p, centre, 2, -36.0);
    let bowed = [seen[0], seen[1] + 0.035 * (seen[0] - centre[0]).powi(2), seen[2]];
    let plate = ellipsoid(bowed, centre, [7.0, 2.1, 6.0]);
    (plate < 0.0).then_some(Structure::SubstantiaNigra)
}

/// The dentate: a crumpled band of grey, open towards the middle and the front.
fn dentate(old: Structure, p: [f64; 3], crumple: &Noise) -> Option<Structure> {
    let room = matches!(old, Structure::CerebellarWhiteMatter | Structure::CerebellarCortex);
    let side = [p[0].abs(), p[1], p[2]];
    if !room || side[0] < 5.0 || (side[0] < 11.0 && p[1] > -55.0) {
        return None;
    }
    let shell = ellipsoid(side, [14.5, -57.0, -36.0], [7.5, 8.5, 5.5]) + 1.1 * crumple.value(p);
    (shell.abs() < 1.15).then_some(Structure::Dentate)
}

/// Replaces labels by what `change(old, template place)` says.
fn paint(
    labels: &mut Volume<Structure>,
    to_template: &Affine,
    change: impl Fn(Structure, [f64; 3]) -> Option<Structure> + Sync,
) {
    let grid = *labels.grid();
    let map = to_template.after(grid.affine());
    let [nx, ny, _] = grid.shape();
    labels.data_mut().par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
        for (index, label) in slice.iter_mut().enumerate() {
            if *label == Structure::Air || *label == Structure::SoftTissue {
                continue;
            }
            let place = map.apply([(index % nx) as f64, (index / nx) as f64, k as f64]);
            if let Some(new) = change(*label, place) {
                *label = new;
            }
        }
    });
}
