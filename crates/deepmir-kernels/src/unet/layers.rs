//! The layers of a level at inference, with batch norms folded in.

use crate::arena::FeatureMap;
use crate::block::{Map, MapMut};
use crate::conv3x3::PackedConv3x3;
use crate::engine::Engine;
use crate::prologue::Affine;
use crate::source::Source;
use crate::upconv::PackedUpConv;

/// Two 3×3 convolutions with ReLU.
#[derive(Debug)]
pub(super) struct DoubleConv {
    pub first: PackedConv3x3,
    pub second: PackedConv3x3,
}

impl DoubleConv {
    /// Runs both convolutions. Also writes the 2×2 maxima of the output to `pooled`, if given.
    pub fn run(
        &self,
        engine: &Engine,
        source: Source<'_>,
        output: MapMut<'_>,
        pooled: Option<&mut MapMut<'_>>,
    ) {
        let hidden = self.first(engine, &[source]);
        self.second.run(engine, &[Source::new(hidden.view())], true, output, pooled);
    }

    /// The output of the first convolution.
    fn first(&self, engine: &Engine, sources: &[Source<'_>]) -> FeatureMap {
        let shape = sources[0].map.shape().with_channels(self.first.outputs());
        let mut map = engine.arena.map(shape);
        self.first.run(engine, sources, true, map.view_mut(), None);
        map
    }
}

/// A level of the decoder: upsampling, concatenation and two convolutions.
#[derive(Debug)]
pub(super) struct UpBlock {
    pub up: PackedUpConv,
    /// Batch norm and ReLU of the encoder's channels after concatenation; the decoder's are
    /// folded into `up`.
    pub skip_norm: Option<Affine>,
    pub convolutions: DoubleConv,
}

impl UpBlock {
    /// Runs the level on the output of the level below and that of the encoder.
    pub fn run(&self, engine: &Engine, below: Map<'_>, skip: Map<'_>) -> FeatureMap {
        let mut upsampled = engine.arena.map(skip.shape());
        let relu = self.skip_norm.is_some();
        self.up.run(engine, Source::new(below), relu, upsampled.view_mut());
        let skip = match &self.skip_norm {
            Some(norm) => Source::norm_relu(skip, norm),
            None => Source::new(skip),
        };
        let hidden = self.convolutions.first(engine, &[skip, Source::new(upsampled.view())]);
        drop(upsampled);
        let mut output = engine.arena.map(skip.map.shape());
        let sources = [Source::new(hidden.view())];
        self.convolutions.second.run(engine, &sources, true, output.view_mut(), None);
        output
    }
}
