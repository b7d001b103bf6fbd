//! A lesion seen close up: every image in three planes.

use deepmir_lesion::Lesion;
use deepmir_volume::{Grid, Orientation, Volume};

use crate::outlines::Outlines;
use crate::{Canvas, Window, class_colour};

/// Width and height of the field of view.
const FIELD_MM: f64 = 32.0;
/// Pixels of a tile's side.
const SIDE: u32 = 96;
/// Room for the line of text on top.
const CAPTION: u32 = 11;
/// Between tiles.
const GAP: u32 = 2;
const GREY: [u8; 3] = [170, 170, 170];

/// An image as it is shown.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    /// Its name, such as SWI.
    pub name: String,
    /// The image, in any orientation.
    pub volume: &'a Volume<f32>,
    /// What is black and white.
    pub window: Window,
}

/// The images of a subject turned to RAS, to cut pictures of its lesions from.
pub struct Patches {
    images: Vec<(String, Volume<f32>, Window)>,
    outlines: Outlines,
}

/// Which voxel axes run across and down a plane. A viewer sees the patient's right on the left, and
/// front (axial) or top (coronal, sagittal) above; sagittal planes show the front on the left.
const PLANES: [(usize, usize); 3] = [(0, 1), (0, 2), (1, 2)];

impl Patches {
    /// All images lie on `grid`, and so do the lesions.
    pub fn new<'a>(
        images: &[Shown<'_>],
        lesions: impl IntoIterator<Item = &'a Lesion>,
        grid: &Grid,
    ) -> Self {
        let orientation = Orientation::of(grid.affine());
        let turned = images
            .iter()
            .map(|shown| (shown.name.clone(), orientation.to_ras(shown.volume), shown.window));
        Self { images: turned.collect(), outlines: Outlines::new(lesions, grid) }
    }

    /// Draws what lies around a place (RAS millimetres): a column an image, a row a plane (axial,
    /// coronal, sagittal).
    pub fn draw(&self, centre_mm: [f64; 3]) -> Canvas {
        let columns = self.images.len() as u32;
        let rows = PLANES.len() as u32;
        let step = SIDE + GAP;
        let mut canvas = Canvas::new(columns * step - GAP, CAPTION + rows * step - GAP);
        let grid = self.outlines.grid();
        let centre = grid.affine().inverse().apply(centre_mm);
        for (column, (name, image, window)) in self.images.iter().enumerate() {
            let x0 = column as u32 * step;
            canvas.text(x0 + 2, 1, name, GREY);
            for (row, plane) in PLANES.into_iter().enumerate() {
                let y0 = CAPTION + row as u32 * step;
                let tile =
                    Tile { centre, plane, sizes: grid.voxel_sizes_mm(), shape: grid.shape() };
                tile.draw(&mut canvas, (x0, y0), image, *window, &self.outlines);
            }
        }
        canvas
    }
}

/// One plane through a place.
struct Tile {
    /// In voxels.
    centre: [f64; 3],
    plane: (usize, usize),
    sizes: [f64; 3],
    shape: [usize; 3],
}

impl Tile {
    /// The voxel at a pixel; `None` outside the image.
    fn voxel(&self, u: i64, v: i64) -> Option<[usize; 3]> {
        let offset = |n: i64| ((n as f64 + 0.5) / f64::from(SIDE) - 0.5) * FIELD_MM;
        let mut place = self.centre;
        let (across, down) = self.plane;
        place[across] -= offset(u) / self.sizes[across];
        place[down] -= offset(v) / self.sizes[down];
        let mut voxel = [0; 3];
        for axis in 0..3 {
            let nearest = place[axis].round();
            if !(0.0..self.shape[axis] as f64).contains(&nearest) {
                return None;
            }
            voxel[axis] = nearest as usize;
        }
        Some(voxel)
    }

    fn draw(
        &self,
        canvas: &mut Canvas,
        (x0, y0): (u32, u32),
        image: &Volume<f32>,
        window: Window,
        outlines: &Outlines,
    ) {
        let number = |u: i64, v: i64| -> Option<u16> {
            let inside = |n: i64| (0..i64::from(SIDE)).contains(&n);
            let voxel = (inside(u) && inside(v)).then(|| self.voxel(u, v))??;
            Some(outlines.number(voxel))
        };
        for v in 0..SIDE {
            for u in 0..SIDE {
                let (column, row) = (i64::from(u), i64::from(v));
                let Some(voxel) = self.voxel(column, row) else { continue };
                let beside = [(1, 0), (-1, 0), (0, 1), (0, -1)]
                    .into_iter()
                    .filter_map(|(du, dv)| number(column + du, row + dv));
                let colour = match outlines.colour(outlines.number(voxel), beside) {
                    Some(class) => class_colour(class),
                    None => window.grey(image[voxel]),
                };
                canvas.set(x0 + u, y0 + v, colour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_lesion::LesionClass;
    use deepmir_volume::Affine;

    #[test]
    fn a_lesion_is_in_the_middle_of_every_tile_and_outlined() {
        // Stored from left to right, bottom to top, back to front: turned before it is drawn.
        let affine = Affine::from_rows([
            [-1.0, 0.0, 0.0, 20.0],
            [0.0, 0.0, 2.0, -30.0],
            [0.0, 1.0, 0.0, -20.0],
            [0.0, 0.0, 0.0, 1.0],
        ]);
        let grid = Grid::new([40, 40, 30], affine.unwrap()).unwrap();
        let place = [5.0, 10.0, -3.0];
        let near = |voxel| {
            let at = grid.position_mm(voxel);
            (0..3).all(|axis| (at[axis] - place[axis]).abs() <= 1.5)
        };
        let image = Volume::from_fn(grid, |voxel| if near(voxel) { 0.0 } else { 0.5 });
        let voxels = (0..grid.len()).filter(|&index| near(grid.voxel(index))).collect();
        let lesion = Lesion::new(LesionClass::Nhid, voxels, &grid);
        let window = Window { low: 0.0, high: 1.0 };
        let shown = Shown { name: "SWI".to_owned(), volume: &image, window };
        let canvas = Patches::new(&[shown.clone(), shown], [&lesion], &grid).draw(place);
        for column in 0..2 {
            for row in 0..3 {
                let (x0, y0) = (column * (SIDE + GAP), CAPTION + row * (SIDE + GAP));
                assert_eq!(canvas.get(x0 + SIDE / 2, y0 + SIDE / 2), [0; 3]);
                assert_eq!(canvas.get(x0 + 4, y0 + 4), [128; 3]);
                let outlined = (y0..y0 + SIDE)
                    .any(|y| canvas.get(x0 + SIDE / 2, y) == class_colour(LesionClass::Nhid));
                assert!(outlined, "{column} {row}");
            }
        }
    }
}
