//! The network equals PyTorch's: outputs, running statistics, gradients.

use std::path::PathBuf;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use deepmir_net::architecture::Output;
use deepmir_net::train::{LossConfig, loss};
use deepmir_net::{Architecture, UNet, Weights};

fn load(name: &str) -> Weights {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    Weights::read(&path.join(format!("{name}.safetensors"))).unwrap()
}

fn architecture(name: &str) -> Architecture {
    let reference = name == "reference";
    Architecture {
        input_channels: 4,
        widths: vec![3, 5, 6],
        output_channels: if reference { 1 } else { 3 },
        output: if reference { Output::Sigmoid } else { Output::Softmax },
        norm_after_concatenation: reference,
        norm_epsilon: if reference { 1e-3 } else { 1e-5 },
        norm_momentum: if reference { 0.01 } else { 0.1 },
    }
}

fn tensor(weights: &Weights, name: &str, device: &Device) -> Tensor<4> {
    let tensor = weights.get(name).unwrap();
    Tensor::from_data(TensorData::new(tensor.values.clone(), tensor.shape.clone()), device)
}

#[track_caller]
fn assert_close(got: &[f32], want: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{what}: {got} for {want}");
    }
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// One-hot targets `[batch, channels, height, width]` of class numbers.
fn one_hot(case: &Weights, channels: usize, device: &Device) -> Tensor<4> {
    let target = case.get("target").unwrap();
    let [batch, height, width] = [target.shape[0], target.shape[1], target.shape[2]];
    let area = height * width;
    let mut hot = vec![0.0; batch * channels * area];
    for (n, &class) in target.values.iter().enumerate() {
        let (image, pixel) = (n / area, n % area);
        if channels == 1 {
            hot[image * area + pixel] = class;
        } else {
            hot[(image * channels + class as usize) * area + pixel] = 1.0;
        }
    }
    Tensor::from_data(TensorData::new(hot, [batch, channels, height, width]), device)
}

#[test]
fn outputs_in_evaluation_are_pytorchs() {
    let device = Device::flex();
    for name in ["plain", "reference"] {
        let case = load(&format!("{name}_case"));
        let net = UNet::new(&architecture(name), &load(&format!("{name}_weights")), &device);
        let scores = net.unwrap().forward(tensor(&case, "input", &device));
        assert_close(&values(scores), &case.get("evaluated").unwrap().values, 1e-5, name);
    }
}

#[test]
fn outputs_statistics_loss_and_gradients_in_training_are_pytorchs() {
    let device = Device::flex().autodiff();
    for name in ["plain", "reference"] {
        let architecture = architecture(name);
        let case = load(&format!("{name}_case"));
        let net = UNet::new(&architecture, &load(&format!("{name}_weights")), &device).unwrap();
        let scores = net.forward(tensor(&case, "input", &device));
        assert_close(
            &values(scores.clone()),
            &case.get("trained").unwrap().values,
            1e-5,
            &format!("{name} trained"),
        );

        let config = LossConfig {
            cross_entropy: 1.0,
            overlap: 0.0,
            false_positive: 0.5,
            false_negative: 0.5,
        };
        let targets = one_hot(&case, architecture.output_channels, &device);
        let loss = loss(scores, targets, architecture.output, &config);
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        assert_close(
            &loss.into_data().iter::<f32>().collect::<Vec<_>>(),
            &case.get("loss").unwrap().values,
            1e-5,
            "loss",
        );

        let weights = net.weights();
        let statistics = load(&format!("{name}_statistics"));
        for (statistic, want) in &statistics.0 {
            assert_close(&weights.get(statistic).unwrap().values, &want.values, 1e-5, statistic);
        }
        let mut checker = GradientChecker {
            gradients,
            wanted: load(&format!("{name}_gradients")),
            path: Vec::new(),
            checked: 0,
        };
        net.visit(&mut checker);
        assert_eq!(checker.checked, checker.wanted.0.len());
    }
}

struct GradientChecker {
    gradients: GradientsParams,
    wanted: Weights,
    path: Vec<String>,
    checked: usize,
}

impl ModuleVisitor for GradientChecker {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return };
        let got: Vec<f32> = gradient.into_data().iter::<f32>().collect();
        assert_close(&got, &self.wanted.get(&name).unwrap().values, 1e-4, &name);
        self.checked += 1;
    }
}
