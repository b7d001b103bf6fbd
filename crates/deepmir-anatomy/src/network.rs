//! The network's architecture and weights.

use deepmir_kernels::parameters::{Parameters, TensorSpec};
use deepmir_kernels::unet3d::Architecture;
use deepmir_net::{NetError, Tensor, Weights, he_normal};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::Tissue;

/// Voxel size in millimetres at which the network reads images.
pub const VOXEL_MM: f64 = 2.0;
/// Output of the score of the right side against the left.
pub(crate) const SIDE: usize = Tissue::COUNT;
/// One score for each tissue, and one for the side.
pub(crate) const OUTPUTS: usize = Tissue::COUNT + 1;
/// Added to variances by instance norms.
const EPSILON: f32 = 1e-5;

/// The architecture with these channels, from full resolution to the centre.
pub(crate) fn architecture(widths: &[usize]) -> Architecture {
    Architecture { widths: widths.to_vec(), outputs: OUTPUTS, epsilon: EPSILON }
}

/// The architecture that weights belong to.
///
/// # Errors
/// If a tensor is missing, left over, of another shape, or not finite.
pub(crate) fn architecture_of(weights: &Weights) -> Result<Architecture, NetError> {
    let width = |level: usize| {
        let tensor = weights.0.get(&format!("encoder.{level}.norm1.gamma"));
        tensor.map(|tensor| tensor.values.len())
    };
    let widths: Vec<usize> = (0..8).map_while(width).collect();
    let architecture = architecture(&widths);
    let wrong = |reason: String| NetError::Weights { reason };
    architecture.validate().map_err(|error| wrong(error.to_string()))?;
    let tensors = architecture.tensors().into_iter().map(|tensor| (tensor.name, tensor.shape));
    weights.validate_tensors(&tensors.collect())?;
    Ok(architecture)
}

/// Random initial weights: He-normal kernels, zero biases, unit norms. The same seed gives the same weights.
pub(crate) fn initial(architecture: &Architecture, seed: u64) -> Weights {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let tensors = architecture.tensors().into_iter().map(|TensorSpec { name, shape, .. }| {
        let count = shape.iter().product();
        let values = match shape.len() {
            1 => vec![if name.ends_with("gamma") { 1.0 } else { 0.0 }; count],
            _ => he_normal(shape[1..].iter().product(), count, &mut generator),
        };
        (name, Tensor { shape, values })
    });
    Weights(tensors.collect())
}

/// The weights as the kernels read them.
pub(crate) fn parameters(weights: &Weights) -> Parameters<'_> {
    weights.0.iter().map(|(name, tensor)| (name.clone(), tensor.values.as_slice())).collect()
}
