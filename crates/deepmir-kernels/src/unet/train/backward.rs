//! The backward pass in training.

use super::{
    DecoderLevel, DoubleConvOutputs, EncoderLevel, NormedOutput, Step, concatenated_sources,
};
use crate::arena::FeatureMap;
use crate::conv3x3::GatedGradient;
use crate::engine::Engine;
use crate::error::{KernelError, validate_values};
use crate::layout::{channel_sums, from_nchw};
use crate::norm::{Gate, NormGradient, ReluGradient, norm_gradient};
use crate::parameters::{Gradients, Parameters};
use crate::source::Source;
use crate::{conv1x1, conv3x3, upconv};

struct Backward<'a> {
    engine: &'a Engine,
    parameters: &'a Parameters<'a>,
    gradients: &'a mut Gradients,
}

/// A gradient at the output of a batch norm, and how it passes on `through` the norm.
struct GradientAtNorm {
    map: FeatureMap,
    through: NormGradient,
}

/// A gradient at a skip connection. With a norm after the concatenation, it is the gradient of that
/// norm's output, and passes on `through` the norm.
struct GradientAtSkip {
    map: FeatureMap,
    through: Option<NormGradient>,
}

impl Step {
    /// Computes the gradients of all trained tensors from that of the scores. The gradients of
    /// biases before a batch norm, which subtracts them again, are zero.
    ///
    /// # Errors
    /// If a tensor is missing, or `scores` does not have as many values as the scores had.
    pub fn backward(
        self,
        engine: &Engine,
        parameters: &Parameters<'_>,
        scores: &[f32],
        gradients: &mut Gradients,
    ) -> Result<(), KernelError> {
        let mut pass = Backward { engine, parameters, gradients };
        let Self { mut encoder, mut decoder, architecture, .. } = self;
        decoder.reverse();

        let last = decoder.last().map_or(&encoder[0].block.second, |level| &level.block.second);
        let mut incoming = pass.head(last, architecture.outputs, scores)?;
        let mut skips = Vec::new();
        for level in 0..architecture.poolings() {
            let Some(outputs) = decoder.pop() else { break };
            let below = decoder.last().map_or(&encoder[level + 1].block, |level| &level.block);
            let skip = &encoder[level].block.second;
            let (at_skip, at_below) = pass.up(level, outputs, skip, &below.second, incoming)?;
            skips.push(at_skip);
            incoming = at_below;
        }
        while let Some(EncoderLevel { input, block }) = encoder.pop() {
            let name = format!("encoder.{}", encoder.len());
            let first = pass.block(&name, block, &[Source::new(input.view())], incoming)?;
            let (Some(above), Some(skip)) = (encoder.last(), skips.pop()) else {
                break;
            };
            incoming = pass.down(&name, &first, input, &above.block.second, skip)?;
        }
        Ok(())
    }
}

impl Backward<'_> {
    /// The output layer.
    fn head(
        &mut self,
        last: &NormedOutput,
        outputs: usize,
        scores: &[f32],
    ) -> Result<GradientAtNorm, KernelError> {
        let (engine, shape) = (self.engine, last.map.shape());
        let values = outputs * shape.channels;
        let weights = self.parameters.get("head.weight", values)?;
        let mut gradient = engine.arena.map(shape.with_channels(outputs));
        validate_values("gradient of the scores", scores.len(), gradient.shape().values())?;
        from_nchw(scores, gradient.view_mut());
        let weight_gradient = self.gradients.buffer("head.weight".to_owned(), values);
        conv1x1::weight_gradient(engine, last.source(), gradient.view(), weight_gradient);
        self.gradients.set("head.bias".to_owned(), &channel_sums(gradient.view()));
        let mut map = engine.arena.map(shape);
        conv1x1::input_gradient(engine, weights, gradient.view(), map.view_mut());
        let through = ReluGradient { gate: last.gate(), outer_norm: None, pooled: None }
            .run(engine, map.view_mut());
        Ok(GradientAtNorm { map, through })
    }

    /// The gradients of one convolution's batch norm and weights. Turns the gradient of the norm's
    /// output into that of the convolution's output.
    fn convolution(
        &mut self,
        name: &str,
        index: usize,
        output: &NormedOutput,
        sources: &[Source<'_>],
        incoming: GradientAtNorm,
    ) -> FeatureMap {
        let GradientAtNorm { mut map, through } = incoming;
        let outputs = map.shape().channels;
        let inputs: usize = sources.iter().map(|source| source.map.shape().channels).sum();
        norm_gradient(self.engine, Source::new(output.map.view()), &through, map.view_mut());
        self.gradients.set(format!("{name}.norm{index}.gamma"), &through.gamma);
        self.gradients.set(format!("{name}.norm{index}.beta"), &through.beta);
        self.gradients.set(format!("{name}.conv{index}.bias"), &vec![0.0; outputs]);
        let weight_gradient =
            self.gradients.buffer(format!("{name}.conv{index}.weight"), 9 * inputs * outputs);
        conv3x3::weight_gradient(self.engine, sources, map.view(), weight_gradient);
        map
    }

    /// Two convolutions. Returns the gradient of the first one's output.
    fn block(
        &mut self,
        name: &str,
        block: DoubleConvOutputs,
        sources: &[Source<'_>],
        incoming: GradientAtNorm,
    ) -> Result<FeatureMap, KernelError> {
        let DoubleConvOutputs { first, second } = block;
        let map = self.convolution(name, 2, &second, &[first.source()], incoming);
        drop(second);
        let (inputs, outputs) = (first.map.shape().channels, map.shape().channels);
        let weights = self.parameters.get(&format!("{name}.conv2.weight"), 9 * inputs * outputs)?;
        let mut back = self.engine.arena.map(first.map.shape());
        let output = GatedGradient { output: back.view_mut(), gate: Some(first.gate()) };
        let through = conv3x3::input_gradient(self.engine, weights, map.view(), vec![output]);
        drop(map);
        let Some(Some(through)) = through.into_iter().next() else {
            return Ok(back);
        };
        Ok(self.convolution(name, 1, &first, sources, GradientAtNorm { map: back, through }))
    }

    /// A level of the decoder. Returns the gradients of the encoder's channels and of the level
    /// below.
    fn up(
        &mut self,
        level: usize,
        outputs: DecoderLevel,
        skip: &NormedOutput,
        below: &NormedOutput,
        incoming: GradientAtNorm,
    ) -> Result<(GradientAtSkip, GradientAtNorm), KernelError> {
        let (engine, name) = (self.engine, format!("decoder.{level}"));
        let DecoderLevel { upsampled, concatenated, block } = outputs;
        let sources = concatenated_sources(skip, &upsampled, concatenated.as_ref());
        let first = self.block(&format!("{name}.block"), block, &sources, incoming)?;
        let width = upsampled.shape().channels;
        let values = 18 * width * width;
        let weights = self.parameters.get(&format!("{name}.block.conv1.weight"), values)?;
        let (mut to_skip, mut to_upsampled) =
            (engine.arena.map(upsampled.shape()), engine.arena.map(upsampled.shape()));
        let gates = concatenated.as_ref().map(|(of_skip, of_upsampled)| {
            let of_skip = Gate { source: skip.source(), norm: of_skip };
            (of_skip, Gate { source: Source::new(upsampled.view()), norm: of_upsampled })
        });
        let gated = vec![
            GatedGradient { output: to_skip.view_mut(), gate: gates.map(|gates| gates.0) },
            GatedGradient { output: to_upsampled.view_mut(), gate: gates.map(|gates| gates.1) },
        ];
        let mut through = conv3x3::input_gradient(engine, weights, first.view(), gated);
        drop(first);
        let (through_upsampled, through_skip) = (through.pop().flatten(), through.pop().flatten());
        if let (Some(of_skip), Some(of_upsampled)) = (&through_skip, &through_upsampled) {
            let name = format!("{name}.concatenated");
            let gamma = [&of_skip.gamma[..], &of_upsampled.gamma].concat();
            let beta = [&of_skip.beta[..], &of_upsampled.beta].concat();
            self.gradients.set(format!("{name}.gamma"), &gamma);
            self.gradients.set(format!("{name}.beta"), &beta);
            norm_gradient(
                engine,
                Source::new(upsampled.view()),
                of_upsampled,
                to_upsampled.view_mut(),
            );
        }
        drop(upsampled);
        let bias = if concatenated.is_some() {
            vec![0.0; width]
        } else {
            channel_sums(to_upsampled.view())
        };
        self.gradients.set(format!("{name}.up.bias"), &bias);
        let at_below = self.transposed(&name, below, &to_upsampled)?;
        Ok((GradientAtSkip { map: to_skip, through: through_skip }, at_below))
    }

    /// A transposed convolution. Returns the gradient of the level below.
    fn transposed(
        &mut self,
        name: &str,
        below: &NormedOutput,
        gradient: &FeatureMap,
    ) -> Result<GradientAtNorm, KernelError> {
        let (shape, width) = (below.map.shape(), gradient.shape().channels);
        let values = 4 * shape.channels * width;
        let weights = self.parameters.get(&format!("{name}.up.weight"), values)?;
        let weight_gradient = self.gradients.buffer(format!("{name}.up.weight"), values);
        upconv::weight_gradient(self.engine, below.source(), gradient.view(), weight_gradient);
        let mut map = self.engine.arena.map(shape);
        upconv::input_gradient(self.engine, weights, gradient.view(), map.view_mut());
        let through = ReluGradient { gate: below.gate(), outer_norm: None, pooled: None }
            .run(self.engine, map.view_mut());
        Ok(GradientAtNorm { map, through })
    }

    /// A level of the encoder: passes the gradient of the first convolution's output through the
    /// max pooling to the level above, and adds that of the skip connection.
    fn down(
        &mut self,
        name: &str,
        first: &FeatureMap,
        input: FeatureMap,
        above: &NormedOutput,
        skip: GradientAtSkip,
    ) -> Result<GradientAtNorm, KernelError> {
        let values = 9 * input.shape().channels * first.shape().channels;
        let weights = self.parameters.get(&format!("{name}.conv1.weight"), values)?;
        // The maxima are no longer needed: their gradient reuses the memory.
        let mut pooled = input;
        let output = GatedGradient { output: pooled.view_mut(), gate: None };
        conv3x3::input_gradient(self.engine, weights, first.view(), vec![output]);
        let GradientAtSkip { mut map, through } = skip;
        let through = ReluGradient {
            gate: above.gate(),
            outer_norm: through.as_ref(),
            pooled: Some(pooled.view()),
        }
        .run(self.engine, map.view_mut());
        Ok(GradientAtNorm { map, through })
    }
}
