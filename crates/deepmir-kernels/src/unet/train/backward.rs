//! The backward pass in training.

use super::{Block, DecoderLevel, EncoderLevel, Gradients, Normed, Parameters, Step, joined};
use crate::block::FeatureMap;
use crate::conv3x3::GatedGradient;
use crate::engine::Engine;
use crate::layout::{channel_sums, from_nchw};
use crate::norm::{Gate, NormGradient, ReluGradient, norm_gradient};
use crate::source::Source;
use crate::unet::architecture::{UNetError, check_values};
use crate::{conv1x1, conv3x3, upconv};

struct Backward<'a> {
    engine: &'a Engine,
    parameters: &'a Parameters<'a>,
    gradients: &'a mut Gradients,
}

/// A gradient on its way back, at the output of the batch norm `through`.
struct AtNorm {
    map: FeatureMap,
    through: NormGradient,
}

/// A gradient that has arrived at a skip connection, perhaps still at the output of the norm
/// after the concatenation.
struct AtSkip {
    map: FeatureMap,
    through: Option<NormGradient>,
}

impl Step {
    /// From the gradient of the scores to the gradients of all trained tensors. Those of biases
    /// that a batch norm takes off again are zero.
    ///
    /// # Errors
    /// If a tensor is missing or `scores` has not as many values as the scores had.
    pub fn backward(
        self,
        engine: &Engine,
        parameters: &Parameters<'_>,
        scores: &[f32],
        gradients: &mut Gradients,
    ) -> Result<(), UNetError> {
        let mut pass = Backward { engine, parameters, gradients };
        let Self { mut encoder, mut decoder, architecture, .. } = self;
        decoder.reverse();

        let last = decoder.last().map_or(&encoder[0].block.second, |level| &level.block.second);
        let mut arriving = pass.head(last, architecture.outputs, scores)?;
        let mut skips = Vec::new();
        for level in 0..architecture.poolings() {
            let Some(here) = decoder.pop() else { break };
            let below = decoder.last().map_or(&encoder[level + 1].block, |level| &level.block);
            let skip = &encoder[level].block.second;
            let (at_skip, at_below) = pass.up(level, here, skip, &below.second, arriving)?;
            skips.push(at_skip);
            arriving = at_below;
        }
        while let Some(EncoderLevel { input, block }) = encoder.pop() {
            let name = format!("encoder.{}", encoder.len());
            let first = pass.block(&name, block, &[Source::new(input.view())], arriving)?;
            let (Some(above), Some(skip)) = (encoder.last(), skips.pop()) else {
                break;
            };
            arriving = pass.down(&name, &first, input, &above.block.second, skip)?;
        }
        Ok(())
    }
}

impl Backward<'_> {
    /// The last layer.
    fn head(&mut self, last: &Normed, outputs: usize, scores: &[f32]) -> Result<AtNorm, UNetError> {
        let (engine, shape) = (self.engine, last.map.shape());
        let values = outputs * shape.channels;
        let weights = self.parameters.get("head.weight", values)?;
        let mut gradient = engine.arena.map(shape.with_channels(outputs));
        check_values("gradient of the scores", scores.len(), gradient.shape().values())?;
        from_nchw(scores, gradient.view_mut());
        let room = self.gradients.room("head.weight".to_owned(), values);
        conv1x1::weight_gradient(engine, last.source(), gradient.view(), room);
        self.gradients.put("head.bias".to_owned(), &channel_sums(gradient.view()));
        let mut map = engine.arena.map(shape);
        conv1x1::input_gradient(engine, weights, gradient.view(), map.view_mut());
        let through = ReluGradient { gate: last.gate(), through: None, pooled: None }
            .run(engine, map.view_mut());
        Ok(AtNorm { map, through })
    }

    /// One convolution's batch norm and weights: turns the gradient behind the norm into that of
    /// the convolution's output.
    fn convolution(
        &mut self,
        name: &str,
        index: usize,
        output: &Normed,
        sources: &[Source<'_>],
        arriving: AtNorm,
    ) -> FeatureMap {
        let AtNorm { mut map, through } = arriving;
        let outputs = map.shape().channels;
        let inputs: usize = sources.iter().map(|source| source.map.shape().channels).sum();
        norm_gradient(self.engine, Source::new(output.map.view()), &through, map.view_mut());
        self.gradients.put(format!("{name}.norm{index}.gamma"), &through.gamma);
        self.gradients.put(format!("{name}.norm{index}.beta"), &through.beta);
        self.gradients.put(format!("{name}.conv{index}.bias"), &vec![0.0; outputs]);
        let room = self.gradients.room(format!("{name}.conv{index}.weight"), 9 * inputs * outputs);
        conv3x3::weight_gradient(self.engine, sources, map.view(), room);
        map
    }

    /// Two convolutions: returns the gradient of the first one's output.
    fn block(
        &mut self,
        name: &str,
        block: Block,
        sources: &[Source<'_>],
        arriving: AtNorm,
    ) -> Result<FeatureMap, UNetError> {
        let Block { first, second } = block;
        let map = self.convolution(name, 2, &second, &[first.source()], arriving);
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
        Ok(self.convolution(name, 1, &first, sources, AtNorm { map: back, through }))
    }

    /// A step up: returns the gradients of the encoder's channels and of the level below.
    fn up(
        &mut self,
        level: usize,
        here: DecoderLevel,
        skip: &Normed,
        below: &Normed,
        arriving: AtNorm,
    ) -> Result<(AtSkip, AtNorm), UNetError> {
        let (engine, name) = (self.engine, format!("decoder.{level}"));
        let DecoderLevel { above, concatenated, block } = here;
        let sources = joined(skip, &above, concatenated.as_ref());
        let first = self.block(&format!("{name}.block"), block, &sources, arriving)?;
        let width = above.shape().channels;
        let values = 18 * width * width;
        let weights = self.parameters.get(&format!("{name}.block.conv1.weight"), values)?;
        let (mut to_skip, mut to_above) =
            (engine.arena.map(above.shape()), engine.arena.map(above.shape()));
        let gates = concatenated.as_ref().map(|(of_skip, of_above)| {
            let of_skip = Gate { source: skip.source(), norm: of_skip };
            (of_skip, Gate { source: Source::new(above.view()), norm: of_above })
        });
        let outputs = vec![
            GatedGradient { output: to_skip.view_mut(), gate: gates.map(|gates| gates.0) },
            GatedGradient { output: to_above.view_mut(), gate: gates.map(|gates| gates.1) },
        ];
        let mut through = conv3x3::input_gradient(engine, weights, first.view(), outputs);
        drop(first);
        let (through_above, through_skip) = (through.pop().flatten(), through.pop().flatten());
        if let (Some(of_skip), Some(of_above)) = (&through_skip, &through_above) {
            let name = format!("{name}.concatenated");
            let gamma = [&of_skip.gamma[..], &of_above.gamma].concat();
            let beta = [&of_skip.beta[..], &of_above.beta].concat();
            self.gradients.put(format!("{name}.gamma"), &gamma);
            self.gradients.put(format!("{name}.beta"), &beta);
            norm_gradient(engine, Source::new(above.view()), of_above, to_above.view_mut());
        }
        drop(above);
        let bias =
            if concatenated.is_some() { vec![0.0; width] } else { channel_sums(to_above.view()) };
        self.gradients.put(format!("{name}.up.bias"), &bias);
        let at_below = self.transposed(&name, below, &to_above)?;
        Ok((AtSkip { map: to_skip, through: through_skip }, at_below))
    }

    /// A transposed convolution: from the gradient of its output to that of the level below.
    fn transposed(
        &mut self,
        name: &str,
        below: &Normed,
        gradient: &FeatureMap,
    ) -> Result<AtNorm, UNetError> {
        let (shape, width) = (below.map.shape(), gradient.shape().channels);
        let values = 4 * shape.channels * width;
        let weights = self.parameters.get(&format!("{name}.up.weight"), values)?;
        let room = self.gradients.room(format!("{name}.up.weight"), values);
        upconv::weight_gradient(self.engine, below.source(), gradient.view(), room);
        let mut map = self.engine.arena.map(shape);
        upconv::input_gradient(self.engine, weights, gradient.view(), map.view_mut());
        let through = ReluGradient { gate: below.gate(), through: None, pooled: None }
            .run(self.engine, map.view_mut());
        Ok(AtNorm { map, through })
    }

    /// A step down, backwards: from the gradient of the first convolution's output through the
    /// maxima to the level above, where what came through the skip connection joins it.
    fn down(
        &mut self,
        name: &str,
        first: &FeatureMap,
        input: FeatureMap,
        above: &Normed,
        skip: AtSkip,
    ) -> Result<AtNorm, UNetError> {
        let values = 9 * input.shape().channels * first.shape().channels;
        let weights = self.parameters.get(&format!("{name}.conv1.weight"), values)?;
        // The maxima are not needed any more: their gradient takes their place.
        let mut pooled = input;
        let output = GatedGradient { output: pooled.view_mut(), gate: None };
        conv3x3::input_gradient(self.engine, weights, first.view(), vec![output]);
        let AtSkip { mut map, through } = skip;
        let through = ReluGradient {
            gate: above.gate(),
            through: through.as_ref(),
            pooled: Some(pooled.view()),
        }
        .run(self.engine, map.view_mut());
        Ok(AtNorm { map, through })
    }
}
