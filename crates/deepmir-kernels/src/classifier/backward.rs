//! The backward pass in training.

use super::forward::{Convolved, Dropout, Level, Step, weights};
use super::slices::{Beside, add_beside, pair_maxima_gradient};
use crate::block::{Block, FeatureMap, Shape};
use crate::conv3x3::{self, GatedGradient};
use crate::engine::Engine;
use crate::layout::from_nchw;
use crate::norm::{Gate, ReluGradient, norm_gradient};
use crate::pool::max_pool_gradient;
use crate::source::Source;
use crate::unet::{Gradients, Parameters, UNetError};

impl Step {
    /// From the gradient of the scores to the gradients of all trained tensors. `dropout` is that of the forward
    /// pass.
    ///
    /// # Errors
    /// If a tensor is missing or `scores` has not as many values as the scores had.
    pub fn backward(
        self,
        engine: &Engine,
        parameters: &Parameters<'_>,
        scores: &[f32],
        dropout: Option<Dropout<'_>>,
        gradients: &mut Gradients,
    ) -> Result<(), UNetError> {
        let Self { architecture, mut levels, features, hidden, .. } = self;
        let batch = features.len() / architecture.features();
        let (found, expected) = (scores.len(), batch * architecture.outputs);
        if found != expected {
            return Err(UNetError::Values { what: "gradient of the scores", found, expected });
        }
        let mut at_hidden =
            linear_gradient(parameters, "scores", &hidden, architecture.hidden, scores, gradients)?;
        // What the ReLU or dropout made zero gets nothing.
        for (n, gradient) in at_hidden.iter_mut().enumerate() {
            let kept = dropout.map_or(1.0, |dropout| dropout.hidden[n]);
            *gradient *= if hidden[n] > 0.0 { kept } else { 0.0 };
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
            at_features.iter_mut().zip(dropout.features).for_each(|(value, kept)| *value *= kept);
        }

        let [slices, height, width] = architecture.size_after(levels.len());
        let channels = architecture.widths.last().copied().unwrap_or(0);
        let mut arriving = engine.arena.map(Shape::new(batch * slices, channels, height, width));
        from_nchw(&at_features, arriving.view_mut());
        let mut pass = Backward { engine, parameters, gradients };
        while let Some(level) = levels.pop() {
            let n = levels.len();
            let slices = architecture.size_after(n)[0];
            let Level { first, second, active, in_slices } = level;
            if let Some(in_slices) = in_slices {
                arriving = pair_maxima_gradient(engine, in_slices.view(), arriving.view());
            }
            let mut at_active = engine.arena.map(active.shape());
            at_active.fill(Block::ZERO);
            let source = Source::new(active.view());
            max_pool_gradient(engine, source, arriving.view(), at_active.view_mut());
            drop(active);
            let Some(back) = pass.convolution(n, 2, slices, second, at_active, true)? else {
                break;
            };
            // Nobody wants the gradient of the images.
            let Some(back) = pass.convolution(n, 1, slices, first, back, n > 0)? else { break };
            arriving = back;
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
    /// From the gradient behind a convolution's norm and ReLU to that of its input, where that is `wanted`.
    fn convolution(
        &mut self,
        level: usize,
        index: usize,
        slices: usize,
        convolved: Convolved,
        mut gradient: FeatureMap,
        wanted: bool,
    ) -> Result<Option<FeatureMap>, UNetError> {
        let engine = self.engine;
        let Convolved { before, input, after, output, norm } = convolved;
        let source = Source::new(output.view());
        let gate = Gate { source, norm: &norm };
        let through =
            ReluGradient { gate, through: None, pooled: None }.run(engine, gradient.view_mut());
        norm_gradient(engine, source, &through, gradient.view_mut());
        let name = format!("level.{level}.norm{index}");
        self.gradients.put(format!("{name}.gamma"), &through.gamma);
        self.gradients.put(format!("{name}.beta"), &through.beta);

        let (from, to) = (input.shape().channels, output.shape().channels);
        let sources = [&before, &input, &after].map(|map| Source::new(map.view()));
        let name = format!("level.{level}.conv{index}.weight");
        let room = self.gradients.room(name, 27 * from * to);
        conv3x3::weight_gradient(engine, &sources, gradient.view(), room);
        if !wanted {
            return Ok(None);
        }
        let weights = weights(self.parameters, level, index, from, to)?;
        // The maps that were read are not needed any more: their gradients take their places.
        let (mut at_before, mut at_input, mut at_after) = (before, input, after);
        let outputs = [&mut at_before, &mut at_input, &mut at_after]
            .map(|map| GatedGradient { output: map.view_mut(), gate: None });
        conv3x3::input_gradient(engine, weights, gradient.view(), outputs.into());
        add_beside(&mut at_input, at_before.view(), slices, Beside::Before);
        add_beside(&mut at_input, at_after.view(), slices, Beside::After);
        Ok(Some(at_input))
    }
}

/// A linear layer's gradients, and that of what it read.
fn linear_gradient(
    parameters: &Parameters<'_>,
    name: &str,
    input: &[f32],
    from: usize,
    gradient: &[f32],
    gradients: &mut Gradients,
) -> Result<Vec<f32>, UNetError> {
    let batch = input.len() / from;
    let to = gradient.len() / batch.max(1);
    let weights = parameters.get(&format!("{name}.weight"), from * to)?;
    let (mut of_weights, mut of_bias) = (vec![0.0; from * to], vec![0.0; to]);
    let mut of_input = vec![0.0; input.len()];
    let add = |to: &mut [f32], factor: f32, from: &[f32]| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
    };
    for n in 0..batch {
        let (row, of_row) = (&input[n * from..][..from], &mut of_input[n * from..][..from]);
        for (output, &value) in gradient[n * to..][..to].iter().enumerate() {
            if value != 0.0 {
                add(&mut of_weights[output * from..][..from], value, row);
                add(of_row, value, &weights[output * from..][..from]);
                of_bias[output] += value;
            }
        }
    }
    gradients.put(format!("{name}.weight"), &of_weights);
    gradients.put(format!("{name}.bias"), &of_bias);
    Ok(of_input)
}
