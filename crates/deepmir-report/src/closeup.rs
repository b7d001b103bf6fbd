//! A lesion close up: every image in three planes, smoothly enlarged, with its outline as a line of its own.

use std::collections::BTreeSet;

use deepmir_lesion::{Lesion, numbered};
use deepmir_volume::{Grid, Orientation, Volume};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use crate::contour::{Field, path};
use crate::{ReportError, Window};

/// Width and height of the field of view.
pub(crate) const FIELD_MM: f64 = 30.0;
/// Pixels of a plane's side.
pub(crate) const SIDE: usize = 240;
/// Pixels between planes.
pub(crate) const GAP: usize = 4;
/// Height of three planes.
pub(crate) const HEIGHT: usize = 3 * SIDE + 2 * GAP;
/// How far a projection of lowest values reaches to either side.
const SLAB_MM: f64 = 5.0;
/// RAS axes across, down and through axial, coronal and sagittal planes. A viewer sees the patient's right on the left,
/// front or top above; sagittal planes show the front on the left.
const PLANES: [[usize; 3]; 3] = [[0, 1, 2], [0, 2, 1], [1, 2, 0]];

/// How an image becomes a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Paint {
    /// In grey.
    Grey(Window),
    /// The lowest value within 5 mm to either side, in grey: veins run on, microbleeds do not.
    Lowest(Window),
    /// From blue over white to red, white at zero and full at this value.
    Diverging(f32),
}

/// An image of the close-ups.
#[derive(Clone, Debug)]
pub struct Pane<'a> {
    /// Its name, such as SWI.
    pub name: String,
    /// The image.
    pub volume: &'a Volume<f32>,
    /// How it is shown.
    pub paint: Paint,
}

/// Blue, white and red that colour-blind readers tell apart.
const DIVERGING: [[f32; 3]; 5] =
    [[5.0, 48.0, 97.0], [67.0, 147.0, 195.0], [247.0; 3], [214.0, 96.0, 77.0], [103.0, 0.0, 31.0]];

/// The colour of a value from −1 to 1.
pub(crate) fn diverging(value: f32) -> [u8; 3] {
    let place = (value.clamp(-1.0, 1.0) + 1.0) * 2.0;
    let lower = (place as usize).min(DIVERGING.len() - 2);
    let share = place - lower as f32;
    let (from, to) = (DIVERGING[lower], DIVERGING[lower + 1]);
    [0, 1, 2].map(|n| (from[n] + share * (to[n] - from[n])).round() as u8)
}

/// The images of a subject, to cut close-ups from.
pub(crate) struct CloseUps<'a> {
    panes: &'a [Pane<'a>],
    numbers: Volume<u16>,
    /// Lesions that are outlined wherever they are seen; those behind only in their own close-up.
    everywhere: u16,
    /// For each RAS axis, the voxel axis along it and whether it runs the same way.
    axes: [(usize, f64); 3],
}

/// A plane through a place.
struct Plane {
    axes: [usize; 3],
    /// Voxels and weights of each pixel across and down; none outside the image.
    taps: [Vec<Option<Taps>>; 2],
    /// From voxels to pixels: offset and factor, across and down.
    pixels: [(f64, f64); 2],
    slice: usize,
}

#[derive(Clone, Copy)]
struct Taps {
    voxels: [usize; 4],
    weights: [f32; 4],
}

impl<'a> CloseUps<'a> {
    /// All images lie on `grid`, and so do lesions and candidates.
    pub fn new(
        panes: &'a [Pane<'a>],
        lesions: &[&Lesion],
        candidates: &[&Lesion],
        grid: &Grid,
    ) -> Self {
        let ras = Orientation::of(grid.affine()).grid_to_ras(grid);
        let along = |affine: &deepmir_volume::Affine, axis: usize| {
            let mut unit = [0.0; 3];
            unit[axis] = 1.0;
            affine.apply_direction(unit)
        };
        let axes = [0, 1, 2].map(|world| {
            let wanted = along(ras.affine(), world);
            let dot = |axis: usize| -> f64 {
                let direction = along(grid.affine(), axis);
                let size = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
                direction.iter().zip(wanted).map(|(a, b)| a * b).sum::<f64>() / size
            };
            let axis = (0..3).max_by(|&a, &b| dot(a).abs().total_cmp(&dot(b).abs())).unwrap_or(0);
            (axis, dot(axis).signum())
        });
        let all = lesions.iter().chain(candidates).copied();
        let everywhere = u16::try_from(lesions.len()).unwrap_or(u16::MAX);
        Self { panes, numbers: numbered(all, grid), everywhere, axes }
    }

    fn planes(&self, centre_mm: [f64; 3]) -> [Plane; 3] {
        let grid = self.numbers.grid();
        let (sizes, shape) = (grid.voxel_sizes_mm(), grid.shape());
        let centre = grid.affine().inverse().apply(centre_mm);
        PLANES.map(|world| {
            let axes = world.map(|axis| self.axes[axis].0);
            // Mirrored both ways, as RAS runs to the right, front and top.
            let factor = [0, 1].map(|n| {
                let sign = self.axes[world[n]].1;
                -sign * sizes[axes[n]] * SIDE as f64 / FIELD_MM
            });
            let pixels = [0, 1].map(|n| (centre[axes[n]], factor[n]));
            let taps = [0, 1].map(|n| {
                let (middle, factor) = pixels[n];
                let place =
                    |pixel: usize| (pixel as f64 + 0.5 - SIDE as f64 / 2.0) / factor + middle;
                (0..SIDE).map(|pixel| Taps::at(place(pixel), shape[axes[n]])).collect()
            });
            let last = shape[axes[2]].saturating_sub(1) as f64;
            let slice = centre[axes[2]].round().clamp(0.0, last) as usize;
            Plane { axes, taps, pixels, slice }
        })
    }

    /// The images around a place (RAS millimetres) as JPEG files, three planes below each other.
    ///
    /// # Errors
    /// If a picture cannot be encoded.
    pub fn pictures(&self, centre_mm: [f64; 3], quality: u8) -> Result<Vec<Vec<u8>>, ReportError> {
        let planes = self.planes(centre_mm);
        let draw = |pane: &Pane<'_>| {
            let mut values = vec![f32::NAN; SIDE * HEIGHT];
            for (n, plane) in planes.iter().enumerate() {
                let from = n * (SIDE + GAP) * SIDE;
                self.enlarge(plane, pane, &mut values[from..from + SIDE * SIDE]);
            }
            encoded(&values, pane.paint, quality)
        };
        self.panes.iter().map(draw).collect()
    }

    fn enlarge(&self, plane: &Plane, pane: &Pane<'_>, pixels: &mut [f32]) {
        let slices = self.slices(plane, pane.paint);
        let value = |i: usize, j: usize| {
            let mut voxel = [0; 3];
            (voxel[plane.axes[0]], voxel[plane.axes[1]]) = (i, j);
            let at = |slice: usize| {
                let mut voxel = voxel;
                voxel[plane.axes[2]] = slice;
                pane.volume[voxel]
            };
            slices.clone().map(at).fold(f32::INFINITY, f32::min)
        };
        let [across, down] = &plane.taps;
        let used = |taps: &[Option<Taps>]| -> BTreeSet<usize> {
            taps.iter().flatten().flat_map(|taps| taps.voxels).collect()
        };
        let (columns, rows) = (used(across), used(down));
        let (Some(&left), Some(&top)) = (columns.first(), rows.first()) else { return };
        // Across first, then down.
        let mut lines: Vec<Vec<f32>> = Vec::new();
        for j in top..=rows.last().copied().unwrap_or(top) {
            let line = (left..=columns.last().copied().unwrap_or(left)).map(|i| value(i, j));
            let line: Vec<f32> = line.collect();
            let mixed = |taps: &Option<Taps>| {
                taps.map_or(f32::NAN, |taps| taps.mix(|voxel| line[voxel - left]))
            };
            lines.push(across.iter().map(mixed).collect());
        }
        for (row, taps) in pixels.chunks_exact_mut(SIDE).zip(down) {
            let Some(taps) = taps else { continue };
            for (u, pixel) in row.iter_mut().enumerate() {
                *pixel = taps.mix(|voxel| lines[voxel - top][u]);
            }
        }
    }

    fn slices(&self, plane: &Plane, paint: Paint) -> std::ops::RangeInclusive<usize> {
        let grid = self.numbers.grid();
        let axis = plane.axes[2];
        let reach = match paint {
            Paint::Lowest(_) => (SLAB_MM / grid.voxel_sizes_mm()[axis]).round() as usize,
            _ => 0,
        };
        let last = grid.shape()[axis].saturating_sub(1);
        plane.slice.saturating_sub(reach)..=(plane.slice + reach).min(last)
    }

    /// Outlines around a place, as SVG paths for the pictures: of the lesion with this number, and of the others.
    pub fn outlines(&self, centre_mm: [f64; 3], number: u16) -> [String; 2] {
        let mut texts = [String::new(), String::new()];
        for (n, plane) in self.planes(centre_mm).iter().enumerate() {
            let range = |taps: &[Option<Taps>]| {
                let inside: BTreeSet<usize> =
                    taps.iter().flatten().map(|taps| taps.voxels[1]).collect();
                Some((*inside.first()?, *inside.last()?))
            };
            let [across, down] = &plane.taps;
            let (Some((left, right)), Some((top, bottom))) = (range(across), range(down)) else {
                continue;
            };
            let at = |i: usize, j: usize| {
                let mut voxel = [0; 3];
                voxel[plane.axes[0]] = left + i;
                voxel[plane.axes[1]] = top + j;
                voxel[plane.axes[2]] = plane.slice;
                self.numbers[voxel]
            };
            let (width, height) = (right - left + 1, bottom - top + 1);
            let seen: BTreeSet<u16> = (0..height)
                .flat_map(|j| (0..width).map(move |i| (i, j)))
                .map(|(i, j)| at(i, j))
                .filter(|&one| one != 0 && (one == number || one <= self.everywhere))
                .collect();
            for one in seen {
                let field = Field::new(width, height, |i, j| f32::from(at(i, j) == one));
                let middle = SIDE as f64 / 2.0;
                let offset = (n * (SIDE + GAP)) as f64;
                texts[usize::from(one != number)] += &path(&field.outline(), 1, |[x, y]| {
                    let [(i0, across), (j0, down)] = plane.pixels;
                    let u = middle + (x + left as f64 - i0) * across;
                    let v = middle + (y + top as f64 - j0) * down;
                    [u.clamp(0.0, SIDE as f64), v.clamp(0.0, SIDE as f64) + offset]
                });
            }
        }
        texts
    }
}

impl Taps {
    /// Cubic convolution (Keys 1981) at a place along an axis; `None` outside the image.
    fn at(place: f64, length: usize) -> Option<Self> {
        if length == 0 || place < -0.5 || place > length as f64 - 0.5 {
            return None;
        }
        let first = place.floor();
        let t = (place - first) as f32;
        let voxels = [-1.0, 0.0, 1.0, 2.0]
            .map(|step| (first + step).clamp(0.0, length as f64 - 1.0) as usize);
        let (t2, t3) = (t * t, t * t * t);
        let weights = [
            0.5 * (-t3 + 2.0 * t2 - t),
            0.5 * (3.0 * t3 - 5.0 * t2 + 2.0),
            0.5 * (-3.0 * t3 + 4.0 * t2 + t),
            0.5 * (t3 - t2),
        ];
        Some(Self { voxels, weights })
    }

    fn mix(&self, value: impl Fn(usize) -> f32) -> f32 {
        self.voxels.iter().zip(self.weights).map(|(&voxel, weight)| weight * value(voxel)).sum()
    }
}

/// What lies outside the image is black.
fn encoded(values: &[f32], paint: Paint, quality: u8) -> Result<Vec<u8>, ReportError> {
    let mut bytes = Vec::new();
    let encoder = Encoder::new(&mut bytes, quality);
    let (width, height) = (SIDE as u16, HEIGHT as u16);
    let result = match paint {
        Paint::Grey(window) | Paint::Lowest(window) => {
            let grey = |&value: &f32| if value.is_nan() { 0 } else { window.grey(value)[0] };
            let pixels: Vec<u8> = values.iter().map(grey).collect();
            encoder.encode(&pixels, width, height, ColorType::Luma)
        }
        Paint::Diverging(limit) => {
            let colour =
                |&value: &f32| if value.is_nan() { [0; 3] } else { diverging(value / limit) };
            let pixels: Vec<[u8; 3]> = values.iter().map(colour).collect();
            let mut encoder = encoder;
            encoder.set_sampling_factor(SamplingFactor::F_2_2);
            encoder.encode(pixels.as_flattened(), width, height, ColorType::Rgb)
        }
    };
    result.map_err(|error| ReportError::Draw { reason: error.to_string() })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_lesion::LesionClass;
    use deepmir_volume::Affine;

    /// Stored from left to right, bottom to top, back to front.
    fn scene() -> (Volume<f32>, Lesion, [f64; 3]) {
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
            (0..3).all(|axis| (at[axis] - place[axis]).abs() <= 2.5)
        };
        // Brighter to the patient's right.
        let value = |voxel| 0.5 + 0.01 * grid.position_mm(voxel)[0] as f32;
        let image = Volume::from_fn(grid, |voxel| if near(voxel) { 0.0 } else { value(voxel) });
        let voxels = (0..grid.len()).filter(|&index| near(grid.voxel(index))).collect();
        (image, Lesion::new(LesionClass::Nhid, voxels, &grid), place)
    }

    fn values(image: &Volume<f32>, paint: Paint, place: [f64; 3], n: usize) -> Vec<f32> {
        let panes = [Pane { name: "SWI".to_owned(), volume: image, paint }];
        let close = CloseUps::new(&panes, &[], &[], image.grid());
        let mut pixels = vec![f32::NAN; SIDE * SIDE];
        close.enlarge(&close.planes(place)[n], &panes[0], &mut pixels);
        pixels
    }

    const WINDOW: Window = Window { low: 0.0, high: 1.0 };

    #[test]
    fn the_lesion_is_in_the_middle_and_right_is_on_the_left_in_any_orientation() {
        let (image, _, place) = scene();
        for plane in 0..3 {
            let pixels = values(&image, Paint::Grey(WINDOW), place, plane);
            assert!(pixels[SIDE / 2 * SIDE + SIDE / 2].abs() < 0.01, "{plane}");
            if plane < 2 {
                let row = &pixels[20 * SIDE..21 * SIDE];
                assert!(row[4] > row[SIDE - 5], "{plane}: {} {}", row[4], row[SIDE - 5]);
            }
        }
        // A pixel is an eighth of a millimetre: 10 mm to the right of the middle.
        let pixels = values(&image, Paint::Grey(WINDOW), place, 0);
        let right = pixels[SIDE / 2 * SIDE + SIDE / 2 - 80];
        assert!((right - 0.65).abs() < 0.01, "{right}");
    }

    #[test]
    fn a_projection_shows_what_lies_beside_the_slice() {
        let (image, _, place) = scene();
        let beside = [place[0], place[1], place[2] + 6.0];
        let middle = |paint| values(&image, paint, beside, 0)[SIDE / 2 * SIDE + SIDE / 2];
        assert!(middle(Paint::Grey(WINDOW)) > 0.5);
        assert!(middle(Paint::Lowest(WINDOW)) < 0.1);
    }

    #[test]
    fn outlines_are_where_the_lesion_is_and_apart_from_others() {
        let (image, lesion, place) = scene();
        let panes = [Pane { name: "SWI".to_owned(), volume: &image, paint: Paint::Grey(WINDOW) }];
        let close = CloseUps::new(&panes, &[&lesion], &[], image.grid());
        let [own, other] = close.outlines(place, 1);
        assert_eq!((own.matches('M').count(), other.as_str()), (3, ""));
        // 5 mm wide in the first plane, around the middle.
        let first = own.split('Z').next().unwrap();
        let xs = first
            .trim_start_matches('M')
            .split('L')
            .map(|point| point.split(' ').next().unwrap().parse::<f64>().unwrap());
        let xs: Vec<f64> = xs.collect();
        let low = xs.iter().copied().fold(f64::INFINITY, f64::min);
        let high = xs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert!((low - 100.0).abs() < 5.0 && (high - 140.0).abs() < 5.0, "{low} {high}");
        let [own, other] = close.outlines(place, 2);
        assert!(own.is_empty() && !other.is_empty());
        let pictures = close.pictures(place, 80).unwrap();
        assert!(pictures.len() == 1 && pictures[0].starts_with(&[0xff, 0xd8]));
    }

    #[test]
    fn the_colour_map_is_white_at_zero() {
        assert_eq!(diverging(0.0), [247; 3]);
        assert_eq!((diverging(-9.0), diverging(1.0)), ([5, 48, 97], [103, 0, 31]));
    }
}
