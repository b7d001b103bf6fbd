//! Where in a scan sources may be.

use deepmir_volume::{Affine, Grid, Mask, Volume, distance, gaussian, statistics};
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::config::{ImplantConfig, Ladder, Rung, Site};
use crate::PhantomError;
use crate::config::{CountAndSize, LesionConfig};
use crate::random::{Purpose, stream};
use crate::source::{Change, Placer, Source, count};
use crate::structure::Structure;

/// Voxels that sites are sought on, in millimetres.
const VOXEL_MM: f64 = 1.0;

/// What is darker than this part of its surroundings is taken for a vessel, a lesion or air.
const DARK: f32 = 0.78;

/// Standard deviation of the Gaussian that surroundings are measured with, in millimetres.
const SURROUNDINGS_MM: f64 = 3.0;

/// Sources stay this far inside the brain's outline, in millimetres.
const INSIDE_MM: f32 = 1.0;

/// The parts of a scan's head, and how far each place is from what sources must keep clear of.
#[derive(Clone, Debug)]
pub struct Sites {
    labels: Volume<Structure>,
    from_occupied: Volume<f32>,
    midline_mm: f64,
    /// Whether the parts of the head are known.
    parts_known: bool,
}

/// The site's name where the parts of the head are not known.
const ANYWHERE: &str = "brain";

/// Sources that were drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawn {
    /// Those that found a site, numbered from 1.
    pub sources: Vec<Source>,
    /// How many found none.
    pub without_room: usize,
}

impl Sites {
    /// Of the structures of a scan (on any grid), its brain, and what is `occupied`: vessels and lesions, see
    /// [`dark_structures`]. All on one grid.
    ///
    /// # Errors
    /// If grids differ or one would be too large; if there is no brain.
    pub fn new(
        structures: &Volume<Structure>,
        brain: &Mask,
        occupied: &Mask,
    ) -> Result<Self, PhantomError> {
        let brain = brain.clone().with_grid(*structures.grid())?;
        let occupied = occupied.clone().with_grid(*structures.grid())?;
        let grid = millimetre_grid(&brain)?;
        let to_voxel = structures.grid().affine().inverse().after(grid.affine());
        let size = structures.shape();
        let at = |index: usize| -> Option<usize> {
            let voxel = to_voxel.apply(grid.voxel(index).map(|n| n as f64)).map(f64::round);
            let fits = (0..3).all(|axis| voxel[axis] >= 0.0 && voxel[axis] < size[axis] as f64);
            fits.then(|| structures.grid().index(voxel.map(|n| n as usize)))
        };
        let places: Vec<Option<usize>> = (0..grid.len()).into_par_iter().map(at).collect();
        let inside = |place: &Option<usize>| place.is_some_and(|n| brain.data()[n]);
        let labels = places
            .iter()
            .map(|place| match place {
                Some(n) if brain.data()[*n] => structures.data()[*n],
                _ => Structure::Air,
            })
            .collect();
        let labels = Volume::new(grid, labels)?;
        let outside = Volume::new(grid, places.iter().map(|place| !inside(place)).collect())?;
        let mut from_occupied = distance::distance_to(&Volume::new(
            grid,
            places.iter().map(|place| place.is_some_and(|n| occupied.data()[n])).collect(),
        )?);
        let from_outside = distance::distance_to(&outside);
        for (value, outside) in from_occupied.data_mut().iter_mut().zip(from_outside.data()) {
            *value = value.min(outside - INSIDE_MM);
        }
        let across: Vec<f64> = (0..grid.len())
            .filter(|&index| labels.data()[index].is_parenchyma())
            .map(|index| grid.position_mm(grid.voxel(index))[0])
            .collect();
        let midline_mm = across.iter().sum::<f64>() / across.len().max(1) as f64;
        Ok(Self { labels, from_occupied, midline_mm, parts_known: true })
    }

    /// Of a brain whose parts are not known, such as a small field of view: microbleeds and vessels lie anywhere in it, and
    /// iron deposits nowhere.
    ///
    /// # Errors
    /// As [`Sites::new`].
    pub fn without_parts(brain: &Mask, occupied: &Mask) -> Result<Self, PhantomError> {
        let structures = Volume::filled(*brain.grid(), Structure::WhiteMatter);
        Ok(Self { parts_known: false, ..Self::new(&structures, brain, occupied)? })
    }

    fn implants(&self, sources: Vec<Source>) -> Vec<Source> {
        let implant = |source: Source| {
            let mut source = Source { change: Change::Implant, ..source };
            if !self.parts_known {
                source.region = None;
                ANYWHERE.clone_into(&mut source.site);
            }
            source
        };
        sources.into_iter().map(implant).collect()
    }

    /// Draws lesions and mimics from their distributions.
    pub fn draw(&self, config: &ImplantConfig, seed: u64) -> Drawn {
        let mut generator = stream(seed, Purpose::Lesions, 0);
        let generator = &mut generator;
        let mut lesions = config.lesions.clone();
        if !self.parts_known {
            lesions.microbleed_regions = [1.0, 0.0, 0.0];
        }
        let lesions = &lesions;
        let mut placer =
            Placer::of_labels(&self.labels, Some(&self.from_occupied), self.midline_mm, lesions);
        let mut wanted = 0;
        let mut number = |kind: &CountAndSize, generator: &mut ChaCha8Rng| {
            let number = count(kind, generator);
            wanted += number as usize;
            number
        };
        // The largest first, while there is room.
        for _ in 0..number(&config.haemorrhages, generator) {
            placer.haemorrhage(&config.haemorrhages, generator);
        }
        for _ in 0..number(&lesions.iron_deposits, generator) {
            placer.iron_deposit(generator);
        }
        for _ in 0..number(&lesions.cavernomas, generator) {
            placer.cavernoma(generator);
        }
        for _ in 0..number(&lesions.microbleeds, generator) {
            placer.microbleed(Change::Implant, generator);
        }
        for _ in 0..number(&lesions.calcifications, generator) {
            placer.calcification(generator);
        }
        for _ in 0..number(&lesions.vessel_loops, generator) {
            placer.vessel_loop(generator);
        }
        for _ in 0..number(&config.vein_pieces, generator) {
            placer.vein_piece(&config.vein_pieces, generator);
        }
        let sources = placer.sources;
        // A deposit may have brought its partner.
        let without_room = wanted.saturating_sub(sources.len());
        Drawn { sources: self.implants(sources), without_room }
    }

    /// Puts the rungs of a ladder whose turn it is into the `number`-th copy (from 0) of all copies of all scans: every rung
    /// has its turn before one has its second.
    pub fn climb(&self, ladder: &Ladder, number: usize, seed: u64) -> Drawn {
        let rungs = turns(ladder, number, seed);
        let config = LesionConfig { clearance_mm: ladder.clearance_mm, ..LesionConfig::default() };
        let mut placer =
            Placer::of_labels(&self.labels, Some(&self.from_occupied), self.midline_mm, &config);
        let mut generator = stream(seed, Purpose::Lesions, number as u32 + 1);
        let mut order = rungs;
        if !self.parts_known {
            order.iter_mut().for_each(|rung| rung.site = Site::Lobar);
        }
        order.sort_by(|a, b| b.diameter_mm.total_cmp(&a.diameter_mm));
        let without_room = order.iter().filter(|rung| !placer.rung(rung, &mut generator)).count();
        Drawn { sources: self.implants(placer.sources), without_room }
    }
}

/// The rungs of one copy.
fn turns(ladder: &Ladder, number: usize, seed: u64) -> Vec<Rung> {
    let all = ladder.rungs();
    let first = number * ladder.per_scan;
    let mut round = usize::MAX;
    let mut shuffled = Vec::new();
    (first..first + ladder.per_scan)
        .filter_map(|turn| {
            let of_turn = turn / all.len().max(1);
            if of_turn != round {
                round = of_turn;
                shuffled.clone_from(&all);
                shuffled.shuffle(&mut stream(seed, Purpose::Choice, round as u32));
            }
            shuffled.get(turn % all.len().max(1)).copied()
        })
        .collect()
}

/// A grid of millimetre voxels along the scanner's axes around a brain.
fn millimetre_grid(brain: &Mask) -> Result<Grid, PhantomError> {
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    for (index, _) in brain.data().iter().enumerate().filter(|(_, inside)| **inside) {
        let place = brain.grid().position_mm(brain.grid().voxel(index));
        for axis in 0..3 {
            low[axis] = low[axis].min(place[axis]);
            high[axis] = high[axis].max(place[axis]);
        }
    }
    if low[0] > high[0] {
        return Err(PhantomError::NoRoom { reason: "the brain mask is empty" });
    }
    const MARGIN: f64 = 2.0;
    let shape = std::array::from_fn(|axis| {
        ((high[axis] - low[axis] + 2.0 * MARGIN) / VOXEL_MM).ceil() as usize + 1
    });
    let origin = low.map(|place| place - MARGIN);
    Ok(Grid::new(shape, Affine::from_spacing([VOXEL_MM; 3], origin))?)
}

/// What is dark against its surroundings in an SWI or a T2*-weighted magnitude: vessels, lesions, air at the brain's edge.
/// In pallidum and putamen, which are dark with iron themselves, what is dark against the nucleus.
///
/// # Errors
/// If grids differ.
pub fn dark_structures(
    image: &Volume<f32>,
    structures: &Volume<Structure>,
    brain: &Mask,
) -> Result<Mask, PhantomError> {
    let brain = brain.clone().with_grid(*image.grid())?;
    let structures = structures.clone().with_grid(*image.grid())?;
    let inside = |value: f32, n: usize| if brain.data()[n] { value } else { 0.0 };
    let signal: Vec<f32> =
        image.data().iter().enumerate().map(|(n, value)| inside(*value, n)).collect();
    let part: Vec<f32> = (0..image.data().len()).map(|n| inside(1.0, n)).collect();
    let smooth = |values: Vec<f32>| -> Result<Volume<f32>, PhantomError> {
        Ok(gaussian::smooth(&Volume::new(*image.grid(), values)?, [SURROUNDINGS_MM; 3]))
    };
    let (signal, part) = (smooth(signal)?, smooth(part)?);
    let of_nucleus = |is: fn(Structure) -> bool| {
        let voxels = structures.data().iter().zip(image.data());
        let mut values: Vec<f32> =
            voxels.filter(|(structure, _)| is(**structure)).map(|(_, value)| *value).collect();
        statistics::median(&mut values).unwrap_or(0.0)
    };
    let pallidum = of_nucleus(Structure::is_pallidum);
    let putamen = of_nucleus(|structure| structure == Structure::Putamen);
    let dark = image.data().iter().enumerate().map(|(n, &value)| {
        let structure = structures.data()[n];
        let usual = if structure.is_pallidum() {
            pallidum
        } else if structure == Structure::Putamen {
            putamen
        } else {
            signal.data()[n] / part.data()[n].max(1e-6)
        };
        brain.data()[n] && value < DARK * usual
    });
    Ok(Volume::new(*image.grid(), dark.collect())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rung_has_its_turn_before_one_has_its_second() {
        let ladder = Ladder { per_scan: 7, ..Ladder::default() };
        let count = ladder.rungs().len();
        let copies = count.div_ceil(ladder.per_scan);
        let all: Vec<Rung> = (0..copies).flat_map(|number| turns(&ladder, number, 3)).collect();
        for rung in ladder.rungs() {
            assert_eq!(all[..count].iter().filter(|other| **other == rung).count(), 1);
        }
        assert_ne!(turns(&ladder, 0, 3), turns(&ladder, 0, 4));
        assert_eq!(turns(&ladder, 1, 3), turns(&ladder, 1, 3));
    }

    #[test]
    fn sources_keep_clear_of_what_is_there_and_of_the_edge() {
        let grid = Grid::new([60, 50, 40], Affine::from_spacing([1.5; 3], [-10.0; 3])).unwrap();
        let brain = Volume::from_fn(grid, |[i, j, k]| {
            (4..56).contains(&i) && (4..46).contains(&j) && (4..36).contains(&k)
        });
        let structures = Volume::filled(grid, Structure::WhiteMatter);
        // A sheet of vessels halves the brain.
        let occupied = Volume::from_fn(grid, |[i, _, _]| i == 30);
        let sites = Sites::new(&structures, &brain, &occupied).unwrap();
        let mut ladder = Ladder { per_scan: 30, clearance_mm: 3.0, ..Ladder::default() };
        ladder.parts.truncate(1);
        ladder.parts[0].sites = vec![Site::Lobar];
        let drawn = sites.climb(&ladder, 0, 1);
        assert_eq!((drawn.sources.len() + drawn.without_room, drawn.without_room), (30, 0));
        for (n, source) in drawn.sources.iter().enumerate() {
            assert_eq!((source.id as usize, source.change), (n + 1, Change::Implant));
            let centre = source.centre_mm();
            let sheet = (centre[0] - (30.0 * 1.5 - 10.0)).abs();
            assert!(sheet > source.reach_mm(), "{sheet} {}", source.reach_mm());
            let voxel = grid.affine().inverse().apply(centre);
            for axis in 0..3 {
                let [low, high] = [4.0, [55.0, 45.0, 35.0][axis]];
                let room = (voxel[axis] - low).min(high - voxel[axis]) * 1.5;
                assert!(room > source.reach_mm(), "{voxel:?} {}", source.reach_mm());
            }
        }
        let anywhere = Sites::without_parts(&brain, &occupied).unwrap().climb(&ladder, 1, 1);
        assert!(anywhere.sources.iter().all(|source| source.site == "brain"));
        assert!(anywhere.sources.len() > 20);
        let empty = Volume::filled(grid, false);
        assert!(Sites::new(&structures, &empty, &occupied).is_err());
    }
}
