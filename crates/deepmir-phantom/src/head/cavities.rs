//! Air in the head: sinuses, nose, throat, ears; and the eyes. Places are MNI millimetres.

use crate::builtin::{Point, ellipsoid, tube};
use crate::noise::Noise;
use crate::structure::Structure;

/// What a cavity or an eye puts at a place outside the skull's inside, if anything.
pub(crate) fn structure(p: Point, cells: &Noise) -> Option<Structure> {
    if p[1] < -62.0 || p[2] > 22.0 {
        return None;
    }
    eye(p).or_else(|| {
        let cellular = cellular_air(p);
        if cellular < 0.0 {
            // Thin walls part the cells.
            let wall = cells.value(p).abs() < 0.28;
            return Some(if wall { Structure::Mucosa } else { Structure::Air });
        }
        let open = open_air(p).min(cellular);
        if open < 0.0 {
            let turbinate = ellipsoid(p, [0.0, 46.0, -52.0], [13.0, 28.0, 17.0]) < 0.0
                && cells.value([p[0] * 1.6, p[1] * 0.3, p[2]]) > 0.1;
            return Some(if turbinate { Structure::Mucosa } else { Structure::Air });
        }
        if open < 1.2 {
            return Some(Structure::Mucosa);
        }
        (open < 2.6 && p[1] > -60.0).then_some(Structure::CorticalBone)
    })
}

/// Distance to the cavities that are one room.
fn open_air(p: Point) -> f64 {
    let side = [p[0].abs(), p[1], p[2]];
    let frontal = ellipsoid(side, [10.0, 76.0, -6.0], [11.0, 5.0, 14.0]);
    let sphenoid = ellipsoid(side, [7.5, 14.0, -37.0], [8.0, 12.0, 9.5]);
    let maxillary = ellipsoid(side, [28.0, 44.0, -60.0], [13.0, 17.0, 17.0]);
    let nose = ellipsoid(p, [0.0, 46.0, -52.0], [12.0, 32.0, 16.0]);
    let throat = tube(
        p,
        &[
            ([0.0, 12.0, -58.0], 9.0),
            ([0.0, 2.0, -75.0], 9.0),
            ([0.0, 4.0, -120.0], 8.0),
            ([0.0, -2.0, -200.0], 9.0),
        ],
    );
    let ear = tube(side, &[([92.0, -22.0, -42.0], 4.5), ([50.0, -20.0, -36.0], 3.4)]);
    frontal.min(sphenoid).min(maxillary).min(nose).min(throat).min(ear)
}

/// Distance to the cavities that are made of many cells: ethmoid and mastoid.
fn cellular_air(p: Point) -> f64 {
    let side = [p[0].abs(), p[1], p[2]];
    let ethmoid = ellipsoid(side, [7.5, 44.0, -32.0], [7.0, 22.0, 10.0]);
    let mastoid = ellipsoid(side, [56.0, -38.0, -44.0], [8.0, 11.0, 16.0]);
    ethmoid.min(mastoid)
}

fn eye(p: Point) -> Option<Structure> {
    let side = [p[0].abs(), p[1], p[2]];
    let globe = ellipsoid(side, [33.0, 64.0, -36.0], [12.5, 12.5, 12.5]);
    if ellipsoid(side, [33.0, 74.0, -36.0], [4.5, 2.2, 4.5]) < 0.0 {
        return Some(Structure::OpticNerveAndLens);
    }
    if globe < 0.0 {
        return Some(Structure::Eye);
    }
    let nerve = tube(
        side,
        &[([32.0, 52.0, -36.0], 2.2), ([16.0, 22.0, -29.0], 2.2), ([4.0, 8.0, -25.0], 2.0)],
    );
    if nerve < 0.0 {
        return Some(Structure::OpticNerveAndLens);
    }
    // Four straight muscles in the fat of the orbit.
    let orbit = ellipsoid(side, [30.0, 50.0, -36.0], [17.0, 24.0, 17.0]);
    let muscle = [[0.0, 8.5], [0.0, -8.5], [9.0, 0.0], [-8.0, 0.0]].into_iter().any(|[dx, dz]| {
        let path = [([33.0 + dx, 60.0, -36.0 + dz], 2.0), ([17.0, 26.0, -30.0], 1.6)];
        tube(side, &path) < 0.0
    });
    if orbit < 0.0 {
        return Some(if muscle { Structure::SoftTissue } else { Structure::SkinAndFat });
    }
    None
}
