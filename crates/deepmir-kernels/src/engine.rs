//! What every kernel needs besides its data: an instruction set and memory to work in.

use crate::arena::Arena;
use crate::simd::{InstructionSet, UnknownInstructionSet, VARIABLE};

/// An instruction set and an [`Arena`]. Threads come from the rayon pool that a kernel is called
/// in; results are the same bits for any number of them.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) set: InstructionSet,
    pub(crate) arena: Arena,
}

impl Engine {
    /// With the fastest instruction set of this CPU.
    #[must_use]
    pub fn new() -> Self {
        Self::with(InstructionSet::best())
    }

    /// With a given instruction set. One that this CPU lacks is replaced by the portable one.
    #[must_use]
    pub fn with(set: InstructionSet) -> Self {
        let set = if set.is_available() { set } else { InstructionSet::Portable };
        Self { set, arena: Arena::new() }
    }

    /// With the instruction set named by `DEEPMIR_INSTRUCTION_SET` (`avx512`, `avx2`, `neon`,
    /// `portable`), or the fastest where that is not set.
    ///
    /// # Errors
    /// If the variable names one that is unknown or that this CPU lacks.
    pub fn from_environment() -> Result<Self, UnknownInstructionSet> {
        match std::env::var(VARIABLE) {
            Ok(name) => Ok(Self::with(name.parse()?)),
            Err(_) => Ok(Self::new()),
        }
    }

    /// The instruction set in use.
    #[must_use]
    pub const fn instruction_set(&self) -> InstructionSet {
        self.set
    }

    /// The memory it works in.
    #[must_use]
    pub const fn arena(&self) -> &Arena {
        &self.arena
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}
