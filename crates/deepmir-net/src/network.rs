//! What every engine's U-Net can do.

use crate::NetError;

/// A network that turns slices into probabilities.
pub trait Network {
    /// `input` is `[batch, channels, height, width]` with height and width multiples of
    /// [`Architecture::size_multiple`]; the result is `[batch, output channels, height, width]`.
    ///
    /// # Errors
    /// If the device fails.
    ///
    /// [`Architecture::size_multiple`]: crate::Architecture::size_multiple
    fn probabilities(&mut self, input: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>, NetError>;
}
