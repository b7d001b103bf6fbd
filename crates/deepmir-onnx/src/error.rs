//! What can go wrong with a network of others.

/// Why a network could not be opened or run. The caller knows the file.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// A layout that contradicts itself.
    #[error("{reason}")]
    Layout {
        /// What, and what to do.
        reason: String,
    },
    /// A file that is no ONNX network, or one that is not understood.
    #[error(
        "not a network that can be run ({reason}); it must be one ONNX file with its weights inside, of operators for \
         inference alone"
    )]
    Graph {
        /// What the engine says.
        reason: String,
    },
    /// A network whose inputs or outputs are not those that the layout says.
    #[error("the network does not fit its description: {reason}")]
    Shape {
        /// What differs, and what to change.
        reason: String,
    },
    /// A network that failed while it ran.
    #[error("the network failed: {reason}")]
    Run {
        /// What the engine says.
        reason: String,
    },
}
