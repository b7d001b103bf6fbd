//! The architecture: its layers, their widths, and the names of their tensors.

use crate::error::KernelError;
use crate::parameters::TensorSpec;

/// A 3D U-Net for volumes of one channel.
///
/// At each level of the encoder two 3×3×3 convolutions with instance norm and ReLU, then 2×2×2 max pooling. On
/// the way up a 1×1×1 convolution to the width of the level above, each voxel repeated 2×2×2 times, the
/// encoder's features added, then convolutions with instance norm and ReLU: one at full resolution, where they cost the
/// most time, two at the next two levels, and one below, where they have the most weights. A 1×1×1 convolution at the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Channels of each level, from full resolution down to the centre; at least one.
    pub widths: Vec<usize>,
    /// Number of output channels.
    pub outputs: usize,
    /// Added to variances by instance norms.
    pub epsilon: f32,
}

impl Architecture {
    /// Slices, rows and columns must be multiples of this.
    #[must_use]
    pub fn size_multiple(&self) -> usize {
        1 << self.widths.len().saturating_sub(1)
    }

    /// Convolutions of a level of the decoder.
    pub(super) const fn decoder_convolutions(level: usize) -> usize {
        if matches!(level, 1 | 2) { 2 } else { 1 }
    }

    /// Every tensor, in the order data flows: `encoder.L.convN.weight` (`[out, 3, in, 3, 3]`, slices before
    /// channels) and `encoder.L.normN.gamma|beta` for the levels from full resolution to the centre;
    /// `decoder.L.project.weight` (`[out, in]`) and `.bias`, `decoder.L.convN.…` and `decoder.L.normN.…` back up;
    /// `head.weight|bias`.
    #[must_use]
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut list = Vec::new();
        let mut push = |name: String, shape: &[usize]| {
            list.push(TensorSpec { name, shape: shape.to_vec(), trained: true });
        };
        let mut convolution = |name: &str, index: usize, from: usize, to: usize| {
            push(format!("{name}.conv{index}.weight"), &[to, 3, from, 3, 3]);
            push(format!("{name}.norm{index}.gamma"), &[to]);
            push(format!("{name}.norm{index}.beta"), &[to]);
        };
        let mut channels = 1;
        for (level, &width) in self.widths.iter().enumerate() {
            convolution(&format!("encoder.{level}"), 1, channels, width);
            convolution(&format!("encoder.{level}"), 2, width, width);
            channels = width;
        }
        let mut projections = Vec::new();
        for level in (0..self.widths.len().saturating_sub(1)).rev() {
            let width = self.widths[level];
            projections.push((format!("decoder.{level}.project"), channels, width));
            for index in 1..=Self::decoder_convolutions(level) {
                convolution(&format!("decoder.{level}"), index, width, width);
            }
            channels = width;
        }
        projections.push(("head".to_owned(), channels, self.outputs));
        for (name, from, to) in projections {
            push(format!("{name}.weight"), &[to, from]);
            push(format!("{name}.bias"), &[to]);
        }
        list
    }

    /// Validates the architecture.
    ///
    /// # Errors
    /// If there are no levels or more than 8, or a channel count is zero or above 4096.
    pub fn validate(&self) -> Result<(), KernelError> {
        let fail = |reason: String| Err(KernelError::Architecture(reason));
        let count = 1..=4096;
        let (levels, widths) = (self.widths.len(), &self.widths);
        if !(1..=8).contains(&levels) || !widths.iter().all(|width| count.contains(width)) {
            return fail(format!("widths {widths:?} must be 1 to 8 numbers from 1 to 4096"));
        }
        if !count.contains(&self.outputs) {
            return fail(format!("outputs must be 1 to 4096, not {}", self.outputs));
        }
        Ok(())
    }

    /// Validates the size of a volume: slices, rows and columns.
    ///
    /// # Errors
    /// If it cannot be halved often enough.
    pub(super) fn validate_size(&self, size: [usize; 3]) -> Result<(), KernelError> {
        let multiple = self.size_multiple();
        if size.iter().all(|&side| side > 0 && side.is_multiple_of(multiple)) {
            return Ok(());
        }
        let [batch, height, width] = size;
        Err(KernelError::Size { batch, height, width, multiple })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_widths_are_validated() {
        let architecture =
            |widths: &[usize]| Architecture { widths: widths.to_vec(), outputs: 2, epsilon: 1e-5 };
        let three = architecture(&[4, 8, 8]);
        assert_eq!((three.validate(), three.size_multiple()), (Ok(()), 4));
        assert!(three.validate_size([4, 8, 12]).is_ok());
        assert!(three.validate_size([4, 8, 10]).is_err());
        assert!(three.validate_size([0, 8, 8]).is_err());
        assert!(architecture(&[]).validate().is_err());
        assert!(architecture(&[4, 0]).validate().is_err());
    }
}
