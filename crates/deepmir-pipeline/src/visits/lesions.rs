//! The lesions of two visits, measured in each on its own grid, under one number.

use deepmir_lesion::{
    Candidate, FindPlace, LabelMap, Lesion, LesionClass, LesionRow, MeasuredImages,
};
use deepmir_volume::Volume;

use super::{Change, Comparison, Followed, Visit};
use crate::predict::measured_images;

/// A lesion over two visits.
#[derive(Clone, Debug)]
pub struct LesionOverVisits {
    /// Its number, from 1: new ones first, then gone, grown, shrunk, stable; CMB before NHID; larger before smaller.
    pub number: usize,
    /// What became of it.
    pub change: Change,
    /// Its place among [`Comparison::followed`].
    pub followed: usize,
    /// Its measures at each visit, in that visit's millimetres, also where it is not a lesion at that visit; `None`
    /// outside the image.
    pub rows: [Option<LesionRow>; 2],
    /// Its voxels at each visit, on the scan's own grid.
    pub voxels: [Vec<usize>; 2],
}

impl LesionOverVisits {
    /// The row of the visit that shows it: the follow-up's, or the baseline's of one that is gone.
    pub fn row(&self) -> Option<&LesionRow> {
        let last = usize::from(self.change.is_there(1));
        self.rows[last].as_ref().or(self.rows[1 - last].as_ref())
    }
}

/// All lesions of a comparison.
pub(super) fn lesions(visits: &[Visit; 2], followed: &[Followed]) -> Vec<LesionOverVisits> {
    let there: Vec<(usize, &Followed, Change)> = followed
        .iter()
        .enumerate()
        .filter_map(|(n, followed)| Some((n, followed, followed.change?)))
        .collect();
    let mut measured = [0, 1].map(|visit| {
        let candidates: Vec<Candidate> = there
            .iter()
            .map(|(_, followed, _)| Candidate {
                lesion: Lesion {
                    class: followed.site.class,
                    ..followed.site.seen[visit].candidate.lesion.clone()
                },
                ..followed.site.seen[visit].candidate.clone()
            })
            .collect();
        measure(&visits[visit], &candidates)
    });
    let mut lesions: Vec<LesionOverVisits> = there
        .iter()
        .enumerate()
        .map(|(k, &(followed, _, change))| {
            let [(before, one), (after, other)] =
                [0, 1].map(|visit: usize| std::mem::take(&mut measured[visit][k]));
            LesionOverVisits {
                number: 0,
                change,
                followed,
                rows: [before, after],
                voxels: [one, other],
            }
        })
        .collect();
    let key = |lesion: &LesionOverVisits| {
        let class = followed[lesion.followed].site.class;
        let volume = lesion.row().map_or(0.0, |row| row.volume_mm3);
        (lesion.change, class == LesionClass::Nhid, -volume)
    };
    lesions.sort_by(|a, b| {
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2))
    });
    for (number, lesion) in (1..).zip(&mut lesions) {
        lesion.number = number;
        lesion.rows.iter_mut().flatten().for_each(|row| row.lesion_id = number);
    }
    lesions
}

type Measured = Vec<(Option<LesionRow>, Vec<usize>)>;

/// Candidates of a visit on its own grid. Where the visit alone found the lesion, its outline is that one.
fn measure(visit: &Visit, candidates: &[Candidate]) -> Measured {
    let prediction = &visit.prediction;
    let mut measured: Measured = vec![(None, Vec::new()); candidates.len()];
    let own: Vec<(usize, Candidate)> = visit
        .detected
        .on_own_grid(candidates)
        .into_iter()
        .map(|(n, candidate)| {
            let is_it = |found: &&Candidate| {
                let first = found.lesion.voxels.first();
                first.is_some_and(|voxel| candidate.lesion.voxels.binary_search(voxel).is_ok())
            };
            match prediction.found.iter().find(is_it) {
                Some(found) => (n, found.clone()),
                None => (n, candidate),
            }
        })
        .collect();
    let places = prediction.regions.as_ref().map(|regions| regions as &dyn FindPlace);
    let images = MeasuredImages { places, ..measured_images(&prediction.case) };
    let lesions = own.iter().map(|(_, candidate)| &candidate.lesion);
    let labels = LabelMap::of(*prediction.case.grid(), lesions);
    let found: Vec<Candidate> = own.iter().map(|(_, candidate)| candidate.clone()).collect();
    let rows = images.measure_candidates(&labels, &found);
    for ((n, candidate), row) in own.into_iter().zip(rows) {
        measured[n] = (Some(row), candidate.lesion.voxels);
    }
    measured
}

/// The lesions that are there at a visit, by their numbers, on its grid.
pub(super) fn instances(comparison: &Comparison, visit: usize) -> Volume<u16> {
    let mut numbers = Volume::filled(*comparison.visits[visit].prediction.case.grid(), 0);
    for lesion in comparison.lesions.iter().filter(|lesion| lesion.change.is_there(visit)) {
        let number = u16::try_from(lesion.number).unwrap_or(u16::MAX);
        lesion.voxels[visit].iter().for_each(|&voxel| numbers.data_mut()[voxel] = number);
    }
    numbers
}
