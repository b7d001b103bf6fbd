//! Pictures to check a subject by: the brain's outline, and two images in one chequered picture.

use deepmir_volume::{BoundingBox, Mask, Orientation};

use crate::{Canvas, Shown};

/// Pixels a millimetre.
const PIXELS_PER_MM: f64 = 1.4;
/// Side of a square of the checkerboard.
const SQUARE_MM: f64 = 14.0;
/// Bluish green of Okabe and Ito's palette: no class has it.
const OUTLINE: [u8; 3] = [0, 200, 145];
const GREY: [u8; 3] = [170, 170, 170];
const COLUMNS: u32 = 4;
const GAP: u32 = 3;

/// Planes that are shown: the axes across and down (a viewer sees the patient's right on the left,
/// front or top above), and the place along the third, as part of the brain's box.
const VIEWS: [(usize, usize, f64); 8] = [
    (0, 1, 0.22),
    (0, 1, 0.42),
    (0, 1, 0.60),
    (0, 1, 0.78),
    (0, 2, 0.35),
    (0, 2, 0.62),
    (1, 2, 0.36),
    (1, 2, 0.54),
];

/// One image with the brain outlined, in eight planes.
pub fn brain_outline(image: &Shown<'_>, brain: &Mask) -> Canvas {
    let sheet = Sheet::new(brain);
    let volume = sheet.orientation.to_ras(image.volume);
    sheet.draw(|voxel, beside| {
        let edge = sheet.brain[voxel] && beside.iter().any(|&other| !sheet.brain[other]);
        if edge { OUTLINE } else { image.window.grey(volume[voxel]) }
    })
}

/// Two images on one grid in turn, square by square: edges run on from one to the other where they
/// are aligned.
pub fn checkerboard(one: &Shown<'_>, other: &Shown<'_>, brain: &Mask) -> Canvas {
    let sheet = Sheet::new(brain);
    let volumes = [one, other].map(|shown| sheet.orientation.to_ras(shown.volume));
    let sizes = sheet.brain.grid().voxel_sizes_mm();
    sheet.draw(|voxel, _| {
        let square = |axis: usize| (voxel[axis] as f64 * sizes[axis] / SQUARE_MM) as usize;
        let turn = (square(0) + square(1) + square(2)) % 2;
        let window = if turn == 0 { one.window } else { other.window };
        window.grey(volumes[turn][voxel])
    })
}

/// The planes of one brain.
struct Sheet {
    orientation: Orientation,
    brain: Mask,
    part: BoundingBox,
}

impl Sheet {
    fn new(brain: &Mask) -> Self {
        let orientation = Orientation::of(brain.grid().affine());
        let brain = orientation.to_ras(brain);
        let margin = brain.grid().voxel_sizes_mm().map(|size| (8.0 / size).ceil() as usize);
        let part = BoundingBox::around(&brain)
            .unwrap_or_else(|| BoundingBox::whole(brain.grid()))
            .grown(margin, brain.grid());
        Self { orientation, brain, part }
    }

    /// `colour` is given a voxel and the four voxels beside it in the plane.
    fn draw(&self, colour: impl Fn([usize; 3], &[[usize; 3]]) -> [u8; 3]) -> Canvas {
        let (shape, start) = (self.part.shape(), self.part.start());
        let sizes = self.brain.grid().voxel_sizes_mm();
        let pixels =
            |axis: usize| (shape[axis] as f64 * sizes[axis] * PIXELS_PER_MM).round() as u32;
        let width = pixels(0).max(pixels(1)) + GAP;
        let height = pixels(1).max(pixels(2)) + GAP;
        let rows = (VIEWS.len() as u32).div_ceil(COLUMNS);
        let mut canvas = Canvas::new(COLUMNS * width, rows * height);
        for (n, (across, down, place)) in VIEWS.into_iter().enumerate() {
            let through = 3 - across - down;
            let slice = start[through] + (place * (shape[through] - 1) as f64).round() as usize;
            let (x0, y0) = (n as u32 % COLUMNS * width, n as u32 / COLUMNS * height);
            let (right, bottom) = (pixels(across), pixels(down));
            for v in 0..bottom {
                for u in 0..right {
                    // Mirrored both ways, as RAS runs to the right, front and top.
                    let along = |axis: usize, at: u32, of: u32| {
                        let place = (f64::from(at) + 0.5) / f64::from(of) * shape[axis] as f64;
                        start[axis] + shape[axis] - 1 - (place as usize).min(shape[axis] - 1)
                    };
                    let mut voxel = [slice; 3];
                    voxel[across] = along(across, u, right);
                    voxel[down] = along(down, v, bottom);
                    let beside = self.beside(voxel, [across, down]);
                    canvas.set(x0 + u, y0 + v, colour(voxel, &beside));
                }
            }
            if across == 0 {
                canvas.text(x0 + 2, y0 + 2, "R", GREY);
            }
        }
        canvas
    }

    fn beside(&self, voxel: [usize; 3], axes: [usize; 2]) -> Vec<[usize; 3]> {
        let shape = self.brain.grid().shape();
        let mut beside = Vec::with_capacity(4);
        for axis in axes {
            for next in [voxel[axis].checked_sub(1), Some(voxel[axis] + 1)] {
                if let Some(next) = next.filter(|&next| next < shape[axis]) {
                    let mut other = voxel;
                    other[axis] = next;
                    beside.push(other);
                }
            }
        }
        beside
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Window;
    use deepmir_volume::{Affine, Grid, Volume};

    fn ball() -> (Mask, Volume<f32>) {
        let affine = Affine::from_spacing([1.0; 3], [-30.0; 3]);
        let grid = Grid::new([60; 3], affine).unwrap();
        let brain = Volume::from_fn(grid, |voxel| {
            grid.position_mm(voxel).iter().map(|x| x * x).sum::<f64>() < 400.0
        });
        let image = brain.map(|&inside| f32::from(inside));
        (brain, image)
    }

    fn count(canvas: &Canvas, colour: [u8; 3]) -> usize {
        let (width, height) = canvas.size();
        (0..width * height).filter(|n| canvas.get(n % width, n / width) == colour).count()
    }

    #[test]
    fn the_outline_runs_around_the_brain_in_every_plane() {
        let (brain, image) = ball();
        let window = Window { low: 0.0, high: 1.0 };
        let shown = Shown { name: "SWI".to_owned(), volume: &image, window };
        let canvas = brain_outline(&shown, &brain);
        let (width, height) = canvas.size();
        for row in 0..2 {
            for column in 0..4 {
                let inside =
                    |x: u32, y: u32| canvas.get(x + column * width / 4, y + row * height / 2);
                let found = (0..width / 4)
                    .flat_map(|x| (0..height / 2).map(move |y| (x, y)))
                    .filter(|&(x, y)| inside(x, y) == OUTLINE)
                    .count();
                // A circle of 14 to 20 mm across 1.4 pixels a millimetre.
                assert!((80..500).contains(&found), "{row} {column}: {found}");
            }
        }
    }

    #[test]
    fn a_checkerboard_shows_half_of_each_image() {
        let (brain, _) = ball();
        let (black, white) = (brain.map(|_| 0.0), brain.map(|_| 1.0));
        let window = Window { low: 0.0, high: 1.0 };
        let shown = |volume| Shown { name: String::new(), volume, window };
        let canvas = checkerboard(&shown(&black), &shown(&white), &brain);
        let (white, black) = (count(&canvas, [255; 3]), count(&canvas, [0; 3]));
        let share = white as f64 / (white + black) as f64;
        assert!((0.4..0.6).contains(&share), "{share}");
    }
}
