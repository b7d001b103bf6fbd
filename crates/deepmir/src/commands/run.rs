//! `deepmir run`: the BIDS-App.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{anyhow, bail};
use deepmir_cases::outputs::check_derivatives_folder;
use deepmir_cases::{LabelKind, bids};
use deepmir_model::shipped;
use deepmir_net::infer::InferenceOptions;
use deepmir_pipeline::group;
use deepmir_pipeline::run::{
    Decision, Event, RunOptions, State, Subject, SubjectStatus, Summary, default_budget_gb,
    participants, subject_names, subjects,
};
use deepmir_volume::atomic;
use deepmir_volume::nifti::ReadOptions;

use super::{NOT_A_DEVICE, open_model, recon};
use crate::cli::Common;
use crate::cli::{Level, Run};
use crate::progress::Progress;
use crate::status::{ExitStatus, stop_on_signals};

pub fn run(arguments: &Run, common: &Common) -> anyhow::Result<()> {
    match arguments.level {
        Level::Participant => participant_level(arguments, common),
        Level::Group => group_level(arguments),
    }
}

/// Folders of subjects in other letters are passed over, as every BIDS App does; on some file systems they look alike.
fn warn_of_capitals(dataset: &Path) {
    for entry in std::fs::read_dir(dataset).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("sub-") && name.to_lowercase().starts_with("sub-") {
            tracing::warn!(
                "{name} is no subject's folder and passed over; its name must begin with sub-, in small letters: {}",
                entry.path().display()
            );
        }
    }
}

fn participant_level(arguments: &Run, common: &Common) -> anyhow::Result<()> {
    let started = Instant::now();
    warn_of_capitals(&arguments.data);
    if !arguments.skip_bids_validation {
        bids::check_description(&arguments.data)?;
    }
    check_derivatives_folder(&arguments.out, Some(&arguments.data))?;
    let chosen = chosen(arguments)?;
    warn_of_sessions(arguments, &chosen);
    let options = options(arguments, common)?;
    if arguments.dry_run {
        return dry_run(&options, &chosen);
    }
    options.work.as_deref().map_or(Ok(()), check_writable)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    stop_on_signals(&interrupted)?;
    tracing::info!(
        "{} subjects, up to {} at once in {:.1} GB of memory",
        chosen.len(),
        options.jobs.min(chosen.len()),
        options.memory_gb
    );
    let bar = Progress::new("subjects", chosen.len() as u64, common);
    let progress = Mutex::new(Reported { bar, done: 0, has_waited: false });
    let summary = participants(&options, &chosen, &interrupted, &|event| {
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        report(&mut progress, event);
    })?;
    progress.into_inner().unwrap_or_else(PoisonError::into_inner).bar.finish();
    finish(&summary, started)
}

fn options(arguments: &Run, common: &Common) -> anyhow::Result<RunOptions> {
    let models =
        names(&arguments.model).iter().map(|name| open_model(name)).collect::<Result<_, _>>()?;
    Ok(RunOptions {
        out: std::path::absolute(&arguments.out)?,
        work: arguments.work_dir.as_deref().map(|work| work_folder(work, arguments)).transpose()?,
        sessions: arguments.only.session_label.clone(),
        session_order: arguments.session_order.clone(),
        models,
        device: common.device,
        inference: InferenceOptions { flips: arguments.flips, ..InferenceOptions::default() },
        read: ReadOptions { nan_to_zero: arguments.nan_to_zero },
        recon: recon::configured(common)?,
        jobs: subjects_at_once(arguments, common),
        memory_gb: arguments.memory_gb().unwrap_or_else(default_budget_gb),
        rehash: arguments.rehash,
        force: arguments.force && !arguments.resume,
        strict: arguments.strict,
        viewer_files: arguments.viewer_files,
    })
}

/// As many as --jobs asks for and the threads allow.
fn subjects_at_once(arguments: &Run, common: &Common) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = common.threads.map_or(cores, usize::from);
    let each = arguments.omp_nthreads.map_or(1, usize::from);
    let allowed = (threads / each).max(1);
    let is_bound = common.threads.is_some() || arguments.omp_nthreads.is_some();
    match arguments.jobs.map(usize::from) {
        Some(jobs) if is_bound && jobs > allowed => {
            tracing::warn!(
                "--jobs {jobs} is more than {threads} threads allow, with {each} for each subject: {allowed} at once"
            );
            allowed
        }
        Some(jobs) => jobs,
        None => allowed,
    }
}

/// The work folder, which must be neither in the dataset nor that of the results.
fn work_folder(work: &Path, arguments: &Run) -> anyhow::Result<PathBuf> {
    let place = |path: &Path| match path.canonicalize() {
        Ok(place) => Ok(place),
        Err(_) => std::path::absolute(path),
    };
    let (data, out, work) = (place(&arguments.data)?, place(&arguments.out)?, place(work)?);
    if work.starts_with(&data) {
        bail!("the work folder lies in the BIDS dataset; give another: {}", work.display());
    }
    if work == out {
        bail!("the work folder is OUT itself; give another, or leave -w out: {}", work.display());
    }
    Ok(work)
}

/// Makes the folder and writes a file there: better now than after the first reconstruction.
fn check_writable(folder: &Path) -> anyhow::Result<()> {
    let probe = folder.join(".deepmir");
    std::fs::create_dir_all(folder)
        .and_then(|()| atomic::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(|error| anyhow!("cannot write to the work folder ({error}): {}", folder.display()))
}

/// The subjects of the dataset that were asked for.
fn chosen(arguments: &Run) -> anyhow::Result<Vec<Subject>> {
    let data = std::path::absolute(&arguments.data)?;
    let masks = arguments.masks.as_deref().map(std::path::absolute).transpose()?;
    let filters = arguments.choice.filters()?;
    let found = subjects(&data, masks.as_deref(), &arguments.only.participant_label, &filters)?;
    if let Some(masks) = masks {
        let mut scans = found.iter().flat_map(|subject| subject.scans.iter().flatten());
        let is_there = |mask: &PathBuf| mask.starts_with(&masks);
        if !scans.any(|scan| scan.mask.as_ref().is_some_and(is_there)) {
            tracing::warn!(
                "no scan uses a brain mask of --masks; it holds none (*_desc-brain_mask) under their names: {}",
                masks.display()
            );
        }
    }
    Ok(found)
}

/// A subject without a chosen session is skipped, as jobs of one subject each want it. That no subject has
/// it may be a slip.
fn warn_of_sessions(arguments: &Run, subjects: &[Subject]) {
    let scans = subjects.iter().flat_map(|subject| subject.scans.iter().flatten());
    let there: BTreeSet<String> =
        scans.filter_map(|scan| Some(LabelKind::Session.full(scan.session.as_deref()?))).collect();
    let wanted = arguments.only.session_label.iter().map(String::as_str);
    let known = there.iter().map(String::as_str);
    if let Some(unknown) = LabelKind::Session.unknown(wanted, known) {
        tracing::warn!("{unknown}, in the chosen subjects");
    }
    let stated = arguments.session_order.iter().map(String::as_str);
    if let Some(unknown) = LabelKind::Session.unknown(stated, there.iter().map(String::as_str)) {
        tracing::warn!("--session-order: {unknown}, in the chosen subjects");
    }
}

fn dry_run(options: &RunOptions, subjects: &[Subject]) -> anyhow::Result<()> {
    let (mut failing, mut possible) = (0, 0);
    for subject in subjects {
        if let Err(reason) = &subject.scans {
            failing += 1;
            say!("{}: cannot be done: {reason}", subject.id);
            continue;
        }
        let plans = options.plans(subject);
        if plans.is_empty() {
            let none_here = subject.scans.as_ref().is_ok_and(Vec::is_empty);
            let reason = if none_here { &subject.nothing } else { "none of the selected sessions" };
            say!("{}: skip: {reason}", subject.id);
        }
        for plan in plans {
            let what = match plan.decision {
                Decision::Predict { .. } if plan.memory_gb > options.memory_gb => {
                    failing += 1;
                    format!(
                        "cannot be done in {:.1} GB of memory ({:.1} GB)",
                        options.memory_gb, plan.memory_gb
                    )
                }
                Decision::Predict { .. } => {
                    possible += 1;
                    format!("find lesions ({:.1} GB)", plan.memory_gb)
                }
                Decision::Skip => "skip".to_owned(),
                Decision::Fail => {
                    failing += 1;
                    "cannot be done".to_owned()
                }
            };
            say!("{}: {what}: {}", plan.scan.id, plan.reasons.join("; "));
            for warning in &plan.warnings {
                tracing::warn!("{}: {warning}", plan.scan.id);
            }
        }
    }
    if failing > 0 {
        return Err(ExitStatus::SomeFailed(format!("{failing} of these cannot be done")).into());
    }
    if possible == 0 {
        return Err(ExitStatus::SomeFailed("nothing can be done with these".to_owned()).into());
    }
    Ok(())
}

/// What has been told of a run.
struct Reported {
    bar: Progress,
    done: u64,
    has_waited: bool,
}

fn report(reported: &mut Reported, event: Event<'_>) {
    let Reported { bar: progress, done, has_waited } = reported;
    match event {
        Event::Step { scan, what } => tracing::debug!("{scan}: {what}"),
        Event::Waiting { scan, need_gb } => {
            // Once is enough: it says which of the two bounds counts.
            if !std::mem::replace(has_waited, true) {
                progress.log(&format!(
                    "memory allows fewer subjects at once than threads: {scan} waits for {need_gb:.1} GB"
                ));
            }
        }
        Event::Busy { subject, holder } => {
            progress.log(&format!("{subject}: {holder} is processing it; trying again later"));
        }
        Event::Finished { status, news } => {
            *done += 1;
            for warning in status.all_warnings() {
                progress.warn(&warning);
            }
            match status.state {
                State::Done if news => progress.log(&found(status)),
                State::Done => {}
                state => {
                    for problem in status.problems() {
                        progress.log(&format!("{} {problem}", state.name()));
                    }
                }
            }
            progress.set(*done, || status.subject.clone());
        }
    }
}

fn found(status: &SubjectStatus) -> String {
    let scans = status.scans.iter().map(|scan| {
        let counts = scan.lesions.iter().map(|(class, count)| format!("{count} {class}"));
        format!("{}: {}", scan.id, counts.collect::<Vec<_>>().join(", "))
    });
    scans.collect::<Vec<_>>().join("; ")
}

fn finish(summary: &Summary, started: Instant) -> anyhow::Result<()> {
    say!(
        "{} done, {} skipped, {} failed",
        summary.count(State::Done),
        summary.count(State::Skipped),
        summary.count(State::Failed) + summary.unwritten.len()
    );
    tracing::info!("{:.1} s. {NOT_A_DEVICE}", started.elapsed().as_secs_f64());
    if summary.interrupted {
        return Err(ExitStatus::Interrupted.into());
    }
    if !summary.has_failures() && !summary.did_nothing() {
        return Ok(());
    }
    if !summary.has_failures() {
        let skipped = summary.statuses.iter().flat_map(SubjectStatus::problems);
        let skipped: Vec<String> = skipped.collect();
        let reasons = format!("nothing could be done\n  {}", skipped.join("\n  "));
        return Err(ExitStatus::SomeFailed(reasons).into());
    }
    let failed = summary.statuses.iter().filter(|status| status.state == State::Failed);
    let mut lines: Vec<String> = failed.flat_map(SubjectStatus::problems).collect();
    let unwritten = summary.unwritten.iter();
    lines.extend(unwritten.map(|(subject, reason)| format!("{subject}: {reason}")));
    Err(ExitStatus::SomeFailed(format!("some subjects failed\n  {}", lines.join("\n  "))).into())
}

fn group_level(arguments: &Run) -> anyhow::Result<()> {
    let unused = [
        ("--participant-label", !arguments.only.participant_label.is_empty()),
        ("--session-label", !arguments.only.session_label.is_empty()),
        ("--dry-run", arguments.dry_run),
    ];
    if let Some((name, _)) = unused.into_iter().find(|(_, given)| *given) {
        bail!("{name} is for the participant level; the group level uses all results in OUT");
    }
    check_derivatives_folder(&arguments.out, Some(&arguments.data))?;
    check_results(&arguments.out)?;
    warn_of_unfinished(arguments);
    let files = group::write(&arguments.out, &arguments.data)?;
    for scan in &files.without {
        tracing::warn!("without results, and graded by nothing: {scan}");
    }
    say!("{} scans in the tables, {} without results", files.scans, files.without.len());
    for path in files.tables.iter().chain([&files.page]) {
        say!("  {}", path.display());
    }
    Ok(())
}

/// Warns of subjects in the dataset that no run has finished (killed, or never started): they are in no
/// table. The tables need OUT alone, so a dataset that has been moved is no error.
fn warn_of_unfinished(arguments: &Run) {
    let Ok(names) = subject_names(&arguments.data) else { return };
    let known = |name: &String| SubjectStatus::path(&arguments.out, name).exists();
    let unfinished: Vec<String> = names.into_iter().filter(|name| !known(name)).collect();
    if !unfinished.is_empty() {
        tracing::warn!(
            "{} subjects have no results yet and are in no table; run the participant level: {}",
            unfinished.len(),
            unfinished.join(", ")
        );
    }
}

fn check_results(out: &Path) -> anyhow::Result<()> {
    if !deepmir_pipeline::run::status_folder(out).is_dir() {
        bail!("no results here; run the participant level first: {}", out.display());
    }
    Ok(())
}

/// The models to try in order. After the default one the others that are shipped: for scans that it did not learn from.
fn names(given: &[String]) -> Vec<String> {
    match given {
        [only] if only == "default" => {
            shipped::MODELS.iter().map(|model| model.name.to_owned()).collect()
        }
        _ => given.to_vec(),
    }
}
