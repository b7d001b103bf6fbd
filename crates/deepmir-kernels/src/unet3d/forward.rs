//! The forward pass, in training and for inference.

use super::Architecture;
use super::layers::{Convolved, Padded, add_upsampled, convolution, pool};
use crate::arena::FeatureMap;
use crate::block::Shape;
use crate::conv1x1::PackedConv1x1;
use crate::engine::Engine;
use crate::error::{KernelError, validate_values};
use crate::layout::from_nchw;
use crate::parameters::Parameters;
use crate::source::Source;

/// A forward pass in training, with what the backward pass needs.
#[derive(Debug)]
pub struct Step {
    pub(super) architecture: Architecture,
    /// From full resolution to the centre.
    pub(super) encoder: Vec<EncoderLevel>,
    /// From full resolution down.
    pub(super) decoder: Vec<DecoderLevel>,
}

/// What a level of the encoder stores.
#[derive(Debug)]
pub(super) struct EncoderLevel {
    pub input: Padded,
    pub convolved: [Convolved; 2],
    /// The maxima within slices, if there is a level below.
    pub pooled_in_plane: Option<FeatureMap>,
}

/// What a level of the decoder stores.
#[derive(Debug)]
pub(super) struct DecoderLevel {
    /// The encoder's features plus those from below.
    pub sum: Padded,
    pub convolved: Vec<Convolved>,
}

struct Forward<'a> {
    engine: &'a Engine,
    architecture: &'a Architecture,
    parameters: &'a Parameters<'a>,
}

impl Forward<'_> {
    fn input(&self, input: &[f32], size: [usize; 3]) -> Result<Padded, KernelError> {
        self.architecture.validate()?;
        self.architecture.validate_size(size)?;
        let [slices, height, width] = size;
        let shape = Shape::new(slices, 1, height, width);
        validate_values("input", input.len(), shape.values())?;
        let mut map = Padded::new(self.engine, shape);
        from_nchw(input, map.view_mut());
        Ok(map)
    }

    fn convolution(
        &self,
        part: &str,
        level: usize,
        index: usize,
        input: &Padded,
    ) -> Result<Convolved, KernelError> {
        let Architecture { widths, epsilon, .. } = self.architecture;
        let name = format!("{part}.{level}");
        convolution(self.engine, self.parameters, (&name, index), input, widths[level], *epsilon)
    }

    fn linear(
        &self,
        name: &str,
        input: &Padded,
        outputs: usize,
    ) -> Result<FeatureMap, KernelError> {
        let shape = input.shape();
        let weights = self.parameters.get(&format!("{name}.weight"), shape.channels * outputs)?;
        let bias = self.parameters.get(&format!("{name}.bias"), outputs)?;
        let mut output = self.engine.arena.map(shape.with_channels(outputs));
        let packed = PackedConv1x1::new(weights, &[shape.channels], bias);
        packed.run(self.engine, &[Source::new(input.view())], output.view_mut());
        Ok(output)
    }

    /// Adds what comes from below to the features of a level's encoder.
    fn add_from_below(
        &self,
        level: usize,
        below: &Padded,
        sum: &mut Padded,
    ) -> Result<(), KernelError> {
        let width = self.architecture.widths[level];
        let projected = self.linear(&format!("decoder.{level}.project"), below, width)?;
        add_upsampled(sum.view_mut(), projected.view());
        Ok(())
    }
}

impl Step {
    /// Runs a volume of `[slice][row][column]`; `size` is their numbers. Also returns the scores (logits), with the slices
    /// as the batch.
    ///
    /// # Errors
    /// If the architecture is invalid, a tensor is missing, the sides are no multiples of
    /// [`Architecture::size_multiple`], or `input` has another number of values.
    pub fn forward(
        engine: &Engine,
        architecture: &Architecture,
        parameters: &Parameters<'_>,
        input: &[f32],
        size: [usize; 3],
    ) -> Result<(Self, FeatureMap), KernelError> {
        let pass = Forward { engine, architecture, parameters };
        let mut next = Some(pass.input(input, size)?);
        let levels = architecture.widths.len();
        let mut encoder = Vec::new();
        for level in 0..levels {
            let Some(input) = next.take() else { break };
            let first = pass.convolution("encoder", level, 1, &input)?;
            let second = pass.convolution("encoder", level, 2, &first.activation)?;
            let mut pooled_in_plane = None;
            if level + 1 < levels {
                let (in_plane, pooled) = pool(engine, &second.activation);
                (pooled_in_plane, next) = (Some(in_plane), Some(pooled));
            }
            encoder.push(EncoderLevel { input, convolved: [first, second], pooled_in_plane });
        }
        let mut decoder: Vec<DecoderLevel> = Vec::new();
        for level in (0..levels - 1).rev() {
            let below = match decoder.last().and_then(|level| level.convolved.last()) {
                Some(convolved) => &convolved.activation,
                None => &encoder[level + 1].convolved[1].activation,
            };
            let skip = &encoder[level].convolved[1].activation;
            let mut sum = Padded::new(engine, skip.shape());
            sum.view_mut().blocks().copy_from_slice(skip.view().blocks());
            pass.add_from_below(level, below, &mut sum)?;
            let mut convolved: Vec<Convolved> = Vec::new();
            for index in 1..=Architecture::decoder_convolutions(level) {
                let input = convolved.last().map_or(&sum, |last| &last.activation);
                convolved.push(pass.convolution("decoder", level, index, input)?);
            }
            decoder.push(DecoderLevel { sum, convolved });
        }
        decoder.reverse();
        let step = Self { architecture: architecture.clone(), encoder, decoder };
        let scores = pass.linear("head", &step.last().activation, architecture.outputs)?;
        Ok((step, scores))
    }

    /// What the output layer reads.
    pub(super) fn last(&self) -> &Convolved {
        let decoder = self.decoder.first().and_then(|level| level.convolved.last());
        decoder.unwrap_or(&self.encoder[0].convolved[1])
    }
}

/// The scores (logits) of a volume of `[slice][row][column]`, with the slices as the batch: as [`Step::forward`] gives
/// them, in less memory.
///
/// # Errors
/// As [`Step::forward`].
pub fn scores(
    engine: &Engine,
    architecture: &Architecture,
    parameters: &Parameters<'_>,
    input: &[f32],
    size: [usize; 3],
) -> Result<FeatureMap, KernelError> {
    let pass = Forward { engine, architecture, parameters };
    let mut map = pass.input(input, size)?;
    let levels = architecture.widths.len();
    let mut skips = Vec::new();
    for level in 0..levels {
        for index in [1, 2] {
            map = pass.convolution("encoder", level, index, &map)?.activation;
        }
        if level + 1 < levels {
            let pooled = pool(engine, &map).1;
            skips.push(std::mem::replace(&mut map, pooled));
        }
    }
    for level in (0..levels - 1).rev() {
        let Some(mut sum) = skips.pop() else { break };
        pass.add_from_below(level, &map, &mut sum)?;
        map = sum;
        for index in 1..=Architecture::decoder_convolutions(level) {
            map = pass.convolution("decoder", level, index, &map)?.activation;
        }
    }
    pass.linear("head", &map, architecture.outputs)
}
