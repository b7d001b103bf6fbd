//! Conjugate gradients for symmetric positive systems.

use rayon::prelude::*;

/// Solves `operator(x) = right` from zero in at most `iterations` steps, or until the residual has
/// fallen to `tolerance` of the right-hand side. `operator` writes its second argument.
pub(crate) fn solve(
    right: &[f32],
    iterations: usize,
    tolerance: f64,
    operator: impl FnMut(&[f32], &mut [f32]),
) -> Vec<f32> {
    solve_from(vec![0.0; right.len()], right, iterations, tolerance, operator)
}

/// The same from a first guess.
pub(crate) fn solve_from(
    mut solution: Vec<f32>,
    right: &[f32],
    iterations: usize,
    tolerance: f64,
    mut operator: impl FnMut(&[f32], &mut [f32]),
) -> Vec<f32> {
    let mut residual = right.to_vec();
    let mut applied = vec![0.0_f32; right.len()];
    if solution.iter().any(|&value| value != 0.0) {
        operator(&solution, &mut applied);
        add_scaled(&mut residual, -1.0, &applied);
    }
    let mut direction = residual.clone();
    let enough = dot(right, right) * tolerance * tolerance;
    let mut square = dot(&residual, &residual);
    for _ in 0..iterations {
        if square <= enough || square == 0.0 {
            break;
        }
        operator(&direction, &mut applied);
        let curvature = dot(&direction, &applied);
        if curvature <= 0.0 || !curvature.is_finite() {
            break;
        }
        let step = (square / curvature) as f32;
        add_scaled(&mut solution, step, &direction);
        add_scaled(&mut residual, -step, &applied);
        let next = dot(&residual, &residual);
        let keep = (next / square) as f32;
        direction.par_iter_mut().zip(&residual).for_each(|(d, &r)| *d = r + keep * *d);
        square = next;
    }
    solution
}

/// Sums in fixed pieces, so that the result does not hang on the number of threads.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    const PIECE: usize = 1 << 14;
    let pieces: Vec<f64> = a
        .par_chunks(PIECE)
        .zip(b.par_chunks(PIECE))
        .map(|(a, b)| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum())
        .collect();
    pieces.iter().sum()
}

fn add_scaled(to: &mut [f32], factor: f32, from: &[f32]) {
    to.par_iter_mut().zip(from).for_each(|(to, &from)| *to += factor * from);
}
