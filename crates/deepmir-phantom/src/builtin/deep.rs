//! Ventricles and the grey nuclei around them.

use crate::structure::Structure;
use deepmir_volume::shapes::{Point, ellipsoid, smooth_union, tube, turned};

/// Sizes that differ between people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeepShape {
    /// Factor of the radii of the lateral ventricles.
    pub(crate) ventricles: f64,
    /// Half width of the third ventricle in millimetres.
    pub(crate) third_half_width_mm: f64,
    /// Factor of the sizes of the nuclei.
    pub(crate) nuclei: f64,
}

impl DeepShape {
    /// The structure at a place near the middle of the brain, if it is none of the white matter.
    pub(crate) fn structure(&self, p: Point) -> Option<Structure> {
        let side = [p[0].abs(), p[1], p[2]];
        if side[0] > 46.0 || !(-86.0..44.0).contains(&p[1]) || !(-36.0..40.0).contains(&p[2]) {
            return None;
        }
        let grow = 1.5 * (self.nuclei - 1.0) * 5.0;
        let caudate = caudate(side) - grow;
        let ventricle = self.lateral_ventricle(side);
        if pineal(p) < 0.0 {
            return Some(Structure::Pineal);
        }
        if choroid_plexus(side) < 0.0 && ventricle < 0.5 {
            return Some(Structure::ChoroidPlexus);
        }
        if caudate < 0.0 {
            return Some(Structure::Caudate);
        }
        if thalamus(side) - grow < 0.0 && side[0] > self.third_half_width_mm {
            return Some(Structure::Thalamus);
        }
        if self.third_ventricle(p) < 0.0 {
            return Some(Structure::ThirdVentricle);
        }
        if hippocampus(side) < 0.0 {
            return Some(Structure::Hippocampus);
        }
        if ellipsoid(side, [22.5, -4.0, -20.0], [7.0, 7.5, 7.0]) < 0.0 {
            return Some(Structure::Amygdala);
        }
        // The septum stands between the ventricles.
        if ventricle < 0.0 && side[0] > 0.8 {
            return Some(Structure::LateralVentricle);
        }
        let putamen = putamen(side) - grow;
        let pallidum = pallidum(side) - grow;
        if pallidum < 0.0 {
            return Some(Structure::OuterPallidum);
        }
        // A lamina of fibres parts putamen and pallidum.
        if putamen < 0.0 && pallidum > 0.6 {
            return Some(Structure::Putamen);
        }
        if ellipsoid(side, [9.5, 12.0, -7.0], [4.5, 5.0, 4.0]) < 0.0 {
            return Some(Structure::Accumbens);
        }
        if claustrum(side) {
            return Some(Structure::Cortex);
        }
        let ventral = ellipsoid(side, [9.5, -13.0, -8.0], [9.0, 10.0, 6.0]);
        (ventral < 0.0).then_some(Structure::VentralDiencephalon)
    }

    fn lateral_ventricle(&self, p: Point) -> f64 {
        let w = self.ventricles;
        let front = [
            ([6.5, 31.0, 4.0], 2.6 * w),
            ([7.5, 22.0, 9.0], 4.6 * w),
            ([7.5, 8.0, 17.0], 4.4 * w),
            ([8.5, -8.0, 21.0], 4.0 * w),
            ([12.0, -24.0, 20.0], 4.6 * w),
            ([22.0, -38.0, 13.0], 6.8 * w),
        ];
        let back = [
            ([22.0, -38.0, 13.0], 6.6 * w),
            ([25.0, -56.0, 8.0], 4.0 * w),
            ([23.0, -72.0, 5.0], 1.6 * w),
        ];
        let temporal = [
            ([24.0, -38.0, 10.0], 5.6 * w),
            ([32.0, -33.0, -3.0], 3.0 * w),
            ([35.0, -20.0, -14.0], 2.2 * w),
            ([32.0, -8.0, -20.0], 1.9 * w),
        ];
        let horns = smooth_union(tube(p, &front), tube(p, &back), 3.0);
        smooth_union(horns, tube(p, &temporal), 3.0)
    }

    fn third_ventricle(&self, p: Point) -> f64 {
        let slab = ellipsoid(p, [0.0, -12.0, -1.0], [self.third_half_width_mm * 1.3, 17.0, 12.0]);
        let adhesion = ellipsoid(p, [0.0, -15.0, 5.0], [4.0, 3.0, 2.5]);
        slab.max(-adhesion)
    }
}

fn caudate(p: Point) -> f64 {
    tube(
        p,
        &[
            ([12.0, 20.0, -1.0], 5.4),
            ([13.5, 16.0, 7.0], 6.5),
            ([14.5, 6.0, 14.0], 5.4),
            ([16.5, -8.0, 19.5], 3.7),
            ([19.5, -22.0, 19.5], 2.4),
            ([27.0, -35.0, 12.0], 1.7),
            ([33.0, -30.0, -1.0], 1.4),
            ([34.0, -18.0, -10.5], 1.3),
        ],
    )
}

fn thalamus(p: Point) -> f64 {
    let centre = [11.5, -19.0, 7.0];
    let turned = turned(p, centre, 2, 24.0);
    let body = ellipsoid(turned, centre, [9.9, 17.2, 11.2]);
    let pulvinar = ellipsoid(p, [16.0, -28.0, 7.0], [7.0, 6.5, 7.5]);
    smooth_union(body, pulvinar, 4.0)
}

fn putamen(p: Point) -> f64 {
    let centre = [26.5, 1.0, 1.0];
    let turned = turned(p, centre, 2, 12.0);
    let body = ellipsoid(turned, centre, [6.2, 18.5, 12.5]);
    let front = ellipsoid(p, [22.0, 10.0, -1.0], [6.0, 7.5, 8.5]);
    smooth_union(body, front, 4.0)
}

fn pallidum(p: Point) -> f64 {
    let centre = [19.0, -4.5, -1.0];
    let turned = turned(p, centre, 2, 28.0);
    // A wedge: wide at the putamen, narrow at the genu of the capsule.
    let narrowing = 1.0 - 0.035 * (turned[0] - centre[0]).clamp(-6.0, 0.0).abs();
    ellipsoid(turned, centre, [6.2, 11.5 * narrowing, 8.2 * narrowing])
}

fn hippocampus(p: Point) -> f64 {
    tube(
        p,
        &[
            ([24.0, -9.0, -22.0], 5.2),
            ([27.5, -18.0, -18.5], 5.2),
            ([29.0, -27.0, -12.0], 4.5),
            ([25.0, -36.0, -3.0], 3.4),
        ],
    )
}

fn choroid_plexus(p: Point) -> f64 {
    tube(
        p,
        &[
            ([9.0, -6.0, 18.0], 1.0),
            ([14.0, -24.0, 17.0], 1.5),
            ([22.5, -38.0, 11.0], 3.4),
            ([29.0, -35.0, 0.0], 1.4),
        ],
    )
}

fn pineal(p: Point) -> f64 {
    ellipsoid(p, [0.0, -32.0, 2.0], [3.2, 4.4, 2.8])
}

/// The claustrum: a thin sheet of grey between putamen and insula.
fn claustrum(p: Point) -> bool {
    let outside = putamen(p);
    (2.2..3.5).contains(&outside)
        && p[0] > 29.0
        && (-16.0..16.0).contains(&p[1])
        && (-8.0..9.0).contains(&p[2])
}
