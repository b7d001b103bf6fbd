//! Resampling a slice to a patch.

use crate::augment::Cut;

/// Fills a patch with the values at the slice pixels that a cut maps to.
pub(super) fn fill<T>(patch: &mut [T], size: [usize; 2], cut: &Cut, value: impl Fn(f64, f64) -> T) {
    for (v, row) in patch.chunks_exact_mut(size[0]).enumerate() {
        for (u, pixel) in row.iter_mut().enumerate() {
            let [x, y] = cut.source(u, v, size);
            *pixel = value(x, y);
        }
    }
}

/// Bilinear interpolation; zero outside.
pub(super) fn bilinear(source: &[half::f16], [nx, ny]: [usize; 2], x: f64, y: f64) -> f32 {
    if x < 0.0 || y < 0.0 || x > nx as f64 - 1.0 || y > ny as f64 - 1.0 {
        return 0.0;
    }
    let (i, j) = (x as usize, y as usize);
    let (right, below) = ((i + 1).min(nx - 1), (j + 1).min(ny - 1));
    let (a, b) = ((x - i as f64) as f32, (y - j as f64) as f32);
    let at = |i: usize, j: usize| source[i + nx * j].to_f32();
    if a == 0.0 && b == 0.0 {
        return at(i, j);
    }
    (at(i, j) * (1.0 - a) + at(right, j) * a) * (1.0 - b)
        + (at(i, below) * (1.0 - a) + at(right, below) * a) * b
}
