//! The optimiser AdamW on the CPU, and moving averages of weights.

use std::collections::BTreeMap;

use deepmir_kernels::parameters::Gradients;
use rayon::prelude::*;

use crate::Weights;

/// Decay of the mean gradient.
pub(crate) const BETA_1: f32 = 0.9;
/// Decay of the mean squared gradient.
pub(crate) const BETA_2: f32 = 0.999;
/// Values that one thread updates at a time.
const CHUNK: usize = 1 << 14;

/// AdamW (Loshchilov and Hutter 2019): Adam with bias correction, and weight decay apart from the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Added to the root of the mean squared gradient.
    pub epsilon: f32,
    /// Share of a weight that a step takes away at learning rate 1.
    pub weight_decay: f32,
}

/// Exponential means of the gradients and of their squares, by tensor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// Steps taken.
    pub steps: u64,
    /// Mean gradients.
    pub first: BTreeMap<String, Vec<f32>>,
    /// Mean squared gradients.
    pub second: BTreeMap<String, Vec<f32>>,
}

/// The factors of one AdamW step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Factors {
    /// What is left of a weight after decay.
    pub kept: f32,
    /// The learning rate.
    pub rate: f32,
    /// Divides the mean gradient, against its start from zero.
    pub correction_1: f32,
    /// Divides the mean squared gradient likewise.
    pub correction_2: f32,
}

impl AdamW {
    /// The factors of the step after `steps` others.
    pub(crate) fn factors(&self, rate: f64, steps: u64) -> Factors {
        let power = i32::try_from(steps + 1).unwrap_or(i32::MAX);
        Factors {
            kept: (1.0 - rate * f64::from(self.weight_decay)) as f32,
            rate: rate as f32,
            correction_1: 1.0 - BETA_1.powi(power),
            correction_2: 1.0 - BETA_2.powi(power),
        }
    }

    /// Takes one step in every tensor that has a gradient.
    pub fn step(
        &self,
        rate: f64,
        weights: &mut Weights,
        gradients: &Gradients,
        moments: &mut Moments,
    ) {
        let factors = self.factors(rate, moments.steps);
        moments.steps += 1;
        let Moments { first, second, .. } = moments;
        for (name, gradient) in &gradients.0 {
            for means in [&mut *first, &mut *second] {
                // Allocates at the first step only.
                if !means.contains_key(name) {
                    means.insert(name.clone(), vec![0.0; gradient.len()]);
                }
            }
        }
        let mut weights: BTreeMap<_, _> = weights.0.iter_mut().collect();
        let mut first: BTreeMap<_, _> = first.iter_mut().collect();
        let mut second: BTreeMap<_, _> = second.iter_mut().collect();
        let tensors = gradients.0.iter().filter_map(|(name, gradient)| {
            let means = (first.remove(name)?, second.remove(name)?);
            Some((&mut weights.remove(name)?.values, gradient, means))
        });
        let chunks: Vec<_> = tensors
            .flat_map(|(values, gradient, (first, second))| {
                let values = values.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK));
                values.zip(first.chunks_mut(CHUNK).zip(second.chunks_mut(CHUNK)))
            })
            .collect();
        chunks.into_par_iter().for_each(|((values, gradient), (first, second))| {
            let means = first.iter_mut().zip(second);
            for ((value, &gradient), (first, second)) in values.iter_mut().zip(gradient).zip(means)
            {
                *first = BETA_1 * *first + (1.0 - BETA_1) * gradient;
                *second = BETA_2 * *second + (1.0 - BETA_2) * gradient * gradient;
                let root = (*second / factors.correction_2).sqrt() + self.epsilon;
                let change = *first / factors.correction_1 / root;
                *value = *value * factors.kept - factors.rate * change;
            }
        });
    }
}

/// Moves an average by `rate` of the difference towards weights of the same network, running statistics included.
pub fn follow(average: &mut Weights, weights: &Weights, rate: f32) {
    let tensors = average.0.values_mut().zip(weights.0.values());
    let chunks: Vec<_> = tensors
        .flat_map(|(here, there)| here.values.chunks_mut(CHUNK).zip(there.values.chunks(CHUNK)))
        .collect();
    chunks.into_par_iter().for_each(|(here, there)| {
        here.iter_mut().zip(there).for_each(|(here, there)| *here += (there - *here) * rate);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_fixtures::{assert_close, fixture};

    #[test]
    fn ten_steps_and_their_average_are_pytorchs() {
        let fixture = fixture("optimiser");
        let tensors = |prefix: String| {
            let tensor = |name: &str| fixture.get(&format!("{prefix}{name}")).unwrap().clone();
            ["bias", "kernel"].map(|name| (name.to_owned(), tensor(name)))
        };
        let mut weights = Weights(tensors("0.".to_owned()).into());
        let mut average = weights.clone();
        let mut moments = Moments::default();
        let adamw = AdamW { epsilon: 1e-7, weight_decay: 0.05 };
        for step in 1..=10 {
            let gradients = tensors(format!("{step}.gradient."));
            let gradients = Gradients(gradients.map(|(name, one)| (name, one.values)).into());
            adamw.step(1e-2 * step as f64 / 10.0, &mut weights, &gradients, &mut moments);
            let decay = 0.9_f32.min((1.0 + step as f32) / (10.0 + step as f32));
            follow(&mut average, &weights, 1.0 - decay);
            for (name, want) in tensors(format!("{step}.")) {
                assert_close(&weights.0[&name].values, &want.values, 1e-6, &name);
            }
        }
        assert_eq!(moments.steps, 10);
        for (name, want) in tensors("average.".to_owned()) {
            assert_close(&average.0[&name].values, &want.values, 1e-6, &name);
        }
    }

    #[test]
    fn a_tensor_without_a_gradient_stays() {
        let tensor = crate::Tensor { shape: vec![2], values: vec![1.0, -2.0] };
        let mut weights =
            Weights(["a", "b", "c"].map(|name| (name.to_owned(), tensor.clone())).into());
        let gradients = Gradients([("b".to_owned(), vec![0.5, 0.0])].into());
        let adamw = AdamW { epsilon: 1e-7, weight_decay: 0.0 };
        adamw.step(0.1, &mut weights, &gradients, &mut Moments::default());
        assert_eq!((&weights.0["a"], &weights.0["c"]), (&tensor, &tensor));
        // The first step is the learning rate long, whatever the gradient.
        assert_close(&weights.0["b"].values, &[0.9, -2.0], 1e-6, "b");
    }
}
