//! `deepmir study`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use comfy_table::{CellAlignment, Table, presets};
use deepmir_cases::outputs::check_not_written_over;
use deepmir_net::train::Event;
use deepmir_study::{
    Cell, CellEvent, CellState, Collected, StudyPlan, collect, estimate, run_cell, states,
};

use super::warn_of;
use crate::cli::Common;
use crate::cli::{Study, StudyPart};
use crate::progress::Progress;
use crate::status::release_locks_on_signals;

pub fn run(arguments: &Study, common: &Common) -> anyhow::Result<()> {
    let before = arguments.file.is_some() || arguments.output.is_some() || arguments.dry_run;
    if arguments.part.is_some() && before {
        bail!("give CONFIG and options after `cell` or `collect`, not before");
    }
    if let Some(StudyPart::External(external)) = &arguments.part {
        return super::external::run(external, common);
    }
    release_locks_on_signals()?;
    match &arguments.part {
        Some(StudyPart::Cell { place, number }) => {
            let plan = plan(&place.file, place.output.as_deref())?;
            one_cell(&plan, *number, common)
        }
        Some(StudyPart::Collect { place, partial }) => {
            let plan = plan(&place.file, place.output.as_deref())?;
            plan.write()?;
            collect_and_print(&plan, *partial, common)
        }
        Some(StudyPart::External(_)) | None => {
            // clap asks for the file where there is no part.
            let file = arguments.file.clone().unwrap_or_default();
            let plan = plan(&file, arguments.output.as_deref())?;
            if arguments.dry_run { dry_run(&plan, common) } else { whole(&plan, common) }
        }
    }
}

fn plan(file: &Path, output: Option<&Path>) -> anyhow::Result<StudyPlan> {
    let beside = || {
        let folder = file.with_extension("");
        // A file without an ending cannot be a folder too.
        if folder == file { file.with_extension("study") } else { folder }
    };
    let output = output.map_or_else(beside, Path::to_owned);
    let plan = StudyPlan::new(file, output)?;
    let given = plan.config.data.iter().chain(&plan.config.extra_train);
    let given = given.filter(|path| path.is_file()).map(std::path::PathBuf::as_path).chain([file]);
    let written = ["plan.tsv", "splits.tsv", "subjects.tsv", "pooled.tsv"];
    check_not_written_over(given, &plan.output, &|name| {
        written.contains(&name)
            || ["study.", "results."].iter().any(|start| name.starts_with(start))
    })?;
    for (scan, reason) in plan.left_out() {
        tracing::warn!("left out: {scan}, {reason}");
    }
    warn_of(plan.warnings());
    Ok(plan)
}

fn whole(plan: &StudyPlan, common: &Common) -> anyhow::Result<()> {
    plan.write()?;
    let finished = |states: &[CellState]| {
        states.iter().filter(|state| matches!(state, CellState::Finished(_))).count()
    };
    let before = finished(&states(plan)?);
    if before > 0 {
        tracing::info!("{before} of {} cells are finished already", plan.cells.len());
    }
    for cell in &plan.cells {
        do_cell(plan, cell, common)?;
    }
    let open = plan.cells.len() - finished(&states(plan)?);
    if open > 0 {
        bail!(
            "{open} of {} cells are being worked on by other processes; when they are done, run \
             `deepmir study collect`: {}",
            plan.cells.len(),
            plan.output.display()
        );
    }
    collect_and_print(plan, false, common)
}

fn one_cell(plan: &StudyPlan, number: usize, common: &Common) -> anyhow::Result<()> {
    let Some(cell) = number.checked_sub(1).and_then(|place| plan.cells.get(place)) else {
        bail!("there is no cell {number}; there are 1 to {}", plan.cells.len());
    };
    plan.write()?;
    match do_cell(plan, cell, common)? {
        CellState::Finished(_) => say!("{}", plan.folder(cell).display()),
        _ => bail!("another process is working on cell {number}: {}", plan.folder(cell).display()),
    }
    Ok(())
}

fn do_cell(plan: &StudyPlan, cell: &Cell, common: &Common) -> anyhow::Result<CellState> {
    let steps = plan.arm(cell).preset.training.steps;
    let mut progress = Progress::new("reading", 1, common);
    let mut said = false;
    let mut told: BTreeSet<String> = BTreeSet::new();
    let state = run_cell(plan, cell, common.device, &mut |event| {
        if !said {
            said = true;
            progress.log(&format!(
                "cell {} of {}: {}, fold {}, seed {}",
                cell.number,
                plan.cells.len(),
                plan.arm(cell).name,
                plan.fold(cell).name,
                cell.seed
            ));
        }
        match event {
            CellEvent::Training(Event::Prepared { done, total }) => {
                if done == total {
                    progress.finish();
                    progress = Progress::new("steps", steps, common);
                }
            }
            CellEvent::Training(Event::Resumed { step }) => progress.resume_at(step),
            CellEvent::Training(Event::Step { step, loss }) => {
                progress.set(step, || format!("loss {loss:.4}"));
            }
            CellEvent::Training(Event::Validated { validation, .. }) => progress.log(&format!(
                "step {}: loss {:.4}, lesion F1 {:.3} on the validation subjects",
                validation.step, validation.training_loss, validation.f1
            )),
            // Those of the plan were told before.
            CellEvent::Training(Event::Noticed(warning)) => {
                let mut before = plan.warnings().iter();
                if !before.any(|known| known.message.ends_with(&warning.message))
                    && told.insert(warning.message.clone())
                {
                    progress.warn(&warning.message);
                }
            }
            CellEvent::Training(Event::StoppedEarly { step }) => {
                progress.log(&format!("stopped early at step {step}: no improvement"));
            }
            CellEvent::Predicted { done, total } => {
                if done == 1 {
                    progress.finish();
                    progress = Progress::new("predicting", total as u64, common);
                }
                progress.set(done as u64, String::new);
            }
        }
    })?;
    progress.finish();
    Ok(state)
}

fn collect_and_print(plan: &StudyPlan, partial: bool, common: &Common) -> anyhow::Result<()> {
    let progress = std::sync::Mutex::new(Progress::new("comparing", plan.scans() as u64, common));
    let collected = collect(plan, partial, &|done, _| {
        if let Ok(mut progress) = progress.lock() {
            progress.set(done as u64, String::new);
        }
    })?;
    if let Ok(progress) = progress.lock() {
        progress.finish();
    }
    say!("{}", results_table(plan, &collected));
    say!("{}", collected.page.display());
    Ok(())
}

/// Each arm and class: what the page shows at greater length.
fn results_table(plan: &StudyPlan, collected: &Collected) -> Table {
    const SHOWN: [(&str, &str); 5] = [
        ("sensitivity", "sensitivity"),
        ("precision", "precision"),
        ("f1", "F1"),
        ("false_positives_per_scan", "FP/scan"),
        ("average_precision", "average precision"),
    ];
    let mut header = vec!["arm", "class"];
    header.extend(SHOWN.iter().map(|(_, shown)| *shown));
    let mut table = table(&header);
    for arm in &plan.arms {
        for class in &arm.classes {
            let mut cells = vec![arm.name.clone(), class.name().to_owned()];
            cells.extend(SHOWN.iter().map(|(measure, _)| {
                let row = collected.summary.iter().find(|row| {
                    row.arm == arm.name && row.class == class.name() && row.measure == *measure
                });
                match row.and_then(|row| row.pooled) {
                    Some(pooled) => {
                        format!("{:.3} [{:.3}, {:.3}]", pooled.value, pooled.low, pooled.high)
                    }
                    None => row.map_or_else(String::new, |row| format!("n/a ({})", row.note)),
                }
            }));
            table.add_row(cells);
        }
    }
    table
}

/// Lists the cells and estimates time and disk space.
fn dry_run(plan: &StudyPlan, common: &Common) -> anyhow::Result<()> {
    let mut cells =
        table(&["cell", "arm", "fold", "seed", "training", "validation", "held out", ""]);
    for (cell, state) in plan.cells.iter().zip(states(plan)?) {
        let fold = plan.fold(cell);
        cells.add_row([
            cell.number.to_string(),
            plan.arm(cell).name.clone(),
            fold.name.clone(),
            cell.seed.to_string(),
            fold.training.len().to_string(),
            fold.validation.len().to_string(),
            fold.held_out.len().to_string(),
            if matches!(state, CellState::Finished(_)) { "finished" } else { "" }.to_owned(),
        ]);
    }
    say!("{cells}");

    let mut progress = Progress::new("measuring", plan.arms.len() as u64, common);
    let estimates =
        estimate(plan, common.device, &mut |done| progress.set(done as u64, String::new))?;
    progress.finish();
    let mut arms = table(&["arm", "parameters", "cells to do", "a step", "a scan", "time"]);
    for column in 1..6 {
        if let Some(column) = arms.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for arm in &estimates {
        arms.add_row([
            arm.arm.clone(),
            arm.parameters.to_string(),
            format!("{} of {}", arm.cells.0, arm.cells.1),
            format!("{:.3} s", arm.step.as_secs_f64()),
            format!("{:.2} s", (arm.scan + arm.reading).as_secs_f64()),
            duration(arm.total),
        ]);
    }
    say!("{arms}");
    let total: Duration = estimates.iter().map(|arm| arm.total).sum();
    let kept: u64 = estimates.iter().map(|arm| arm.kept_bytes).sum();
    let working = estimates.iter().map(|arm| arm.working_bytes).sum();
    say!(
        "about {} on this machine under its current load; {} of disk, and {} more while it runs: {}",
        duration(total),
        bytes(kept),
        bytes(working),
        plan.output.display()
    );
    Ok(())
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(header);
    table
}

fn duration(time: Duration) -> String {
    let minutes = time.as_secs_f64() / 60.0;
    match minutes {
        minutes if minutes < 2.0 => format!("{:.0} s", time.as_secs_f64()),
        minutes if minutes < 120.0 => format!("{minutes:.0} min"),
        minutes => format!("{:.1} h", minutes / 60.0),
    }
}

fn bytes(count: u64) -> String {
    let mega = count as f64 / 1e6;
    if mega < 1000.0 { format!("{mega:.1} MB") } else { format!("{:.1} GB", mega / 1000.0) }
}
