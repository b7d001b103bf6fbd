//! Which instruction sets the CPU has, and how to force one.

use std::fmt;
use std::str::FromStr;

use super::portable::Portable;
use super::{Simd, Task};

/// The environment variable that forces an instruction set for
/// [`Engine::from_environment`](crate::Engine::from_environment).
pub(crate) const VARIABLE: &str = "DEEPMIR_INSTRUCTION_SET";

/// The instruction sets that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// Whatever the compiler's baseline has; runs everywhere.
    Portable,
    /// 128-bit vectors of 64-bit Arm.
    Neon,
    /// 256-bit vectors with fused multiply-add and half-precision conversion of x86-64.
    Avx2,
    /// 512-bit vectors (AVX-512F) of x86-64.
    Avx512,
}

impl InstructionSet {
    const ALL: [Self; 4] = [Self::Avx512, Self::Avx2, Self::Neon, Self::Portable];

    /// Whether this CPU (and this build) has it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Neon => cfg!(target_arch = "aarch64"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// Those that this CPU has, the fastest first; the last is [`InstructionSet::Portable`].
    #[must_use]
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|set| set.is_available()).collect()
    }

    /// The fastest that this CPU has.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().find(|set| set.is_available()).unwrap_or(Self::Portable)
    }

    /// Its name, as the environment variable takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Runs a task compiled for this instruction set, or for the portable one where the CPU
    /// lacks it.
    #[inline]
    pub(crate) fn run<T: Task>(self, task: T) -> T::Output {
        match self {
            // SAFETY: the tokens are made right behind the test that the CPU has the features.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 if self.is_available() => {
                unsafe { super::avx2::Avx2::new() }.vectorize(task)
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 if self.is_available() => {
                // SAFETY: as above.
                unsafe { super::avx512::Avx512::new() }.vectorize(task)
            }
            #[cfg(target_arch = "aarch64")]
            // SAFETY: NEON is part of every 64-bit Arm CPU.
            Self::Neon => unsafe { super::neon::Neon::new() }.vectorize(task),
            _ => Portable.vectorize(task),
        }
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The instruction set asked for is unknown, or this CPU lacks it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no instruction set `{0}` on this CPU; there is: {available}", available = available_names())]
pub struct UnknownInstructionSet(pub String);

fn available_names() -> String {
    InstructionSet::available().iter().map(|set| set.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for InstructionSet {
    type Err = UnknownInstructionSet;

    /// Reads a name; only those that this CPU has are accepted.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|set| set.name() == name && set.is_available())
            .ok_or_else(|| UnknownInstructionSet(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portable_path_is_everywhere_and_last() {
        assert_eq!(InstructionSet::available().last(), Some(&InstructionSet::Portable));
        assert_eq!(InstructionSet::available().first(), Some(&InstructionSet::best()));
    }

    #[test]
    fn names_read_back_and_unknown_ones_list_what_there_is() {
        for set in InstructionSet::available() {
            assert_eq!(set.name().parse(), Ok(set));
        }
        let message = "mmx".parse::<InstructionSet>().unwrap_err().to_string();
        assert!(message.contains("`mmx`") && message.contains("portable"), "{message}");
    }
}
