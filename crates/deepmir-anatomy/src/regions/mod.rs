//! Lobes and the regions of MARS in a parcellated head.

mod distances;
mod nearest;
mod rules;

use std::sync::OnceLock;

use deepmir_lesion::{BasalGanglia, FindPlace, Lobe, MarsRegion, Place, Side};
use deepmir_volume::{Grid, Mask, Volume};
use rayon::prelude::*;

use crate::Tissue;
use crate::registration::{Parcellation, Registration};
use crate::template;
use distances::DistanceMaps;
pub use distances::Distances;
use nearest::Nearest;
use rules::Surroundings;

/// Places this far outside the tissue belong to the nearest tissue.
const REACH_MM: f64 = 4.0;

/// Lobes, regions of MARS and sides of a head.
///
/// Tissue decides where it can: brainstem, cerebellum, thalamus and basal ganglia are what the
/// parcellation says, and the capsules are the white matter between nuclei. Lobes, insula and corpus
/// callosum come from the coordinates of a template of our own, drawn by formulas in those of MNI, to
/// which the head is registered: an affine on all parts, then diffeomorphic demons. Deep white
/// matter is what lies within 10 mm of a lateral ventricle and not right under the cortex.
///
/// The hippocampus counts as temporal lobe, the diencephalon below the thalamus as thalamus, and
/// white matter that touches a nucleus as the nucleus.
#[derive(Clone, Debug)]
pub struct Regions {
    mars: Volume<u8>,
    lobe: Volume<u8>,
    side: Volume<u8>,
    /// The grid of the part around the brain.
    cut: Grid,
    /// The labels of its voxels, spread beyond the tissue.
    spread: Vec<Label>,
    parcellation: Parcellation,
    /// Made when they are first asked for.
    distances: OnceLock<DistanceMaps>,
}

/// Numbers of region, lobe and side; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Label {
    mars: u8,
    lobe: u8,
    side: u8,
}

impl Regions {
    /// Finds the regions. `tissue` holds the numbers of [`Tissue`] in RAS order at about 2 mm, `side` 0
    /// for unknown, 1 for left and 2 for right. `None` if the grids differ, or if so much of the brain
    /// is missing that it cannot be registered: nuclei, hippocampi and hemispheres of both sides.
    pub fn of(tissue: &Volume<u8>, side: &Volume<u8>) -> Option<Self> {
        let parcellation = Parcellation::around_brain(tissue, side)?;
        let registration = Registration::of(&parcellation)?;
        let labels = labels(&parcellation, &registration);
        let whole = |number: fn(&Label) -> u8| {
            let mut volume = Volume::filled(*tissue.grid(), 0);
            let part = labels.map(number);
            volume.paste(&part, parcellation.place());
            volume
        };
        Some(Self {
            mars: whole(|label| label.mars),
            lobe: whole(|label| label.lobe),
            side: whole(|label| label.side),
            spread: spread(&labels),
            cut: *labels.grid(),
            distances: OnceLock::new(),
            parcellation,
        })
    }

    /// On the parcellation's grid: 0 outside and in ventricles, else one more than the position in
    /// [`MarsRegion::ALL`].
    pub fn mars(&self) -> &Volume<u8> {
        &self.mars
    }

    /// On the parcellation's grid: 0 where there is no lobe, else one more than the position in
    /// [`Lobe::ALL`]. Lobar regions and deep white matter have one.
    pub fn lobe(&self) -> &Volume<u8> {
        &self.lobe
    }

    /// On the parcellation's grid: 0 outside and in the brainstem, 1 left, 2 right.
    pub fn side(&self) -> &Volume<u8> {
        &self.side
    }

    /// What is at a place (RAS millimetres of the parcellation); up to 4 mm outside the tissue, what is
    /// nearest. `None` further away.
    pub fn place(&self, place_mm: [f64; 3]) -> Option<Place> {
        let label = self.spread[self.position(place_mm)?];
        Some(Place {
            mars: *MarsRegion::ALL.get(usize::from(label.mars.checked_sub(1)?))?,
            lobe: label.lobe.checked_sub(1).and_then(|n| Lobe::ALL.get(usize::from(n)).copied()),
            side: match label.side {
                1 => Some(Side::Left),
                2 => Some(Side::Right),
                _ => None,
            },
        })
    }

    /// How far a place (RAS millimetres of the parcellation) is from parts of the brain; `None` if it
    /// is not near the brain.
    pub fn distances(&self, place_mm: [f64; 3]) -> Option<Distances> {
        let maps = || self.distances.get_or_init(|| DistanceMaps::of(&self.parcellation));
        self.position(place_mm).map(|position| maps().at(position))
    }

    /// The position of the nearest voxel in the data of the cut; `None` outside.
    fn position(&self, place_mm: [f64; 3]) -> Option<usize> {
        let at = self.cut.affine().inverse().apply(place_mm);
        let shape = self.cut.shape();
        let inside = (0..3).all(|axis| at[axis] > -0.5 && at[axis] < shape[axis] as f64 - 0.5);
        inside.then(|| self.cut.index(at.map(|index| index.round().max(0.0) as usize)))
    }
}

impl FindPlace for Regions {
    fn at(&self, point_mm: [f64; 3]) -> Option<Place> {
        self.place(point_mm)
    }
}

impl BasalGanglia for Regions {
    /// Within 6 mm of pallidum or putamen: as far as the network's outlines may be off.
    fn may_hold(&self, point_mm: [f64; 3]) -> bool {
        const MARGIN_MM: f32 = 6.0;
        self.distances(point_mm).is_some_and(|distances| distances.lentiform_mm <= MARGIN_MM)
    }
}

/// The labels of the tissue.
fn labels(parcellation: &Parcellation, registration: &Registration) -> Volume<Label> {
    let grid = *parcellation.tissues().grid();
    let positions = || (0..grid.len()).into_par_iter().with_min_len(1024);
    let places: Vec<[f64; 3]> = positions()
        .map(|position| {
            let is_brain = parcellation.tissue_at(position).is_brain();
            let place = || registration.to_template_mm(grid.position_mm(grid.voxel(position)));
            if is_brain { place() } else { [0.0; 3] }
        })
        .collect();
    let of_tissue = |wanted: Tissue, condition: &dyn Fn([f64; 3]) -> bool| -> Mask {
        Volume::from_fn(grid, |voxel| {
            let position = grid.index(voxel);
            parcellation.tissue_at(position) == wanted && condition(places[position])
        })
    };
    let cortex = parcellation.mask(|tissue| tissue == Tissue::Cortex);
    let insula = of_tissue(Tissue::Cortex, &|place| template::lobe(place) == Lobe::Insula);
    let lateral_ventricle = of_tissue(Tissue::Ventricle, &template::near_ventricular_body);
    let (nearest, surroundings) = rayon::join(
        || Nearest::to(&cortex),
        || Surroundings::of(parcellation, insula, lateral_ventricle),
    );
    let label = |position: usize| {
        let place = places[position];
        // White matter is of the lobe whose cortex is nearest.
        let lobe = template::lobe(nearest.at(position).map_or(place, |cortex| places[cortex]));
        let tissue = parcellation.tissue_at(position);
        let Some(mars) = surroundings.region(position, tissue, lobe, place) else {
            return Label::default();
        };
        let lobe = match mars {
            MarsRegion::DeepWhiteMatter => Some(lobe),
            _ => mars.lobe(),
        };
        let side = if mars == MarsRegion::Brainstem {
            None
        } else {
            let by_place = if place[0] < 0.0 { Side::Left } else { Side::Right };
            Some(parcellation.side_at(position).unwrap_or(by_place))
        };
        Label {
            mars: mars as u8 + 1,
            lobe: lobe.map_or(0, |lobe| lobe as u8 + 1),
            side: side.map_or(0, |side| side as u8 + 1),
        }
    };
    let labels: Vec<Label> = positions().map(label).collect();
    Volume::from_fn(grid, |voxel| labels[grid.index(voxel)])
}

/// The labels, also of places close outside the tissue.
fn spread(labels: &Volume<Label>) -> Vec<Label> {
    let nearest = Nearest::to(&labels.map(|label| label.mars > 0));
    let near = |position: usize| {
        let within = nearest.distance_mm(position) <= REACH_MM;
        nearest.at(position).filter(|_| within).map_or_else(Label::default, |n| labels.data()[n])
    };
    (0..labels.data().len()).into_par_iter().with_min_len(1024).map(near).collect()
}

#[cfg(test)]
mod tests;
