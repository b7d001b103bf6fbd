//! How long a study will take and how much disk space it needs, from a few measured steps of each network.

use std::time::{Duration, Instant};

use deepmir_cases::{CaseFiles, lesion_classes};
use deepmir_net::train::Event;
use deepmir_net::{DeviceChoice, Plan};

use crate::StudyError;
use crate::plan::cell::Cell;
use crate::plan::layout::StudyPlan;
use crate::run::cell::{Done, training};

/// Steps that are measured; the first, which warms up, is not.
const STEPS: u64 = 4;

/// What one arm will take.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The arm's name.
    pub arm: String,
    /// Parameters of the network.
    pub parameters: usize,
    /// Its cells that are not finished, of how many.
    pub cells: (usize, usize),
    /// One training step.
    pub step: Duration,
    /// Validating or predicting one scan, without reading it.
    pub scan: Duration,
    /// Reading and preparing one scan.
    pub reading: Duration,
    /// All its cells that are not finished, one after another.
    pub total: Duration,
    /// Size of its cells' results, in bytes.
    pub kept_bytes: u64,
    /// Further space, in bytes, until the study is done: prepared images, counted for the first of
    /// the arms that share them, and checkpoints.
    pub working_bytes: u64,
}

/// Measures a few steps of each arm on one training and one validation subject, in a
/// temporary folder.
///
/// # Errors
/// Whatever a training meets.
pub fn estimate(
    plan: &StudyPlan,
    device: DeviceChoice,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Estimate>, StudyError> {
    let mut estimates = Vec::new();
    let mut prepared = Vec::new();
    let training_scans =
        plan.participants.cohort.cases.len() + plan.participants.extra_training.len();
    for (number, arm) in plan.arms.iter().enumerate() {
        let cells: Vec<&Cell> = plan.cells.iter().filter(|cell| cell.arm == number).collect();
        let Some(first) = cells.first() else { continue };
        let mut open = Vec::new();
        for &cell in &cells {
            if Done::read(&plan.folder(cell))?.is_none() {
                open.push(cell);
            }
        }
        let measured = measure(plan, first, device)?;
        let config = &arm.preset.training;
        let validations = config.steps.div_ceil(config.validate_every);
        let parameters = arm.preset.architecture.parameter_count();
        let scans: usize = cells.iter().map(|cell| plan.fold(cell).held_out.len()).sum();
        let Plan { inputs, voxel_mm, normalisation, .. } = arm.preset.plan.clone();
        let images = (inputs, voxel_mm, normalisation);
        let shared = prepared.contains(&images);
        let stored = if shared { 0 } else { training_scans as u64 * measured.prepared_bytes };
        prepared.push(images);
        let total: Duration = open
            .iter()
            .map(|cell| {
                let fold = plan.fold(cell);
                let chosen = fold.validation.len() as u32;
                let predicted = fold.held_out.len() as u32;
                let flips = if arm.flips { 4 } else { 1 };
                measured.step.mul_f64(config.steps as f64)
                    + measured.scan * chosen * validations as u32
                    + measured.reading * chosen
                    + (measured.reading * 2 + measured.scan * flips) * predicted
            })
            .sum();
        let reading = if shared || open.is_empty() { 0 } else { training_scans as u32 };
        estimates.push(Estimate {
            arm: arm.name.clone(),
            parameters,
            cells: (open.len(), cells.len()),
            step: measured.step,
            scan: measured.scan,
            reading: measured.reading,
            total: total + measured.reading * reading,
            kept_bytes: cells.len() as u64 * 2 * parameters as u64 + scans as u64 * SCAN_BYTES,
            working_bytes: stored + 24 * parameters as u64,
        });
        progress(estimates.len());
    }
    Ok(estimates)
}

/// A scan's label map, candidates and table, gzipped.
const SCAN_BYTES: u64 = 60_000;

struct Measured {
    step: Duration,
    scan: Duration,
    reading: Duration,
    prepared_bytes: u64,
}

fn measure(plan: &StudyPlan, cell: &Cell, device: DeviceChoice) -> Result<Measured, StudyError> {
    let failed = |source| StudyError::Write { path: std::env::temp_dir(), source };
    let folder = tempfile::tempdir().map_err(failed)?;
    let mut training = training(plan, cell, device);
    training.output = folder.path().join("training");
    training.cache = folder.path().join("cache");
    for side in [&mut training.training, &mut training.extra_training, &mut training.validation] {
        // One with a lesion: without any there is nothing to learn.
        let has_lesion = |case: &CaseFiles| lesion_classes(case).is_ok_and(|all| !all.is_empty());
        let place = side.iter().position(has_lesion).unwrap_or(0);
        side.rotate_left(place);
        side.truncate(1);
    }
    training.config.steps = STEPS;
    training.config.validate_every = STEPS;
    training.config.warmup_steps = training.config.warmup_steps.min(1);

    let begun = Instant::now();
    let mut prepared = begun;
    let mut steps = Vec::new();
    let mut validated = begun;
    training.run(&mut |event| match event {
        Event::Prepared { .. } => prepared = Instant::now(),
        Event::Step { .. } => steps.push(Instant::now()),
        Event::Validated { .. } => validated = Instant::now(),
        _ => {}
    })?;
    let bytes = std::fs::read_dir(&training.cache)
        .map_err(failed)?
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len());
    let prepared_bytes = bytes.sum();
    let (first, last) = (steps.first().copied(), steps.last().copied());
    let (first, last) = (first.unwrap_or(prepared), last.unwrap_or(prepared));
    Ok(Measured {
        step: (last - first) / (STEPS - 1) as u32,
        scan: validated - last,
        reading: (prepared - begun) / 2,
        prepared_bytes,
    })
}
