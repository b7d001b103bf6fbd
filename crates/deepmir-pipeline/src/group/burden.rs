//! How many participants have lesions, and how that goes with age and sex.

use std::collections::BTreeMap;

use deepmir_lesion::metrics::{Z95, wilson};
use deepmir_lesion::{LesionClass, MicrobleedCounts, Pattern, RegionSource};
use deepmir_report::bands::{self, Band, BandPlot};
use deepmir_report::{Figure, TextTable};

use super::Row;
use super::participants::Participants;
use crate::PipelineError;
use crate::run::State;

/// Fewer participants with an age are not plotted.
const FEWEST: usize = 5;
/// Microbleeds from which on there are many.
const MANY: usize = 5;

/// The first scan that is done of each participant: visits of one person are not counted as people.
fn first_scans(rows: &[Row]) -> Vec<&Row> {
    let mut first: BTreeMap<&str, &Row> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state == State::Done) {
        first.entry(&row.subject).or_insert(row);
    }
    first.into_values().collect()
}

fn count(row: &Row, class: LesionClass) -> usize {
    row.lesions.iter().filter(|lesion| lesion.class == class).count()
}

/// Shares of participants with intervals, of all and by sex; none without scans.
pub(super) fn prevalence(rows: &[Row], participants: &Participants) -> Option<TextTable> {
    let scans = first_scans(rows);
    if scans.is_empty() {
        return None;
    }
    let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for &row in &scans {
        if let Some(sex) = participants.get(&row.subject, 1) {
            groups.entry(format!("sex {sex}")).or_default().push(row);
        }
    }
    let groups: Vec<(String, Vec<&Row>)> =
        std::iter::once(("all".to_owned(), scans.clone())).chain(groups).collect();
    let pattern = |row: &Row| {
        let source = row.quality.as_ref().map_or(RegionSource::default(), |one| one.region_source);
        MicrobleedCounts::of(&row.lesions, source).pattern
    };
    type Has<'a> = Box<dyn Fn(&Row) -> bool + 'a>;
    let of_pattern = |wanted| -> Has<'_> { Box::new(move |row| pattern(row) == Some(wanted)) };
    let lines: [(&str, Has<'_>); 6] = [
        ("any microbleed", Box::new(|row| count(row, LesionClass::Cmb) > 0)),
        ("strictly lobar", of_pattern(Pattern::Lobar)),
        ("strictly deep or infratentorial", of_pattern(Pattern::Deep)),
        ("mixed", of_pattern(Pattern::Mixed)),
        ("five or more microbleeds", Box::new(|row| count(row, LesionClass::Cmb) >= MANY)),
        ("any iron deposit", Box::new(|row| count(row, LesionClass::Nhid) > 0)),
    ];
    let cells = lines.iter().map(|(name, has)| {
        let shares = groups.iter().map(|(_, rows)| {
            let with = rows.iter().filter(|row| has(row)).count();
            let [low, high] = ends(with, rows.len());
            let share = 100.0 * with as f64 / rows.len() as f64;
            let (low, high) = (100.0 * low, 100.0 * high);
            format!("{share:.0} % ({low:.0} to {high:.0}), {with} of {}", rows.len())
        });
        std::iter::once((*name).to_owned()).chain(shares).collect()
    });
    let names = groups.iter().map(|(name, _)| name.clone());
    Some(TextTable {
        title: "Prevalence by the first scan of each participant, with Wilson’s 95 % interval"
            .to_owned(),
        header: std::iter::once("participants with".to_owned()).chain(names).collect(),
        rows: cells.collect(),
    })
}

/// Ends of Wilson's interval of a share; of none anything may be.
fn ends(with: usize, all: usize) -> [f64; 2] {
    wilson(with, all).map_or([0.0, 1.0], |[_, low, high]| [low, high])
}

/// Microbleeds and iron deposits against age, where enough ages are known.
pub(super) fn by_age(
    rows: &[Row],
    participants: &Participants,
) -> Result<Vec<Figure>, PipelineError> {
    let scans = first_scans(rows);
    let known: Vec<(f64, &Row)> =
        scans.iter().filter_map(|row| Some((participants.age(&row.subject)?, *row))).collect();
    if known.len() < FEWEST {
        return Ok(Vec::new());
    }
    let mut figures = Vec::new();
    for (class, name) in [(LesionClass::Cmb, "microbleeds"), (LesionClass::Nhid, "iron deposits")] {
        let dots: Vec<(f64, f64)> =
            known.iter().map(|(age, row)| (*age, count(row, class) as f64)).collect();
        let most = dots.iter().map(|dot| dot.1).fold(1.0, f64::max);
        let correlation = spearman(&dots);
        let plot = BandPlot {
            title: format!("{name} against age"),
            x_label: "age, years".to_owned(),
            y_label: name.to_owned(),
            bands: vec![Band { name: "participants".to_owned(), points: Vec::new(), dots }],
            y_range: (-0.04 * most, 1.04 * most),
            marks: Vec::new(),
        };
        let told = match correlation {
            Some(rho) => {
                let [low, high] = fisher(rho, known.len());
                format!(
                    "Spearman’s rank correlation is {rho:.2} (95 % interval {low:.2} to {high:.2}, Fisher’s transformation)"
                )
            }
            None => "There is no rank correlation, as one of the two does not vary".to_owned(),
        };
        let caption = format!(
            "{told}, of {} participants. Nothing else is accounted for: scanner, site and sex may explain it.",
            known.len()
        );
        figures.push(Figure { svg: bands::svg(&plot)?, caption });
    }
    Ok(figures)
}

/// The correlation of ranks, ties having their mean rank; none where one of the two does not vary.
fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    let (xs, ys): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let (xs, ys) = (ranks(&xs), ranks(&ys));
    let mean = (pairs.len() as f64 + 1.0) / 2.0;
    let sum = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum()
    };
    let spread = (sum(&xs, &xs) * sum(&ys, &ys)).sqrt();
    (spread > 0.0).then(|| sum(&xs, &ys) / spread)
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: f64| {
        let below = values.iter().filter(|&&other| other < value).count() as f64;
        let equal = values.iter().filter(|&&other| other == value).count() as f64;
        below + (equal + 1.0) / 2.0
    };
    values.iter().map(|&value| rank(value)).collect()
}

/// Ends of the interval of a correlation (Fisher 1921, with the variance of Fieller 1957 for ranks).
fn fisher(rho: f64, count: usize) -> [f64; 2] {
    let deviation = (1.06 / (count as f64 - 3.0)).sqrt();
    let middle = rho.clamp(-0.999_999, 0.999_999).atanh();
    [middle - Z95 * deviation, middle + Z95 * deviation].map(f64::tanh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_worked_examples() {
        // 7 of 20: Newcombe (1998) and R's prop.test without correction give 0.1812 to 0.5671.
        let [low, high] = ends(7, 20);
        assert!((low - 0.1812).abs() < 1e-3 && (high - 0.5671).abs() < 1e-3, "{low} {high}");
        assert_eq!(ends(0, 0), [0.0, 1.0]);
        assert_eq!(ends(0, 10)[0], 0.0);
    }

    #[test]
    fn ranks_correlate_whatever_the_scale() {
        let rising: Vec<(f64, f64)> = (1..9).map(|n| (f64::from(n), f64::from(n * n))).collect();
        assert!((spearman(&rising).unwrap() - 1.0).abs() < 1e-12);
        // Ties: by hand, ranks 1.5 1.5 3 and 1 2 3 give 0.866.
        let tied = [(1.0, 1.0), (1.0, 2.0), (2.0, 3.0)];
        assert!((spearman(&tied).unwrap() - 0.866).abs() < 1e-3);
        assert_eq!(spearman(&[(1.0, 0.0), (2.0, 0.0)]), None);
        let [low, high] = fisher(0.5, 30);
        assert!(low > 0.1 && low < 0.2 && high > 0.7 && high < 0.8, "{low} {high}");
    }
}
