//! Tables of the page.

use deepmir_lesion::metrics::Estimate;
use deepmir_report::TextTable;

use super::words::{between, percent, ppm};
use crate::qualify::difference::Difference;
use crate::qualify::rows::CallRow;
use crate::qualify::sensitivity::Sensitivity;
use crate::qualify::summary::{FalseCalls, InputGain, Provenance};
use crate::qualify::tally::{AtThreshold, Called, Cell, Count};

fn table(title: &str, header: &[&str], rows: Vec<Vec<String>>) -> TextTable {
    TextTable {
        title: title.to_owned(),
        header: header.iter().map(|name| (*name).to_owned()).collect(),
        rows,
    }
}

/// `17 of 20\n85 % (64 to 95)`.
fn counted(count: Count) -> String {
    let share = count.share().map_or_else(String::new, |[share, low, high]| {
        format!("\n{} ({:.0} to {:.0})", percent(share), 100.0 * low, 100.0 * high)
    });
    format!("{} of {}{share}", count.found, count.implants)
}

pub(super) fn limits(sensitivity: &[Sensitivity]) -> TextTable {
    let mut rows = Vec::new();
    for group in sensitivity {
        if group.curves.is_empty() {
            let told = match group.found {
                0 => "none found",
                found if found == group.implants => "all found",
                _ => "too few sizes",
            };
            let na = || "n/a".to_owned();
            let (kind, inputs) = (group.kind.clone(), group.inputs.clone());
            rows.push(vec![kind, na(), inputs, told.to_owned(), na()]);
        }
        for curve in &group.curves {
            let [limit, low, high] = curve.limit;
            rows.push(vec![
                group.kind.clone(),
                ppm(curve.chi_ppm),
                group.inputs.clone(),
                limit.to_string(),
                between(low, high),
            ]);
        }
    }
    rows.sort_by(|a, b| a[0].cmp(&b[0]));
    let header =
        ["kind", "susceptibility, ppm", "inputs", "nine in ten found from, mm", "95 % interval"];
    table("Limits of detection", &header, rows)
}

/// A row for each kind and site, a column for each set of inputs.
pub(super) fn sites(cells: &[Cell]) -> TextTable {
    let mut sets: Vec<&str> = Vec::new();
    let mut names: Vec<(&str, Option<&str>)> = Vec::new();
    let here = || cells.iter().filter(|cell| cell.diameter.is_none() && cell.chi.is_none());
    for cell in here() {
        if !sets.contains(&cell.group.inputs.as_str()) {
            sets.push(&cell.group.inputs);
        }
        let name = (cell.group.kind.as_str(), cell.site.as_deref());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let rows = names.iter().map(|&(kind, site)| {
        let of = |set: &&str| {
            let mut same = here().filter(|cell| {
                (cell.group.kind.as_str(), cell.site.as_deref()) == (kind, site)
                    && cell.group.inputs == *set
            });
            same.next().map_or_else(|| "n/a".to_owned(), |cell| counted(cell.count))
        };
        let mut row = vec![kind.to_owned(), site.unwrap_or("all").to_owned()];
        row.extend(sets.iter().map(of));
        row
    });
    let mut header = vec!["kind", "site"];
    header.extend(sets.iter().copied());
    table("Found, with Wilson's 95 % interval", &header, rows.collect())
}

pub(super) fn confusion(called: &[Called]) -> TextTable {
    let rows = called.iter().map(|one| {
        let numbers = [one.cmb, one.nhid, one.nothing].map(|count| count.to_string());
        [vec![one.inputs.clone(), one.kind.clone()], numbers.to_vec()].concat()
    });
    let header = ["inputs", "implanted", "called CMB", "called NHID", "called nothing"];
    table("", &header, rows.collect())
}

/// Every second threshold.
pub(super) fn thresholds(at: &[AtThreshold]) -> TextTable {
    let rows = at.iter().filter(|at| ((at.threshold * 20.0).round() as usize).is_multiple_of(2));
    let share = |count: Count| count.share().map_or_else(|| "n/a".to_owned(), |s| percent(s[0]));
    let rows = rows.map(|at| {
        vec![
            at.inputs.clone(),
            format!("{:.2}", at.threshold),
            share(at.cmb),
            share(at.nhid),
            format!("{:.2}", at.false_calls_per_scan),
        ]
    });
    let header = ["inputs", "threshold", "CMB found", "NHID found", "calls elsewhere, a scan"];
    table("", &header, rows.collect())
}

pub(super) fn false_calls(calls: &[FalseCalls]) -> TextTable {
    let rows = calls.iter().map(|calls| {
        let Estimate { value, low, high } = calls.per_scan;
        vec![
            calls.inputs.clone(),
            calls.scans.to_string(),
            calls.elsewhere.to_string(),
            format!("{value:.2} ({low:.2} to {high:.2})"),
            calls.unknown.to_string(),
        ]
    });
    let header =
        ["inputs", "scans", "calls elsewhere", "a scan", "calls where something was called before"];
    table("", &header, rows.collect())
}

/// None without calls.
pub(super) fn calls(title: &str, calls: &[CallRow], most: usize) -> Option<TextTable> {
    let rows = calls.iter().take(most).map(|call| {
        vec![
            call.scan.clone(),
            call.inputs.clone(),
            call.class.name().to_owned(),
            format!("{:.2}", call.probability),
            format!("{:.1}, {:.1}, {:.1}", call.x_mm, call.y_mm, call.z_mm),
            call.region.clone().unwrap_or_else(|| "n/a".to_owned()),
            format!("{:.1}", call.volume_mm3),
        ]
    });
    let header =
        ["scan", "inputs", "called", "probability", "centre, RAS+ mm", "region", "volume, mm³"];
    (!calls.is_empty()).then(|| table(title, &header, rows.collect()))
}

pub(super) const DIFFERENCE: &str = "Where the implants are the same, pairs of them are compared: p is that of \
    McNemar's exact test, which takes implants for independent. Where they differ, the difference is that of the fitted \
    curves, averaged over the diameters and susceptibilities of both sides' implants. Intervals are those of a \
    bootstrap over subjects.";

pub(super) const DIFFERENCE_HEADER: [&str; 6] = [
    "found by the first",
    "found by the second",
    "only the first, only the second, p",
    "difference of the share found",
    "nine in ten from, mm",
    "difference, mm",
];

/// The cells of a difference, in the order of [`DIFFERENCE_HEADER`].
pub(super) fn difference(difference: &Difference) -> Vec<String> {
    let na = || "n/a".to_owned();
    let pairs = difference.pairs.map_or_else(
        || "other implants".to_owned(),
        |pairs| {
            let p = if pairs.p < 0.001 { "< 0.001".to_owned() } else { format!("{:.3}", pairs.p) };
            format!("{}, {}, p {p}", pairs.first_only, pairs.second_only)
        },
    );
    let points = |e: Estimate| {
        let [value, low, high] = [e.value, e.low, e.high].map(|share| 100.0 * share);
        format!("{value:+.0} points ({low:+.0} to {high:+.0})")
    };
    let mm = |e: Estimate| format!("{:+.1} ({:+.1} to {:+.1})", e.value, e.low, e.high);
    vec![
        counted(difference.counts[0]),
        counted(difference.counts[1]),
        pairs,
        difference.comparable().map_or_else(na, points),
        difference
            .limits
            .map_or_else(na, |[a, b]| format!("{a}, then {b}\nat {} ppm", ppm(difference.chi_ppm))),
        difference.limit_difference_mm.map_or_else(|| "cannot be told".to_owned(), mm),
    ]
}

pub(super) fn gains(gains: &[InputGain]) -> Option<TextTable> {
    let rows = gains.iter().map(|gain| {
        let mut row = vec![gain.kind.clone(), gain.inputs.join(", then ")];
        row.extend(difference(&gain.difference));
        row
    });
    let header = [&["kind", "inputs"][..], &DIFFERENCE_HEADER[..]].concat();
    (!gains.is_empty()).then(|| table("", &header, rows.collect()))
}

pub(super) fn provenance(of: &Provenance, tables: &str) -> Vec<(String, String)> {
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let mut facts = vec![
        fact("program", of.program.clone()),
        fact("model", format!("{} ({})", of.model, of.model_id)),
        fact("command", of.command.clone()),
        fact("implanted scans", of.implanted.display().to_string()),
    ];
    if let Some(untouched) = &of.untouched {
        facts.push(fact("untouched scans", untouched.display().to_string()));
    }
    facts.extend([
        fact("matching", of.matching.clone()),
        fact(
            "bootstrap",
            format!("{} resamples, seed {}", of.bootstrap.resamples, of.bootstrap.seed),
        ),
        fact("tables", tables.to_owned()),
    ]);
    facts
}
