//! The error of networks: what does not fit.

/// Tensors, images or an architecture that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// There can be no network of this architecture.
    #[error("{0}")]
    Architecture(String),
    /// A tensor of the architecture is not among the weights.
    #[error("there is no tensor `{0}` among the weights")]
    Missing(String),
    /// A tensor does not have as many values as the architecture says.
    #[error("tensor `{name}` has {found} values where {expected} are wanted")]
    Length {
        /// Its name.
        name: String,
        /// Number of values it has.
        found: usize,
        /// Number of values it should have.
        expected: usize,
    },
    /// The images cannot be halved as often as the network does, or there are none.
    #[error("{batch} images of {height}×{width}: sides must be positive multiples of {multiple}")]
    Size {
        /// Number of images.
        batch: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// What the sides must be multiples of.
        multiple: usize,
    },
    /// A slice of values is not as long as the size of the images says.
    #[error("{what} has {found} values where {expected} are wanted")]
    Values {
        /// Which slice.
        what: &'static str,
        /// Number of values it has.
        found: usize,
        /// Number of values it should have.
        expected: usize,
    },
}

/// Validates the length of a slice.
///
/// # Errors
/// If there are not as many values as expected.
pub(crate) fn validate_values(
    what: &'static str,
    found: usize,
    expected: usize,
) -> Result<(), KernelError> {
    if found == expected { Ok(()) } else { Err(KernelError::Values { what, found, expected }) }
}
