//! What makes a voxel part of a region of MARS.

use deepmir_lesion::{Lobe, MarsRegion};
use deepmir_volume::{Mask, Volume, distance::distance_to};
use rayon::prelude::*;

use crate::Tissue;
use crate::registration::Parcellation;
use crate::template;

/// White matter this close to a nucleus counts as the nucleus, but in the capsules.
const BESIDE_NUCLEUS_MM: f32 = 2.0;

/// White matter this close to a lateral ventricle is deep or periventricular.
const PERIVENTRICULAR_MM: f32 = 10.0;

/// White matter this close to cortex belongs to the lobe, if it does not line the ventricle.
const JUXTACORTICAL_MM: f32 = 3.0;

/// White matter this close to the ventricle lines it.
const LINING_MM: f32 = 3.0;

/// What bounds a capsule is at most this far, each alone and both together.
const CAPSULE_REACH_MM: f32 = 8.0;
const CAPSULE_WIDTH_MM: f32 = 12.0;

/// Height in the template at which the internal capsule becomes the corona radiata.
const CAPSULE_TOP_MM: f64 = 22.0;

/// How far the corpus callosum may lie from the template's.
const CALLOSAL_MARGIN_MM: f64 = 1.0;

/// Distances in millimetres to what the rules ask for.
pub(super) struct Surroundings {
    to_lentiform: Volume<f32>,
    to_putamen: Volume<f32>,
    to_caudate: Volume<f32>,
    to_thalamus: Volume<f32>,
    to_insula: Volume<f32>,
    to_cortex: Volume<f32>,
    to_lateral_ventricle: Volume<f32>,
}

impl Surroundings {
    /// `insula` and `lateral_ventricle` are not told by the tissue alone.
    pub(super) fn of(parcellation: &Parcellation, insula: Mask, lateral_ventricle: Mask) -> Self {
        let masks = [
            parcellation.mask(|tissue| matches!(tissue, Tissue::Pallidum | Tissue::Putamen)),
            parcellation.mask(|tissue| tissue == Tissue::Putamen),
            parcellation.mask(|tissue| tissue == Tissue::Caudate),
            parcellation.mask(|tissue| tissue == Tissue::Thalamus),
            insula,
            parcellation.mask(|tissue| tissue == Tissue::Cortex),
            lateral_ventricle,
        ];
        let mut distances = masks.par_iter().map(distance_to).collect::<Vec<_>>().into_iter();
        let mut next = || distances.next().unwrap_or_else(|| parcellation.nowhere());
        Self {
            to_lentiform: next(),
            to_putamen: next(),
            to_caudate: next(),
            to_thalamus: next(),
            to_insula: next(),
            to_cortex: next(),
            to_lateral_ventricle: next(),
        }
    }

    /// The region of a voxel of the brain; `None` for ventricles and what is not brain. `lobe` is the
    /// lobe around it, `place_mm` its place in the template.
    pub(super) fn region(
        &self,
        position: usize,
        tissue: Tissue,
        lobe: Lobe,
        place_mm: [f64; 3],
    ) -> Option<MarsRegion> {
        Some(match tissue {
            Tissue::Background | Tissue::Outside | Tissue::SulcalFluid | Tissue::Ventricle => {
                return None;
            }
            Tissue::Brainstem => MarsRegion::Brainstem,
            Tissue::CerebellarCortex | Tissue::CerebellarWhiteMatter => MarsRegion::Cerebellum,
            Tissue::Caudate | Tissue::Putamen | Tissue::Pallidum => MarsRegion::BasalGanglia,
            Tissue::Thalamus => MarsRegion::Thalamus,
            // The substantia nigra is in the midbrain; the rest adjoins the thalamus.
            Tissue::VentralDiencephalon if template::in_brainstem(place_mm) => {
                MarsRegion::Brainstem
            }
            Tissue::VentralDiencephalon => MarsRegion::Thalamus,
            Tissue::Hippocampus => MarsRegion::Temporal,
            Tissue::Cortex => lobe.mars(),
            Tissue::WhiteMatter => self.white_matter(position, lobe, place_mm),
        })
    }

    fn white_matter(&self, position: usize, lobe: Lobe, place_mm: [f64; 3]) -> MarsRegion {
        let at = |distance: &Volume<f32>| distance.data()[position];
        let (lentiform, putamen) = (at(&self.to_lentiform), at(&self.to_putamen));
        let (caudate, thalamus) = (at(&self.to_caudate), at(&self.to_thalamus));
        let medial = caudate.min(thalamus);
        let insula = at(&self.to_insula);
        let ventricle = at(&self.to_lateral_ventricle);
        if template::in_corpus_callosum(place_mm, CALLOSAL_MARGIN_MM) {
            MarsRegion::CorpusCallosum
        } else if insula > medial && is_between(medial, lentiform) && place_mm[2] < CAPSULE_TOP_MM {
            MarsRegion::InternalCapsule
        } else if putamen < medial && is_between(putamen, insula) {
            MarsRegion::ExternalCapsule
        } else if caudate.min(lentiform) <= BESIDE_NUCLEUS_MM {
            MarsRegion::BasalGanglia
        } else if thalamus <= BESIDE_NUCLEUS_MM {
            MarsRegion::Thalamus
        } else if ventricle <= LINING_MM
            || ventricle <= PERIVENTRICULAR_MM && at(&self.to_cortex) > JUXTACORTICAL_MM
        {
            MarsRegion::DeepWhiteMatter
        } else {
            lobe.mars()
        }
    }
}

/// Whether a place lies in the capsule between two structures, by its distances to them.
fn is_between(one_mm: f32, other_mm: f32) -> bool {
    one_mm.max(other_mm) <= CAPSULE_REACH_MM && one_mm + other_mm <= CAPSULE_WIDTH_MM
}
