//! Training of the network on examples drawn from label maps.

mod checkpoint;
mod config;
mod step;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc;

use deepmir_kernels::Engine;
use deepmir_kernels::parameters::Gradients;
use deepmir_net::Weights;
use deepmir_net::optimiser::{AdamW, Moments, follow};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use self::checkpoint::State;
use self::step::{Volume, gradients};
use crate::network::{architecture, architecture_of, initial};
use crate::synthesis::{Example, Head, draw};
use crate::{AnatomyError, Tissue};

pub use config::TrainingConfig;

/// Steps from one checkpoint to the next.
const CHECKPOINT_EVERY: u64 = 100;
/// Examples drawn in advance.
const DRAWN_AHEAD: usize = 2;
/// The checkpoint's name in a training's folder.
const CHECKPOINT: &str = "checkpoint.safetensors";

/// What a step showed.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Its number, from 1.
    pub step: u64,
    /// Its loss before the step was taken.
    pub loss: f64,
    /// Soft Dice of each tissue in the example.
    pub dice: [Option<f64>; Tissue::COUNT],
}

/// The heads that examples are drawn from.
#[derive(Clone, Debug)]
pub struct Heads {
    /// Of label maps.
    pub measured: Vec<Head>,
    /// Of the built-in anatomy.
    pub built_in: Vec<Head>,
}

/// Trains, or goes on with the training of a folder, and returns the averaged weights. `after_step` sees every step and
/// may end the training early; a checkpoint is written then, too. The same configuration and heads give the same
/// weights, interrupted or not.
///
/// # Errors
/// If a setting cannot be used, there is no head, the folder holds the training of another network or cannot be
/// written, or the loss becomes infinite.
pub fn train(
    config: &TrainingConfig,
    heads: &Heads,
    folder: &Path,
    engine: &Engine,
    after_step: &mut dyn FnMut(&StepReport) -> ControlFlow<()>,
) -> Result<Weights, AnatomyError> {
    config.validate()?;
    if heads.measured.is_empty() && heads.built_in.is_empty() {
        return Err(AnatomyError::Setting {
            name: "the number of heads",
            value: "0".to_owned(),
            must_be: "at least 1",
        });
    }
    let path = folder.join(CHECKPOINT);
    let mut state = resume_or_begin(config, &path)?;
    let first = state.moments.steps;
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::sync_channel(DRAWN_AHEAD);
        scope.spawn(move || {
            for step in first..config.steps {
                // The other end is gone where the training ended early.
                if send.send(example(config, heads, step)).is_err() {
                    break;
                }
            }
        });
        let mut found = Gradients::default();
        for step in first..config.steps {
            let Ok(example) = receive.recv() else { break };
            let report = take_step(config, engine, &mut state, &example, &mut found)?;
            let ends = after_step(&report).is_break();
            if ends || (step + 1).is_multiple_of(CHECKPOINT_EVERY) || step + 1 == config.steps {
                state.write(&path)?;
            }
            if ends {
                break;
            }
        }
        Ok::<(), AnatomyError>(())
    })?;
    Ok(state.average)
}

fn resume_or_begin(config: &TrainingConfig, path: &Path) -> Result<State, AnatomyError> {
    let architecture = architecture(&config.widths);
    if path.is_file() {
        let state = State::read(path)?;
        if architecture_of(&state.weights)? != architecture {
            let reason =
                "the folder holds the training of a network with other widths; train into another";
            return Err(AnatomyError::Checkpoint {
                path: path.to_owned(),
                reason: reason.to_owned(),
            });
        }
        return Ok(state);
    }
    let weights = initial(&architecture, config.seed);
    Ok(State { average: weights.clone(), weights, moments: Moments::default() })
}

/// The example of a step.
fn example(config: &TrainingConfig, heads: &Heads, step: u64) -> Example {
    let mut generator = ChaCha8Rng::seed_from_u64(config.seed);
    generator.set_stream(step + 1);
    let Heads { measured, built_in } = heads;
    let from_built_in = generator.random::<f32>() < config.built_in;
    let group = match (measured.is_empty(), built_in.is_empty()) {
        (true, _) => built_in,
        (_, true) => measured,
        _ if from_built_in => built_in,
        _ => measured,
    };
    let head = &group[generator.random_range(0..group.len())];
    draw(head, &config.synthesis, &mut generator)
}

fn take_step(
    config: &TrainingConfig,
    engine: &Engine,
    state: &mut State,
    example: &Example,
    found: &mut Gradients,
) -> Result<StepReport, AnatomyError> {
    let State { weights, moments, average } = state;
    let Example { shape, image, tissue, side } = example;
    let volume = Volume { shape: *shape, image, tissue, side };
    let loss = gradients(engine, &architecture(&config.widths), weights, volume, found)?;
    let steps = moments.steps;
    let step = steps + 1;
    let squares = |values: &Vec<f32>| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    let norm = found.0.values().map(squares).sum::<f64>().sqrt();
    if !(loss.total + norm).is_finite() {
        return Err(AnatomyError::Diverged { step });
    }
    let factor = (config.largest_gradient / norm).min(1.0) as f32;
    if factor < 1.0 {
        found.0.values_mut().flatten().for_each(|value| *value *= factor);
    }
    let adamw = AdamW { epsilon: 1e-8, weight_decay: config.weight_decay };
    adamw.step(config.rate(steps), weights, found, moments);
    // Early on the average follows closely.
    let decay = config.average_decay.min((1.0 + step as f32) / (10.0 + step as f32));
    follow(average, weights, 1.0 - decay);
    Ok(StepReport { step, loss: loss.total, dice: loss.dice })
}

#[cfg(test)]
mod tests;
