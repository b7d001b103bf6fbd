//! One person's head: what is where.

mod cavities;
mod label_map;
mod landmarks;
mod nuclei;
mod sample;
mod surroundings;
mod warp;

use deepmir_volume::{Affine, BoundingBox, Grid, Volume, VolumeError};
use rayon::prelude::*;

use crate::builtin;
use crate::config::PersonConfig;
use crate::random::{Purpose, stream};
use crate::structure::Structure;
pub use label_map::{list_label_maps, read_label_map};
use landmarks::Landmarks;
use sample::LabelField;
use warp::Warp;

/// Voxel size of the overview in millimetres.
const OVERVIEW_MM: f64 = 1.0;

/// A head in its own frame: millimetres to the right, front and top of the brain's centre.
#[derive(Clone, Debug)]
pub struct Head {
    field: LabelField,
    warp: Warp,
    overview: Volume<Structure>,
    to_template: Affine,
}

impl Head {
    /// A head of the built-in anatomy; `atrophy` is 0 for none to about 1.5.
    ///
    /// # Errors
    /// If a volume does not fit in memory.
    pub fn built_in(atrophy: f64, person: &PersonConfig, seed: u64) -> Result<Self, VolumeError> {
        let labels = builtin::brain(atrophy, &mut stream(seed, Purpose::Anatomy, 0))?;
        Self::complete(labels, 2.2 + 1.6 * atrophy, person, seed)
    }

    /// A head of a label map in RAS orientation (see [`read_label_map`]).
    ///
    /// # Errors
    /// If a volume does not fit in memory.
    pub fn of_labels(
        labels: Volume<Structure>,
        person: &PersonConfig,
        seed: u64,
    ) -> Result<Self, VolumeError> {
        Self::complete(labels, 3.0, person, seed)
    }

    /// Adds what a label map lacks and draws the person.
    fn complete(
        mut labels: Volume<Structure>,
        fluid_mm: f64,
        person: &PersonConfig,
        seed: u64,
    ) -> Result<Self, VolumeError> {
        let landmarks = Landmarks::find(&labels);
        if !has_skull(&labels) {
            let mut generator = stream(seed, Purpose::Surroundings, 0);
            labels = surroundings::grow(&labels, &landmarks, fluid_mm, &mut generator)?;
        }
        nuclei::place(&mut labels, &landmarks, &mut stream(seed, Purpose::Nuclei, 0));
        let brain = labels.map(|structure| structure.is_brain());
        let centre = BoundingBox::around(&brain).map_or([0.0; 3], |tight| {
            let middle: [f64; 3] = std::array::from_fn(|axis| {
                (tight.start()[axis] + tight.end()[axis] - 1) as f64 / 2.0
            });
            labels.grid().affine().apply(middle)
        });
        let warp = Warp::draw(person, centre, &mut stream(seed, Purpose::Warp, 0));
        let mut head = Self {
            overview: Volume::filled(*labels.grid(), Structure::Air),
            field: LabelField::new(labels),
            warp,
            to_template: Affine::from_spacing([1.0; 3], [0.0; 3]),
        };
        head.overview = head.sample(&overview_grid()?, &Affine::from_spacing([1.0; 3], [0.0; 3]));
        head.to_template = Landmarks::find(&head.overview).to_template([0.0, -15.0, 0.0], 200.0);
        Ok(head)
    }

    /// The structures on a grid; `to_head` takes the grid's millimetres to the head's.
    pub fn sample(&self, grid: &Grid, to_head: &Affine) -> Volume<Structure> {
        /// The displacement is smooth: it is computed at every eighth voxel of a row.
        const STRIDE: usize = 8;
        let to_index = self.field.labels().grid().affine().inverse();
        let map = to_head.after(grid.affine());
        let [nx, ny, _] = grid.shape();
        let mut labels = Volume::filled(*grid, Structure::Air);
        labels.data_mut().par_chunks_mut(nx * ny).enumerate().for_each(|(k, slice)| {
            for (j, row) in slice.chunks_exact_mut(nx).enumerate() {
                let at = |i: usize| {
                    let head_mm = map.apply([i as f64, j as f64, k as f64]);
                    to_index.apply(self.warp.apply(head_mm))
                };
                let mut start = at(0);
                for (block, labels) in row.chunks_mut(STRIDE).enumerate() {
                    let end = at((block + 1) * STRIDE);
                    for (n, label) in labels.iter_mut().enumerate() {
                        let part = n as f64 / STRIDE as f64;
                        *label = self.field.at(std::array::from_fn(|axis| {
                            start[axis] + part * (end[axis] - start[axis])
                        }));
                    }
                    start = end;
                }
            }
        });
        labels
    }

    /// The anatomy before the person is drawn, with FreeSurfer's numbers (see [`Structure::to_freesurfer`]). What lies at
    /// the left of the middle of the map's frame has those of the left: so it is in the built-in anatomy.
    pub fn label_map(&self) -> Volume<i32> {
        let labels = self.field.labels();
        let grid = *labels.grid();
        let shape = grid.shape();
        let mut numbers = Volume::filled(grid, 0);
        let slices = numbers.data_mut().par_chunks_mut(shape[0] * shape[1]);
        slices.enumerate().for_each(|(k, slice)| {
            for (n, number) in slice.iter_mut().enumerate() {
                let [i, j] = [n % shape[0], n / shape[0]];
                let right = grid.position_mm([i, j, k])[0] > 0.0;
                *number = labels[[i, j, k]].to_freesurfer(right);
            }
        });
        numbers
    }

    /// The head on voxels of 1 mm, in its own frame.
    pub fn overview(&self) -> &Volume<Structure> {
        &self.overview
    }

    /// The head's millimetres to those of the MNI template, approximately.
    pub fn to_template(&self) -> &Affine {
        &self.to_template
    }
}

/// A grid around the origin with room for a brain and what is close to it.
fn overview_grid() -> Result<Grid, VolumeError> {
    let shape = [190, 230, 220];
    let origin = [-94.5, -114.5, -124.5];
    Grid::new(shape, Affine::from_spacing([OVERVIEW_MM; 3], origin))
}

/// Whether a label map shows the skull: bone of at least a tenth of the brain's volume.
fn has_skull(labels: &Volume<Structure>) -> bool {
    let count = |wanted: fn(Structure) -> bool| {
        labels.data().iter().filter(|&&structure| wanted(structure)).count()
    };
    let bone = count(|structure| matches!(structure, Structure::CorticalBone | Structure::Marrow));
    10 * bone > count(Structure::is_brain)
}
