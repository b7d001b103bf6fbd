//! The ringing of a small source along the image's rows, columns and stacks, past the box that it is computed in.
//!
//! A transform of the box takes the box to repeat; the scan's own repeats with the whole image. Both kernels are sin(πd)
//! times something smooth, and at the centres of voxels sin(πd) depends on the source's places alone. So one number for a
//! line, the sum of what is on it times that sine, tells the difference of the two, as a charge tells a field far away.

use deepmir_recon::fourier::Complex32;

use super::patch::Patch;
use crate::physics::kspace::KSpaceCrop;

/// Shorter distances from the source, in voxels, are taken for this one: the difference is smooth there.
const NEAREST_VOXELS: f64 = 1e-4;

/// What rings along one axis.
pub(super) struct Ringing {
    /// For each line of the box along the axis: a value for each pair of the other two axes, the first running fastest.
    lines: Vec<Complex32>,
    /// What one line's value is to be multiplied with at each of the image's voxels along the axis.
    kernel: Vec<Complex32>,
}

impl Ringing {
    /// Along an axis of a patch in an image of `image_len` voxels along it. `fine` is what is seen, on the fine voxels.
    pub(super) fn of(patch: &Patch, fine: &[Complex32], axis: usize, image_len: usize) -> Self {
        let shape = patch.fine.shape();
        let parts = shape[axis] / patch.shape[axis];
        let place = |n: usize| (n as f64 + 0.5) / parts as f64 - 0.5;
        let sines: Vec<f32> = (0..shape[axis])
            .map(|n| ((std::f64::consts::PI * place(n)).sin() / parts as f64) as f32)
            .collect();
        // The axis is summed up; the others stay, and are seen at the scan's resolution.
        let (mut flat, mut small) = (shape, patch.shape);
        (flat[axis], small[axis]) = (1, 1);
        let stride: usize = shape[..axis].iter().product();
        let lines = KSpaceCrop::new(flat, small).reduce(1, |k, slices| {
            for (n, value) in slices[0].iter_mut().enumerate() {
                let mut voxel = [n % flat[0], n / flat[0], k];
                voxel[axis] = 0;
                let from = voxel[0] + shape[0] * (voxel[1] + shape[1] * voxel[2]);
                let along = sines.iter().enumerate();
                *value = along.map(|(n, &sine)| fine[from + n * stride] * sine).sum();
            }
        });
        let kernel = (0..image_len as i64)
            .map(|n| {
                kernel(n - patch.start[axis], patch.centre[axis], patch.shape[axis], image_len)
            })
            .collect();
        Self { lines: lines.into_iter().next().unwrap_or_default(), kernel }
    }

    /// How strongly a line rings.
    pub(super) fn strength(&self, line: usize) -> f32 {
        self.lines[line].norm()
    }

    /// What is to be added at each of the image's voxels along the axis, on one of the box's lines.
    pub(super) fn along(&self, line: usize) -> impl Iterator<Item = Complex32> + '_ {
        self.kernel.iter().map(move |kernel| self.lines[line] * kernel)
    }
}

/// The difference of the image's kernel and the box's at a voxel of the box's coordinate system: outside the box, the
/// box's is zero.
fn kernel(along: i64, centre: f64, inside: usize, image: usize) -> Complex32 {
    let mut distance = along as f64 - centre;
    if distance.abs() < NEAREST_VOXELS {
        distance = NEAREST_VOXELS;
    }
    let mut kernel = smooth_kernel(distance, image);
    if (0..inside as i64).contains(&along) {
        let own = smooth_kernel(distance, inside);
        kernel = [kernel[0] - own[0], kernel[1] - own[1]];
    }
    let sign = if along.rem_euclid(2) == 0 { -1.0 } else { 1.0 };
    Complex32::new((sign * kernel[0]) as f32, (sign * kernel[1]) as f32)
}

/// The kernel of a transform of `length` voxels without its factor sin(πd), real and imaginary part. An even transform has
/// its highest frequency once, the negative one.
fn smooth_kernel(distance: f64, length: usize) -> [f64; 2] {
    let length_f = length as f64;
    let (sine, cosine) = (std::f64::consts::PI * distance / length_f).sin_cos();
    if length.is_multiple_of(2) {
        [cosine / sine / length_f, -1.0 / length_f]
    } else {
        [1.0 / sine / length_f, 0.0]
    }
}
