//! How far places are from parts of the brain.

use deepmir_volume::{Mask, Volume, distance::distance_to, morphology::close_mm};

use crate::Tissue;
use crate::registration::Parcellation;

/// Sulci up to twice this wide are inside the brain's edge.
const CLOSED_SULCI_MM: f32 = 5.0;

/// Distances of a place in millimetres; infinite where a part is missing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distances {
    /// To the nearest pallidum or putamen; 0 inside.
    pub lentiform_mm: f32,
    /// To the nearest cerebral cortex; 0 inside.
    pub cortex_mm: f32,
    /// To the nearest ventricle; 0 inside.
    pub ventricle_mm: f32,
    /// To the outside of the brain, sulci being inside; 0 outside.
    pub edge_mm: f32,
}

/// Distances of every voxel.
#[derive(Clone, Debug)]
pub(super) struct DistanceMaps {
    lentiform: Volume<f32>,
    cortex: Volume<f32>,
    ventricle: Volume<f32>,
    edge: Volume<f32>,
}

impl DistanceMaps {
    pub(super) fn of(parcellation: &Parcellation) -> Self {
        let to = |wanted: fn(Tissue) -> bool| distance_to(&parcellation.mask(wanted));
        let ((lentiform, cortex), (ventricle, edge)) = rayon::join(
            || {
                let lentiform = to(|t| matches!(t, Tissue::Pallidum | Tissue::Putamen));
                (lentiform, to(|t| t == Tissue::Cortex))
            },
            || (to(|t| t == Tissue::Ventricle), from_outside(parcellation)),
        );
        Self { lentiform, cortex, ventricle, edge }
    }

    pub(super) fn at(&self, position: usize) -> Distances {
        Distances {
            lentiform_mm: self.lentiform.data()[position],
            cortex_mm: self.cortex.data()[position],
            ventricle_mm: self.ventricle.data()[position],
            edge_mm: self.edge.data()[position],
        }
    }
}

fn from_outside(parcellation: &Parcellation) -> Volume<f32> {
    let brain: Mask = close_mm(&parcellation.mask(|tissue| tissue.is_brain()), CLOSED_SULCI_MM);
    distance_to(&brain.map(|&inside| !inside))
}
