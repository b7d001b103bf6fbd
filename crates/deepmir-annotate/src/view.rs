//! What the page shows of a layer: each lesion with its measures.

use deepmir_lesion::{Change, LabelMap, Lesion, LesionRow, MarsRegion, MeasuredImages, Side};
use deepmir_volume::components::{Connectivity, components};
use deepmir_volume::{Grid, Volume};
use serde::Serialize;

use crate::case::LoadedCase;
use crate::image_kind::ImageKind;
use crate::layer::{Annotation, Layer};

/// One lesion of a layer.
#[derive(Clone, Debug, Serialize)]
pub struct LesionView {
    /// Its number.
    pub id: u16,
    /// What the rater says.
    #[serde(flatten)]
    pub said: Annotation,
    /// Lobar, deep or infratentorial, by the rater's region or else by its place.
    pub lobe: Option<&'static str>,
    /// L or R.
    pub side: &'static str,
    /// A voxel of it nearest to its middle, on the marked grid in RAS order.
    pub voxel: [usize; 3],
    /// Its measures.
    #[serde(flatten)]
    pub measures: Measures,
    /// Pieces it has fallen into: a label map counts each as a lesion.
    pub parts: usize,
    /// How probable it is that it is one, if a program found it.
    pub probability: Option<f64>,
}

/// Measures of a lesion.
#[derive(Clone, Debug, Serialize)]
pub struct Measures {
    /// Centre of mass, RAS+ millimetres.
    pub centre_mm: [f64; 3],
    /// Voxels.
    pub n_voxels: usize,
    /// Volume.
    pub volume_mm3: f64,
    /// Diameter of the ball of that volume.
    pub diameter_mm: f64,
    /// Mean susceptibility.
    pub chi_mean_ppm: Option<f64>,
    /// SWI against its surroundings.
    pub swi_contrast: Option<f64>,
    /// `diamagnetic`, `linear`.
    pub note: Option<String>,
}

impl From<&LesionRow> for Measures {
    fn from(row: &LesionRow) -> Self {
        Self {
            centre_mm: [row.x_mm, row.y_mm, row.z_mm],
            n_voxels: row.n_voxels,
            volume_mm3: row.volume_mm3,
            diameter_mm: row.diameter_mm,
            chi_mean_ppm: row.chi_mean_ppm,
            swi_contrast: row.swi_contrast,
            note: row.note.clone(),
        }
    }
}

/// The lesions of a layer in the order of their numbers, and their rows for the table.
pub fn lesions(case: &LoadedCase, layer: &Layer) -> Vec<(LesionView, LesionRow)> {
    let voxels = layer.voxels_of_lesions();
    let labels = label_map(case, layer, &|_| true);
    let said: Vec<(u16, &Annotation, &Vec<usize>)> = voxels
        .iter()
        .filter_map(|(id, voxels)| Some((*id, layer.lesions.get(id)?, voxels)))
        .collect();
    let lesions: Vec<Lesion> = said
        .iter()
        .map(|(_, said, voxels)| Lesion::new(said.class, (*voxels).clone(), &case.grid))
        .collect();
    let mut rows = measured(case).measure(&labels, &lesions);
    // What is gone can only be measured in the visit before.
    let is_gone = |said: &Annotation| said.change == Some(Change::Gone);
    if said.iter().any(|(_, said, _)| is_gone(said)) {
        let before = measured_before(case).measure(&labels, &lesions);
        for ((row, before), (_, said, _)) in rows.iter_mut().zip(before).zip(&said) {
            if is_gone(said) {
                *row = before;
            }
        }
    }
    said.into_iter()
        .zip(rows)
        .map(|((id, said, voxels), mut row)| {
            let centre = [row.x_mm, row.y_mm, row.z_mm];
            let region = said.region.map(|region| region.region());
            row.lesion_id = usize::from(id);
            row.region = region.or_else(|| case.place.map(|place| place.region(centre)));
            row.certainty = Some(said.certainty);
            row.mars_region = said.region;
            row.lobe = said.region.and_then(MarsRegion::lobe);
            let side = if centre[0] < 0.0 { Side::Left } else { Side::Right };
            row.side = Some(side);
            let view = LesionView {
                id,
                said: said.clone(),
                lobe: row.region.map(|region| region.name()),
                side: if side == Side::Left { "L" } else { "R" },
                voxel: middle(&case.grid, voxels, centre),
                measures: Measures::from(&row),
                parts: parts(case, voxels),
                probability: None,
            };
            (view, row)
        })
        .collect()
}

/// The images to measure in. The brain is left out: finding its edge takes longer than a stroke may.
fn measured(case: &LoadedCase) -> MeasuredImages<'_> {
    MeasuredImages {
        swi: case.image(ImageKind::Swi),
        qsm_ppm: case.image(ImageKind::Qsm),
        t2w: case.image(ImageKind::T2w),
        brain: None,
        places: None,
    }
}

/// As [`measured`], of the visit before.
fn measured_before(case: &LoadedCase) -> MeasuredImages<'_> {
    MeasuredImages {
        swi: case.image(ImageKind::BaselineSwi),
        qsm_ppm: case.image(ImageKind::BaselineQsm),
        t2w: case.image(ImageKind::BaselineT2w),
        brain: None,
        places: None,
    }
}

/// The classes of a layer's voxels, of the lesions that `keep` wants, in RAS order.
pub fn label_map(case: &LoadedCase, layer: &Layer, keep: &dyn Fn(&Annotation) -> bool) -> LabelMap {
    let mut labels = LabelMap::empty(case.grid);
    for (lesion, voxels) in layer.voxels_of_lesions() {
        if let Some(said) = layer.lesions.get(&lesion).filter(|said| keep(said)) {
            labels.paint(&voxels, said.class);
        }
    }
    labels
}

/// The lesion's voxel nearest to a place.
pub(crate) fn middle(grid: &Grid, voxels: &[usize], centre_mm: [f64; 3]) -> [usize; 3] {
    let squared = |voxel: [usize; 3]| -> f64 {
        let place = grid.position_mm(voxel);
        (0..3).map(|axis| (place[axis] - centre_mm[axis]).powi(2)).sum()
    };
    let voxels = voxels.iter().map(|&index| grid.voxel(index));
    voxels.min_by(|a, b| squared(*a).total_cmp(&squared(*b))).unwrap_or([0; 3])
}

/// How many pieces voxels make, connected by faces, edges and corners.
fn parts(case: &LoadedCase, voxels: &[usize]) -> usize {
    let places: Vec<[usize; 3]> = voxels.iter().map(|&index| case.grid.voxel(index)).collect();
    let end = |axis: usize, most: fn(usize, usize) -> usize, from: usize| {
        places.iter().map(|place| place[axis]).fold(from, most)
    };
    let low = [0, 1, 2].map(|axis| end(axis, usize::min, usize::MAX));
    let high = [0, 1, 2].map(|axis| end(axis, usize::max, 0) + 1);
    let Some(part) = deepmir_volume::BoundingBox::new(low, high) else { return 0 };
    let mut inside = Volume::filled(part.grid_of(&case.grid), false);
    for place in &places {
        inside[std::array::from_fn(|axis| place[axis] - low[axis])] = true;
    }
    components(&inside, false, Connectivity::TwentySix).len()
}
