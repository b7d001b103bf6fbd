//! 3×3 convolutions with stride 1 and a border of zeros.

mod filter;
mod packed;
mod train;

pub(crate) use filter::Filter;
pub use packed::PackedConv3x3;
pub use train::{GatedGradient, forward, input_gradient, weight_gradient};

use crate::block::MapMut;
use crate::engine::Engine;
use crate::source::Source;
use crate::winograd::{Convolution, Finish, convolve};

impl PackedConv3x3 {
    /// Channels it writes.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs.total()
    }

    /// Convolves `sources`, joined along their channels, adds the bias, and cuts at zero if
    /// `relu`. The 2×2 maxima of the result are written on the way if `pooled` is there.
    ///
    /// # Panics
    /// If the maps do not fit the weights or one another.
    pub fn run(
        &self,
        engine: &Engine,
        sources: &[Source<'_>],
        relu: bool,
        output: MapMut<'_>,
        pooled: Option<&mut MapMut<'_>>,
    ) {
        let shape = output.shape();
        check_sources(sources, shape, self.inputs.total());
        assert_eq!(shape.channels, self.outputs.total(), "channels of a 3×3 convolution");
        if let Some(pooled) = &pooled {
            let expected =
                crate::Shape { height: shape.height / 2, width: shape.width / 2, ..shape };
            assert_eq!(pooled.shape(), expected, "shape of the maxima");
        }
        let finishes: Vec<_> =
            self.bias.iter().map(|bias| Finish { bias: Some(bias), relu, gate: None }).collect();
        let convolution =
            Convolution { sources, filter: Filter::Packed(self), finishes: &finishes, sums: false };
        convolve(engine, &convolution, &mut [output], pooled);
    }
}

/// # Panics
/// If the sources have not the batch and size of `shape`, or not `channels` together.
fn check_sources(sources: &[Source<'_>], shape: crate::Shape, channels: usize) {
    for source in sources {
        let read = source.map.shape();
        assert_eq!(read.with_channels(shape.channels), shape, "maps of a 3×3 convolution");
    }
    let read: usize = sources.iter().map(|source| source.map.shape().channels).sum();
    assert_eq!(read, channels, "channels of a 3×3 convolution");
}
