//! The cards of a subject's page: a lesion or a candidate each, close up and measured.

use std::collections::BTreeSet;

use deepmir_lesion::{Certainty, Lesion, LesionRow, Region};
use serde::Serialize;

use super::{SubjectReport, data_url, summary};
use crate::closeup::CloseUps;
use crate::{Paint, ReportError};

/// Lesions that are shown close up, the largest; the rest are in the table.
const MOST_CLOSE_UPS: usize = 40;

/// A lesion or a candidate of the page.
#[derive(Serialize)]
pub(super) struct Card {
    /// Address within the page.
    id: String,
    /// Number of a lesion, letter of a candidate.
    name: String,
    class: &'static str,
    place: String,
    note: Option<String>,
    why: String,
    strips: Vec<Strip>,
    /// Outlines of the lesion itself and of others in view.
    outlines: [String; 2],
    facts: Vec<(&'static str, String)>,
}

/// One image in three planes.
#[derive(Serialize)]
struct Strip {
    name: String,
    source: String,
    is_coloured: bool,
}

/// Lesions in the order of the table.
pub(super) fn lesions(
    report: &SubjectReport<'_>,
    close: &CloseUps<'_>,
    quality: u8,
) -> Result<Vec<Card>, ReportError> {
    let mut by_size: Vec<&LesionRow> = report.rows.iter().collect();
    by_size.sort_by(|a, b| b.volume_mm3.total_cmp(&a.volume_mm3));
    let shown: BTreeSet<usize> =
        by_size.iter().take(MOST_CLOSE_UPS).map(|row| row.lesion_id).collect();
    let card = |(n, row): (usize, &LesionRow)| {
        let number = shown.contains(&row.lesion_id).then_some(n + 1);
        Ok(Card {
            id: format!("lesion-{}", row.lesion_id),
            name: row.lesion_id.to_string(),
            why: report.reasons.get(n).cloned().unwrap_or_default(),
            facts: facts(
                row,
                report.lesion_probabilities.get(n).copied(),
                report.parts.get(n).copied(),
            ),
            ..drawn(row, report, close, number, quality)?
        })
    };
    report.rows.iter().enumerate().map(card).collect()
}

/// Candidates that were not called, lettered, the most probable first.
pub(super) fn near_misses(
    report: &SubjectReport<'_>,
    close: &CloseUps<'_>,
    quality: u8,
) -> Result<Vec<Card>, ReportError> {
    let card = |(n, letter): (usize, char)| {
        let near = &report.near_misses[n];
        let number = Some(report.lesions.len() + n + 1);
        Ok(Card {
            id: format!("candidate-{letter}"),
            name: letter.to_string(),
            why: near.reason.clone(),
            facts: facts(&near.row, Some(near.probability), None),
            ..drawn(&near.row, report, close, number, quality)?
        })
    };
    (0..report.near_misses.len()).zip('A'..='Z').map(card).collect()
}

fn drawn(
    row: &LesionRow,
    report: &SubjectReport<'_>,
    close: &CloseUps<'_>,
    number: Option<usize>,
    quality: u8,
) -> Result<Card, ReportError> {
    let centre = [row.x_mm, row.y_mm, row.z_mm];
    let number = number.and_then(|number| u16::try_from(number).ok());
    let pictures = number.map(|_| close.pictures(centre, quality)).transpose()?;
    let strips = report.panes.iter().zip(pictures.into_iter().flatten());
    let strips = strips.map(|(pane, picture)| Strip {
        name: pane.name.clone(),
        source: data_url("image/jpeg", &picture),
        is_coloured: matches!(pane.paint, Paint::Diverging(_)),
    });
    Ok(Card {
        id: String::new(),
        name: String::new(),
        class: row.class.name(),
        place: summary::place(row),
        note: row.note.as_ref().map(|note| note.replace('_', " ").replace(',', ", ")),
        why: String::new(),
        strips: strips.collect(),
        outlines: number.map(|number| close.outlines(centre, number)).unwrap_or_default(),
        facts: Vec::new(),
    })
}

fn facts(
    row: &LesionRow,
    probability: Option<f32>,
    parts: Option<[Option<f64>; 2]>,
) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("certainty", row.certainty.map_or("n/a", Certainty::name).to_owned()),
        ("place", place(row)),
        ("diameter", diameter(row)),
        ("volume", format!("{:.1} mm³ ({} voxels)", row.volume_mm3, row.n_voxels)),
        ("mean susceptibility", format!("{} ppm", maybe(row.chi_mean_ppm, 3))),
        ("total susceptibility", format!("{} ppm·mm³", maybe(row.chi_total_ppm_mm3, 2))),
        ("SWI contrast", maybe(row.swi_contrast, 2)),
        ("T2w contrast", maybe(row.t2w_contrast, 2)),
        ("sphericity", format!("{:.2}", row.sphericity)),
        ("highest voxel probability", maybe(row.max_probability, 2)),
        ("centre (RAS)", format!("{:.1}, {:.1}, {:.1} mm", row.x_mm, row.y_mm, row.z_mm)),
    ];
    if let Some([positive, negative]) = parts {
        let both = format!("{} and {} ppm", maybe(positive, 3), maybe(negative, 3));
        facts.insert(6, ("paramagnetic and diamagnetic, mean", both));
    }
    if let Some(probability) = probability {
        facts.insert(0, ("probability", format!("{probability:.2}")));
    }
    facts
}

/// The columns of the page's table.
pub(super) const COLUMNS: [&str; 17] = [
    "lesion",
    "class",
    "certainty",
    "probability",
    "region",
    "group",
    "side",
    "diameter, mm",
    "volume, mm³",
    "susceptibility, ppm",
    "total, ppm·mm³",
    "SWI contrast",
    "T2w contrast",
    "x, mm",
    "y, mm",
    "z, mm",
    "remarks",
];

/// The page's table, for a spreadsheet.
pub(super) fn table(report: &SubjectReport<'_>) -> Vec<[String; 17]> {
    let text = |value: Option<&str>| value.unwrap_or("n/a").to_owned();
    let row = |(n, row): (usize, &LesionRow)| {
        [
            row.lesion_id.to_string(),
            row.class.name().to_owned(),
            text(row.certainty.map(Certainty::name)),
            maybe(report.lesion_probabilities.get(n).map(|&p| f64::from(p)), 2),
            text(row.mars_region.map(|mars| mars.name())),
            text(row.region.map(Region::name)),
            text(row.side.map(|side| side.name())),
            format!("{:.1}", row.diameter_mm),
            format!("{:.1}", row.volume_mm3),
            maybe(row.chi_mean_ppm, 3),
            maybe(row.chi_total_ppm_mm3, 2),
            maybe(row.swi_contrast, 2),
            maybe(row.t2w_contrast, 2),
            format!("{:.1}", row.x_mm),
            format!("{:.1}", row.y_mm),
            format!("{:.1}", row.z_mm),
            text(row.note.as_deref()),
        ]
    };
    report.rows.iter().enumerate().map(row).collect()
}

/// What lies close up: lesions, then candidates.
pub(super) fn regions<'a>(report: &'a SubjectReport<'_>) -> [Vec<&'a Lesion>; 2] {
    let near = report.near_misses.iter().map(|near| near.lesion).collect();
    [report.lesions.clone(), near]
}

fn maybe(value: Option<f64>, digits: usize) -> String {
    value.map_or("n/a".to_owned(), |value| format!("{value:.digits$}"))
}

/// `frontal lobe (lobar), left`, as far as it is known.
pub(super) fn place(row: &LesionRow) -> String {
    let region = row.region.map_or("n/a", Region::name);
    let Some(mars) = row.mars_region else { return region.to_owned() };
    let lobe = row.lobe.filter(|_| mars.lobe().is_none());
    let lobe = lobe.map_or(String::new(), |lobe| format!(" near the {} lobe", lobe.name()));
    let side = row.side.map_or(String::new(), |side| format!(", {}", side.name()));
    format!("{} ({region}){lobe}{side}", mars.name())
}

pub(super) fn diameter(row: &LesionRow) -> String {
    let size = row.bombs_size.map_or(String::new(), |size| format!(" (BOMBS {} mm)", size.name()));
    format!("{:.1} mm{size}", row.diameter_mm)
}
