//! Smooth functions of place: shims, coil profiles, phase offsets.

use deepmir_volume::Grid;
use nalgebra::{DMatrix, DVector};
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Number of terms: 1, x, y, z, and the six products of second order.
pub const TERMS: usize = 10;

/// A polynomial of second order in place, measured in [`Polynomial::UNIT_MM`].
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Polynomial {
    /// Coefficients of 1, x, y, z, x², y², z², xy, yz, xz.
    pub coefficients: [f64; TERMS],
}

impl Polynomial {
    /// Places are measured in this length, so that coefficients say what happens at the edge of a
    /// brain.
    pub const UNIT_MM: f64 = 80.0;

    /// Random linear and quadratic terms, each with the given standard deviation; no constant.
    pub fn random(linear: f64, quadratic: f64, generator: &mut ChaCha8Rng) -> Self {
        let coefficients = std::array::from_fn(|term| {
            let normal: f64 = StandardNormal.sample(generator);
            match term {
                0 => 0.0,
                1..4 => linear * normal,
                _ => quadratic * normal,
            }
        });
        Self { coefficients }
    }

    /// The value at a place in millimetres.
    pub fn at(&self, place_mm: [f64; 3]) -> f64 {
        let terms = terms(place_mm);
        self.coefficients.iter().zip(terms).map(|(coefficient, term)| coefficient * term).sum()
    }

    /// The polynomial along a row of a grid: its values at `(i, j, k)` for all `i` are
    /// `c[0] + c[1]·i + c[2]·i²`.
    pub fn along_row(&self, grid: &Grid, j: usize, k: usize) -> [f64; 3] {
        let at = |i: f64| self.at(grid.affine().apply([i, j as f64, k as f64]));
        let (zero, one, two) = (at(0.0), at(1.0), at(2.0));
        let square = (two - 2.0 * one + zero) / 2.0;
        [zero, one - zero - square, square]
    }

    /// The least-squares fit to values at places in millimetres; zero if they are too few.
    pub fn fit(samples: impl Iterator<Item = ([f64; 3], f64)>) -> Self {
        let mut normal = DMatrix::<f64>::zeros(TERMS, TERMS);
        let mut right = DVector::<f64>::zeros(TERMS);
        for (place, value) in samples {
            let terms = terms(place);
            for row in 0..TERMS {
                right[row] += terms[row] * value;
                for column in 0..TERMS {
                    normal[(row, column)] += terms[row] * terms[column];
                }
            }
        }
        match normal.cholesky() {
            Some(factor) => {
                let solution = factor.solve(&right);
                Self { coefficients: std::array::from_fn(|term| solution[term]) }
            }
            None => Self::default(),
        }
    }
}

fn terms(place_mm: [f64; 3]) -> [f64; TERMS] {
    let [x, y, z] = place_mm.map(|mm| mm / Polynomial::UNIT_MM);
    [1.0, x, y, z, x * x, y * y, z * z, x * y, y * z, x * z]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    #[test]
    fn a_fit_finds_the_polynomial_that_made_the_values() {
        let truth = Polynomial::random(1.0, 0.5, &mut stream(7, Purpose::Receive, 0));
        let places = (0..200).map(|n| {
            let at = |step: usize| ((n * step) % 37) as f64 * 4.0 - 74.0;
            [at(7), at(11), at(23)]
        });
        let found = Polynomial::fit(places.map(|place| (place, truth.at(place))));
        for (found, truth) in found.coefficients.iter().zip(truth.coefficients) {
            assert!((found - truth).abs() < 1e-8);
        }
    }
}
