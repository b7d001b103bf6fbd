//! Slices in three directions with the structures of a parcellation in colour.

use deepmir_volume::{BoundingBox, Grid, Mask, Orientation, Volume};

use crate::{Canvas, Window};

/// Slices in each direction.
const SLICES: usize = 6;
const PIXELS_PER_MM: f64 = 1.5;
/// Room around the brain.
const MARGIN_MM: f64 = 8.0;
/// Room for a line of text.
const LINE: u32 = 12;
/// How much of a structure's colour covers the image.
const OPACITY: f32 = 0.4;
const GREY: [u8; 3] = [170, 170, 170];
/// The brain mask's outline: yellow of Okabe and Ito's palette.
const OUTLINE: [u8; 3] = [240, 228, 66];

/// A structure as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Its number in the label map.
    pub number: u8,
    /// Its name in the legend.
    pub name: String,
    /// Its colour.
    pub colour: [u8; 3],
}

/// Axial, coronal and sagittal slices of an image, a row each, with structures in colour and the brain mask outlined. The
/// patient's right is on the left.
pub struct StructureMosaic {
    image: Volume<f32>,
    labels: Volume<u8>,
    brain: Mask,
    structures: Vec<Structure>,
    /// Around the brain.
    tight: BoundingBox,
    /// What is shown: the same with a margin.
    part: BoundingBox,
    window: Window,
}

/// A direction of slices: the axes that run from right to left and from bottom to top of the picture, the axis across, its
/// name, and the ends of the first axis.
struct Plane {
    axes: [usize; 2],
    across: usize,
    name: char,
    ends: [&'static str; 2],
}

/// Axes are those of RAS order; every slice is mirrored both ways.
const PLANES: [Plane; 3] = [
    Plane { axes: [0, 1], across: 2, name: 'z', ends: ["R", "L"] },
    Plane { axes: [0, 2], across: 1, name: 'y', ends: ["R", "L"] },
    Plane { axes: [1, 2], across: 0, name: 'x', ends: ["A", "P"] },
];

impl StructureMosaic {
    /// A mosaic of an image in any orientation, with a label map and a brain mask on its grid. Numbers that no structure
    /// has are not coloured. An empty mask shows the whole field.
    pub fn new(
        image: &Volume<f32>,
        labels: &Volume<u8>,
        brain: &Mask,
        structures: Vec<Structure>,
        window: Window,
    ) -> Self {
        let orientation = Orientation::of(image.grid().affine());
        let brain = orientation.to_ras(brain);
        let margin = brain.grid().voxel_sizes_mm().map(|size| (MARGIN_MM / size).ceil() as usize);
        let tight = BoundingBox::around(&brain).unwrap_or_else(|| BoundingBox::whole(brain.grid()));
        let part = tight.grown(margin, brain.grid());
        Self {
            image: orientation.to_ras(image),
            labels: orientation.to_ras(labels),
            brain,
            structures,
            tight,
            part,
            window,
        }
    }

    /// Draws it.
    pub fn draw(&self) -> Canvas {
        let tiles = PLANES.map(|plane| self.tile(&plane));
        let width = tiles.iter().map(|tile| tile[0] * SLICES as u32).max().unwrap_or(1);
        let rows: u32 = tiles.iter().map(|tile| tile[1] + LINE).sum();
        let lines = self.legend(width);
        let mut canvas = Canvas::new(width, rows + LINE * lines.len() as u32);
        let mut y = 0;
        for (plane, tile) in PLANES.iter().zip(tiles) {
            for (n, slice) in self.slices(plane).into_iter().enumerate() {
                self.draw_slice(&mut canvas, plane, slice, [n as u32 * tile[0], y], tile);
            }
            y += tile[1] + LINE;
        }
        for (line, y) in lines.iter().zip((y..).step_by(LINE as usize)) {
            for &(x, structure) in line {
                (0..64).for_each(|n| canvas.set(x + n % 8, y + 2 + n / 8, structure.colour));
                canvas.text(x + 12, y + 2, &structure.name, GREY);
            }
        }
        canvas
    }

    /// Width and height of a slice in pixels.
    fn tile(&self, plane: &Plane) -> [u32; 2] {
        let sizes = self.image.grid().voxel_sizes_mm();
        let shape = self.part.shape();
        plane
            .axes
            .map(|axis| ((shape[axis] as f64 * sizes[axis] * PIXELS_PER_MM).round() as u32).max(1))
    }

    /// Slices spread evenly over the brain, from left to right, back to front, bottom to top.
    fn slices(&self, plane: &Plane) -> Vec<usize> {
        let (first, length) = (self.tight.start()[plane.across], self.tight.shape()[plane.across]);
        let count = SLICES.min(length);
        (0..count).map(|n| first + (2 * n + 1) * length / (2 * count)).collect()
    }

    /// The structures that are there, in lines of text no wider than the picture, each with its place.
    fn legend(&self, width: u32) -> Vec<Vec<(u32, &Structure)>> {
        let mut there = [false; 256];
        self.labels.data().iter().for_each(|&number| there[usize::from(number)] = true);
        let mut lines: Vec<Vec<(u32, &Structure)>> = Vec::new();
        let mut x = width;
        for structure in self.structures.iter().filter(|one| there[usize::from(one.number)]) {
            let length = 12 + 8 * (structure.name.chars().count() as u32 + 2);
            if x + length > width {
                lines.push(Vec::new());
                x = 4;
            }
            if let Some(line) = lines.last_mut() {
                line.push((x, structure));
            }
            x += length;
        }
        lines
    }

    fn draw_slice(
        &self,
        canvas: &mut Canvas,
        plane: &Plane,
        slice: usize,
        [left, above]: [u32; 2],
        [width, height]: [u32; 2],
    ) {
        let (start, shape) = (self.part.start(), self.part.shape());
        let [across, up] = plane.axes;
        let voxel = |u: u32, v: u32| {
            let mut voxel = [slice; 3];
            for (axis, at, pixels) in [(across, u, width), (up, v, height)] {
                let place = (f64::from(at) + 0.5) / f64::from(pixels) * shape[axis] as f64;
                voxel[axis] = start[axis] + shape[axis] - 1 - (place as usize).min(shape[axis] - 1);
            }
            voxel
        };
        let top = above + LINE;
        for v in 0..height {
            for u in 0..width {
                let here = voxel(u, v);
                let beside = [(1, 0), (-1, 0), (0, 1), (0, -1)].into_iter().any(|(du, dv)| {
                    let (u, v) = (u.checked_add_signed(du), v.checked_add_signed(dv));
                    let (Some(u), Some(v)) = (u, v) else { return false };
                    u < width && v < height && self.brain[voxel(u, v)]
                });
                let colour =
                    if beside && !self.brain[here] { OUTLINE } else { self.colour_of(here) };
                canvas.set(left + u, top + v, colour);
            }
        }
        let at_mm = self.image.grid().position_mm(middle(self.image.grid(), plane, slice));
        // Zero has no sign.
        let caption = format!("{} {:.0} mm", plane.name, at_mm[plane.across].round() + 0.0);
        canvas.text(left + 4, above + 2, &caption, GREY);
        canvas.text(left + 4, top + height / 2, plane.ends[0], GREY);
        canvas.text(left + width.saturating_sub(12), top + height / 2, plane.ends[1], GREY);
    }

    /// The image's grey, tinted where there is a structure.
    fn colour_of(&self, voxel: [usize; 3]) -> [u8; 3] {
        let grey = self.window.grey(self.image[voxel]);
        let number = self.labels[voxel];
        match self.structures.iter().find(|structure| structure.number == number) {
            None => grey,
            Some(Structure { colour, .. }) => std::array::from_fn(|n| {
                let (under, over) = (f32::from(grey[n]), f32::from(colour[n]));
                (under + OPACITY * (over - under)).round() as u8
            }),
        }
    }
}

/// The voxel in the middle of a slice.
fn middle(grid: &Grid, plane: &Plane, slice: usize) -> [usize; 3] {
    let mut voxel = grid.shape().map(|length| length / 2);
    voxel[plane.across] = slice;
    voxel
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::Affine;

    /// A ball of 20 mm, its left half a structure; voxels are stored from right to left.
    fn mosaic() -> StructureMosaic {
        let affine = Affine::from_spacing([-1.0, 1.0, 2.0], [30.0, -30.0, -30.0]);
        let grid = Grid::new([60, 60, 30], affine).unwrap();
        let brain = Volume::from_fn(grid, |voxel| {
            grid.position_mm(voxel).iter().map(|x| x * x).sum::<f64>() < 400.0
        });
        let image = brain.map(|&inside| if inside { 1.0 } else { 0.0 });
        let labels = Volume::from_fn(grid, |voxel| {
            u8::from(brain[voxel] && grid.position_mm(voxel)[0] < 0.0) * 7
        });
        let structures = vec![
            Structure { number: 7, name: "left half".to_owned(), colour: [200, 0, 0] },
            Structure { number: 8, name: "absent".to_owned(), colour: [0, 0, 200] },
        ];
        StructureMosaic::new(&image, &labels, &brain, structures, Window { low: 0.0, high: 1.0 })
    }

    #[test]
    fn structures_are_coloured_on_their_side_and_named() {
        let mosaic = mosaic();
        let canvas = mosaic.draw();
        let tinted = [233, 153, 153];
        let [width, height] = mosaic.tile(&PLANES[0]);
        let (left, right) = ((width / 4, LINE + height / 2), (3 * width / 4, LINE + height / 2));
        let middle_tile = 2 * width;
        // The patient's left is on the picture's right.
        assert_eq!(canvas.get(middle_tile + left.0, left.1), [255; 3]);
        assert_eq!(canvas.get(middle_tile + right.0, right.1), tinted);
        let (all, tall) = canvas.size();
        let has =
            |colour| (tall - LINE..tall).any(|y| (0..all).any(|x| canvas.get(x, y) == colour));
        assert!(has([200, 0, 0]) && !has([0, 0, 200]), "the legend names what is there");
    }

    #[test]
    fn the_mask_is_outlined_and_an_empty_one_shows_the_field() {
        let mut mosaic = mosaic();
        let outlined = |mosaic: &StructureMosaic| {
            let canvas = mosaic.draw();
            let (width, height) = canvas.size();
            let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            pixels.filter(|&(x, y)| canvas.get(x, y) == OUTLINE).count()
        };
        assert!(outlined(&mosaic) > 1000);
        mosaic.brain.data_mut().fill(false);
        assert_eq!(outlined(&mosaic), 0);
        let empty = mosaic.brain.map(|_| false);
        let window = Window { low: 0.0, high: 1.0 };
        let whole = StructureMosaic::new(&mosaic.image, &mosaic.labels, &empty, Vec::new(), window);
        assert_eq!(whole.part.shape(), [60, 60, 30]);
    }
}
