//! Polynomials of second order.

use nalgebra::{Cholesky, Const, SMatrix, SVector};
use rayon::prelude::*;

/// 1, x, y, z, x², y², z², xy, yz, xz.
const TERMS: usize = 10;

type Terms = SVector<f64, TERMS>;

/// What a shim may leave: a shim need not be a field of magnetic sources (x² alone is none), and what is
/// none cannot be explained by sources outside the brain.
pub(super) struct Trend {
    shape: [usize; 3],
    gram: Cholesky<f64, Const<TERMS>>,
}

impl Trend {
    /// For weighted fits over a box of voxels. `None` if all weights are zero.
    pub(super) fn new(shape: [usize; 3], squared_weights: &[f32]) -> Option<Self> {
        let mut gram: SMatrix<f64, TERMS, TERMS> =
            sum(shape, squared_weights, |terms, weight, _| {
                SMatrix::from_fn(|a, b| terms[a] * terms[b] * weight)
            });
        // Terms that are the same over a flat box share their coefficient.
        let ridge = 1e-9 * gram.trace();
        (0..TERMS).for_each(|n| gram[(n, n)] += ridge);
        Some(Self { shape, gram: Cholesky::new(gram)? })
    }

    /// Takes the weighted least-squares fit off `values`.
    pub(super) fn remove(&self, values: &mut [f32], squared_weights: &[f32]) {
        let fit = self.fit(values, squared_weights);
        self.slices(values, squared_weights).for_each(|(k, (values, _))| {
            for (place, value) in values.iter_mut().enumerate() {
                *value -= self.value(&fit, place, k);
            }
        });
    }

    /// The same, then times the weights. What has no weight becomes zero, and costs nothing.
    pub(super) fn remove_and_weigh(&self, values: &mut [f32], squared_weights: &[f32]) {
        let fit = self.fit(values, squared_weights);
        self.slices(values, squared_weights).for_each(|(k, (values, weights))| {
            for (place, (value, &weight)) in values.iter_mut().zip(weights).enumerate() {
                *value =
                    if weight > 0.0 { (*value - self.value(&fit, place, k)) * weight } else { 0.0 };
            }
        });
    }

    /// Numbered slices of values and weights.
    fn slices<'a>(
        &self,
        values: &'a mut [f32],
        squared_weights: &'a [f32],
    ) -> impl IndexedParallelIterator<Item = (usize, (&'a mut [f32], &'a [f32]))> {
        let area = self.shape[0] * self.shape[1];
        values.par_chunks_mut(area).zip(squared_weights.par_chunks(area)).enumerate()
    }

    /// The fit at a place of slice `k`.
    fn value(&self, fit: &Terms, place: usize, k: usize) -> f32 {
        let nx = self.shape[0];
        SVector::from(terms(self.shape, [place % nx, place / nx, k])).dot(fit) as f32
    }

    fn fit(&self, values: &[f32], squared_weights: &[f32]) -> Terms {
        let moments: Terms = sum(self.shape, squared_weights, |terms, weight, voxel| {
            SVector::from(terms) * (weight * f64::from(values[voxel]))
        });
        self.gram.solve(&moments)
    }
}

/// Slice by slice, so that the result does not hang on the number of threads.
fn sum<const COLUMNS: usize>(
    [nx, ny, nz]: [usize; 3],
    squared_weights: &[f32],
    term: impl Fn([f64; TERMS], f64, usize) -> SMatrix<f64, TERMS, COLUMNS> + Sync,
) -> SMatrix<f64, TERMS, COLUMNS> {
    let slices: Vec<SMatrix<f64, TERMS, COLUMNS>> = (0..nz)
        .into_par_iter()
        .map(|k| {
            let mut slice = SMatrix::zeros();
            for (place, &weight) in squared_weights[k * nx * ny..][..nx * ny].iter().enumerate() {
                if weight > 0.0 {
                    let at = [place % nx, place / nx, k];
                    slice += term(terms([nx, ny, nz], at), f64::from(weight), k * nx * ny + place);
                }
            }
            slice
        })
        .collect();
    slices.iter().sum()
}

/// At a voxel, places going from −1 to 1 over the box.
fn terms(shape: [usize; 3], voxel: [usize; 3]) -> [f64; TERMS] {
    let [x, y, z] = std::array::from_fn(|axis| {
        2.0 * voxel[axis] as f64 / (shape[axis].max(2) - 1) as f64 - 1.0
    });
    [1.0, x, y, z, x * x, y * y, z * z, x * y, y * z, x * z]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quadratic_goes_and_the_rest_stays() {
        let shape = [12, 9, 7];
        let count = shape.iter().product();
        let quadratic = |n: usize| {
            let [x, y, z] = [n % 12, n / 12 % 9, n / 108].map(|i| i as f32);
            3.0 - 0.2 * x + 0.05 * x * x - 0.1 * y * z + 0.3 * z * z
        };
        let weights: Vec<f32> = (0..count).map(|n| (n % 5) as f32).collect();
        let trend = Trend::new(shape, &weights).unwrap();
        let mut values: Vec<f32> = (0..count).map(quadratic).collect();
        trend.remove(&mut values, &weights);
        assert!(values.iter().all(|value| value.abs() < 1e-3), "{values:?}");
        assert!(Trend::new(shape, &vec![0.0; count]).is_none());
        // One slice: terms of z say nothing of their own.
        let flat = Trend::new([12, 9, 1], &weights[..108]).unwrap();
        let mut values: Vec<f32> = (0..108).map(quadratic).collect();
        flat.remove(&mut values, &weights[..108]);
        assert!(values.iter().all(|value| value.abs() < 1e-3), "{values:?}");
    }
}
