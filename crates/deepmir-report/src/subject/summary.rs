//! What was found, in sentences and in the order of a radiologist's report.

use std::collections::BTreeMap;

use deepmir_lesion::{
    Certainty, LesionClass, LesionRow, MicrobleedCounts, Pattern, Region, RegionSource,
};

use super::SubjectReport;

/// Regions that are named; more are counted.
const MOST_REGIONS: usize = 8;
/// Lesions that are named to be checked first.
const MOST_FIRST: usize = 3;

/// Count, pattern, regions and sides, the largest; iron deposits; what to check first.
pub(super) fn sentences(report: &SubjectReport<'_>) -> Vec<String> {
    vec![microbleeds(report), deposits(report), first(report)]
}

fn of_class<'a>(report: &SubjectReport<'a>, class: LesionClass) -> Vec<&'a LesionRow> {
    report.rows.iter().filter(|row| row.class == class).collect()
}

fn microbleeds(report: &SubjectReport<'_>) -> String {
    let rows = of_class(report, LesionClass::Cmb);
    if rows.is_empty() {
        return format!("No cerebral microbleed was found{}.", interval(report, LesionClass::Cmb));
    }
    let counts = MicrobleedCounts::of(report.rows, RegionSource::default());
    let sure = counts.certainty.map_or(String::new(), |(definite, possible)| {
        format!(", {definite} definite and {possible} possible")
    });
    let pattern = match counts.pattern {
        Some(Pattern::Lobar) => "; strictly lobar",
        Some(Pattern::Deep) => "; strictly deep or infratentorial",
        Some(Pattern::Mixed) => "; mixed pattern",
        Some(Pattern::None) | None => "",
    };
    let groups = [Region::Lobar, Region::Deep, Region::Infratentorial].map(|region| {
        let count = rows.iter().filter(|row| row.region == Some(region)).count();
        (count > 0).then(|| format!("{count} {}", region.name()))
    });
    let groups: Vec<String> = groups.into_iter().flatten().collect();
    let groups = match (counts.pattern, groups.as_slice()) {
        (Some(Pattern::Mixed), groups) => format!(" ({})", groups.join(", ")),
        _ => String::new(),
    };
    format!(
        "{}{}{sure}{pattern}{groups}: {}. {}",
        counted(rows.len(), "cerebral microbleed"),
        interval(report, LesionClass::Cmb),
        places(&rows),
        largest(&rows)
    )
}

fn deposits(report: &SubjectReport<'_>) -> String {
    let rows = of_class(report, LesionClass::Nhid);
    let interval = interval(report, LesionClass::Nhid);
    if rows.is_empty() {
        return format!("No non-hemorrhage iron deposit was found{interval}.");
    }
    format!(
        "{}{interval}: {}. {}",
        counted(rows.len(), "non-hemorrhage iron deposit"),
        places(&rows),
        largest(&rows)
    )
}

/// ` (90 % interval 4 to 7)`, where it is known.
fn interval(report: &SubjectReport<'_>, class: LesionClass) -> String {
    let interval = report.count_intervals.get(&class);
    interval.map_or(String::new(), |interval| {
        let percent = 100.0 * deepmir_lesion::COUNT_LEVEL;
        format!(" ({percent:.0} % interval {} to {})", interval.low, interval.high)
    })
}

/// What a reader should look at first: what is not counted, what has a remark, what is least certain.
fn first(report: &SubjectReport<'_>) -> String {
    let mut first = Vec::new();
    match report.large_findings {
        0 => {}
        1 => first.push("the large finding, which is not counted".to_owned()),
        count => first.push(format!("the {count} large findings, which are not counted")),
    }
    let mut rows: Vec<(&LesionRow, f32)> = report
        .rows
        .iter()
        .enumerate()
        .map(|(n, row)| (row, report.lesion_probabilities.get(n).copied().unwrap_or(1.0)))
        .filter(|(row, _)| row.note.is_some() || row.certainty == Some(Certainty::Possible))
        .collect();
    rows.sort_by(|a, b| a.1.total_cmp(&b.1));
    for (row, probability) in rows.into_iter().take(MOST_FIRST) {
        let why = match &row.note {
            Some(note) => note.replace('_', " ").replace(',', ", "),
            None => format!("probability {probability:.2}"),
        };
        first.push(format!("lesion {} in the {} ({why})", row.lesion_id, place(row)));
    }
    if first.is_empty() {
        return match report.near_misses.first() {
            Some(near) => format!(
                "To check first: candidate A in the {}, the most probable one that was not called (probability {:.2}).",
                place(&near.row),
                near.probability
            ),
            None => "No call is less than definite, and no candidate was nearly called.".to_owned(),
        };
    }
    format!("To check first: {}.", first.join("; "))
}

fn largest(rows: &[&LesionRow]) -> String {
    let largest = rows.iter().max_by(|a, b| a.volume_mm3.total_cmp(&b.volume_mm3));
    largest.map_or(String::new(), |row| {
        let (id, diameter) = (row.lesion_id, row.diameter_mm);
        match rows.len() {
            1 => format!("It is lesion {id} and measures {diameter:.1} mm."),
            _ => {
                format!("The largest is lesion {id} with {diameter:.1} mm, in the {}.", place(row))
            }
        }
    })
}

/// `right frontal lobe 2, left thalamus 1`: most first.
fn places(rows: &[&LesionRow]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(place(row)).or_default() += 1;
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let rest: usize = counts.iter().skip(MOST_REGIONS).map(|(_, count)| count).sum();
    let named = counts.iter().take(MOST_REGIONS).map(|(place, count)| format!("{place} {count}"));
    let mut named: Vec<String> = named.collect();
    if rest > 0 {
        named.push(format!("elsewhere {rest}"));
    }
    named.join(", ")
}

/// `right frontal lobe`, as far as it is known.
pub(super) fn place(row: &LesionRow) -> String {
    let region = match (row.mars_region, row.region) {
        (Some(mars), _) => mars.name().to_owned(),
        (None, Some(region)) => format!("{} region", region.name()),
        (None, None) => "unknown region".to_owned(),
    };
    row.side.map_or(region.clone(), |side| format!("{} {region}", side.name()))
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
