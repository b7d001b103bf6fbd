//! From the millimetres of a head to those of the template.

mod affine;
mod demons;
mod image;
mod parcellation;
mod parts;

use std::sync::LazyLock;

use deepmir_volume::{Affine, Volume, gaussian};
use rayon::prelude::*;

use crate::template::Part;
use demons::Displacement;
use image::{Lattice, PartImage};
pub(crate) use parcellation::Parcellation;
use parts::Parts;

/// How much each part counts, in the order of [`Part::ALL`]: small ones more.
const PART_WEIGHTS: [f32; Part::COUNT] = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0];

/// Parts are compared after smoothing, so that those of two heads overlap.
const SMOOTHING_MM: f64 = 4.0;

/// The box of the template in which heads are aligned: 4 mm, with room around the brain.
const LATTICE: Lattice =
    Lattice { shape: [45, 55, 46], origin_mm: [-88.0, -124.0, -84.0], spacing_mm: 4.0 };

/// The parts of the template on [`LATTICE`].
static TEMPLATE: LazyLock<Option<PartImage>> = LazyLock::new(|| {
    let grid = LATTICE.grid()?;
    let drawn = Part::ALL.into_par_iter().map(|part| {
        let drawn = Volume::from_fn(grid, |voxel| part.occupancy(grid.position_mm(voxel)));
        gaussian::smooth(&drawn, [SMOOTHING_MM; 3])
    });
    PartImage::of(&drawn.collect::<Vec<_>>(), LATTICE, &identity())
});

/// Takes the places of a head to those of the template.
pub(crate) struct Registration {
    affine: Affine,
    displacement: Displacement,
}

impl Registration {
    /// Aligns a head with the template; `None` if too much of a brain is missing.
    pub(crate) fn of(parcellation: &Parcellation) -> Option<Self> {
        let template = TEMPLATE.as_ref()?;
        let parts = Parts::of(parcellation);
        let start = affine::from_centres(parcellation, &parts)?;
        let smoothed = parts.smoothed(SMOOTHING_MM);
        let everywhere = Volume::filled(*smoothed.first()?.grid(), 1.0_f32);
        let inside = |lattice: Lattice, to_head: &Affine| -> Option<Vec<bool>> {
            let seen = PartImage::of(std::slice::from_ref(&everywhere), lattice, to_head)?;
            Some(seen.data.iter().map(|value| value[0] > 0.5).collect())
        };
        let lattice = parcellation.lattice(LATTICE.spacing_mm);
        let head = PartImage::of(&smoothed, lattice, &identity())?;
        let affine = affine::refine(start, &head, &inside(lattice, &identity())?, template)?;
        let to_head = affine.inverse();
        let head = PartImage::of(&smoothed, LATTICE, &to_head)?;
        let displacement = Displacement::between(&head, &inside(LATTICE, &to_head)?, template)?;
        Some(Self { affine, displacement })
    }

    /// The template's millimetres of a place in the head.
    pub(crate) fn to_template_mm(&self, place_mm: [f64; 3]) -> [f64; 3] {
        self.displacement.apply(self.affine.apply(place_mm))
    }
}

fn identity() -> Affine {
    Affine::from_spacing([1.0; 3], [0.0; 3])
}
