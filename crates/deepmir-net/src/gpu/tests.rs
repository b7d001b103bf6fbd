//! The two engines compute the same. These tests need a Vulkan device. Mesa 22.3's lavapipe crashes in its own code.

use deepmir_kernels::Engine;

use super::*;
use crate::cpu::{CpuNetwork, CpuTraining};
use crate::optimiser::{AdamW, Moments};
use crate::test_fixtures::{LOSS, assert_close, batch, fixture, follows_rounding, unet};
use crate::train::UNKNOWN;

const DEVICE: DeviceChoice = DeviceChoice::Gpu(0);

fn settings(name: &str) -> StepSettings {
    let adamw = AdamW { epsilon: 1e-7, weight_decay: 0.01 };
    StepSettings { architecture: unet(name), patch: [8, 12], loss: LOSS, adamw }
}

fn state(name: &str) -> TrainingState {
    let weights = fixture(&format!("{name}_weights"));
    let average = Some(weights.clone());
    TrainingState { weights, moments: Moments::default(), average }
}

#[track_caller]
fn assert_same_weights(name: &str, got: &Weights, want: &Weights) {
    assert!(got.0.keys().eq(want.0.keys()));
    for (tensor, want) in want.0.iter().filter(|(tensor, _)| !follows_rounding(name, tensor)) {
        assert_close(&got.0[tensor].values, &want.values, 1e-3, tensor);
    }
}

#[test]
fn probabilities_are_those_of_the_kernels() {
    for name in ["plain", "reference"] {
        let (architecture, weights) = (unet(name), fixture(&format!("{name}_weights")));
        let mut on_cpu = CpuNetwork::new(&architecture, &weights, &Engine::new()).unwrap();
        let mut on_gpu = networks(&architecture, &[weights], DEVICE).unwrap().remove(0);
        let (input, shape) = (batch(name).inputs, [2, 4, 12, 8]);
        let want = on_cpu.probabilities(input.clone(), shape).unwrap();
        assert_close(&on_gpu.probabilities(input, shape).unwrap(), &want, 1e-4, name);
    }
}

#[test]
fn ten_steps_are_those_of_the_kernels() {
    for name in ["plain", "reference"] {
        let mut on_cpu = CpuTraining::new(settings(name), state(name)).unwrap();
        let mut on_gpu = training(settings(name), state(name), DEVICE).unwrap();
        for _ in 0..10 {
            let mut losses = [0.0; 2];
            let engines: [&mut dyn TrainingEngine; 2] = [&mut on_cpu, &mut *on_gpu];
            for (engine, loss) in engines.into_iter().zip(&mut losses) {
                engine.step(&batch(name), 2e-3, 0.3).unwrap();
                *loss = engine.take_losses().unwrap();
            }
            assert!((losses[0] - losses[1]).abs() < 1e-4, "{name}: {losses:?}");
        }
        let (want, got) = (on_cpu.state().unwrap(), on_gpu.state().unwrap());
        assert_same_weights(name, &got.weights, &want.weights);
        assert_same_weights(name, &got.average.unwrap(), &want.average.unwrap());
        assert!(got.moments.first.keys().eq(want.moments.first.keys()));
    }
}

#[test]
fn unknown_pixels_count_no_more_than_on_the_kernels() {
    for name in ["plain", "reference"] {
        let mut batch = batch(name);
        batch.targets.iter_mut().step_by(3).for_each(|class| *class = UNKNOWN);
        let mut on_cpu = CpuTraining::new(settings(name), state(name)).unwrap();
        let mut on_gpu = training(settings(name), state(name), DEVICE).unwrap();
        for _ in 0..10 {
            on_cpu.step(&batch, 2e-3, 0.3).unwrap();
            on_gpu.step(&batch, 2e-3, 0.3).unwrap();
            let losses = [on_cpu.take_losses().unwrap(), on_gpu.take_losses().unwrap()];
            assert!((losses[0] - losses[1]).abs() < 1e-4, "{name}: {losses:?}");
        }
        let (want, got) = (on_cpu.state().unwrap(), on_gpu.state().unwrap());
        assert_same_weights(name, &got.weights, &want.weights);
    }
}

#[test]
fn one_engine_goes_on_where_the_other_stopped() {
    let name = "plain";
    let run = |engine: &mut dyn TrainingEngine| {
        (0..5).for_each(|_| engine.step(&batch(name), 2e-3, 0.3).unwrap());
        engine.state().unwrap()
    };
    let whole = {
        let mut engine = CpuTraining::new(settings(name), state(name)).unwrap();
        run(&mut engine);
        run(&mut engine)
    };
    let half = run(&mut *training(settings(name), state(name), DEVICE).unwrap());
    let ended = run(&mut CpuTraining::new(settings(name), half).unwrap());
    assert_eq!(ended.moments.steps, 10);
    assert_same_weights(name, &ended.weights, &whole.weights);
    let half = run(&mut CpuTraining::new(settings(name), state(name)).unwrap());
    let ended = run(&mut *training(settings(name), half, DEVICE).unwrap());
    assert_same_weights(name, &ended.weights, &whole.weights);
}

#[test]
fn a_gpu_that_is_not_there_is_an_error() {
    let error = networks(&unet("plain"), &[], DeviceChoice::Gpu(99)).err().unwrap();
    assert!(error.to_string().contains("there is no GPU 99"), "{error}");
}
