//! The architecture of a U-Net: its layers, their widths, and the names of their tensors.

use crate::error::KernelError;
use crate::parameters::TensorSpec;

/// A 2D U-Net (Ronneberger, Fischer & Brox 2015).
///
/// At each level two 3×3 convolutions with batch norm and ReLU; 2×2 max pooling on the way down;
/// 2×2 transposed convolutions and concatenation (encoder's channels first) on the way up; a 1×1
/// convolution at the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Number of input channels.
    pub inputs: usize,
    /// Channels of each level, from full resolution down to the centre; at least one.
    pub widths: Vec<usize>,
    /// Number of output channels.
    pub outputs: usize,
    /// Batch norm and ReLU directly after each concatenation.
    pub norm_after_concatenation: bool,
    /// Added to variances by batch norms.
    pub epsilon: f32,
}

impl Architecture {
    /// Number of times the image is halved.
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
    pub fn tensors(&self) -> Vec<TensorSpec> {
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

    /// Validates the architecture.
    ///
    /// # Errors
    /// If there are no levels or more than 16, or a channel count is zero.
    pub fn validate(&self) -> Result<(), KernelError> {
        let fail = |reason: String| Err(KernelError::Architecture(reason));
        if self.widths.is_empty() || self.widths.len() > 16 || self.widths.contains(&0) {
            return fail(format!("widths {:?} must be 1 to 16 positive numbers", self.widths));
        }
        if self.inputs == 0 || self.outputs == 0 {
            return fail("a network needs input and output channels".to_owned());
        }
        Ok(())
    }

    /// Validates the size of a batch of images.
    ///
    /// # Errors
    /// If images of this size cannot be halved often enough, or there are none.
    pub(crate) fn validate_size(
        &self,
        batch: usize,
        height: usize,
        width: usize,
    ) -> Result<(), KernelError> {
        let multiple = self.size_multiple();
        let fits = |side: usize| side > 0 && side.is_multiple_of(multiple);
        if batch > 0 && fits(height) && fits(width) {
            Ok(())
        } else {
            Err(KernelError::Size { batch, height, width, multiple })
        }
    }
}

struct List(Vec<TensorSpec>);

impl List {
    fn push(&mut self, name: String, shape: &[usize], trained: bool) {
        self.0.push(TensorSpec { name, shape: shape.to_vec(), trained });
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
            reference.tensors().iter().filter(|t| t.trained).map(TensorSpec::values).sum();
        assert_eq!(trained, 31_110_563);
        assert_eq!(reference.size_multiple(), 32);
        assert!(reference.validate_size(1, 256, 32).is_ok());
        assert!(reference.validate_size(1, 0, 32).is_err());
        assert!(reference.validate_size(1, 256, 48).is_err());
    }

    #[test]
    fn a_network_without_levels_or_channels_is_refused() {
        let architecture = |inputs, widths: &[usize]| Architecture {
            inputs,
            widths: widths.to_vec(),
            outputs: 2,
            norm_after_concatenation: false,
            epsilon: 1e-3,
        };
        assert_eq!(architecture(1, &[4, 8]).validate(), Ok(()));
        for impossible in [architecture(1, &[]), architecture(1, &[4, 0]), architecture(0, &[4])] {
            assert!(impossible.validate().is_err(), "{impossible:?}");
        }
    }
}
