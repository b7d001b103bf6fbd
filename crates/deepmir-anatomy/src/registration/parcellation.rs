//! A parcellation as the network gives it, cut to the brain.

use deepmir_lesion::Side;
use deepmir_volume::{BoundingBox, Mask, Volume};

use super::image::Lattice;
use crate::Tissue;

/// Room around the brain.
const MARGIN_MM: f64 = 14.0;

/// Tissues and sides on one grid.
#[derive(Clone, Debug)]
pub(crate) struct Parcellation {
    tissue: Volume<u8>,
    side: Volume<u8>,
    place: BoundingBox,
}

impl Parcellation {
    /// Cuts a parcellation to the brain. `tissue` holds the numbers of [`Tissue`] (unknown ones count
    /// as background), `side` 0 for unknown, 1 for left and 2 for right. `None` if the grids differ or
    /// there is no brain.
    pub(crate) fn around_brain(tissue: &Volume<u8>, side: &Volume<u8>) -> Option<Self> {
        if !tissue.grid().same_as(side.grid()) {
            return None;
        }
        let brain = tissue.map(|&number| of_number(number).is_brain());
        let margin = tissue.grid().voxel_sizes_mm().map(|size| (MARGIN_MM / size).ceil() as usize);
        let place = BoundingBox::around(&brain)?.grown(margin, tissue.grid());
        Some(Self { tissue: tissue.crop(&place), side: side.crop(&place), place })
    }

    /// Where the cut lies in the whole parcellation.
    pub(crate) fn place(&self) -> &BoundingBox {
        &self.place
    }

    /// The tissue of every voxel by number.
    pub(crate) fn tissues(&self) -> &Volume<u8> {
        &self.tissue
    }

    /// The tissue at a position in the data.
    pub(crate) fn tissue_at(&self, position: usize) -> Tissue {
        of_number(self.tissue.data()[position])
    }

    /// The side at a position in the data.
    pub(crate) fn side_at(&self, position: usize) -> Option<Side> {
        match self.side.data()[position] {
            1 => Some(Side::Left),
            2 => Some(Side::Right),
            _ => None,
        }
    }

    /// The voxels of some tissues.
    pub(crate) fn mask(&self, wanted: impl Fn(Tissue) -> bool) -> Mask {
        self.tissue.map(|&number| wanted(of_number(number)))
    }

    /// Infinitely far from everything.
    pub(crate) fn nowhere(&self) -> Volume<f32> {
        Volume::filled(*self.tissue.grid(), f32::INFINITY)
    }

    /// A lattice along the axes of millimetres that covers the cut.
    pub(super) fn lattice(&self, spacing_mm: f64) -> Lattice {
        let grid = self.tissue.grid();
        let last = grid.shape().map(|length| length - 1);
        let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for bits in 0..8 {
            let corner =
                std::array::from_fn(|axis| if bits >> axis & 1 == 1 { last[axis] } else { 0 });
            for (axis, mm) in grid.position_mm(corner).into_iter().enumerate() {
                low[axis] = low[axis].min(mm);
                high[axis] = high[axis].max(mm);
            }
        }
        let shape = std::array::from_fn(|axis| {
            ((high[axis] - low[axis]) / spacing_mm).floor() as usize + 1
        });
        Lattice { shape, origin_mm: low, spacing_mm }
    }
}

fn of_number(number: u8) -> Tissue {
    Tissue::ALL.get(usize::from(number)).copied().unwrap_or(Tissue::Background)
}
