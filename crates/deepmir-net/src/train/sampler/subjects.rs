//! The subjects that patches come from, and drawing a place in one.

use deepmir_lesion::LesionClass;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::Plan;
use crate::train::SamplingConfig;
use crate::train::store::{LesionSite, StoredCase};

/// A voxel that a patch is to hold: case, slice, pixel.
pub(super) type Site = (usize, usize, [f64; 2]);

/// Subjects that a patch may come from.
pub(super) struct Subjects<'a> {
    pub cases: Vec<&'a StoredCase>,
    /// For each class that occurs, every lesion: case and position in the case's list.
    lesions: Vec<Vec<(usize, usize)>>,
}

impl<'a> Subjects<'a> {
    pub(super) fn new(cases: Vec<&'a StoredCase>, plan: &Plan) -> Self {
        let of_class = |&class: &LesionClass| {
            let each = cases.iter().enumerate().flat_map(|(case, stored)| {
                let lesions = stored.lesions.iter().enumerate();
                lesions.filter(move |(_, site)| site.class == class).map(move |(n, _)| (case, n))
            });
            each.collect::<Vec<_>>()
        };
        let lesions = plan.classes.iter().map(of_class).filter(|lesions| !lesions.is_empty());
        Self { lesions: lesions.collect(), cases }
    }

    /// Draws a site: in a lesion, in a mimic or anywhere in the brain, in the configured shares.
    pub(super) fn draw(&self, sampling: &SamplingConfig, generator: &mut ChaCha8Rng) -> Site {
        let kind: f64 = generator.random();
        if kind < sampling.lesion && !self.lesions.is_empty() {
            return self.draw_lesion(generator);
        }
        let case = generator.random_range(0..self.cases.len());
        let stored = self.cases[case];
        let dark = kind < sampling.lesion + sampling.mimic && !stored.mimics.is_empty();
        let sites = if dark { &stored.mimics } else { &stored.brain };
        let [i, j, k] = sites[generator.random_range(0..sites.len())];
        (case, k, [i as f64, j as f64])
    }

    fn draw_lesion(&self, generator: &mut ChaCha8Rng) -> Site {
        let of_class = &self.lesions[generator.random_range(0..self.lesions.len())];
        let (case, lesion) = of_class[generator.random_range(0..of_class.len())];
        let LesionSite { slices, .. } = &self.cases[case].lesions[lesion];
        let (slice, pixel) = slices[generator.random_range(0..slices.len())];
        (case, slice, pixel)
    }
}
