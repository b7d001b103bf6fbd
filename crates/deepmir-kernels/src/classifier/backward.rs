//! The backward pass in training.

use super::dense::linear_gradient;
use super::forward::{Convolved, Dropout, Level, Step};
use super::layers::weights;
use crate::arena::FeatureMap;
use crate::block::{Block, Shape};
use crate::conv3x3::{self, GatedGradient};
use crate::engine::Engine;
use crate::error::{KernelError, validate_values};
use crate::layout::from_nchw;
use crate::norm::{Gate, ReluGradient, norm_gradient};
use crate::parameters::{Gradients, Parameters};
use crate::pool::max_pool_gradient;
use crate::slices::{Neighbour, add_neighbour_gradient, max_pool_slice_pairs_gradient};
use crate::source::Source;

impl Step {
    /// Computes the gradients of all trained tensors from that of the scores. `dropout` is that of
    /// the forward pass.
    ///
    /// # Errors
    /// If a tensor is missing, or `scores` or `dropout` does not have as many values as the
    /// forward pass had.
    pub fn backward(
        self,
        engine: &Engine,
        parameters: &Parameters<'_>,
        scores: &[f32],
        dropout: Option<Dropout<'_>>,
        gradients: &mut Gradients,
    ) -> Result<(), KernelError> {
        let Self { architecture, mut levels, features, hidden, .. } = self;
        let batch = features.len() / architecture.features();
        validate_values("gradient of the scores", scores.len(), batch * architecture.outputs)?;
        if let Some(Dropout { features: of_features, hidden: of_hidden }) = dropout {
            validate_values("dropout of features", of_features.len(), features.len())?;
            validate_values("dropout of hidden values", of_hidden.len(), hidden.len())?;
        }
        let mut at_hidden =
            linear_gradient(parameters, "scores", &hidden, architecture.hidden, scores, gradients)?;
        // Where the ReLU or dropout gave zero, the gradient is zero.
        for (n, gradient) in at_hidden.iter_mut().enumerate() {
            let factor = dropout.map_or(1.0, |dropout| dropout.hidden[n]);
            *gradient *= if hidden[n] > 0.0 { factor } else { 0.0 };
        }
        let mut at_features = linear_gradient(
            parameters,
            "hidden",
            &features,
            architecture.features(),
            &at_hidden,
            gradients,
        )?;
        if let Some(dropout) = dropout {
            at_features
                .iter_mut()
                .zip(dropout.features)
                .for_each(|(value, factor)| *value *= factor);
        }

        let [slices, height, width] = architecture.size_after(levels.len());
        let channels = architecture.widths.last().copied().unwrap_or(0);
        let mut incoming = engine.arena.map(Shape::new(batch * slices, channels, height, width));
        from_nchw(&at_features, incoming.view_mut());
        let mut pass = Backward { engine, parameters, gradients };
        while let Some(level) = levels.pop() {
            let n = levels.len();
            let slices = architecture.size_after(n)[0];
            let Level { first, second, activation, pooled_in_plane } = level;
            if let Some(pooled_in_plane) = pooled_in_plane {
                incoming =
                    max_pool_slice_pairs_gradient(engine, pooled_in_plane.view(), incoming.view());
            }
            let mut at_activation = engine.arena.map(activation.shape());
            at_activation.fill(Block::ZERO);
            let source = Source::new(activation.view());
            max_pool_gradient(engine, source, incoming.view(), at_activation.view_mut());
            drop(activation);
            let Some(back) = pass.convolution(n, 2, slices, second, at_activation, true)? else {
                break;
            };
            // The gradient of the images is not needed.
            let Some(back) = pass.convolution(n, 1, slices, first, back, n > 0)? else { break };
            incoming = back;
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
    /// From the gradient of a convolution's norm and ReLU to that of its input, if `wanted`.
    fn convolution(
        &mut self,
        level: usize,
        index: usize,
        slices: usize,
        convolved: Convolved,
        mut gradient: FeatureMap,
        wanted: bool,
    ) -> Result<Option<FeatureMap>, KernelError> {
        let engine = self.engine;
        let Convolved { previous, input, next, output, norm } = convolved;
        let source = Source::new(output.view());
        let gate = Gate { source, norm: &norm };
        let through =
            ReluGradient { gate, outer_norm: None, pooled: None }.run(engine, gradient.view_mut());
        norm_gradient(engine, source, &through, gradient.view_mut());
        let name = format!("level.{level}.norm{index}");
        self.gradients.set(format!("{name}.gamma"), &through.gamma);
        self.gradients.set(format!("{name}.beta"), &through.beta);

        let (from, to) = (input.shape().channels, output.shape().channels);
        let sources = [&previous, &input, &next].map(|map| Source::new(map.view()));
        let name = format!("level.{level}.conv{index}.weight");
        let weight_gradient = self.gradients.buffer(name, 27 * from * to);
        conv3x3::weight_gradient(engine, &sources, gradient.view(), weight_gradient);
        if !wanted {
            return Ok(None);
        }
        let weights = weights(self.parameters, level, index, from, to)?;
        // The inputs are no longer needed: their gradients reuse the memory.
        let (mut at_previous, mut at_input, mut at_next) = (previous, input, next);
        let outputs = [&mut at_previous, &mut at_input, &mut at_next]
            .map(|map| GatedGradient { output: map.view_mut(), gate: None });
        conv3x3::input_gradient(engine, weights, gradient.view(), outputs.into());
        add_neighbour_gradient(&mut at_input, at_previous.view(), slices, Neighbour::Previous);
        add_neighbour_gradient(&mut at_input, at_next.view(), slices, Neighbour::Next);
        Ok(Some(at_input))
    }
}
