//! Random numbers for augmentation, each from its sample's own generator.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// The generator of one sample. It depends on the seed, the step and the position in the batch alone, so that a sample
/// is the same whichever thread draws it and whatever was drawn before.
pub fn generator(seed: u64, step: u64, position: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(step << 16 | position);
    generator
}

/// True with this probability; a probability of zero draws nothing.
pub(super) fn chance(probability: f64, generator: &mut ChaCha8Rng) -> bool {
    probability > 0.0 && generator.random::<f64>() < probability
}

/// Uniform within ± `most`.
pub(super) fn symmetric(most: f64, generator: &mut ChaCha8Rng) -> f64 {
    most * (2.0 * generator.random::<f64>() - 1.0)
}

/// A factor from 1/(1 + `most`) to 1 + `most`, log-uniform.
pub(super) fn factor(most: f64, generator: &mut ChaCha8Rng) -> f64 {
    (1.0 + most).powf(2.0 * generator.random::<f64>() - 1.0)
}
