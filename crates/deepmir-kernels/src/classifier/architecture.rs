//! The architecture of a classifier: its layers, their widths, and the names of their tensors.

use crate::error::{KernelError, validate_values};
use crate::parameters::TensorSpec;

/// A 3D classifier of patches of equal size.
///
/// At each level two 3×3×3 convolutions with batch norm and ReLU, then max pooling: 2×2 within the
/// slice at the first level, whose slices may be thick, 2×2×2 at the others; a last odd row or
/// column is left out. One hidden layer follows, then the output layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Number of input channels.
    pub inputs: usize,
    /// Slices, rows and columns of a patch.
    pub size: [usize; 3],
    /// Channels of each level; at least one.
    pub widths: Vec<usize>,
    /// Width of the hidden layer.
    pub hidden: usize,
    /// Number of scores (logits) per patch.
    pub outputs: usize,
}

impl Architecture {
    /// Number of values of one patch.
    #[must_use]
    pub fn patch_values(&self) -> usize {
        self.inputs * self.size.iter().product::<usize>()
    }

    /// Slices, rows and columns after the pooling of the first `levels` levels.
    #[must_use]
    pub fn size_after(&self, levels: usize) -> [usize; 3] {
        let [slices, height, width] = self.size;
        [slices >> levels.saturating_sub(1), height >> levels, width >> levels]
    }

    /// Number of values per patch that the hidden layer reads.
    #[must_use]
    pub fn features(&self) -> usize {
        let last = self.widths.last().copied().unwrap_or(0);
        last * self.size_after(self.widths.len()).iter().product::<usize>()
    }

    /// Every tensor, in the order data flows: `level.L.conv1.weight` (`[out, 3, in, 3, 3]`, slices
    /// before channels), `level.L.norm1.gamma|beta|running_mean|running_var`, the same with 2;
    /// `hidden.weight|bias`; `scores.weight|bias`.
    #[must_use]
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut list = Vec::new();
        let mut push = |name: String, shape: &[usize], trained| {
            list.push(TensorSpec { name, shape: shape.to_vec(), trained });
        };
        let mut channels = self.inputs;
        for (level, &width) in self.widths.iter().enumerate() {
            for index in [1, 2] {
                push(
                    format!("level.{level}.conv{index}.weight"),
                    &[width, 3, channels, 3, 3],
                    true,
                );
                for (part, trained) in [
                    ("gamma", true),
                    ("beta", true),
                    ("running_mean", false),
                    ("running_var", false),
                ] {
                    push(format!("level.{level}.norm{index}.{part}"), &[width], trained);
                }
                channels = width;
            }
        }
        for (name, from, to) in
            [("hidden", self.features(), self.hidden), ("scores", self.hidden, self.outputs)]
        {
            push(format!("{name}.weight"), &[to, from], true);
            push(format!("{name}.bias"), &[to], true);
        }
        list
    }

    /// Validates the architecture.
    ///
    /// # Errors
    /// If a width, channel count or side is out of range, or patches cannot be halved as often as
    /// there are levels.
    pub fn validate(&self) -> Result<(), KernelError> {
        let fail = |reason: String| Err(KernelError::Architecture(reason));
        let within = |counts: &[usize], most: usize| counts.iter().all(|n| (1..=most).contains(n));
        if self.widths.is_empty() || self.widths.len() > 6 || !within(&self.widths, 4096) {
            return fail(format!("widths {:?} must be 1 to 6 numbers from 1 to 4096", self.widths));
        }
        if !within(&[self.inputs, self.hidden, self.outputs], 4096) || !within(&self.size, 256) {
            let ranges = "channels and hidden values must be 1 to 4096, sides 1 to 256";
            return fail(ranges.to_owned());
        }
        let levels = self.widths.len();
        let [slices, height, width] = self.size;
        if slices.is_multiple_of(1 << (levels - 1)) && height.min(width) >> levels > 0 {
            Ok(())
        } else {
            fail(format!("patches of {:?} cannot be halved {levels} times", self.size))
        }
    }

    /// Validates the length of a batch of patches.
    ///
    /// # Errors
    /// If there are not as many values as that many patches have, or no patch.
    pub(super) fn validate_input(&self, found: usize, batch: usize) -> Result<(), KernelError> {
        let expected = batch * self.patch_values();
        if batch > 0 {
            validate_values("patches", found, expected)
        } else {
            Err(KernelError::Values { what: "patches", found, expected })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_must_halve_as_often_as_there_are_levels() {
        let architecture = |size, widths: &[usize]| Architecture {
            inputs: 2,
            size,
            widths: widths.to_vec(),
            hidden: 4,
            outputs: 3,
        };
        assert_eq!(architecture([4, 9, 8], &[4, 8, 8]).validate(), Ok(()));
        for impossible in [
            architecture([3, 9, 8], &[4, 8, 8]),
            architecture([4, 7, 8], &[4, 8, 8]),
            architecture([4, 9, 8], &[]),
            architecture([4, 9, 8], &[4, 0]),
        ] {
            assert!(impossible.validate().is_err(), "{impossible:?}");
        }
    }
}
