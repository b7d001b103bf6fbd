//! `deepmir evaluate`.

use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use deepmir_annotate::Store;
use deepmir_annotate::store::{self, Stage};
use deepmir_cases::Groups;
use deepmir_cases::cohort::subject_of;
use deepmir_lesion::LesionClass;
use deepmir_lesion::metrics::{Bootstrap, Confusion, Estimate};
use deepmir_study::evaluate::{
    Evaluation, EvaluationOptions, EvaluationPair, PooledMeasure, ReloadedScan, ValdoScan, doubts,
    evaluate, pairs, reloaded, reloaded_pooled, valdo, valdo_pooled, without_prediction,
    write_reloaded, write_valdo,
};
use deepmir_study::raters;
use deepmir_volume::components::Connectivity;

use super::warn_of;
use crate::cli::{Common, Evaluate, Profile};
use crate::progress::Progress;

/// The metrics of the printed table; the files hold all.
const SHOWN: [(&str, &str); 7] = [
    ("sensitivity", "sensitivity"),
    ("precision", "precision"),
    ("f1", "F1"),
    ("false_positives_per_scan", "FP/scan"),
    ("dice", "Dice"),
    ("absolute_count_error", "|count error|"),
    ("absolute_volume_error_mm3", "|volume error| mm³"),
];

pub fn run(arguments: &Evaluate, common: &Common) -> anyhow::Result<()> {
    if let Some(folder) = &arguments.raters {
        return compare_raters(folder, arguments);
    }
    let (Some(truth), Some(predicted)) = (&arguments.truth, &arguments.pred) else {
        anyhow::bail!("give --truth and --pred, or --raters");
    };
    let missing = without_prediction(truth, predicted)?;
    if !missing.is_empty() && !arguments.allow_missing {
        anyhow::bail!(
            "no prediction for {}; predict them, or ignore them with --allow-missing",
            missing.join(", ")
        );
    }
    let pairs = pairs(truth, predicted)?;
    if !missing.is_empty() {
        tracing::warn!("left out, having no prediction: {}", missing.join(", "));
    }
    let mut groups = Groups::default();
    if let Some(table) = &arguments.groups {
        groups.add_table(table, &pairs.iter().map(|pair| subject_of(&pair.id)).collect())?;
    }
    let six = arguments.connectivity == "6";
    let options = EvaluationOptions {
        rule: arguments.rule,
        connectivity: if six { Connectivity::Six } else { Connectivity::TwentySix },
        min_volume_mm3: arguments.min_volume,
        classes: arguments.classes.clone(),
        froc_threshold: arguments.froc_threshold,
        bootstrap: Bootstrap { resamples: arguments.resamples, seed: arguments.seed },
        groups,
    };
    let there = |name: &str| arguments.output.join(name).exists();
    if there("subjects.tsv") && !there("evaluation.json") {
        anyhow::bail!(
            "this folder holds a subjects.tsv that is no evaluation's, such as of `deepmir run`; choose another with -o: {}",
            arguments.output.display()
        );
    }
    let progress = std::sync::Mutex::new(Progress::new("subjects", pairs.len() as u64, common));
    let evaluation = evaluate(&pairs, &options, &|done| {
        if let Ok(mut progress) = progress.lock() {
            progress.set(done as u64, String::new);
        }
    })?;
    if let Ok(progress) = progress.lock() {
        progress.finish();
    }
    if evaluation.replaces_others(&arguments.output) {
        tracing::warn!(
            "the evaluation of other subjects was here and is replaced: {}",
            arguments.output.display()
        );
    }
    let public = arguments.profile.map(|profile| Public::of(profile, &pairs, arguments));
    let public = public.transpose()?;
    evaluation.write(&arguments.output)?;
    if let Some(public) = &public {
        public.write(&arguments.output)?;
    }
    warn_of(&doubts(&evaluation, &pairs, &options.groups));
    say!("{}", metrics_table(&evaluation));
    say!("{}", confusion_table(&evaluation.confusion));
    if let Some(left_out) = left_out(&evaluation) {
        say!("{left_out}");
    }
    if let Some(public) = &public {
        say!("{}", public.table(&evaluation));
        say!("{}", arguments.output.join(public.file()).display());
    }
    say!("{}", arguments.output.join("evaluation.json").display());
    Ok(())
}

/// Agreement of raters; in a folder of `deepmir annotate`, on the cases that they finished.
fn compare_raters(folder: &Path, arguments: &Evaluate) -> anyhow::Result<()> {
    let mut maps = raters::rated_maps(folder)?;
    if folder.join(store::FILE).is_file() {
        let store = Store::open(folder)?;
        let finished: Vec<store::LayerKey> = store
            .progress()?
            .into_iter()
            .filter(|layer| layer.done.is_some() && layer.key.stage == Stage::Own)
            .map(|layer| layer.key)
            .collect();
        let behind = store.not_exported()?;
        if let Some(key) = behind.iter().find(|key| finished.contains(key)) {
            anyhow::bail!(
                "the label map of {} by {} is older than the annotations; start `deepmir annotate BIDS` to update \
                 it: {}",
                key.case,
                key.rater,
                folder.display()
            );
        }
        for (case, of) in &mut maps {
            of.retain(|rater, _| {
                finished.iter().any(|key| key.case == *case && key.rater == *rater)
            });
        }
    }
    let alone: Vec<&str> =
        maps.iter().filter(|(_, of)| of.len() < 2).map(|(case, _)| case.as_str()).collect();
    if !alone.is_empty() && alone.len() < maps.len() {
        tracing::warn!("left out, not finished by two raters: {}", alone.join(", "));
    }
    let bootstrap = Bootstrap { resamples: arguments.resamples, seed: arguments.seed };
    let pairs = raters::compare(&maps, arguments.rule, &bootstrap)?;
    raters::write(&pairs, &arguments.output)?;
    let mut rows = raters::agreement_rows(&pairs).into_iter();
    let mut table = table();
    if let Some(header) = rows.next() {
        table.set_header(header.iter().map(|name| name.replace('_', " ")));
    }
    rows.for_each(|row| {
        table.add_row(row);
    });
    say!("{table}");
    say!("{}", arguments.output.join("agreement.html").display());
    Ok(())
}

fn metrics_table(evaluation: &Evaluation) -> Table {
    let mut table = table();
    let scans = evaluation.subjects.len();
    let mut header = vec![format!("{scans} scan{}", if scans == 1 { "" } else { "s" })];
    header.extend(evaluation.classes.iter().map(|class| {
        format!(
            "{}: {} true, {} predicted, {} matched",
            class.class, class.truth, class.predicted, class.matched
        )
    }));
    table.set_header(header);
    for (name, shown) in SHOWN {
        let mut row = vec![shown.to_owned()];
        row.extend(evaluation.classes.iter().map(|class| shown_estimate(class.metric(name))));
        table.add_row(row);
    }
    let mut row = vec!["average precision".to_owned()];
    row.extend(evaluation.froc.iter().map(|(_, froc)| match froc {
        Some(froc) => format!("{:.3}", froc.average_precision),
        None => "n/a".to_owned(),
    }));
    table.add_row(row);
    table
}

/// The scores of a public set of measures.
enum Public {
    Valdo(Vec<ValdoScan>),
    MetricsReloaded(Vec<ReloadedScan>),
}

impl Public {
    fn of(
        profile: Profile,
        pairs: &[EvaluationPair],
        arguments: &Evaluate,
    ) -> anyhow::Result<Self> {
        Ok(match profile {
            Profile::Valdo => Self::Valdo(valdo(pairs, &arguments.classes)?),
            Profile::MetricsReloaded => Self::MetricsReloaded(reloaded(pairs, &arguments.classes)?),
        })
    }

    fn write(&self, folder: &Path) -> anyhow::Result<()> {
        match self {
            Self::Valdo(scans) => write_valdo(scans, folder)?,
            Self::MetricsReloaded(scans) => write_reloaded(scans, folder)?,
        }
        Ok(())
    }

    fn file(&self) -> &'static str {
        match self {
            Self::Valdo(_) => "valdo.tsv",
            Self::MetricsReloaded(_) => "metrics_reloaded.tsv",
        }
    }

    /// The measures over the scans.
    fn table(&self, evaluation: &Evaluation) -> Table {
        let (title, pooled) = match self {
            Self::Valdo(scans) => ("VALDO", valdo_pooled(scans)),
            Self::MetricsReloaded(scans) => ("Metrics Reloaded", reloaded_pooled(scans)),
        };
        let mut table = table();
        table.set_header([title, "class", "scans", "median [quartiles]", "mean ± SD"]);
        for PooledMeasure { class, measure, spread } in pooled {
            let class = match (self, class) {
                (Self::Valdo(_), LesionClass::Nhid) => format!("{class} (ours only)"),
                _ => class.to_string(),
            };
            let [count, median, mean] = match spread {
                Some(spread) => [
                    spread.scans.to_string(),
                    format!(
                        "{:.3} [{:.3}, {:.3}]",
                        spread.median, spread.first_quartile, spread.third_quartile
                    ),
                    match spread.standard_deviation {
                        Some(deviation) => format!("{:.3} ± {deviation:.3}", spread.mean),
                        None => format!("{:.3}", spread.mean),
                    },
                ],
                None => ["0", "n/a", "n/a"].map(str::to_owned),
            };
            table.add_row([measure.replace('_', " "), class, count, median, mean]);
        }
        // Over all scans together, from the probabilities where there are some.
        if let Self::MetricsReloaded(_) = self {
            for (class, froc) in &evaluation.froc {
                let value = froc.as_ref().map(|froc| format!("{:.3}", froc.mean_sensitivity));
                let value = value.unwrap_or_else(|| "n/a".to_owned());
                let name = "FROC score, all scans".to_owned();
                table.add_row([name, class.to_string(), String::new(), value, String::new()]);
            }
        }
        table
    }
}

/// How many predicted lesions were left out because nobody knows whether they are lesions.
fn left_out(evaluation: &Evaluation) -> Option<String> {
    let counts = evaluation.classes.iter().filter(|class| class.left_out > 0);
    let counts: Vec<String> =
        counts.map(|class| format!("{} {}", class.left_out, class.class)).collect();
    (!counts.is_empty()).then(|| {
        format!(
            "left out, where nobody knows whether there is a lesion (desc-unknown_mask): {} predicted",
            counts.join(" and ")
        )
    })
}

fn shown_estimate(estimate: Option<Estimate>) -> String {
    match estimate {
        Some(Estimate { value, low, high }) => format!("{value:.3} [{low:.3}, {high:.3}]"),
        None => "n/a".to_owned(),
    }
}

fn confusion_table(confusion: &Confusion) -> Table {
    let mut table = table();
    table.set_header(["true \\ predicted", "CMB", "NHID", "nothing"]);
    for truth in [Some(LesionClass::Cmb), Some(LesionClass::Nhid), None] {
        let name = truth.map_or("nothing", LesionClass::name).to_owned();
        let counts = [Some(LesionClass::Cmb), Some(LesionClass::Nhid), None].map(|predicted| {
            if truth.is_none() && predicted.is_none() {
                return String::new();
            }
            confusion.count(truth, predicted).to_string()
        });
        table.add_row([vec![name], counts.to_vec()].concat());
    }
    for column in 1..4 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table
}
