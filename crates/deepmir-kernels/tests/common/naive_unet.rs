//! The U-Net in f64, a line a layer, by the names of its tensors.

use std::collections::BTreeMap;

use deepmir_kernels::Shape;
use deepmir_kernels::unet::Architecture;

/// A map of f64 values, NCHW.
#[derive(Clone)]
pub struct Map {
    pub shape: Shape,
    pub values: Vec<f64>,
}

pub type Weights = BTreeMap<String, Vec<f64>>;

impl Map {
    fn zeros(shape: Shape) -> Self {
        Self { shape, values: vec![0.0; shape.values()] }
    }

    fn at(&self, n: usize, c: usize, y: usize, x: usize) -> usize {
        ((n * self.shape.channels + c) * self.shape.height + y) * self.shape.width + x
    }

    fn channel(&self, index: usize) -> usize {
        index / self.shape.pixels() % self.shape.channels
    }

    fn each(mut self, mut f: impl FnMut(usize, f64) -> f64) -> Self {
        for i in 0..self.values.len() {
            self.values[i] = f(self.channel(i), self.values[i]);
        }
        self
    }

    fn convolution(&self, weights: &[f64], bias: &[f64], size: usize) -> Self {
        let shape = self.shape;
        let mut out = Self::zeros(shape.with_channels(bias.len()));
        let border = size / 2;
        for n in 0..shape.batch {
            for (co, bias) in bias.iter().enumerate() {
                for y in 0..shape.height {
                    for x in 0..shape.width {
                        let mut sum = *bias;
                        for ci in 0..shape.channels {
                            for ky in 0..size {
                                for kx in 0..size {
                                    let (iy, ix) = (y + ky, x + kx);
                                    let inside = (border..shape.height + border).contains(&iy)
                                        && (border..shape.width + border).contains(&ix);
                                    if inside {
                                        let w =
                                            ((co * shape.channels + ci) * size + ky) * size + kx;
                                        sum += weights[w]
                                            * self.values[self.at(n, ci, iy - border, ix - border)];
                                    }
                                }
                            }
                        }
                        let at = out.at(n, co, y, x);
                        out.values[at] = sum;
                    }
                }
            }
        }
        out
    }

    fn upconv(&self, weights: &[f64], bias: &[f64]) -> Self {
        let (s, outputs) = (self.shape, bias.len());
        let mut out = Self::zeros(Shape::new(s.batch, outputs, 2 * s.height, 2 * s.width));
        for n in 0..s.batch {
            for (co, bias) in bias.iter().enumerate() {
                for y in 0..2 * s.height {
                    for x in 0..2 * s.width {
                        let tap = y % 2 * 2 + x % 2;
                        let sum: f64 = (0..s.channels)
                            .map(|ci| {
                                self.values[self.at(n, ci, y / 2, x / 2)]
                                    * weights[(ci * outputs + co) * 4 + tap]
                            })
                            .sum();
                        let at = out.at(n, co, y, x);
                        out.values[at] = sum + bias;
                    }
                }
            }
        }
        out
    }

    fn pooled(&self) -> Self {
        let s = self.shape;
        let mut out = Self::zeros(Shape { height: s.height / 2, width: s.width / 2, ..s });
        for n in 0..s.batch {
            for c in 0..s.channels {
                for y in 0..s.height / 2 {
                    for x in 0..s.width / 2 {
                        let at = out.at(n, c, y, x);
                        out.values[at] = [(0, 0), (0, 1), (1, 0), (1, 1)]
                            .map(|(i, j)| self.values[self.at(n, c, 2 * y + i, 2 * x + j)])
                            .into_iter()
                            .fold(f64::NEG_INFINITY, f64::max);
                    }
                }
            }
        }
        out
    }

    fn joined(&self, other: &Self) -> Self {
        let channels = self.shape.channels + other.shape.channels;
        let mut out = Self { shape: self.shape.with_channels(channels), values: Vec::new() };
        for n in 0..self.shape.batch {
            for map in [self, other] {
                let size = map.shape.channels * map.shape.pixels();
                out.values.extend(&map.values[n * size..][..size]);
            }
        }
        out
    }
}

/// A network in f64.
pub struct NaiveUNet<'a> {
    pub architecture: &'a Architecture,
    pub weights: &'a Weights,
    /// Whether batch norms use the batch's statistics, or the running ones.
    pub training: bool,
}

impl NaiveUNet<'_> {
    fn get(&self, name: &str) -> &[f64] {
        &self.weights[name]
    }

    fn norm_relu(&self, map: Map, name: &str) -> Map {
        let (mut mean, mut variance) = (
            self.get(&format!("{name}.running_mean")).to_vec(),
            self.get(&format!("{name}.running_var")).to_vec(),
        );
        if self.training {
            let count = (map.shape.batch * map.shape.pixels()) as f64;
            mean.fill(0.0);
            variance.fill(0.0);
            for (i, x) in map.values.iter().enumerate() {
                mean[map.channel(i)] += x / count;
            }
            for (i, x) in map.values.iter().enumerate() {
                variance[map.channel(i)] += (x - mean[map.channel(i)]).powi(2) / count;
            }
        }
        let (gamma, beta) = (self.get(&format!("{name}.gamma")), self.get(&format!("{name}.beta")));
        let epsilon = f64::from(self.architecture.epsilon);
        map.each(|c, x| {
            (gamma[c] * (x - mean[c]) / (variance[c] + epsilon).sqrt() + beta[c]).max(0.0)
        })
    }

    fn block(&self, map: &Map, name: &str) -> Map {
        let mut here = map.clone();
        for i in [1, 2] {
            let weights = self.get(&format!("{name}.conv{i}.weight"));
            let bias = self.get(&format!("{name}.conv{i}.bias"));
            here = self.norm_relu(here.convolution(weights, bias, 3), &format!("{name}.norm{i}"));
        }
        here
    }

    /// The scores.
    pub fn run(&self, input: Map) -> Map {
        let (mut here, mut skips) = (input, Vec::new());
        for level in 0..self.architecture.widths.len() {
            here = self.block(&here, &format!("encoder.{level}"));
            if level < self.architecture.poolings() {
                skips.push(here.clone());
                here = here.pooled();
            }
        }
        for level in (0..self.architecture.poolings()).rev() {
            let name = format!("decoder.{level}");
            let (weights, bias) = (format!("{name}.up.weight"), format!("{name}.up.bias"));
            here = skips[level].joined(&here.upconv(self.get(&weights), self.get(&bias)));
            if self.architecture.norm_after_concatenation {
                here = self.norm_relu(here, &format!("{name}.concatenated"));
            }
            here = self.block(&here, &format!("{name}.block"));
        }
        here.convolution(self.get("head.weight"), self.get("head.bias"), 1)
    }
}
