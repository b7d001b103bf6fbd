//! The backward pass in training.

use super::forward::{DecoderLevel, EncoderLevel, Step};
use super::layers::{Convolved, Padded, add_pool_gradient, mirrored, sum_octets, weights};
use crate::arena::FeatureMap;
use crate::block::Map;
use crate::engine::Engine;
use crate::error::{KernelError, validate_values};
use crate::layout::channel_sums;
use crate::norm::{Gate, ReluGradient, norm_gradient};
use crate::parameters::{Gradients, Parameters};
use crate::source::Source;
use crate::{conv1x1, conv3x3};

impl Step {
    /// Computes the gradients of all tensors from that of the scores.
    ///
    /// # Errors
    /// If a tensor is missing, or `scores` has another shape than the scores.
    pub fn backward(
        mut self,
        engine: &Engine,
        parameters: &Parameters<'_>,
        scores: Map<'_>,
        gradients: &mut Gradients,
    ) -> Result<(), KernelError> {
        let last = &self.last().activation;
        let expected = last.shape().with_channels(self.architecture.outputs);
        let (found, wanted) = (scores.shape().values(), expected.values());
        validate_values("gradient of the scores", found, wanted)?;
        let mut pass = Backward { engine, parameters, gradients };
        let mut incoming = pass.linear("head", last, scores)?;
        let mut skips = Vec::new();
        self.decoder.reverse();
        for level in 0..self.encoder.len() - 1 {
            let Some(DecoderLevel { sum, mut convolved }) = self.decoder.pop() else { break };
            let name = format!("decoder.{level}");
            while let Some(last) = convolved.pop() {
                let index = convolved.len() + 1;
                let input = convolved.last().map_or(&sum, |before| &before.activation);
                incoming = pass.convolution((&name, index), input, last, incoming)?;
            }
            let at_projected = sum_octets(engine, incoming.view());
            skips.push(incoming);
            let below = match self.decoder.last().and_then(|level| level.convolved.last()) {
                Some(convolved) => &convolved.activation,
                None => &self.encoder[level + 1].convolved[1].activation,
            };
            incoming = pass.linear(&format!("{name}.project"), below, at_projected.view())?;
        }
        while let Some(EncoderLevel { input, convolved: [first, second], .. }) = self.encoder.pop()
        {
            let level = self.encoder.len();
            let name = format!("encoder.{level}");
            let back = pass.convolution((&name, 2), &first.activation, second, incoming)?;
            if level == 0 {
                // The gradient of the image is not needed.
                pass.weights((&name, 1), &input, first, back)?;
                break;
            }
            let pooled = pass.convolution((&name, 1), &input, first, back)?;
            let (Some(above), Some(mut skip)) = (self.encoder.last(), skips.pop()) else { break };
            if let Some(in_plane) = &above.pooled_in_plane {
                let map = &above.convolved[1].activation;
                add_pool_gradient(engine, map, in_plane, pooled.view(), skip.view_mut());
            }
            incoming = skip;
        }
        Ok(())
    }
}

struct Backward<'a> {
    engine: &'a Engine,
    parameters: &'a Parameters<'a>,
    gradients: &'a mut Gradients,
}

impl Backward<'_> {
    /// From the gradient of a 1×1×1 convolution's output to that of its input.
    fn linear(
        &mut self,
        name: &str,
        input: &Padded,
        gradient: Map<'_>,
    ) -> Result<FeatureMap, KernelError> {
        let (shape, outputs) = (input.shape(), gradient.shape().channels);
        let values = shape.channels * outputs;
        let weights = self.parameters.get(&format!("{name}.weight"), values)?;
        let buffer = self.gradients.buffer(format!("{name}.weight"), values);
        conv1x1::weight_gradient(self.engine, Source::new(input.view()), gradient, buffer);
        self.gradients.set(format!("{name}.bias"), &channel_sums(gradient));
        let mut back = self.engine.arena.map(shape);
        conv1x1::input_gradient(self.engine, weights, gradient, back.view_mut());
        Ok(back)
    }

    /// From the gradient of an activation to that of its convolution's output and weights.
    fn weights(
        &mut self,
        (name, index): (&str, usize),
        input: &Padded,
        convolved: Convolved,
        mut incoming: FeatureMap,
    ) -> Result<Padded, KernelError> {
        let Convolved { output, norm, activation } = convolved;
        let source = Source::new(output.view());
        let gate = Gate { source, norm: &norm };
        let relu = ReluGradient { gate, outer_norm: None, pooled: None };
        let through = relu.run(self.engine, incoming.view_mut());
        norm_gradient(self.engine, source, &through, incoming.view_mut());
        self.gradients.set(format!("{name}.norm{index}.gamma"), &through.gamma);
        self.gradients.set(format!("{name}.norm{index}.beta"), &through.beta);
        let (from, to) = (input.shape().channels, output.shape().channels);
        let buffer = self.gradients.buffer(format!("{name}.conv{index}.weight"), 27 * from * to);
        conv3x3::weight_gradient(self.engine, &input.neighbours(), incoming.view(), buffer);
        // The activation is no longer needed: the gradient takes its memory, with the empty slices.
        let mut gradient = activation;
        gradient.view_mut().blocks().copy_from_slice(&incoming);
        Ok(gradient)
    }

    /// From the gradient of an activation to that of its convolution's input.
    fn convolution(
        &mut self,
        (name, index): (&str, usize),
        input: &Padded,
        convolved: Convolved,
        incoming: FeatureMap,
    ) -> Result<FeatureMap, KernelError> {
        let (from, to) = (input.shape().channels, incoming.shape().channels);
        let gradient = self.weights((name, index), input, convolved, incoming)?;
        let weights = mirrored(weights(self.parameters, name, index, from, to)?, from, to);
        let mut back = self.engine.arena.map(input.shape());
        let sources = gradient.neighbours();
        conv3x3::forward(self.engine, &weights, None, &sources, back.view_mut());
        Ok(back)
    }
}
