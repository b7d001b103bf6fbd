//! Windows of a volume: where they lie, what is cut out, and how they are put together again.

use deepmir_volume::{Mask, Volume};

/// A window's voxels along each of its places, the slowest first: indices along a volume's axis, `None` beyond its end.
pub(crate) struct Window {
    /// The volume's axis of each place.
    axes: [usize; 3],
    along: [Vec<Option<usize>>; 3],
    /// Whether the first place runs as the volume does.
    upward: bool,
}

impl Window {
    /// Voxels from `start` on of a window's places, whose volume's axes may run the other way.
    pub(crate) fn new(
        axes: [usize; 3],
        window: [usize; 3],
        start: [usize; 3],
        shape: [usize; 3],
        reversed: [bool; 3],
    ) -> Self {
        let along = std::array::from_fn(|place| {
            let (axis, length) = (axes[place], shape[axes[place]]);
            let voxel = |n: usize| {
                let at = start[place] + n;
                (at < length).then(|| if reversed[axis] { length - 1 - at } else { at })
            };
            (0..window[place]).map(voxel).collect()
        });
        Self { axes, along, upward: !reversed[axes[0]] }
    }

    /// The volume's index of each voxel of the window, in the window's order. `shift` moves the first place, but not beyond
    /// the volume's ends: the neighbour of a slice.
    fn indices(&self, shape: [usize; 3], shift: isize) -> impl Iterator<Item = Option<usize>> {
        let stride = [1, shape[0], shape[0] * shape[1]];
        let [first, second, third] = self.axes.map(|axis| stride[axis]);
        let last = shape[self.axes[0]].saturating_sub(1);
        let moved = move |at: usize| at.saturating_add_signed(shift).min(last);
        self.along[0].iter().flat_map(move |&a| {
            let a = a.map(|a| moved(a) * first);
            self.along[1].iter().flat_map(move |&b| {
                let ab = a.zip(b).map(|(a, b)| a + b * second);
                self.along[2].iter().map(move |&c| ab.zip(c).map(|(ab, c)| ab + c * third))
            })
        })
    }

    /// Whether any of its voxels lies in a mask.
    pub(crate) fn touches(&self, mask: &Mask) -> bool {
        self.indices(mask.shape(), 0).flatten().any(|index| mask.data()[index])
    }

    /// The images in the window, one after another, each with `context` slices from below to above; zero beyond their end.
    pub(crate) fn cut(&self, images: &[Volume<f32>], context: usize) -> Vec<f32> {
        let middle = (context / 2) as isize;
        let mut values = Vec::new();
        for image in images {
            for n in 0..context as isize {
                let shift = if self.upward { n - middle } else { middle - n };
                let indices = self.indices(image.shape(), shift);
                values.extend(indices.map(|index| index.map_or(0.0, |index| image.data()[index])));
            }
        }
        values
    }

    /// Adds weighted values of the window to a volume.
    pub(crate) fn add(&self, values: &[f32], weights: &[f32], to: &mut Volume<f32>) {
        let indices = self.indices(to.shape(), 0);
        let data = to.data_mut();
        for ((index, value), weight) in indices.zip(values).zip(weights) {
            if let Some(index) = index {
                data[index] += value * weight;
            }
        }
    }
}

/// Where windows begin along an axis: evenly spaced, with at least a share in common.
pub(crate) fn starts(length: usize, window: usize, overlap: f64) -> Vec<usize> {
    let Some(rest) = length.checked_sub(window).filter(|rest| *rest > 0) else { return vec![0] };
    let step = (window as f64 * (1.0 - overlap)).max(1.0);
    let gaps = (rest as f64 / step).ceil() as usize;
    (0..=gaps).map(|n| n * rest / gaps).collect()
}

/// The weights of a window's voxels: a Gaussian around its middle whose standard deviation is an eighth of each side
/// (Isensee et al., nnU-Net, Nature Methods 2021), not below a thousandth, so that a voxel at the edge of all windows has
/// one.
pub(crate) fn gaussian(window: [usize; 3]) -> Vec<f32> {
    let side = |length: usize| -> Vec<f64> {
        let middle = (length - 1) as f64 / 2.0;
        let at = |n: usize| (n as f64 - middle) / (length as f64 / 8.0);
        (0..length).map(|n| (-0.5 * at(n).powi(2)).exp()).collect()
    };
    let [first, second, third] = window.map(side);
    let mut weights = Vec::with_capacity(window.iter().product());
    for a in &first {
        for b in &second {
            weights.extend(third.iter().map(|c| (a * b * c).max(1e-3) as f32));
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::{Affine, Grid};

    fn numbered(shape: [usize; 3]) -> Volume<f32> {
        let grid = Grid::new(shape, Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap();
        Volume::from_fn(grid, |[x, y, z]| (x + 10 * y + 100 * z) as f32)
    }

    #[test]
    fn windows_cover_a_length_evenly() {
        assert_eq!(starts(10, 16, 0.5), [0]);
        assert_eq!(starts(16, 16, 0.5), [0]);
        assert_eq!(starts(17, 16, 0.5), [0, 1]);
        assert_eq!(starts(100, 64, 0.5), [0, 18, 36]);
        assert_eq!(starts(5, 1, 0.9), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_window_is_cut_in_its_order_and_put_back() {
        let image = numbered([5, 4, 3]);
        // x slowest; y runs the other way; z ends within the window.
        let window =
            Window::new([0, 1, 2], [2, 1, 2], [3, 0, 2], image.shape(), [false, true, false]);
        let cut = window.cut(std::slice::from_ref(&image), 1);
        assert_eq!(cut, [233.0, 0.0, 234.0, 0.0]);
        let mut back = image.map(|_| 0.0_f32);
        window.add(&cut, &[2.0; 4], &mut back);
        assert_eq!(back[[3, 3, 2]], 466.0);
        assert_eq!(back.data().iter().filter(|value| **value != 0.0).count(), 2);
        let inside = image.map(|value| *value == 234.0);
        assert!(window.touches(&inside) && !window.touches(&image.map(|value| *value == 232.0)));
    }

    #[test]
    fn context_slices_run_from_bottom_to_top_and_repeat_at_the_ends() {
        let image = numbered([2, 1, 3]);
        let slice = Window::new([2, 1, 0], [1, 1, 1], [0, 0, 1], image.shape(), [false; 3]);
        assert_eq!(slice.cut(std::slice::from_ref(&image), 3), [1.0, 1.0, 101.0]);
        // The first slice from above is the last one.
        let reversed = [false, false, true];
        let slice = Window::new([2, 1, 0], [1, 1, 1], [0, 0, 1], image.shape(), reversed);
        assert_eq!(slice.cut(std::slice::from_ref(&image), 3), [201.0, 201.0, 101.0]);
    }

    #[test]
    fn weights_are_largest_in_the_middle_and_nowhere_nothing() {
        let weights = gaussian([1, 3, 8]);
        assert_eq!(weights.len(), 24);
        let largest = weights.iter().copied().fold(0.0, f32::max);
        assert_eq!(largest, weights[11]);
        assert!(weights.iter().all(|weight| *weight >= 1e-3));
    }
}
