//! The study's tables as tab-separated text; `n/a` always has its reason in the note.

use std::collections::BTreeMap;

use deepmir_lesion::LesionClass;
use deepmir_lesion::metrics::{Confusion, SIZE_CLASSES, SizeCounts};

use crate::plan::layout::StudyPlan;
use crate::results::comparison::Comparison;
use crate::results::read::Results;
use crate::results::scan::ScanResult;
use crate::results::statistics::measures;
use crate::results::strata::{SITES, SiteCounts};
use crate::results::summary::{SummaryRow, why_undefined};

fn cell(value: Option<f64>) -> String {
    value.map_or("n/a".to_owned(), |value| format!("{value:.4}"))
}

pub(crate) fn arms(plan: &StudyPlan, rows: &[SummaryRow]) -> String {
    let mut text = String::from(
        "arm\tvariant\tinputs\tclasses\tclass\tmeasure\tmean\tdeviation\tcells\tpooled\tlow\thigh\tnote\n",
    );
    for row in rows {
        let Some(arm) = plan.arms.iter().find(|arm| arm.name == row.arm) else { continue };
        text += &format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
            row.arm,
            arm.variant,
            arm.inputs_name(),
            arm.classes_name(),
            row.class,
            row.measure,
            cell(row.mean),
            cell(row.deviation),
            row.cells,
            cell(row.pooled.map(|pooled| pooled.value)),
            cell(row.pooled.map(|pooled| pooled.low)),
            cell(row.pooled.map(|pooled| pooled.high)),
            row.note,
        );
    }
    text
}

pub(crate) fn cells(results: &Results<'_>) -> String {
    let mut text = String::from("arm\tfold\tseed\tclass\tmeasure\tvalue\tnote\n");
    for (number, arm) in results.plan.arms.iter().enumerate() {
        for (fold, seed, scans) in results.by_cell(number) {
            for measure in measures(&arm.classes) {
                let value = measure.value(&scans);
                let note = value.map_or_else(|| why_undefined(&measure, &scans), |_| String::new());
                text += &format!(
                    "{}\t{}\t{seed}\t{}\t{}\t{}\t{note}\n",
                    arm.name,
                    results.plan.folds[fold].name,
                    measure.class_name(),
                    measure.name,
                    cell(value),
                );
            }
        }
    }
    text
}

pub(crate) fn comparisons(comparisons: &[Comparison]) -> String {
    let mut text = String::from(
        "question\tmeasure\tclass\tarm\tother\tdifference\tlow\thigh\tp\tp_holm\tnote\n",
    );
    for row in comparisons {
        let note = if row.difference.is_none() { "undefined for one of the two" } else { "" };
        text += &format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{note}\n",
            row.question,
            row.measure,
            row.class,
            row.arm,
            row.other,
            cell(row.difference.map(|difference| difference.value)),
            cell(row.difference.map(|difference| difference.low)),
            cell(row.difference.map(|difference| difference.high)),
            cell(row.p),
            cell(row.p_holm),
        );
    }
    text
}

/// What an arm predicted for true lesions, listed mimics and the rest: kind, count (`None` where it cannot be
/// counted), predicted as CMB and as NHID, not predicted.
pub(crate) type ConfusionRow = (String, Option<usize>, [usize; 2], Option<usize>);

pub(crate) fn confusion_of(results: &[&ScanResult]) -> Vec<ConfusionRow> {
    let mut confusion = Confusion::default();
    let mut mimics: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut causes: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for result in results {
        confusion.add(&result.score.confusion);
        for (kind, counts) in result.mimics.counts() {
            let sum = mimics.entry(kind).or_default();
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        let listed = |cause: &str| result.mimics.counts().any(|(kind, _)| kind == cause);
        for mistake in result.mistakes.iter().filter(|mistake| mistake.is_false) {
            let about_truth = mistake.cause.starts_with("a true");
            if !about_truth && !listed(&mistake.cause) {
                let sum = causes.entry(&mistake.cause).or_default();
                sum[usize::from(mistake.class == LesionClass::Nhid)] += 1;
            }
        }
    }
    let mut rows = Vec::new();
    for class in LesionClass::ALL {
        let predicted = LesionClass::ALL.map(|other| confusion.count(Some(class), Some(other)));
        let missed = confusion.count(Some(class), None);
        let all = predicted.iter().sum::<usize>() + missed;
        if all > 0 {
            rows.push((format!("true {class}"), Some(all), predicted, Some(missed)));
        }
    }
    for (kind, [all, cmb, nhid]) in mimics {
        rows.push((kind.to_owned(), Some(all), [cmb, nhid], Some(all - cmb - nhid)));
    }
    for (cause, predicted) in causes {
        rows.push((format!("false positive: {cause}"), None, predicted, None));
    }
    rows
}

pub(crate) fn confusion(results: &Results<'_>) -> String {
    let mut text = String::from("arm\twhat\tcount\tcalled_CMB\tcalled_NHID\tcalled_nothing\n");
    let count =
        |value: Option<usize>| value.map_or("n/a".to_owned(), |value: usize| value.to_string());
    for (number, arm) in results.plan.arms.iter().enumerate() {
        let scans: Vec<&ScanResult> = results.by_unit(number).into_iter().flatten().collect();
        for (what, all, [cmb, nhid], nothing) in confusion_of(&scans) {
            let (all, nothing) = (count(all), count(nothing));
            text += &format!("{}\t{what}\t{all}\t{cmb}\t{nhid}\t{nothing}\n", arm.name);
        }
    }
    text
}

/// A stratum of a class: its name, true lesions, those found, false positives.
pub(crate) type StratumRow = (&'static str, &'static str, [usize; 3]);

pub(crate) fn strata_of(scans: &[&ScanResult], class: LesionClass) -> Vec<StratumRow> {
    let mut sizes = [SizeCounts::default(); SIZE_CLASSES.len()];
    let mut sites = [SiteCounts::default(); SITES.len()];
    for scan in scans {
        if let Some(score) = scan.score.of(class) {
            for (sum, counts) in sizes.iter_mut().zip(&score.by_size) {
                sum.truth += counts.truth;
                sum.found += counts.found;
                sum.false_positives += counts.false_positives;
            }
        }
        for (_, counts) in scan.sites.iter().filter(|(other, _)| *other == class) {
            sites.iter_mut().zip(counts).for_each(|(sum, counts)| sum.add(counts));
        }
    }
    let sizes = SIZE_CLASSES.iter().zip(sizes).map(|(size, counts)| {
        ("size", size.name, [counts.truth, counts.found, counts.false_positives])
    });
    let sites = SITES.iter().zip(sites).map(|(site, counts)| {
        ("site", site.name(), [counts.truth, counts.found, counts.false_positives])
    });
    sizes.chain(sites).collect()
}

pub(crate) fn strata(results: &Results<'_>) -> String {
    let mut text = String::from("arm\tclass\tby\tstratum\ttruth\tfound\tfalse_positives\n");
    for (number, arm) in results.plan.arms.iter().enumerate() {
        let scans: Vec<&ScanResult> = results.by_unit(number).into_iter().flatten().collect();
        for &class in &arm.classes {
            for (by, name, [truth, found, wrong]) in strata_of(&scans, class) {
                text +=
                    &format!("{}\t{class}\t{by}\t{name}\t{truth}\t{found}\t{wrong}\n", arm.name);
            }
        }
    }
    text
}

pub(crate) fn mistakes(results: &Results<'_>) -> String {
    let mut text = String::from(
        "arm\tseed\tscan\tkind\tclass\tx_mm\ty_mm\tz_mm\tvolume_mm3\tregion\tpeak_probability\t\
         chi_mean_ppm\tcause\n",
    );
    for (number, arm) in results.plan.arms.iter().enumerate() {
        for scan in results.by_unit(number).into_iter().flatten() {
            for mistake in &scan.mistakes {
                let [x, y, z] = mistake.place_mm;
                text += &format!(
                    "{}\t{}\t{}\t{}\t{}\t{x:.2}\t{y:.2}\t{z:.2}\t{:.3}\t{}\t{}\t{}\t{}\n",
                    arm.name,
                    scan.seed,
                    scan.scan,
                    if mistake.is_false { "false_positive" } else { "missed" },
                    mistake.class,
                    mistake.volume_mm3,
                    mistake.region.map_or("n/a", |region| region.name()),
                    cell(mistake.peak.map(f64::from)),
                    cell(mistake.chi_mean_ppm),
                    mistake.cause,
                );
            }
        }
    }
    text
}

pub(crate) fn times(results: &Results<'_>) -> String {
    let mut text = String::from(
        "cell\tarm\tfold\tseed\tparameters\ttraining_s\tpredicting_s\tscans\tvalidation_f1\n",
    );
    for (cell, done) in &results.cells {
        text += &format!(
            "{}\t{}\t{}\t{}\t{}\t{:.1}\t{:.1}\t{}\t{:.4}\n",
            cell.number,
            results.plan.arm(cell).name,
            results.plan.fold(cell).name,
            cell.seed,
            done.parameters,
            done.training_seconds,
            done.predicting_seconds,
            done.scans.len(),
            done.validation_f1,
        );
    }
    text
}
