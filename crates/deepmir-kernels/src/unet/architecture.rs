//! Which layers a U-Net has, how wide they are, and under which names their tensors go.

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UNetError {
    /// A tensor of the architecture is not among the weights.
    #[error("there is no tensor `{0}` among the weights")]
    Missing(String),
    /// A tensor has not as many values as the architecture says.
    #[error("tensor `{name}` has {found} values where {expected} are wanted")]
    Length {
        /// Its name.
        name: String,
        /// Values it has.
        found: usize,
        /// Values it should have.
        expected: usize,
    },
    /// The images cannot be halved as often as the network does, or there are none.
    #[error("{batch} images of {height}×{width}: sides must be positive multiples of {multiple}")]
    Size {
        /// Images.
        batch: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// What the sides must be multiples of.
        multiple: usize,
    },
    /// A slice of values is not as long as the images say.
    #[error("{what} has {found} values where {expected} are wanted")]
    Values {
        /// Which.
        what: &'static str,
        /// Values it has.
        found: usize,
        /// Values it should have.
        expected: usize,
    },
}

/// A 2D U-Net (Ronneberger, Fischer & Brox 2015): at each level two 3×3 convolutions with batch
/// norm and ReLU, 2×2 maxima on the way down, 2×2 transposed convolutions and concatenation
/// (encoder's channels first) on the way up, a 1×1 convolution at the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Channels coming in.
    pub inputs: usize,
    /// Channels of each level, from full resolution down to the centre; at least one.
    pub widths: Vec<usize>,
    /// Channels going out.
    pub outputs: usize,
    /// Batch norm and ReLU directly after each concatenation.
    pub norm_after_concatenation: bool,
    /// Added to variances.
    pub epsilon: f32,
}

/// A tensor of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name, such as `encoder.0.conv1.weight`.
    pub name: String,
    /// Its axes: `[out, in, 3, 3]`, `[in, out, 2, 2]` for transposed convolutions.
    pub shape: Vec<usize>,
    /// Whether training changes it (running statistics are only tracked).
    pub trained: bool,
}

impl Tensor {
    /// Values it has.
    #[must_use]
    pub fn values(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Architecture {
    /// How many times the image is halved.
    #[must_use]
    pub fn poolings(&self) -> usize {
        self.widths.len().saturating_sub(1)
    }

    /// Height and width must be multiples of this.
    #[must_use]
    pub fn size_multiple(&self) -> usize {
        1 << self.poolings()
    }

    /// Every tensor, in the order data flows: `encoder.L.conv1.weight|bias`,
    /// `encoder.L.norm1.gamma|beta|running_mean|running_var`, the same with 2, for the levels
    /// from full resolution to the centre; `decoder.L.up.weight|bias`, `decoder.L.concatenated.…`
    /// where there is such a norm, `decoder.L.block.conv1.…` and so on back up; `head.weight|bias`.
    #[must_use]
    pub fn tensors(&self) -> Vec<Tensor> {
        let mut list = List(Vec::new());
        let mut channels = self.inputs;
        for (level, &width) in self.widths.iter().enumerate() {
            list.block(&format!("encoder.{level}"), channels, width);
            channels = width;
        }
        for level in (0..self.poolings()).rev() {
            let width = self.widths[level];
            list.push(format!("decoder.{level}.up.weight"), &[channels, width, 2, 2], true);
            list.push(format!("decoder.{level}.up.bias"), &[width], true);
            if self.norm_after_concatenation {
                list.norm(&format!("decoder.{level}.concatenated"), 2 * width);
            }
            list.block(&format!("decoder.{level}.block"), 2 * width, width);
            channels = width;
        }
        list.convolution("head", channels, self.outputs, 1);
        list.0
    }

    /// # Errors
    /// If images of this size cannot be halved often enough, or there are none.
    pub(crate) fn check_size(
        &self,
        batch: usize,
        height: usize,
        width: usize,
    ) -> Result<(), UNetError> {
        let multiple = self.size_multiple();
        let fits = |side: usize| side > 0 && side.is_multiple_of(multiple);
        if batch > 0 && fits(height) && fits(width) {
            Ok(())
        } else {
            Err(UNetError::Size { batch, height, width, multiple })
        }
    }
}

/// # Errors
/// If there are not as many values as expected.
pub(crate) fn check_values(
    what: &'static str,
    found: usize,
    expected: usize,
) -> Result<(), UNetError> {
    if found == expected { Ok(()) } else { Err(UNetError::Values { what, found, expected }) }
}

struct List(Vec<Tensor>);

impl List {
    fn push(&mut self, name: String, shape: &[usize], trained: bool) {
        self.0.push(Tensor { name, shape: shape.to_vec(), trained });
    }

    fn convolution(&mut self, name: &str, from: usize, to: usize, size: usize) {
        self.push(format!("{name}.weight"), &[to, from, size, size], true);
        self.push(format!("{name}.bias"), &[to], true);
    }

    fn norm(&mut self, name: &str, channels: usize) {
        for (tensor, trained) in
            [("gamma", true), ("beta", true), ("running_mean", false), ("running_var", false)]
        {
            self.push(format!("{name}.{tensor}"), &[channels], trained);
        }
    }

    fn block(&mut self, name: &str, from: usize, to: usize) {
        for (index, from) in [(1, from), (2, to)] {
            self.convolution(&format!("{name}.conv{index}"), from, to, 3);
            self.norm(&format!("{name}.norm{index}"), to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_network_has_31_million_parameters() {
        let reference = Architecture {
            inputs: 3,
            widths: vec![32, 64, 128, 256, 512, 1024],
            outputs: 3,
            norm_after_concatenation: true,
            epsilon: 1e-3,
        };
        let trained: usize =
            reference.tensors().iter().filter(|t| t.trained).map(Tensor::values).sum();
        assert_eq!(trained, 31_110_563);
        assert_eq!(reference.size_multiple(), 32);
        assert!(reference.check_size(1, 256, 32).is_ok());
        assert!(reference.check_size(1, 0, 32).is_err());
        assert!(reference.check_size(1, 256, 48).is_err());
    }
}
