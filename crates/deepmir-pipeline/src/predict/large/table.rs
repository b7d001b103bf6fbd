//! How large findings are written and shown.

use std::path::{Path, PathBuf};

use deepmir_lesion::{Lobe, MarsRegion, Region, Side, numbered};
use deepmir_report::{Canvas, Patches, Shown, TextTable};
use deepmir_volume::Grid;
use deepmir_volume::nifti::{self, Header};

use super::{LargeFinding, NAMED};
use crate::PipelineError;

/// The columns of the table.
const COLUMNS: [&str; 18] = [
    "finding_id",
    "finding",
    "region",
    "mars_region",
    "lobe",
    "side",
    "x_mm",
    "y_mm",
    "z_mm",
    "volume_mm3",
    "diameter_mm",
    "longest_mm",
    "max_probability",
    "lesion_probability",
    "chi_mean_ppm",
    "swi_contrast",
    "sphericity",
    "note",
];

/// The table of the page; `None` if there are none.
pub(in crate::predict) fn page_table(findings: &[LargeFinding]) -> Option<TextTable> {
    (!findings.is_empty()).then(|| TextTable {
        title: "Large findings: too large for a microbleed, or rejected; not counted".to_owned(),
        header: COLUMNS.map(str::to_owned).to_vec(),
        rows: findings.iter().map(|finding| cells(finding).to_vec()).collect(),
    })
}

/// The largest of them in three planes, with titles.
pub(in crate::predict) fn pictures(
    findings: &[LargeFinding],
    images: &[Shown<'_>],
    grid: &Grid,
) -> Vec<(String, Canvas)> {
    if findings.is_empty() {
        return Vec::new();
    }
    let patches = Patches::new(images, findings.iter().map(|finding| &finding.lesion), grid);
    let drawn = |finding: &LargeFinding| (finding.title(), patches.draw(finding.lesion.centre_mm));
    findings.iter().take(NAMED).map(drawn).collect()
}

/// Writes the table of large findings and beside it a label map of their numbers. The two files.
pub(in crate::predict) fn write(
    table: &Path,
    findings: &[LargeFinding],
    grid: &Grid,
    header: &Header,
) -> Result<[PathBuf; 2], PipelineError> {
    let mut text = COLUMNS.join("\t") + "\n";
    for finding in findings {
        text += &cells(finding).join("\t");
        text.push('\n');
    }
    let map = table.with_extension("nii.gz");
    nifti::write(
        &map,
        &numbered(findings.iter().map(|finding| &finding.lesion), grid),
        Some(header),
    )?;
    deepmir_cases::bids::write_text(table, &text)?;
    Ok([table.to_owned(), map])
}

fn cells(finding: &LargeFinding) -> [String; 18] {
    let row = &finding.row;
    let maybe = |value: Option<f64>| value.map_or("n/a".to_owned(), |value| format!("{value:.4}"));
    let text = |value: Option<&str>| value.unwrap_or("n/a").to_owned();
    let probability = |value: Option<f32>| maybe(value.map(f64::from));
    [
        row.lesion_id.to_string(),
        finding.name().to_owned(),
        text(row.region.map(Region::name)),
        text(row.mars_region.map(MarsRegion::key)),
        text(row.lobe.map(Lobe::name)),
        text(row.side.map(Side::name)),
        format!("{:.2}", row.x_mm),
        format!("{:.2}", row.y_mm),
        format!("{:.2}", row.z_mm),
        format!("{:.3}", row.volume_mm3),
        format!("{:.2}", row.diameter_mm),
        format!("{:.2}", finding.longest_mm),
        probability(finding.probabilities.map(|(peak, _)| peak)),
        probability(finding.probabilities.map(|(_, score)| score)),
        maybe(row.chi_mean_ppm),
        maybe(row.swi_contrast),
        format!("{:.3}", row.sphericity),
        text(row.note.as_deref()),
    ]
}
