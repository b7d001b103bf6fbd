//! Packing of a network's tensors, with batch norms folded into the weights before them.

use std::borrow::Cow;

use super::layers::{DoubleConv, UpBlock};
use crate::conv1x1::PackedConv1x1;
use crate::conv3x3::PackedConv3x3;
use crate::error::KernelError;
use crate::prologue::Affine;
use crate::upconv::PackedUpConv;

/// Reads tensors by name and folds batch norms.
pub(super) struct FoldedTensors<F> {
    pub tensor: F,
    /// Added to variances.
    pub epsilon: f32,
}

impl<'w, F: FnMut(&str) -> Option<Cow<'w, [f32]>>> FoldedTensors<F> {
    fn get(&mut self, name: &str, expected: usize) -> Result<Cow<'w, [f32]>, KernelError> {
        let values = (self.tensor)(name).ok_or_else(|| KernelError::Missing(name.to_owned()))?;
        if values.len() == expected {
            Ok(values)
        } else {
            Err(KernelError::Length { name: name.to_owned(), found: values.len(), expected })
        }
    }

    /// A batch norm with its running statistics: scales and shifts.
    fn norm(&mut self, name: &str, channels: usize) -> Result<(Vec<f32>, Vec<f32>), KernelError> {
        let mut get = |part: &str| self.get(&format!("{name}.{part}"), channels);
        let (gamma, beta) = (get("gamma")?, get("beta")?);
        let (mean, variance) = (get("running_mean")?, get("running_var")?);
        let scales: Vec<f32> = gamma
            .iter()
            .zip(variance.iter())
            .map(|(gamma, variance)| gamma / (variance + self.epsilon).sqrt())
            .collect();
        let shifts = (0..channels).map(|c| beta[c] - mean[c] * scales[c]).collect();
        Ok((scales, shifts))
    }

    /// A 3×3 convolution of maps with `from` channels, followed by a batch norm.
    fn convolution(
        &mut self,
        name: &str,
        index: usize,
        from: &[usize],
        to: usize,
    ) -> Result<PackedConv3x3, KernelError> {
        let inputs: usize = from.iter().sum();
        let (scales, mut shifts) = self.norm(&format!("{name}.norm{index}"), to)?;
        let bias = self.get(&format!("{name}.conv{index}.bias"), to)?;
        for (shift, (bias, scale)) in shifts.iter_mut().zip(bias.iter().zip(&scales)) {
            *shift += bias * scale;
        }
        let weights = self.get(&format!("{name}.conv{index}.weight"), 9 * inputs * to)?;
        Ok(PackedConv3x3::new(&weights, from, Some(&scales), &shifts))
    }

    /// Two convolutions.
    pub fn double_conv(
        &mut self,
        name: &str,
        from: &[usize],
        to: usize,
    ) -> Result<DoubleConv, KernelError> {
        Ok(DoubleConv {
            first: self.convolution(name, 1, from, to)?,
            second: self.convolution(name, 2, &[to], to)?,
        })
    }

    /// A level of the decoder, from `channels` of the level below to `width`.
    pub fn up_block(
        &mut self,
        name: &str,
        channels: usize,
        width: usize,
        norm_after_concatenation: bool,
    ) -> Result<UpBlock, KernelError> {
        let weights = self.get(&format!("{name}.up.weight"), 4 * channels * width)?;
        let mut bias = self.get(&format!("{name}.up.bias"), width)?.into_owned();
        let (mut skip_norm, mut scale) = (None, None);
        if norm_after_concatenation {
            let (scales, shifts) = self.norm(&format!("{name}.concatenated"), 2 * width)?;
            skip_norm = Some(Affine::new(&scales[..width], &shifts[..width]));
            for (i, bias) in bias.iter_mut().enumerate() {
                *bias = *bias * scales[width + i] + shifts[width + i];
            }
            scale = Some(scales[width..].to_vec());
        }
        let up = PackedUpConv::new(&weights, channels, scale.as_deref(), &bias);
        drop(weights);
        let convolutions = self.double_conv(&format!("{name}.block"), &[width, width], width)?;
        Ok(UpBlock { up, skip_norm, convolutions })
    }

    /// The output layer.
    pub fn head(&mut self, channels: usize, outputs: usize) -> Result<PackedConv1x1, KernelError> {
        let weights = self.get("head.weight", channels * outputs)?;
        let bias = self.get("head.bias", outputs)?;
        Ok(PackedConv1x1::new(&weights, &[channels], &bias))
    }
}
