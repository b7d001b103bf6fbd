//! Random numbers by address: the same seed and place give the same number, whoever asks first.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// What random numbers are for. Each purpose has streams of its own, so that more draws for one
/// do not change another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Purpose {
    Choice = 1,
    Anatomy,
    Warp,
    Texture,
    Nuclei,
    Surroundings,
    Veins,
    Lesions,
    Session,
    Pose,
    Receive,
    Noise,
    T2wNoise,
    Parameters,
    IronForm,
    Chain,
    Protocol,
}

/// The generator of one purpose; `index` tells apart sessions, slices, lesions.
pub fn stream(seed: u64, purpose: Purpose, index: u32) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream((purpose as u64) << 32 | u64::from(index));
    generator
}
