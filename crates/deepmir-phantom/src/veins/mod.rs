//! Veins: trees that gather and widen towards the sinuses and the ventricles.

mod deep;
mod raster;
mod tree;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::config::VeinConfig;
use crate::head::Head;
use crate::structure::Structure;
pub(crate) use raster::rasterise;
use tree::{Lattice, Tree};

/// A piece of a vein: a straight tube between two places in the head's millimetres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VeinSegment {
    /// Where it begins.
    pub start_mm: [f64; 3],
    /// Where it ends, nearer to the sinus.
    pub end_mm: [f64; 3],
    /// Radius at the beginning in millimetres.
    pub start_radius_mm: f64,
    /// Radius at the end in millimetres.
    pub end_radius_mm: f64,
}

/// Draws all veins of a head.
pub(crate) fn draw(
    head: &Head,
    config: &VeinConfig,
    generator: &mut ChaCha8Rng,
) -> Vec<VeinSegment> {
    let lattice = Lattice::new(head.overview());
    let mut segments = deep::segments(head);
    segments.extend(pial(&lattice, config, generator));
    segments.extend(medullary(&lattice, config, generator));
    segments
}

/// Cortical veins: they run where the fluid is, in sulci and over gyri, to the nearest sinus.
fn pial(lattice: &Lattice, config: &VeinConfig, generator: &mut ChaCha8Rng) -> Vec<VeinSegment> {
    let tree = Tree::towards(
        lattice,
        |cell| cell.part(|structure| structure == Structure::Vein) > 0.2,
        |cell| {
            let fluid = cell.part(|structure| {
                matches!(
                    structure,
                    Structure::CerebrospinalFluid | Structure::Vein | Structure::Dura
                )
            });
            let brain = cell
                .part(|structure| matches!(structure, Structure::Cortex | Structure::WhiteMatter));
            (fluid + brain > 0.6).then(|| 1.0 + 4.0 * (1.0 - fluid).powi(2))
        },
        generator,
    );
    let starts = lattice.cells_where(|cell| {
        let fluid = cell.part(|structure| structure == Structure::CerebrospinalFluid);
        let cortex = cell.part(|structure| structure == Structure::Cortex);
        fluid > 0.25 && cortex > 0.25
    });
    let wanted = generator.random_range(config.pial[0]..=config.pial[1]);
    // Every vein has about three tributaries.
    tree.veins(&starts, 4 * wanted as usize, [8.0, 110.0], config.pial_radius_mm, generator)
}

/// Medullary veins: straight through the white matter to the wall of the lateral ventricle.
fn medullary(
    lattice: &Lattice,
    config: &VeinConfig,
    generator: &mut ChaCha8Rng,
) -> Vec<VeinSegment> {
    let tree = Tree::towards(
        lattice,
        |cell| cell.part(|structure| structure == Structure::LateralVentricle) > 0.2,
        |cell| {
            let white = cell.part(|structure| {
                matches!(structure, Structure::WhiteMatter | Structure::WhiteMatterLesion)
            });
            let passable = white + cell.part(|structure| structure == Structure::Caudate);
            (passable > 0.5).then_some(1.0)
        },
        generator,
    );
    let starts = lattice
        .cells_where(|cell| cell.part(|structure| structure == Structure::WhiteMatter) > 0.9);
    let wanted = generator.random_range(config.medullary[0]..=config.medullary[1]);
    tree.veins(&starts, wanted as usize, [10.0, 38.0], config.medullary_radius_mm, generator)
}
