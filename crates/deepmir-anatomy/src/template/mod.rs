//! A head to compare others with: closed formulas in the coordinates of the MNI template.
//!
//! Only smooth shapes are drawn: the outlines of hemispheres and cerebellum with their sulci closed,
//! ventricles, nuclei, hippocampus and brainstem. Left and right are mirror images.

mod cerebrum;
mod deep;
mod hindbrain;
mod lobes;

use std::sync::LazyLock;

use deepmir_lesion::Side;
use deepmir_volume::{Affine, Grid, Mask, Volume};

pub(crate) use lobes::lobe;

/// A part of the head that is aligned. Nuclei lie far enough from those of the other side to need
/// no side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    LeftCerebrum,
    RightCerebrum,
    /// The lateral ones and the third.
    Ventricles,
    /// Caudate, accumbens and putamen.
    Striatum,
    Pallidum,
    Thalamus,
    /// With the amygdala.
    Hippocampus,
    Brainstem,
    Cerebellum,
}

impl Part {
    pub(crate) const COUNT: usize = 9;

    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::LeftCerebrum,
        Self::RightCerebrum,
        Self::Ventricles,
        Self::Striatum,
        Self::Pallidum,
        Self::Thalamus,
        Self::Hippocampus,
        Self::Brainstem,
        Self::Cerebellum,
    ];

    /// How much of a voxel around a place (MNI millimetres) it fills, 0 to 1.
    pub(crate) fn occupancy(self, place_mm: [f64; 3]) -> f32 {
        const HALF_EDGE_MM: f64 = 2.0;
        let distance = self.distance_mm(place_mm);
        (0.5 - 0.5 * (distance / HALF_EDGE_MM).clamp(-1.0, 1.0)) as f32
    }

    /// The signed distance to its surface, negative inside.
    fn distance_mm(self, place_mm: [f64; 3]) -> f64 {
        let p = [place_mm[0].abs(), place_mm[1], place_mm[2]];
        match self {
            Self::LeftCerebrum => hemisphere(p).max(place_mm[0]),
            Self::RightCerebrum => hemisphere(p).max(-place_mm[0]),
            Self::Ventricles => {
                let lateral = deep::lateral_ventricle(p).max(0.8 - p[0]);
                lateral.min(deep::third_ventricle(p))
            }
            Self::Striatum => deep::caudate(p).min(deep::putamen(p)),
            Self::Pallidum => deep::pallidum(p),
            Self::Thalamus => deep::thalamus(p),
            Self::Hippocampus => deep::hippocampus(p),
            Self::Brainstem => hindbrain::brainstem(p),
            Self::Cerebellum => hindbrain::cerebellum(p),
        }
    }
}

/// The brain of the template on voxels of 2 mm, in MNI millimetres: an outline to show places on.
pub fn template_brain() -> Mask {
    let affine = Affine::from_spacing([2.0; 3], [-84.0, -116.0, -76.0]);
    let Ok(grid) = Grid::new([85, 100, 84], affine) else { unreachable!("a fixed, valid grid") };
    Volume::from_fn(grid, |voxel| {
        let place = grid.position_mm(voxel);
        Part::ALL.iter().any(|part| part.distance_mm(place) < 0.0)
    })
}

/// A hemisphere with its nuclei and ventricles and what lies between it and the midline.
fn hemisphere(p: [f64; 3]) -> f64 {
    let middle = deep::thalamus(p)
        .min(deep::third_ventricle(p))
        .min(deep::ventral_diencephalon(p).max(-hindbrain::brainstem(p)))
        .min(deep::lateral_ventricle(p));
    cerebrum::outline(p).min(middle).min(cerebrum::corpus_callosum(p))
}

/// Whether a place is in the corpus callosum, if it is white matter.
pub(crate) fn in_corpus_callosum(place_mm: [f64; 3], margin_mm: f64) -> bool {
    cerebrum::corpus_callosum(place_mm) < margin_mm
}

/// Whether a place in a ventricle is in front horn, body or atrium of a lateral one: not in its temporal
/// horn, nor in the third or fourth ventricle.
pub(crate) fn near_ventricular_body(place_mm: [f64; 3]) -> bool {
    let p = [place_mm[0].abs(), place_mm[1], place_mm[2]];
    let temporal = p[2] < 2.0 && p[1] < 12.0 && p[0] > 15.0;
    let middle = p[0] < 4.0 && p[2] < 10.0;
    let below = p[2] < -10.0;
    !(temporal || middle || below)
}

/// Whether a place is in the brainstem.
pub(crate) fn in_brainstem(place_mm: [f64; 3]) -> bool {
    Part::Brainstem.distance_mm(place_mm) < 0.0
}

/// The centre of gravity of a part on a side; `None` where it is not.
pub(crate) fn centre_mm(part: Part, side: Side) -> Option<[f64; 3]> {
    CENTRES_MM[side as usize][part as usize]
}

static CENTRES_MM: LazyLock<[[Option<[f64; 3]>; Part::COUNT]; 2]> =
    LazyLock::new(|| [-1.0, 1.0].map(|sign| Part::ALL.map(|part| centre_of_half_mm(part, sign))));

/// By samples 4 mm apart over one half of the head.
fn centre_of_half_mm(part: Part, sign: f64) -> Option<[f64; 3]> {
    const STEP_MM: f64 = 4.0;
    let (mut mass, mut sum) = (0.0, [0.0; 3]);
    for (i, j, k) in
        (0..20).flat_map(|i| (0..50).flat_map(move |j| (0..44).map(move |k| (i, j, k))))
    {
        let aside = STEP_MM * (f64::from(i) + 0.5);
        let place = [sign * aside, -116.0 + STEP_MM * f64::from(j), -84.0 + STEP_MM * f64::from(k)];
        let filled = f64::from(part.occupancy(place));
        mass += filled;
        sum.iter_mut().zip(place).for_each(|(sum, mm)| *sum += filled * mm);
    }
    (mass > 0.5).then(|| sum.map(|sum| sum / mass))
}
