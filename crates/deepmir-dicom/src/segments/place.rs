//! Pixels of a segmentation on the grid of an image.

use deepmir_volume::{Affine, Grid, Volume};

use super::SegmentClasses;
use super::read::Segmentation;
use crate::DicomError;
use crate::header::Plane;
use crate::input::Input;
use crate::parse::open;
use crate::parse::tags::PIXEL_DATA;

/// How far a pixel may lie from the voxel that it is, in voxels.
const NEAR: f64 = 0.1;

/// The label map of a segmentation on the grid of its images: 1 CMB, 2 NHID. Where segments overlap, the later one's class.
///
/// # Errors
/// If the file cannot be read, a segment says nothing of its class, or pixels lie between or outside of the voxels.
pub fn place(
    input: &Input,
    segmentation: &Segmentation,
    grid: &Grid,
    classes: &SegmentClasses,
) -> Result<Volume<u8>, DicomError> {
    let path = &input.path;
    let damaged = |reason: String| DicomError::Damaged { path: path.to_owned(), reason };
    let geometry =
        |reason: &str| DicomError::Geometry { path: path.to_owned(), reason: reason.to_owned() };
    let mut class_of = Vec::new();
    for segment in &segmentation.segments {
        let class = classes.of(segment);
        let class =
            class.map_err(|reason| DicomError::Segments { path: path.to_owned(), reason })?;
        class_of.push((segment.number, class));
    }
    let bytes = input.all()?;
    let parsed = open(path, &bytes, false)?;
    let bits = parsed.dataset.bytes(PIXEL_DATA).ok_or_else(|| damaged("no pixels".into()))?;
    let mut labels = Volume::filled(*grid, 0_u8);
    let mut first = 0;
    for (number, plane) in &segmentation.frames {
        let [columns, rows] = plane.shape;
        let end = first + columns * rows;
        if end > bits.len() * 8 {
            return Err(damaged(format!(
                "{} bytes of pixels, fewer than its frames need",
                bits.len()
            )));
        }
        let class = class_of.iter().find(|(other, _)| other == number);
        if let Some((_, Some(class))) = class {
            let way = way(plane, grid)
                .ok_or_else(|| geometry("a frame whose axes are no axes of an image"))?;
            let drawn = (first..end).filter(|bit| bits[bit / 8] >> (bit % 8) & 1 == 1);
            for pixel in drawn.map(|bit| bit - first) {
                let place = way.apply([(pixel % columns) as f64, (pixel / columns) as f64, 0.0]);
                let voxel = place.map(f64::round);
                let near = (0..3).all(|axis| (place[axis] - voxel[axis]).abs() <= NEAR);
                if !near {
                    return Err(geometry(
                        "it lies between the voxels of the images; draw it on the images themselves",
                    ));
                }
                let inside = (0..3)
                    .all(|axis| voxel[axis] >= 0.0 && voxel[axis] < grid.shape()[axis] as f64);
                if !inside {
                    return Err(geometry("it reaches beyond the images that it refers to"));
                }
                labels[voxel.map(|index| index as usize)] = class.label();
            }
        }
        first = end;
    }
    Ok(labels)
}

/// From column and row of a frame to the voxel of a grid.
fn way(plane: &Plane, grid: &Grid) -> Option<Affine> {
    let [across_columns, across_rows] = plane.spacing_mm;
    let across = crate::sort::normal(plane);
    // From left, posterior, superior to right, anterior, superior.
    let sign = [-1.0, -1.0, 1.0];
    let row = |axis: usize| {
        let (along, down) = (plane.along_row[axis], plane.along_column[axis]);
        [along * across_columns, down * across_rows, across[axis], plane.position_mm[axis]]
            .map(|value| sign[axis] * value)
    };
    let to_world = Affine::from_rows([row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]])?;
    Some(grid.affine().inverse().after(&to_world))
}
