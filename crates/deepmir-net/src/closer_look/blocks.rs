//! The block of images around a candidate.

use half::f16;

use crate::Prepared;

/// Images are multiplied with this, so that most values are about as large as the brain's 0 and 1.
const SCALE: f32 = 0.3;

/// The images around a place, zeros beyond their edge.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// `[image][slice][row][column]`.
    values: Vec<f16>,
    images: usize,
    /// Slices, rows, columns.
    size: [usize; 3],
}

/// What is changed about a block in training.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    /// Slices, rows and columns by which it is off the middle, at most half of what the block has to spare.
    pub shift: [isize; 3],
    /// Whether it is mirrored along slices, rows and columns.
    pub mirrored: [bool; 3],
    /// Whether rows and columns change places.
    pub transposed: bool,
    /// What each image is multiplied with; zero for one that is left out.
    pub gain: Vec<f32>,
}

/// Cuts a block of `size` with the voxel at a place in the middle.
pub(crate) fn cut(prepared: &Prepared, place_mm: [f64; 3], size: [usize; 3]) -> Block {
    let grid = prepared.grid();
    let [nx, ny, nz] = grid.shape();
    let at = grid.affine().inverse().apply(place_mm).map(|at| at.round() as isize);
    let middle = [at[2], at[1], at[0]];
    let limits = [nz, ny, nx];
    let inside = |axis: usize, n: usize| {
        let at = middle[axis] + n as isize - (size[axis] / 2) as isize;
        usize::try_from(at).ok().filter(|&at| at < limits[axis])
    };
    let mut values = vec![f16::ZERO; prepared.images.len() * size.iter().product::<usize>()];
    let mut rows = values.chunks_exact_mut(size[2]);
    for image in &prepared.images {
        for slice in 0..size[0] {
            for row in 0..size[1] {
                let Some(to) = rows.next() else { break };
                let (Some(k), Some(j)) = (inside(0, slice), inside(1, row)) else { continue };
                for (column, to) in to.iter_mut().enumerate() {
                    let Some(i) = inside(2, column) else { continue };
                    *to = f16::from_f32(SCALE * image.data()[(k * ny + j) * nx + i]);
                }
            }
        }
    }
    Block { values, images: prepared.images.len(), size }
}

impl Block {
    /// What a network sees of it: `[slice][channel][row][column]` of `size`, images and then the brain.
    pub fn input(&self, size: [usize; 3], mirrored: bool) -> Vec<f32> {
        let change = Change {
            mirrored: [false, false, mirrored],
            gain: vec![1.0; self.images],
            ..Change::default()
        };
        self.changed(size, &change)
    }

    /// [`Block::input`], changed. Rows and columns are as many where they change places.
    pub fn changed(&self, size: [usize; 3], change: &Change) -> Vec<f32> {
        let [slices, rows, columns] = size;
        let (area, channels) = (rows * columns, self.images + 1);
        let mut input = vec![0.0; slices * channels * area];
        let along = |axis: usize, n: usize| {
            let n = if change.mirrored[axis] { size[axis] - 1 - n } else { n };
            let spare = self.size[axis] - size[axis];
            ((spare / 2 + n) as isize + change.shift[axis]).clamp(0, self.size[axis] as isize - 1)
                as usize
        };
        let of_image = self.size.iter().product::<usize>();
        for (slice, planes) in input.chunks_exact_mut(channels * area).enumerate() {
            let k = along(0, slice);
            for pixel in 0..area {
                let (row, column) = (pixel / columns, pixel % columns);
                let (row, column) = if change.transposed { (column, row) } else { (row, column) };
                let at = (k * self.size[1] + along(1, row)) * self.size[2] + along(2, column);
                let mut brain = false;
                for image in 0..self.images {
                    let value = f32::from(self.values[image * of_image + at]);
                    // Images are exactly zero outside the brain, and hardly ever inside.
                    brain |= value != 0.0;
                    planes[image * area + pixel] = value * change.gain[image];
                }
                planes[self.images * area + pixel] = f32::from(u8::from(brain));
            }
        }
        input
    }

    /// The number of its images.
    pub fn images(&self) -> usize {
        self.images
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::tests::prepared_subject;
    use crate::preset;

    #[test]
    fn a_block_is_the_images_around_a_place_however_it_is_held() {
        let (prepared, _) = prepared_subject(&preset::deepmir().plan);
        let grid = *prepared.grid();
        let at = [20, 22, 9];
        let size = [4, 6, 6];
        let block = cut(&prepared, grid.position_mm(at), [8, 10, 10]);
        let area = size[1] * size[2];
        let seen = |input: &[f32], image: usize, [z, y, x]: [usize; 3]| {
            input[(z * 4 + image) * area + y * size[2] + x]
        };
        let wanted = |image: usize, [z, y, x]: [usize; 3]| {
            let voxel = [at[0] + x - 3, at[1] + y - 3, at[2] + z - 2];
            let value = SCALE * prepared.images[image].data()[grid.index(voxel)];
            f32::from(f16::from_f32(value))
        };
        let plain = block.input(size, false);
        assert_eq!(plain.len(), 4 * 4 * area);
        for place in [[0, 0, 0], [3, 2, 5], [2, 3, 3]] {
            let [z, y, x] = place;
            for image in 0..3 {
                assert_eq!(seen(&plain, image, place), wanted(image, place));
            }
            assert_eq!(seen(&plain, 3, place), 1.0, "brain");
            assert_eq!(seen(&block.input(size, true), 1, [z, y, 5 - x]), wanted(1, place));
            let change = Change {
                shift: [0, 1, -2],
                mirrored: [true, false, false],
                transposed: true,
                gain: vec![1.0, 0.5, 0.0],
            };
            let changed = block.changed(size, &change);
            let voxel = [at[0] + y - 3 - 2, at[1] + x - 3 + 1, at[2] + (3 - z) - 2];
            let value = SCALE * prepared.images[1].data()[grid.index(voxel)];
            assert_eq!(seen(&changed, 1, place), 0.5 * f32::from(f16::from_f32(value)));
            assert_eq!(seen(&changed, 2, place), 0.0);
        }
        // Beyond the images' edge there is nothing.
        let corner = cut(&prepared, grid.position_mm([0, 0, 0]), size).input(size, false);
        assert!(corner[..area].iter().all(|&value| value == 0.0));
    }
}
