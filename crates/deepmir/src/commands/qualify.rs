//! `deepmir qualify`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use comfy_table::{Table, presets};
use deepmir_cases::outputs::check_derivatives_folder;
use deepmir_lesion::metrics::Bootstrap;
use deepmir_pipeline::predict::Predictor;
use deepmir_study::implant::{ImplantPlan, Implants};
use deepmir_study::qualify::sensitivity::middle;
use deepmir_study::qualify::{
    Compared, Event, Finished, Qualified, QualifyOptions, Summary, compare, qualify,
};

use super::implant::{ImplantSettings, implant, native_calls};
use super::{NOT_A_DEVICE, open_model, recon};
use crate::cli::{Common, Qualify};
use crate::progress::Progress;
use crate::status::{ExitStatus, release_locks_on_signals};

pub fn run(arguments: &Qualify, common: &Common) -> anyhow::Result<()> {
    match (arguments.data.as_slice(), &arguments.implanted) {
        ([first, second], None) => sides(first, second, arguments),
        ([_, _], Some(_)) => {
            bail!("give the untouched scans and --implanted, or two folders of results, not both")
        }
        ([only], None) if Finished::is_in(only) => {
            bail!("give a second folder of results to compare it with: {}", only.display())
        }
        ([scans], None) => measure(None, Some(scans), arguments, common),
        (untouched, Some(implanted)) => {
            let untouched = untouched.first().map(PathBuf::as_path);
            measure(Some(implanted), untouched, arguments, common)
        }
        // clap asks for one of them.
        ([..], None) => bail!("give a BIDS dataset, --implanted, or two folders of results"),
    }
}

fn bootstrap(arguments: &Qualify) -> Bootstrap {
    Bootstrap { resamples: arguments.resamples, seed: arguments.seed }
}

/// What the user typed.
fn command() -> String {
    let quoted = |word: String| if word.contains(' ') { format!("'{word}'") } else { word };
    let words = std::env::args_os().skip(1).map(|word| quoted(word.to_string_lossy().into_owned()));
    ["deepmir".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

fn measure(
    implanted: Option<&Path>,
    untouched: Option<&Path>,
    arguments: &Qualify,
    common: &Common,
) -> anyhow::Result<()> {
    for dataset in [implanted, untouched].into_iter().flatten() {
        check_derivatives_folder(&arguments.output, Some(dataset))?;
    }
    release_locks_on_signals()?;
    let mut predictor = Predictor::new(open_model(&arguments.model)?, common.device)?;
    predictor.detector.options.flips = arguments.flips;
    predictor.detector.read.nan_to_zero = arguments.nan_to_zero;
    let made = arguments.output.join("implanted");
    let mut failed = Vec::new();
    let implanted = match (implanted, untouched) {
        (None, Some(scans)) => {
            failed = implant_ladder(scans, &made, arguments, common)?;
            made.as_path()
        }
        (Some(implanted), _) => implanted,
        (None, None) => bail!("give a BIDS dataset, or --implanted"),
    };
    let options = QualifyOptions {
        participants: arguments.participant_label.clone(),
        inputs: arguments.inputs.iter().map(|set| set.0.clone()).collect(),
        rule: arguments.rule,
        recon: recon::without_parts(common)?,
        bootstrap: bootstrap(arguments),
    };
    let mut progress = Progress::new("scans", 1, common);
    let (mut before, mut so_far) = (0, 0);
    let qualified = qualify(
        [implanted, &arguments.output],
        untouched,
        &mut predictor,
        &options,
        command(),
        &mut |event| match event {
            Event::Begun { total } => progress = Progress::new("scans", total as u64, common),
            Event::Scan { done, kept, .. } => {
                before += u64::from(kept);
                so_far = done as u64;
                if kept {
                    progress.resume_at(so_far);
                }
                progress.set(so_far, String::new);
            }
            Event::Step { scan, step } => progress.set(so_far, || format!("{scan}: {step}")),
            Event::Noticed { scan, warning } => progress.warn(&format!("{scan}: {warning}")),
            Event::Failed { scan, reason } => progress.warn(&format!("{scan} left out: {reason}")),
        },
    );
    progress.finish();
    let Qualified { summary, page } = qualified?;
    if before > 0 {
        tracing::info!("{before} scans were finished before");
    }
    say!("{}", limits(&summary));
    say!("{}", page.display());
    tracing::info!("{NOT_A_DEVICE}");
    failed.extend(summary.failed.iter().map(|(scan, reason)| format!("{scan}: {reason}")));
    if failed.is_empty() {
        return Ok(());
    }
    Err(ExitStatus::SomeFailed(format!("some scans failed\n  {}", failed.join("\n  "))).into())
}

/// Copies of scans with the rungs of the ladder in them; the scans that failed, and why.
fn implant_ladder(
    scans: &Path,
    out: &Path,
    arguments: &Qualify,
    common: &Common,
) -> anyhow::Result<Vec<String>> {
    let settings = ImplantSettings::of(common)?;
    let mut plan = ImplantPlan {
        implants: Implants::Ladder(settings.ladder),
        copies: arguments.copies.into(),
        seed: arguments.seed,
        subjects: arguments.participant_label.clone(),
        labels: arguments.labels.clone(),
        recon: recon::without_parts(common)?,
        protocol: settings.protocol,
        ..ImplantPlan::default()
    };
    plan.read.non_finite_as_zero = arguments.nan_to_zero;
    let model = open_model(&arguments.model)?;
    let native = native_calls(model, arguments.nan_to_zero, common)?;
    Ok(implant(scans, out, &plan, Some(&native), common)?.failures)
}

/// What was found with each set of inputs.
fn limits(summary: &Summary) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header([
        "implants",
        "inputs",
        "found",
        "nine in ten from, mm",
        "calls elsewhere, a scan",
    ]);
    for group in &summary.sensitivity {
        let limit = middle(&group.curves).map_or_else(
            || "n/a".to_owned(),
            |curve| {
                let [limit, low, high] = curve.limit;
                format!("{limit} [{low}, {high}] at {:.2} ppm", curve.chi_ppm)
            },
        );
        let calls = summary.false_calls.iter().find(|calls| calls.inputs == group.inputs);
        table.add_row([
            group.kind.clone(),
            group.inputs.clone(),
            format!("{} of {}", group.found, group.implants),
            limit,
            calls.map_or_else(String::new, |calls| format!("{:.2}", calls.per_scan.value)),
        ]);
    }
    table
}

/// Two folders of results against each other.
fn sides(first: &Path, second: &Path, arguments: &Qualify) -> anyhow::Result<()> {
    let out = &arguments.output;
    if Finished::is_in(out) {
        bail!("this folder holds results of its own; choose another with -o: {}", out.display());
    }
    let compared: Compared = compare([first, second], bootstrap(arguments), command())?;
    let page = compared.write(out)?;
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(["implants", "inputs", "found by the first", "by the second", "difference"]);
    for group in &compared.groups {
        let difference = &group.difference;
        let [a, b] =
            difference.counts.map(|count| format!("{} of {}", count.found, count.implants));
        let share = difference.comparable().map_or_else(
            || "n/a".to_owned(),
            |e| format!("{:+.3} [{:+.3}, {:+.3}]", e.value, e.low, e.high),
        );
        let [set, other] = &group.inputs;
        let sets = if set == other { set.clone() } else { format!("{set}, {other}") };
        table.add_row([group.kind.clone(), sets, a, b, share]);
    }
    say!("{table}");
    say!("{}", page.display());
    Ok(())
}
