//! Patches: the images around a candidate.

use std::path::Path;

use deepmir_volume::{Grid, Volume, atomic};
use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::{NetError, Prepared};

/// Images are multiplied with this, so that their values have about the range of the brain mask, 0 to 1.
const SCALE: f32 = 0.3;

/// The images around a position, zero beyond their edge.
#[derive(Clone, Debug)]
pub struct Patch {
    /// `[image][slice][row][column]`.
    values: Vec<f16>,
    images: usize,
    /// Slices, rows, columns.
    size: [usize; 3],
}

/// How a patch is augmented in training.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    /// Shift in slices, rows and columns, at most half of the patch's margin.
    pub shift: [isize; 3],
    /// Whether to mirror along slices, rows and columns.
    pub mirrored: [bool; 3],
    /// Whether to transpose rows and columns.
    pub transposed: bool,
    /// The factor of each image; zero for one that is left out.
    pub gain: Vec<f32>,
}

/// The images of a prepared subject as 16-bit floats, small enough to keep in a file until the candidates of all subjects
/// are known and patches can be cut.
#[derive(Clone, Debug)]
pub struct PatchImages {
    grid: Grid,
    /// `[image][slice][row][column]`.
    values: Vec<f16>,
}

impl PatchImages {
    /// Converts the images of a prepared subject.
    pub fn new(prepared: &Prepared) -> Self {
        let grid = *prepared.grid();
        let mut values = Vec::with_capacity(prepared.images.len() * grid.len());
        for image in &prepared.images {
            values.extend(image.data().iter().map(|&value| f16::from_f32(SCALE * value)));
        }
        Self { grid, values }
    }

    /// Writes them to a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), NetError> {
        let bytes: Vec<u8> = self.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        atomic::write(path, &bytes)
            .map_err(|source| NetError::Write { path: path.to_owned(), source })
    }

    /// Reads what [`PatchImages::write`] wrote of a subject on `grid`.
    ///
    /// # Errors
    /// If the file cannot be read or is truncated.
    pub fn read(path: &Path, grid: &Grid) -> Result<Self, NetError> {
        let failed = |source| NetError::Read { path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(failed)?;
        if bytes.is_empty() || bytes.len() % (2 * grid.len()) != 0 {
            return Err(failed(std::io::Error::other("the file is truncated; start again")));
        }
        let values = bytes.as_chunks().0.iter().map(|&raw| f16::from_le_bytes(raw)).collect();
        Ok(Self { grid: *grid, values })
    }

    /// The same with the images at these positions missing.
    #[must_use]
    pub fn without(mut self, missing: &[usize]) -> Self {
        for (n, image) in self.values.chunks_exact_mut(self.grid.len()).enumerate() {
            if missing.contains(&n) {
                image.fill(f16::ZERO);
            }
        }
        self
    }

    /// Cuts the patch of `size` (slices, rows, columns) centred on the voxel at a position.
    pub fn cut(&self, place_mm: [f64; 3], size: [usize; 3]) -> Patch {
        let images: Vec<&[f16]> = self.values.chunks_exact(self.grid.len()).collect();
        Patch::from_rows(&self.grid, images.len(), place_mm, size, |image, from, to| {
            to.copy_from_slice(&images[image][from..from + to.len()]);
        })
    }
}

impl Patch {
    /// Cuts the patch of `size` (slices, rows, columns) centred on the voxel at a position.
    pub fn cut(prepared: &Prepared, place_mm: [f64; 3], size: [usize; 3]) -> Self {
        let images: &[Volume<f32>] = &prepared.images;
        Self::from_rows(prepared.grid(), images.len(), place_mm, size, |image, from, to| {
            let row = &images[image].data()[from..from + to.len()];
            let scaled: Vec<f32> = row.iter().map(|value| SCALE * value).collect();
            to.convert_from_f32_slice(&scaled);
        })
    }

    /// `copy(image, from, to)` fills a part of a row with the image's data from index `from` on.
    fn from_rows(
        grid: &Grid,
        images: usize,
        place_mm: [f64; 3],
        size: [usize; 3],
        copy: impl Fn(usize, usize, &mut [f16]),
    ) -> Self {
        let [nx, ny, nz] = grid.shape();
        let at = grid.affine().inverse().apply(place_mm).map(|at| at.round() as isize);
        let first = |axis: usize| [at[2], at[1], at[0]][axis] - (size[axis] / 2) as isize;
        let inside = |axis: usize, n: usize| {
            let at = first(axis) + n as isize;
            usize::try_from(at).ok().filter(|&at| at < [nz, ny, nx][axis])
        };
        // The columns that lie in the image.
        let begin = (-first(2)).clamp(0, size[2] as isize) as usize;
        let end = (nx as isize - first(2)).clamp(begin as isize, size[2] as isize) as usize;
        let mut values = vec![f16::ZERO; images * size.iter().product::<usize>()];
        let mut rows = values.chunks_exact_mut(size[2]);
        for image in 0..images {
            for slice in 0..size[0] {
                for row in 0..size[1] {
                    let Some(to) = rows.next() else { break };
                    let (Some(k), Some(j)) = (inside(0, slice), inside(1, row)) else { continue };
                    if begin < end {
                        let i = (first(2) + begin as isize) as usize;
                        copy(image, (k * ny + j) * nx + i, &mut to[begin..end]);
                    }
                }
            }
        }
        Self { values, images, size }
    }

    /// The network's input: the central `size` as `[slice][channel][row][column]`, the images and then the brain mask.
    pub fn input(&self, size: [usize; 3], mirrored: bool) -> Vec<f32> {
        let change = Change {
            mirrored: [false, false, mirrored],
            gain: vec![1.0; self.images],
            ..Change::default()
        };
        self.changed(size, &change)
    }

    /// [`Patch::input`], augmented. Transposing needs as many rows as columns.
    pub(crate) fn changed(&self, size: [usize; 3], change: &Change) -> Vec<f32> {
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
    fn a_patch_is_the_images_around_a_place_however_it_is_augmented() {
        let (prepared, _) = prepared_subject(&preset::deepmir().plan);
        let grid = *prepared.grid();
        let at = [20, 22, 9];
        let size = [4, 6, 6];
        let patch = Patch::cut(&prepared, grid.position_mm(at), [8, 10, 10]);
        let area = size[1] * size[2];
        let seen = |input: &[f32], image: usize, [z, y, x]: [usize; 3]| {
            input[(z * 4 + image) * area + y * size[2] + x]
        };
        let wanted = |image: usize, [z, y, x]: [usize; 3]| {
            let voxel = [at[0] + x - 3, at[1] + y - 3, at[2] + z - 2];
            let value = SCALE * prepared.images[image].data()[grid.index(voxel)];
            f32::from(f16::from_f32(value))
        };
        let plain = patch.input(size, false);
        assert_eq!(plain.len(), 4 * 4 * area);
        for place in [[0, 0, 0], [3, 2, 5], [2, 3, 3]] {
            let [z, y, x] = place;
            for image in 0..3 {
                assert_eq!(seen(&plain, image, place), wanted(image, place));
            }
            assert_eq!(seen(&plain, 3, place), 1.0, "brain");
            assert_eq!(seen(&patch.input(size, true), 1, [z, y, 5 - x]), wanted(1, place));
            let change = Change {
                shift: [0, 1, -2],
                mirrored: [true, false, false],
                transposed: true,
                gain: vec![1.0, 0.5, 0.0],
            };
            let changed = patch.changed(size, &change);
            let voxel = [at[0] + y - 3 - 2, at[1] + x - 3 + 1, at[2] + (3 - z) - 2];
            let value = SCALE * prepared.images[1].data()[grid.index(voxel)];
            assert_eq!(seen(&changed, 1, place), 0.5 * f32::from(f16::from_f32(value)));
            assert_eq!(seen(&changed, 2, place), 0.0);
        }
        // Beyond the images' edge there is nothing.
        let corner = Patch::cut(&prepared, grid.position_mm([0, 0, 0]), size).input(size, false);
        assert!(corner[..area].iter().all(|&value| value == 0.0));
    }

    #[test]
    fn patches_cut_from_a_file_are_those_of_the_subject_at_the_edge_too() {
        let (prepared, _) = prepared_subject(&preset::deepmir().plan);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("images");
        PatchImages::new(&prepared).write(&path).unwrap();
        let grid = *prepared.grid();
        let stored = PatchImages::read(&path, &grid).unwrap();
        let [nx, ny, nz] = grid.shape();
        for at in [[20, 22, 9], [0, 0, 0], [nx - 1, ny - 1, nz - 1], [2, ny - 2, 9]] {
            let place = grid.position_mm(at);
            let (one, other) =
                (Patch::cut(&prepared, place, [6, 9, 8]), stored.cut(place, [6, 9, 8]));
            assert_eq!(one.values, other.values);
        }
        let without = stored.without(&[1]).cut(grid.position_mm([20, 22, 9]), [4, 4, 4]);
        assert!(without.values[64..128].iter().all(|&value| value == f16::ZERO));
        std::fs::write(&path, [0; 7]).unwrap();
        assert!(PatchImages::read(&path, &grid).unwrap_err().to_string().contains("truncated"));
    }
}
