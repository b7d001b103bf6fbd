//! Axial slices side by side, lesions outlined.

use deepmir_lesion::Lesion;
use deepmir_volume::{BoundingBox, Grid, Mask, Orientation, Volume, statistics};

use crate::outlines::Outlines;
use crate::{Canvas, class_colour};

/// Slices in a mosaic at most.
const MOST_SLICES: usize = 24;
/// Slices where there is no lesion to show.
const SLICES_WITHOUT_LESIONS: usize = 12;
/// Pixels a millimetre.
const PIXELS_PER_MM: f64 = 2.0;
/// Room for a line of text above each slice.
const CAPTION: u32 = 12;
const GREY: [u8; 3] = [170, 170, 170];

/// The values that are shown black and white.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Black.
    pub low: f32,
    /// White.
    pub high: f32,
}

impl Window {
    /// From the first to the last hundredth of the brain's values.
    pub fn of_brain(image: &Volume<f32>, brain: &Mask) -> Self {
        let voxels = image.data().iter().zip(brain.data());
        let mut inside: Vec<f32> =
            voxels.filter(|&(_, &inside)| inside).map(|(&value, _)| value).collect();
        let low = statistics::quantile(&mut inside, 0.01).unwrap_or(0.0);
        let high = statistics::quantile(&mut inside, 0.995).unwrap_or(1.0);
        Self { low, high: if high > low { high } else { low + 1.0 } }
    }

    /// The usual window of susceptibility maps, −0.15 to 0.25 ppm.
    pub const QSM: Self = Self { low: -0.15, high: 0.25 };

    pub(crate) fn grey(&self, value: f32) -> [u8; 3] {
        let share = (value - self.low) / (self.high - self.low);
        [(share.clamp(0.0, 1.0) * 255.0).round() as u8; 3]
    }
}

/// Axial slices of one image, each lesion outlined and numbered as in the lesion table. Seen from below, as radiologists do: the patient's right is on the left.
pub struct Mosaic {
    image: Volume<f32>,
    outlines: Outlines,
    lesions: Vec<Lesion>,
    part: BoundingBox,
    window: Window,
}

impl Mosaic {
    /// A mosaic of an image (in any orientation) with lesions on the same grid, in the order of the table.
    pub fn new<'a>(
        image: &Volume<f32>,
        lesions: impl IntoIterator<Item = &'a Lesion>,
        brain: &Mask,
        window: Window,
    ) -> Self {
        let orientation = Orientation::of(image.grid().affine());
        let brain = orientation.to_ras(brain);
        let outlines = Outlines::new(lesions, image.grid());
        let margin = brain.grid().voxel_sizes_mm().map(|size| (4.0 / size).ceil() as usize);
        let part = BoundingBox::around(&brain)
            .unwrap_or_else(|| BoundingBox::whole(brain.grid()))
            .grown(margin, brain.grid());
        Self {
            lesions: outlines.lesions(),
            image: orientation.to_ras(image),
            outlines,
            part,
            window,
        }
    }

    /// The slices that show every lesion at its middle, from bottom to top; with too many lesions
    /// those of the largest, with none evenly spread ones.
    fn slices(&self) -> Vec<usize> {
        let [_, _, first] = self.part.start();
        let [_, _, end] = self.part.end();
        let mut slices: Vec<usize> = Vec::new();
        if self.lesions.is_empty() {
            let count = SLICES_WITHOUT_LESIONS.min(end - first);
            slices.extend((0..count).map(|n| first + (2 * n + 1) * (end - first) / (2 * count)));
        }
        let mut by_size: Vec<&Lesion> = self.lesions.iter().collect();
        by_size.sort_by_key(|lesion| std::cmp::Reverse(lesion.voxels.len()));
        for lesion in by_size {
            let shown = slices.iter().any(|&k| self.reaches(lesion, k));
            if !shown && slices.len() < MOST_SLICES {
                slices.push(middle_slice(lesion, self.image.grid()));
            }
        }
        slices.sort_unstable();
        slices.dedup();
        slices
    }

    fn reaches(&self, lesion: &Lesion, slice: usize) -> bool {
        lesion.voxels.iter().any(|&index| self.image.grid().voxel(index)[2] == slice)
    }

    /// Draws it.
    pub fn draw(&self) -> Canvas {
        let slices = self.slices();
        let sizes = self.image.grid().voxel_sizes_mm();
        let [nx, ny, _] = self.part.shape();
        let width = (nx as f64 * sizes[0] * PIXELS_PER_MM).round() as u32;
        let height = (ny as f64 * sizes[1] * PIXELS_PER_MM).round() as u32;
        let columns = (slices.len() as f64).sqrt().ceil().clamp(1.0, 6.0) as u32;
        let rows = (slices.len() as u32).div_ceil(columns).max(1);
        let mut canvas = Canvas::new(columns * width, rows * (height + CAPTION) + CAPTION);
        for (n, &slice) in slices.iter().enumerate() {
            let (column, row) = (n as u32 % columns, n as u32 / columns);
            let tile = Tile { x: column * width, y: row * (height + CAPTION), width, height };
            self.draw_slice(&mut canvas, &tile, slice);
        }
        let count = |class| self.lesions.iter().filter(|lesion| lesion.class == class).count();
        let (mut x, y) = (4, rows * (height + CAPTION) + 2);
        for class in deepmir_lesion::LesionClass::ALL {
            let text = format!("{class}: {}", count(class));
            canvas.text(x, y, &text, class_colour(class));
            x += 8 * (text.len() as u32 + 3);
        }
        canvas
    }

    fn draw_slice(&self, canvas: &mut Canvas, tile: &Tile, slice: usize) {
        let [nx, ny, _] = self.part.shape();
        let [x0, y0, _] = self.part.start();
        // Mirrored both ways: RAS runs to the patient's right and front, a picture to the viewer's
        // right and down.
        let voxel = |u: u32, v: u32| {
            let i = ((u as f64 + 0.5) / f64::from(tile.width) * nx as f64) as usize;
            let j = ((v as f64 + 0.5) / f64::from(tile.height) * ny as f64) as usize;
            [x0 + nx - 1 - i.min(nx - 1), y0 + ny - 1 - j.min(ny - 1), slice]
        };
        let number = |u: u32, v: u32| self.outlines.number(voxel(u, v));
        let top = tile.y + CAPTION;
        for v in 0..tile.height {
            for u in 0..tile.width {
                canvas.set(tile.x + u, top + v, self.window.grey(self.image[voxel(u, v)]));
            }
        }
        for v in 0..tile.height {
            for u in 0..tile.width {
                let beside = [(1, 0), (-1, 0), (0, 1), (0, -1)].into_iter();
                let beside = beside.filter_map(|(du, dv)| {
                    let (u, v) = (u.checked_add_signed(du)?, v.checked_add_signed(dv)?);
                    (u < tile.width && v < tile.height).then(|| number(u, v))
                });
                if let Some(class) = self.outlines.colour(number(u, v), beside) {
                    canvas.set(tile.x + u, top + v, class_colour(class));
                }
            }
        }
        let z_mm = self.image.grid().position_mm([0, 0, slice])[2];
        canvas.text(tile.x + 4, tile.y + 2, &format!("z {z_mm:.0} mm"), GREY);
        canvas.text(tile.x + 4, top + tile.height / 2, "R", GREY);
        canvas.text(tile.x + tile.width - 12, top + tile.height / 2, "L", GREY);
        self.number_lesions(canvas, tile, slice);
    }

    /// Numbers each lesion in the slice where it is shown best, beside its outline.
    fn number_lesions(&self, canvas: &mut Canvas, tile: &Tile, slice: usize) {
        let [nx, ny, _] = self.part.shape();
        let [x0, y0, _] = self.part.start();
        for (n, lesion) in self.lesions.iter().enumerate() {
            let here: Vec<[usize; 3]> = lesion
                .voxels
                .iter()
                .map(|&index| self.image.grid().voxel(index))
                .filter(|voxel| voxel[2] == slice)
                .collect();
            // The lowest x is furthest to the viewer's right.
            let Some(right) = here.iter().min_by_key(|voxel| voxel[0]) else { continue };
            let u = (nx - (right[0].saturating_sub(x0)).min(nx - 1)) as f64 / nx as f64;
            let v = (ny - (right[1].saturating_sub(y0)).min(ny - 1)) as f64 / ny as f64;
            let x = tile.x + (u * f64::from(tile.width)) as u32 + 3;
            let y = tile.y + CAPTION + (v * f64::from(tile.height)) as u32;
            canvas.text(x, y.saturating_sub(8), &(n + 1).to_string(), class_colour(lesion.class));
        }
    }
}

/// Where a slice is drawn, its caption included.
struct Tile {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

fn middle_slice(lesion: &Lesion, grid: &Grid) -> usize {
    let mut slices: Vec<usize> = lesion.voxels.iter().map(|&index| grid.voxel(index)[2]).collect();
    slices.sort_unstable();
    slices.get(slices.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_lesion::LesionClass;
    use deepmir_volume::Affine;

    fn parts() -> (Volume<f32>, Vec<Lesion>, Mask) {
        let affine = Affine::from_spacing([1.0, 1.0, 2.0], [-20.0, -20.0, -20.0]);
        let grid = Grid::new([40, 40, 20], affine).unwrap();
        let brain = Volume::from_fn(grid, |voxel| {
            grid.position_mm(voxel).iter().map(|x| x * x).sum::<f64>() < 300.0
        });
        let image = brain.map(|&inside| if inside { 0.5 } else { 0.0 });
        let cmb = vec![grid.index([10, 20, 10]), grid.index([11, 20, 10])];
        let lesions = vec![
            Lesion::new(LesionClass::Cmb, cmb, &grid),
            Lesion::new(LesionClass::Nhid, vec![grid.index([25, 22, 14])], &grid),
        ];
        (image, lesions, brain)
    }

    #[test]
    fn lesions_are_outlined_on_the_right_side_in_their_colours() {
        let (image, lesions, brain) = parts();
        let canvas = Mosaic::new(&image, &lesions, &brain, Window { low: 0.0, high: 1.0 }).draw();
        let (width, height) = canvas.size();
        let has = |colour: [u8; 3], xs: std::ops::Range<u32>| {
            xs.into_iter().any(|x| (CAPTION..height - CAPTION).any(|y| canvas.get(x, y) == colour))
        };
        // The microbleed lies at x = -10 mm, the patient's left: the right half of the first tile.
        let tile = width / 2;
        assert!(has(class_colour(LesionClass::Cmb), tile / 2..tile));
        assert!(!has(class_colour(LesionClass::Cmb), 0..tile / 2));
        assert!(has(class_colour(LesionClass::Nhid), tile..tile + tile / 2 + 20));
        assert!(canvas.png().unwrap().starts_with(b"\x89PNG"));
    }

    #[test]
    fn without_lesions_slices_are_spread_over_the_brain() {
        let (image, _, brain) = parts();
        let mosaic = Mosaic::new(&image, &[], &brain, Window::of_brain(&image, &brain));
        let slices = mosaic.slices();
        assert_eq!(slices.len(), SLICES_WITHOUT_LESIONS);
        assert!(slices.windows(2).all(|pair| pair[1] > pair[0]));
    }

    #[test]
    fn lesions_that_touch_are_counted_and_outlined_apart() {
        let (image, _, brain) = parts();
        let grid = *image.grid();
        let lesion = |i: usize| {
            let voxels = (i..i + 3).flat_map(|i| (18..22).map(move |j| grid.index([i, j, 10])));
            Lesion::new(LesionClass::Cmb, voxels.collect(), &grid)
        };
        let window = Window { low: 0.0, high: 1.0 };
        let drawn = |lesions: &[Lesion]| Mosaic::new(&image, lesions, &brain, window);
        let (apart, beside) = (drawn(&[lesion(10), lesion(13)]), drawn(&[lesion(10)]));
        assert_eq!(apart.lesions.len(), 2);
        let mut both = lesion(10);
        both.voxels.extend(lesion(13).voxels);
        both.voxels.sort_unstable();
        let coloured = |mosaic: &Mosaic| {
            let canvas = mosaic.draw();
            let (width, height) = canvas.size();
            let colour = class_colour(LesionClass::Cmb);
            let in_picture = CAPTION + 4..height - CAPTION - 4;
            let pixels = in_picture.flat_map(|y| (0..width).map(move |x| (x, y)));
            pixels.filter(|&(x, y)| canvas.get(x, y) == colour).count()
        };
        // A line runs between the two that one of their common shape has not.
        let one = drawn(&[Lesion::new(LesionClass::Cmb, both.voxels, &grid)]);
        assert!(coloured(&apart) > coloured(&one) && coloured(&one) > coloured(&beside));
    }
}
