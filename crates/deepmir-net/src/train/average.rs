//! The exponential moving average of a network's weights.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};

use crate::{Architecture, NetError, UNet, Weights};

/// A network whose weights follow another's. It stays on the same device: transferring the weights after each step
/// would take longer than the step.
pub(super) struct Average {
    net: UNet,
}

impl Average {
    /// Starts from `weights`. `device` is the other network's, without autodiff.
    ///
    /// # Errors
    /// If the weights do not fit the architecture.
    pub(super) fn new(
        architecture: &Architecture,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, NetError> {
        Ok(Self { net: UNet::new(architecture, weights, device)? })
    }

    /// Moves by `rate` of the difference towards the weights and running statistics of `net`, of the same
    /// architecture.
    pub(super) fn follow(&mut self, net: &UNet, rate: f32) {
        let mut there = Flat::default();
        net.valid().visit(&mut there);
        let mut mover = Mover { there: there.0.into_iter(), rate };
        self.net = self.net.clone().map(&mut mover);
    }

    /// The current weights.
    pub(super) fn weights(&self) -> Weights {
        self.net.weights()
    }
}

/// Collects tensors, flattened, in the order in which every network of an architecture is visited.
#[derive(Default)]
struct Flat(Vec<Tensor<1>>);

impl ModuleVisitor for Flat {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().reshape([-1]));
    }
}

/// Moves tensors towards collected ones.
struct Mover {
    there: std::vec::IntoIter<Tensor<1>>,
    rate: f32,
}

impl ModuleMapper for Mover {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(there) = self.there.next() else { return param };
        param.map(|here| {
            let there = there.reshape(here.shape());
            here.clone() + (there - here) * self.rate
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset;

    #[test]
    fn an_average_moves_by_its_rate_in_every_tensor() {
        let architecture = Architecture { widths: vec![4, 6], ..preset::deepmir().architecture };
        let from = Weights::initial(&architecture, 1);
        let mut towards = Weights::initial(&architecture, 2);
        let statistics = towards.0.get_mut("encoder.0.norm1.running_mean").unwrap();
        statistics.values.fill(8.0);
        let device = Device::flex();
        let net = UNet::new(&architecture, &towards, &device.clone().autodiff()).unwrap();
        let mut average = Average::new(&architecture, &from, &device).unwrap();
        average.follow(&net, 0.25);
        let moved = average.weights();
        for (name, tensor) in &from.0 {
            let ends = tensor.values.iter().zip(&towards.0[name].values);
            for ((from, towards), moved) in ends.zip(&moved.0[name].values) {
                assert!((moved - (0.75 * from + 0.25 * towards)).abs() < 1e-6, "{name}");
            }
        }
        assert_eq!(moved.0["encoder.0.norm1.running_mean"].values, [2.0; 4]);
    }
}
