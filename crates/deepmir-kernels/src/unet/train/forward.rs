//! The forward pass in training.

use super::{
    DecoderLevel, DoubleConvOutputs, EncoderLevel, NormedOutput, Step, concatenated_sources,
};
use crate::block::Shape;
use crate::conv1x1::PackedConv1x1;
use crate::engine::Engine;
use crate::error::{KernelError, validate_values};
use crate::head::{Activation, head};
use crate::layout::from_nchw;
use crate::norm::{Moments, Norm};
use crate::parameters::{Parameters, Statistics};
use crate::pool::max_pool;
use crate::source::Source;
use crate::unet::architecture::Architecture;
use crate::{conv3x3, upconv};

struct Forward<'a> {
    engine: &'a Engine,
    parameters: &'a Parameters<'a>,
    epsilon: f32,
    statistics: Statistics,
}

impl Step {
    /// Runs `batch` images of `[inputs][height][width]` with the statistics of the batch, and
    /// writes as many maps of scores (logits) of `[outputs][height][width]`.
    ///
    /// # Errors
    /// If the architecture is invalid, a tensor is missing, the sides are no multiples of
    /// [`Architecture::size_multiple`], or a slice does not have as many values as they say.
    pub fn forward(
        engine: &Engine,
        architecture: &Architecture,
        parameters: &Parameters<'_>,
        input: &[f32],
        (batch, height, width): (usize, usize, usize),
        scores: &mut [f32],
    ) -> Result<Self, KernelError> {
        architecture.validate()?;
        architecture.validate_size(batch, height, width)?;
        let shape = Shape::new(batch, architecture.inputs, height, width);
        validate_values("input", input.len(), shape.values())?;
        validate_values(
            "scores",
            scores.len(),
            shape.with_channels(architecture.outputs).values(),
        )?;
        let mut pass = Forward {
            engine,
            parameters,
            epsilon: architecture.epsilon,
            statistics: Statistics::new(),
        };

        let mut input_map = engine.arena.map(shape);
        from_nchw(input, input_map.view_mut());
        let mut next = Some(input_map);
        let (mut encoder, mut moments) = (Vec::new(), Vec::new());
        for (level, &width) in architecture.widths.iter().enumerate() {
            let Some(input) = next.take() else { break };
            let sources = [Source::new(input.view())];
            let block = pass.block(&format!("encoder.{level}"), &sources, width)?;
            if level < architecture.poolings() {
                let full = block.second.map.shape();
                let half = Shape { height: full.height / 2, width: full.width / 2, ..full };
                let mut pooled = engine.arena.map(half);
                moments.push(max_pool(engine, block.second.source(), pooled.view_mut()));
                next = Some(pooled);
            }
            encoder.push(EncoderLevel { input, block });
        }

        let mut decoder: Vec<DecoderLevel> = Vec::new();
        for level in (0..architecture.poolings()).rev() {
            let below = decoder.last().map_or(&encoder[level + 1].block, |level| &level.block);
            let skip = &encoder[level].block.second;
            let statistics = architecture.norm_after_concatenation.then(|| &moments[level]);
            let up = pass.up(&format!("decoder.{level}"), &below.second, skip, statistics)?;
            decoder.push(up);
        }
        decoder.reverse();

        let last = decoder.first().map_or(&encoder[0].block, |level| &level.block);
        let (width, outputs) = (last.second.map.shape().channels, architecture.outputs);
        let weights = parameters.get("head.weight", outputs * width)?;
        let bias = parameters.get("head.bias", outputs)?;
        let weights = PackedConv1x1::new(weights, &[width], bias);
        head(engine, &weights, &[last.second.source()], Activation::Identity, scores);
        let architecture = architecture.clone();
        Ok(Self { architecture, encoder, decoder, statistics: pass.statistics })
    }

    /// Mean and variance of the batch at each batch norm.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }
}

impl Forward<'_> {
    fn norm(
        &self,
        name: &str,
        moments: &Moments,
        channels: std::ops::Range<usize>,
        all: usize,
    ) -> Result<Norm, KernelError> {
        let gamma = &self.parameters.get(&format!("{name}.gamma"), all)?[channels.clone()];
        let beta = &self.parameters.get(&format!("{name}.beta"), all)?[channels];
        Ok(Norm::new(moments, gamma, beta, self.epsilon))
    }

    fn convolution(
        &mut self,
        name: &str,
        index: usize,
        sources: &[Source<'_>],
        outputs: usize,
    ) -> Result<NormedOutput, KernelError> {
        let inputs: usize = sources.iter().map(|source| source.map.shape().channels).sum();
        let values = 9 * inputs * outputs;
        let weights = self.parameters.get(&format!("{name}.conv{index}.weight"), values)?;
        let bias = self.parameters.get(&format!("{name}.conv{index}.bias"), outputs)?;
        let mut map = self.engine.arena.map(sources[0].map.shape().with_channels(outputs));
        // The norm subtracts any bias again: it only shows in the mean.
        let mut moments = conv3x3::forward(self.engine, weights, None, sources, map.view_mut());
        let name = format!("{name}.norm{index}");
        let norm = self.norm(&name, &moments, 0..outputs, outputs)?;
        for (mean, bias) in moments.mean.iter_mut().zip(bias) {
            *mean += bias;
        }
        self.statistics.insert(name, moments);
        Ok(NormedOutput { map, norm })
    }

    fn block(
        &mut self,
        name: &str,
        sources: &[Source<'_>],
        outputs: usize,
    ) -> Result<DoubleConvOutputs, KernelError> {
        let first = self.convolution(name, 1, sources, outputs)?;
        let second = self.convolution(name, 2, &[first.source()], outputs)?;
        Ok(DoubleConvOutputs { first, second })
    }

    /// A level of the decoder. `moments` are those of the encoder's channels, where there is a norm
    /// after the concatenation.
    fn up(
        &mut self,
        name: &str,
        below: &NormedOutput,
        skip: &NormedOutput,
        moments: Option<&Moments>,
    ) -> Result<DecoderLevel, KernelError> {
        let shape = skip.map.shape();
        let (inputs, width) = (below.map.shape().channels, shape.channels);
        let weights = self.parameters.get(&format!("{name}.up.weight"), 4 * inputs * width)?;
        let bias = self.parameters.get(&format!("{name}.up.bias"), width)?;
        let mut upsampled = self.engine.arena.map(shape);
        let of_upsampled =
            upconv::forward(self.engine, weights, bias, below.source(), upsampled.view_mut());
        let mut concatenated = None;
        if let Some(of_skip) = moments {
            let name = format!("{name}.concatenated");
            concatenated = Some((
                self.norm(&name, of_skip, 0..width, 2 * width)?,
                self.norm(&name, &of_upsampled, width..2 * width, 2 * width)?,
            ));
            self.statistics.insert(name, of_skip.concatenated(&of_upsampled));
        }
        let sources = concatenated_sources(skip, &upsampled, concatenated.as_ref());
        let block = self.block(&format!("{name}.block"), &sources, width)?;
        Ok(DecoderLevel { upsampled, concatenated, block })
    }
}
