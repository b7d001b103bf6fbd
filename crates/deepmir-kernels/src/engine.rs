//! The execution context of kernels: an instruction set and memory to work in.

use crate::arena::Arena;
use crate::simd::{InstructionSet, UnknownInstructionSet, VARIABLE};

/// An instruction set and an [`Arena`], which every kernel runs on.
///
/// Threads are those of the rayon pool that a kernel is called in; results are the same bits for
/// any number of them. A clone shares the arena.
///
/// ```
/// use deepmir_kernels::{Engine, InstructionSet, Shape};
///
/// let fastest = Engine::new();
/// assert_eq!(fastest.instruction_set(), InstructionSet::best());
/// // The portable instruction set is available on every CPU.
/// let portable = Engine::with(InstructionSet::Portable);
/// assert_eq!(portable.instruction_set().name(), "portable");
///
/// // Memory for two images of 20 channels, stored as two blocks of sixteen.
/// let map = portable.arena().map(Shape::new(2, 20, 8, 8));
/// assert_eq!(map.len(), 2 * 2 * 8 * 8);
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) set: InstructionSet,
    pub(crate) arena: Arena,
}

impl Engine {
    /// An engine with the fastest instruction set of this CPU.
    #[must_use]
    pub fn new() -> Self {
        Self::with(InstructionSet::best())
    }

    /// An engine with a given instruction set, or the portable one where this CPU lacks it.
    #[must_use]
    pub fn with(set: InstructionSet) -> Self {
        let set = if set.is_available() { set } else { InstructionSet::Portable };
        Self { set, arena: Arena::new() }
    }

    /// An engine with the instruction set named by `DEEPMIR_INSTRUCTION_SET` (`avx512`, `avx2`, `neon`,
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

    /// The pool of buffers that kernels work in.
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
