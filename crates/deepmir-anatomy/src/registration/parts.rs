//! The aligned parts of a parcellation.

use deepmir_lesion::Side;
use deepmir_volume::{Mask, Volume, distance::distance_to, gaussian, morphology::close_mm};
use rayon::prelude::*;

use super::Parcellation;
use crate::Tissue;
use crate::template::Part;

/// Sulci up to twice this wide are closed, as the template has none.
const CLOSED_SULCI_MM: f32 = 6.0;

/// Parts in the order of [`Part::ALL`].
pub(super) struct Parts {
    masks: Vec<Mask>,
}

impl Parts {
    /// Gathers the tissues of each part.
    pub(super) fn of(parcellation: &Parcellation) -> Self {
        let ventricles = upper_ventricles(parcellation);
        let masks = Part::ALL.into_par_iter().map(|part| match part {
            Part::LeftCerebrum => cerebrum(parcellation, &ventricles, Side::Left),
            Part::RightCerebrum => cerebrum(parcellation, &ventricles, Side::Right),
            Part::Ventricles => ventricles.clone(),
            Part::Striatum => parcellation.mask(|t| matches!(t, Tissue::Caudate | Tissue::Putamen)),
            Part::Pallidum => parcellation.mask(|t| t == Tissue::Pallidum),
            Part::Thalamus => parcellation.mask(|t| t == Tissue::Thalamus),
            Part::Hippocampus => parcellation.mask(|t| t == Tissue::Hippocampus),
            Part::Brainstem => parcellation.mask(|t| t == Tissue::Brainstem),
            Part::Cerebellum => parcellation
                .mask(|t| matches!(t, Tissue::CerebellarCortex | Tissue::CerebellarWhiteMatter)),
        });
        Self { masks: masks.collect() }
    }

    /// How much of the place around each voxel every part fills: its mask smoothed by a Gaussian.
    pub(super) fn smoothed(&self, sigma_mm: f64) -> Vec<Volume<f32>> {
        let smoothed = self.masks.par_iter().map(|mask| {
            let filled = mask.map(|&inside| if inside { 1.0 } else { 0.0 });
            gaussian::smooth(&filled, [sigma_mm; 3])
        });
        smoothed.collect()
    }

    /// The centre of gravity of a part's voxels on a side in millimetres, and how many they are.
    pub(super) fn centre_mm(
        &self,
        part: Part,
        side: Side,
        parcellation: &Parcellation,
    ) -> (usize, [f64; 3]) {
        let mask = &self.masks[part as usize];
        let (mut count, mut sum) = (0, [0.0; 3]);
        for (position, &inside) in mask.data().iter().enumerate() {
            if inside && parcellation.side_at(position) == Some(side) {
                count += 1;
                let place = mask.grid().position_mm(mask.grid().voxel(position));
                sum.iter_mut().zip(place).for_each(|(sum, mm)| *sum += mm);
            }
        }
        (count, sum.map(|sum| sum / count.max(1) as f64))
    }
}

/// The lateral and third ventricles: nearer to the cerebrum than to brainstem and cerebellum.
fn upper_ventricles(parcellation: &Parcellation) -> Mask {
    let below = parcellation.mask(|tissue| {
        use Tissue::{Brainstem, CerebellarCortex, CerebellarWhiteMatter};
        matches!(tissue, Brainstem | CerebellarCortex | CerebellarWhiteMatter)
    });
    let above = parcellation.mask(|tissue| {
        use Tissue::{Caudate, Hippocampus, Thalamus, WhiteMatter};
        matches!(tissue, WhiteMatter | Thalamus | Caudate | Hippocampus)
    });
    let (to_below, to_above) = rayon::join(|| distance_to(&below), || distance_to(&above));
    let mut ventricles = parcellation.mask(|tissue| tissue == Tissue::Ventricle);
    let distances = to_below.data().iter().zip(to_above.data());
    for (inside, (below, above)) in ventricles.data_mut().iter_mut().zip(distances) {
        *inside &= above < below;
    }
    ventricles
}

/// A hemisphere with its nuclei and ventricle, sulci closed.
fn cerebrum(parcellation: &Parcellation, ventricles: &Mask, side: Side) -> Mask {
    let mut mask = parcellation.mask(is_cerebral);
    for (position, inside) in mask.data_mut().iter_mut().enumerate() {
        *inside = (*inside || ventricles.data()[position])
            && parcellation.side_at(position) == Some(side);
    }
    close_mm(&mask, CLOSED_SULCI_MM)
}

/// Grey and white matter of the cerebrum.
fn is_cerebral(tissue: Tissue) -> bool {
    use Tissue::{Caudate, Cortex, Hippocampus, Pallidum, Putamen, Thalamus};
    use Tissue::{VentralDiencephalon, WhiteMatter};
    let is_grey = matches!(tissue, Caudate | Cortex | Hippocampus | Pallidum | Putamen | Thalamus);
    is_grey || matches!(tissue, VentralDiencephalon | WhiteMatter)
}
