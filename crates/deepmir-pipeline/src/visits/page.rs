//! The page of two visits.

use std::collections::BTreeMap;

use deepmir_cases::Modality;
use deepmir_lesion::{Lesion, LesionClass, LesionRow};
use deepmir_model::training_range::Measure;
use deepmir_report::{Patches, Shown, TextTable, VisitsCard, VisitsPage, checkerboard};

use super::aria::AriaSheet;
use super::lesions::LesionOverVisits;
use super::sites::carried;
use super::write::ratios;
use super::{Change, Comparison, LargeOverVisits, Verdict};
use crate::predict::{Predictor, window};
use crate::program;

/// Lesions that are shown close up; the rest are in the table.
const MOST_PICTURES: usize = 40;

impl Predictor {
    /// The page of two visits, for [`VisitsPage::html`].
    pub fn visits_page(&self, comparison: &Comparison) -> VisitsPage {
        let [baseline, followup] = &comparison.visits;
        let settings = &self.bundle().settings;
        let mut provenance = vec![
            ("program".to_owned(), program()),
            ("model".to_owned(), format!("{} ({})", settings.name, self.bundle().id())),
        ];
        for (which, visit) in [("baseline", baseline), ("follow-up", followup)] {
            for (modality, path) in &visit.files.images {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                let checksum = visit.checksums.get(modality).map_or("", String::as_str);
                let from = format!("{name}, SHA-256 {checksum}");
                provenance.push((format!("{which} {modality}"), from));
            }
        }
        let warnings = [("baseline", baseline), ("follow-up", followup)].into_iter();
        let warnings = warnings.flat_map(|(which, visit)| {
            let all = visit.prediction.quality.warnings.iter();
            all.map(move |warning| format!("{which}: {warning}"))
        });
        let verdict = &comparison.comparability;
        VisitsPage {
            title: format!("{} and {}", baseline.files.id, followup.files.id),
            verdict: verdict.verdict.in_words().to_owned(),
            caution: verdict.verdict != Verdict::Comparable,
            reasons: verdict.reasons.clone(),
            summary: summary(comparison),
            sheet: sheet(comparison),
            counts: counts(comparison),
            large: large(comparison),
            cards: cards(comparison),
            warnings: warnings.collect(),
            quality: quality(comparison),
            checks: checks(comparison),
            methods: methods(comparison, &settings.name),
            provenance,
        }
    }
}

fn plural(count: usize, one: &str) -> String {
    match count {
        0 => format!("no {one}s"),
        1 => format!("one {one}"),
        _ => format!("{count} {one}s"),
    }
}

/// What a reader wants to know first.
fn summary(comparison: &Comparison) -> Vec<String> {
    let cmb = LesionClass::Cmb;
    let new = comparison.count(cmb, Change::New);
    let interval = comparison.new_count(cmb);
    let mut first = format!(
        "{} ({} to {} with 90 % confidence)",
        plural(new, "new microbleed"),
        interval.low,
        interval.high
    );
    first = first[..1].to_uppercase() + &first[1..];
    let places: Vec<String> = comparison
        .lesions
        .iter()
        .filter(|lesion| {
            lesion.change == Change::New && comparison.followed[lesion.followed].site.class == cmb
        })
        .filter_map(|lesion| lesion.row().map(place))
        .collect();
    if !places.is_empty() {
        first += &format!(": {}", places.join("; "));
    }
    if let Some(years) = comparison.years() {
        first += &format!(". In {years:.1} years that is {:.1} a year", new as f64 / years);
    }
    let others = [Change::Gone, Change::Grown, Change::Shrunk, Change::Stable]
        .map(|change| format!("{} {}", comparison.count(cmb, change), change.name()));
    let nhid = Change::ALL
        .map(|change| format!("{} {}", comparison.count(LesionClass::Nhid, change), change.name()));
    let mut sentences = vec![
        first + ".",
        format!(
            "Of the other microbleeds {}. Iron deposits: {}.",
            others.join(", "),
            nhid.join(", ")
        ),
    ];
    let is_new = |over: &LargeOverVisits| over.at[0].is_none();
    let new = comparison.large_findings().iter().filter(|over| is_new(over)).count();
    if new > 0 {
        sentences.push(format!(
            "{} too large for a microbleed at the follow-up and not at the baseline: look at each, below.",
            if new == 1 { "One finding is".to_owned() } else { format!("{new} findings are") }
        ));
    }
    sentences
}

/// Findings too large for a microbleed; no rows where neither visit has any.
fn large(comparison: &Comparison) -> TextTable {
    let findings = comparison.large_findings();
    TextTable {
        title: "Findings too large for a microbleed".to_owned(),
        header: ["baseline", "follow-up"].map(str::to_owned).into(),
        rows: findings.iter().map(|over| comparison.large_row(over)).collect(),
    }
}

/// `left frontal lobe, 3.1 mm`.
fn place(row: &LesionRow) -> String {
    let side = row.side.map_or(String::new(), |side| format!("{} ", side.name()));
    let region = row.mars_region.map(|region| region.name());
    let region = region.or(row.region.map(|region| region.name())).unwrap_or("unknown region");
    format!("{side}{region}, {:.1} mm", row.diameter_mm)
}

fn sheet(comparison: &Comparison) -> Vec<(String, String)> {
    let sheet = AriaSheet::of(comparison);
    let [low, high] = sheet.new_interval;
    let [least, most] = sheet.severity_interval;
    let above = if sheet.baseline_above_four { " (more than 4)" } else { "" };
    let rows = [
        ("microhaemorrhages at baseline", format!("{}{above}", sheet.baseline_microhaemorrhages)),
        ("new microhaemorrhages", format!("{} ({low} to {high})", sheet.new_microhaemorrhages)),
        (
            "severity by their number",
            format!(
                "{} ({} to {})",
                sheet.microhaemorrhage_severity.name(),
                least.name(),
                most.name()
            ),
        ),
        ("findings of the follow-up above 10 mm or dark regions", sheet.large_findings.to_string()),
        ("new superficial siderosis", String::new()),
        ("new macrohaemorrhage (above 10 mm)", String::new()),
        ("ARIA-H grade", String::new()),
        ("reader, date", String::new()),
    ];
    rows.map(|(name, value)| (name.to_owned(), value)).into()
}

fn counts(comparison: &Comparison) -> TextTable {
    let mut header = vec!["class".to_owned()];
    header.extend(Change::ALL.map(|change| change.name().to_owned()));
    header.extend(["new, 90 % interval", "baseline", "follow-up"].map(str::to_owned));
    let rows = LesionClass::ALL.map(|class| {
        let there = |visit: usize| {
            let is = Change::ALL.into_iter().filter(|change| change.is_there(visit));
            is.map(|change| comparison.count(class, change)).sum::<usize>()
        };
        let interval = comparison.new_count(class);
        let mut row = vec![class.name().to_owned()];
        row.extend(Change::ALL.map(|change| comparison.count(class, change).to_string()));
        row.push(format!("{} to {}", interval.low, interval.high));
        row.extend([there(0), there(1)].map(|count| count.to_string()));
        row
    });
    TextTable { title: String::new(), header, rows: rows.into() }
}

fn cards(comparison: &Comparison) -> Vec<VisitsCard> {
    let lesions = &comparison.lesions;
    let halfway = &comparison.halfway;
    let grid = halfway.grid();
    let patches = [0, 1].map(|visit| {
        let shown = shown(comparison, visit);
        let prepared = comparison.visits[visit].detected.prepared.grid();
        let outlined =
            lesions.iter().filter(|lesion| lesion.change.is_there(visit)).map(|lesion| {
                let site = &comparison.followed[lesion.followed].site;
                let voxels = &site.seen[visit].candidate.lesion.voxels;
                let there = carried(voxels, prepared, grid, &halfway.to_visits[visit].inverse());
                Lesion::new(site.class, there, grid)
            });
        let outlined: Vec<Lesion> = outlined.collect();
        Patches::new(&shown, outlined.iter(), grid)
    });
    lesions
        .iter()
        .enumerate()
        .map(|(n, lesion)| {
            let followed = &comparison.followed[lesion.followed];
            let last = usize::from(lesion.change.is_there(1));
            let centre = followed.site.seen[last].candidate.lesion.centre_mm;
            let centre = halfway.to_visits[last].inverse().apply(centre);
            let pictures =
                (n < MOST_PICTURES).then(|| patches.each_ref().map(|patches| patches.draw(centre)));
            VisitsCard {
                number: lesion.number,
                class: followed.site.class.name(),
                change: lesion.change.name(),
                facts: facts(comparison, lesion),
                pictures,
            }
        })
        .collect()
}

/// A visit's images in the halfway space.
fn shown(comparison: &Comparison, visit: usize) -> Vec<Shown<'_>> {
    let images: &BTreeMap<Modality, _> = &comparison.halfway.images[visit];
    let contrast = comparison.visits[visit].prediction.case.contrast;
    let each = images.iter().map(|(&modality, volume)| Shown {
        name: match modality {
            Modality::Swi => contrast.in_words().to_owned(),
            other => other.name().to_owned(),
        },
        volume,
        window: window(modality, volume, &comparison.halfway.brains[visit]),
    });
    each.collect()
}

fn facts(comparison: &Comparison, lesion: &LesionOverVisits) -> Vec<[String; 3]> {
    let followed = &comparison.followed[lesion.followed];
    let number = |value: Option<f64>, digits: usize, unit: &str| {
        value.map_or("n/a".to_owned(), |value| format!("{value:.digits$}{unit}"))
    };
    let rows = lesion.rows.each_ref();
    let both = |name: &str, values: [String; 2]| {
        let [one, other] = values;
        [name.to_owned(), one, other]
    };
    let of_rows = |value: fn(&LesionRow) -> Option<f64>, digits: usize, unit: &str| {
        rows.map(|row| number(row.as_ref().and_then(value), digits, unit))
    };
    let there = rows.map(|row| row.as_ref().map_or("outside the image".to_owned(), place));
    let centre = rows.map(|row| {
        row.as_ref().map_or("n/a".to_owned(), |row| {
            format!("{:.1}, {:.1}, {:.1} mm", row.x_mm, row.y_mm, row.z_mm)
        })
    });
    let scores = followed.site.seen.each_ref().map(|sight| f64::from(sight.candidate.score()));
    let own = followed.site.seen.each_ref().map(|sight| {
        if sight.own { "its own candidate" } else { "the other visit's outline" }.to_owned()
    });
    let sure = format!("{:.2}", followed.probability_of(lesion.change));
    let spread = comparison.scan_rescan_error;
    let [chi, swi] = ratios(followed);
    let factor = |name: &str, ratio: Option<f64>, spread: f64| {
        let of = ratio?;
        // 95 % of unchanged lesions lie within.
        let usual =
            format!("unchanged: {:.2} to {:.2}", (-1.96 * spread).exp(), (1.96 * spread).exp());
        Some([name.to_owned(), usual, format!("× {of:.2}")])
    };
    let mut facts = vec![
        [format!("probability of {}", lesion.change.name()), String::new(), sure],
        both("probability of a lesion, alone", scores.map(|p| number(Some(p), 2, ""))),
        both("measured in", own),
        both("place", there),
        both("centre", centre),
        both("volume", of_rows(|row| Some(row.volume_mm3), 1, " mm³")),
        both(
            "susceptibility over the place",
            followed.sums.map(|sums| number(sums.chi_total_ppm_mm3, 2, " ppm·mm³")),
        ),
        both(
            "signal lacking in the SWI",
            followed.sums.map(|sums| number(sums.swi_deficit_mm3, 1, " mm³")),
        ),
    ];
    facts.extend(factor("susceptibility, ratio", chi, spread[0]));
    facts.extend(factor("lacking signal, ratio", swi, spread[1]));
    facts
}

fn quality(comparison: &Comparison) -> TextTable {
    let header = ["", "baseline", "follow-up"].map(str::to_owned).into();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let days = comparison.days.map(|day| day.map_or("unknown".to_owned(), |day| day.to_string()));
    rows.push([vec!["date".to_owned()], days.into()].concat());
    let of = |visit: usize| &comparison.visits[visit].prediction;
    for (name, measure) in [
        ("field strength, T", Measure::FieldStrengthT),
        ("echo time, ms", Measure::EchoTimeMs),
        ("voxel in plane, mm", Measure::InPlaneMm),
        ("slice thickness, mm", Measure::SliceMm),
        ("signal to noise", Measure::SwiSnr),
    ] {
        let values = [0, 1].map(|visit| {
            let found = of(visit).quality.training_range.measures.get(&measure);
            found.map_or("unknown".to_owned(), |found| format!("{:.2}", found.value))
        });
        rows.push([vec![name.to_owned()], values.into()].concat());
    }
    let brains = [0, 1].map(|visit| format!("{:.0}", of(visit).quality.brain_ml));
    rows.push([vec!["brain, mL".to_owned()], brains.into()].concat());
    let registration = &comparison.registration;
    rows.push(vec![
        "registration".to_owned(),
        format!("turned by {:.1}°", registration.transform.angle_degrees()),
        format!(
            "directions {:.2} mm apart, brains overlap with a Dice coefficient of {:.3}",
            registration.disagreement_mm,
            comparison.halfway.brain_agreement()
        ),
    ]);
    TextTable { title: String::new(), header, rows }
}

fn checks(comparison: &Comparison) -> Vec<(String, deepmir_report::Canvas)> {
    let [one, other] = [0, 1].map(|visit| shown(comparison, visit));
    let (Some(one), Some(other)) = (one.first(), other.first()) else { return Vec::new() };
    let title = format!(
        "{} of both visits in a checkerboard: edges are continuous where they are aligned",
        one.name
    );
    vec![(title, checkerboard(one, other, &comparison.halfway.common_brain()))]
}

fn methods(comparison: &Comparison, model: &str) -> String {
    let images: Vec<&str> =
        comparison.visits[0].files.images.keys().map(|image| image.name()).collect();
    format!(
        "The two visits were registered rigidly in both directions by normalised mutual information, and compared in the space \
         halfway between them. Candidates of either visit ({model}, from {}) were measured at the same place in both. A \
         multinomial logistic regression that was fitted to simulated pairs of visits gave the probabilities of a lesion at \
         neither, one or both visits, and of growth, from the classifiers' log-odds, the contrast in the images, and \
         susceptibility and signal loss summed over the place. Microhaemorrhages are graded by their number as in Cogswell et \
         al. 2022.",
        images.join(", ")
    )
}
