//! The running average of a network's weights.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};

use crate::{Architecture, NetError, UNet, Weights};

/// A network whose weights follow another's. It lives on the same device, as fetching the other's
/// weights after each step would take longer than the step.
pub(super) struct Average {
    net: UNet,
}

impl Average {
    /// Begins with `weights`. `device` is the other network's, without autodiff.
    ///
    /// # Errors
    /// If the weights are not those of the architecture.
    pub(super) fn new(
        architecture: &Architecture,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, NetError> {
        Ok(Self { net: UNet::new(architecture, weights, device)? })
    }

    /// Moves by `rate` of the difference to the weights of `net`, running statistics included.
    pub(super) fn follow(&mut self, net: &UNet, rate: f32) {
        let mut there = Flat::default();
        net.valid().visit(&mut there);
        let mut mover = Mover { there: there.found, rate, path: Vec::new() };
        self.net = self.net.clone().map(&mut mover);
    }

    /// The weights now.
    pub(super) fn weights(&self) -> Weights {
        self.net.weights()
    }
}

/// Collects tensors by path, as rows of numbers.
#[derive(Default)]
struct Flat {
    path: Vec<String>,
    found: HashMap<String, Tensor<1>>,
}

impl ModuleVisitor for Flat {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.insert(self.path.join("."), param.val().reshape([-1]));
    }
}

/// Moves tensors towards others of the same path.
struct Mover {
    there: HashMap<String, Tensor<1>>,
    rate: f32,
    path: Vec<String>,
}

impl ModuleMapper for Mover {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(there) = self.there.remove(&self.path.join(".")) else { return param };
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
        let architecture =
            Architecture { widths: vec![4, 6], ..preset::deepmir().architecture.clone() };
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
