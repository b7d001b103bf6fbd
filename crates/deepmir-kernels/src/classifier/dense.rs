//! The fully connected layers.

use super::Architecture;
use crate::error::{KernelError, validate_values};
use crate::parameters::{Gradients, Parameters};

/// The hidden and the output layer. Returns the hidden values after dropout, and the scores.
pub(super) fn forward(
    architecture: &Architecture,
    parameters: &Parameters<'_>,
    features: &[f32],
    dropout: Option<&[f32]>,
) -> Result<(Vec<f32>, Vec<f32>), KernelError> {
    let mut hidden =
        linear(parameters, "hidden", features, architecture.features(), architecture.hidden)?;
    hidden.iter_mut().for_each(|value| *value = value.max(0.0));
    if let Some(dropout) = dropout {
        multiply(&mut hidden, dropout, "dropout of hidden values")?;
    }
    let scores = linear(parameters, "scores", &hidden, architecture.hidden, architecture.outputs)?;
    Ok((hidden, scores))
}

/// Multiplies values by as many factors, those of dropout.
pub(super) fn multiply(
    values: &mut [f32],
    factors: &[f32],
    what: &'static str,
) -> Result<(), KernelError> {
    validate_values(what, factors.len(), values.len())?;
    values.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
    Ok(())
}

fn linear(
    parameters: &Parameters<'_>,
    name: &str,
    input: &[f32],
    from: usize,
    to: usize,
) -> Result<Vec<f32>, KernelError> {
    let weights = parameters.get(&format!("{name}.weight"), from * to)?;
    let bias = parameters.get(&format!("{name}.bias"), to)?;
    let rows = input.chunks_exact(from);
    let output = rows.flat_map(|row| {
        weights.chunks_exact(from).zip(bias).map(move |(weights, bias)| bias + dot(weights, row))
    });
    Ok(output.collect())
}

/// The inner product, with eight accumulators for speed and accuracy.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// Stores the gradients of a linear layer's weights and bias; returns that of its input.
pub(super) fn linear_gradient(
    parameters: &Parameters<'_>,
    name: &str,
    input: &[f32],
    from: usize,
    gradient: &[f32],
    gradients: &mut Gradients,
) -> Result<Vec<f32>, KernelError> {
    let batch = input.len() / from;
    let to = gradient.len() / batch.max(1);
    let weights = parameters.get(&format!("{name}.weight"), from * to)?;
    let (mut of_weights, mut of_bias) = (vec![0.0; from * to], vec![0.0; to]);
    let mut of_input = vec![0.0; input.len()];
    let add = |to: &mut [f32], factor: f32, from: &[f32]| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
    };
    for n in 0..batch {
        let (row, of_row) = (&input[n * from..][..from], &mut of_input[n * from..][..from]);
        for (output, &value) in gradient[n * to..][..to].iter().enumerate() {
            if value != 0.0 {
                add(&mut of_weights[output * from..][..from], value, row);
                add(of_row, value, &weights[output * from..][..from]);
                of_bias[output] += value;
            }
        }
    }
    gradients.set(format!("{name}.weight"), &of_weights);
    gradients.set(format!("{name}.bias"), &of_bias);
    Ok(of_input)
}
