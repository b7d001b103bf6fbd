//! Agreement between raters, from the label maps and tables that `deepmir annotate` writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use deepmir_lesion::matching::MatchRule;
use deepmir_lesion::metrics::{
    Agreement, Bootstrap, Disagreement, Estimate, RatedScan, agreement, disagreements,
};
use deepmir_lesion::{LabelMap, Lesion, LesionClass, Region, lesions_of, table};
use deepmir_volume::components::Connectivity;
use deepmir_volume::{check_same_grid, nifti};
use serde::Serialize;

use crate::StudyError;
use deepmir_cases::bids::{self, BidsName, images_below};

/// A lesion's row in its rater's table lies no further from it than this.
const SAME_PLACE_MM: f64 = 2.0;

/// Label maps of raters: by scan, then by rater.
pub type RatedMaps = BTreeMap<String, BTreeMap<String, PathBuf>>;

/// How two raters agree.
#[derive(Clone, Debug, Serialize)]
pub struct PairAgreement {
    /// The raters.
    pub raters: [String; 2],
    /// Scans that both marked.
    pub scans: Vec<String>,
    /// By class, everywhere and then by region where tables name regions.
    pub agreement: Vec<Agreement>,
    /// What they differ in.
    pub disagreements: Vec<Disagreement>,
}

/// Every rater's label map (`…_seg-lesions_desc-RATER_dseg`) below a folder. What was made with a
/// model's help (`desc-…Review`) and what was settled (`desc-adjudicated`) is no rating of its own.
///
/// # Errors
/// A folder that cannot be read.
pub fn rated_maps(folder: &Path) -> Result<RatedMaps, StudyError> {
    let mut maps = RatedMaps::new();
    for path in images_below(folder)? {
        let Some(name) = BidsName::parse(&path) else { continue };
        if name.suffix() != "dseg" || name.entity("seg") != Some("lesions") {
            continue;
        }
        let Some(rater) = name.entity("desc") else { continue };
        if rater != "adjudicated" && !rater.ends_with("Review") {
            maps.entry(name.scan()).or_default().insert(rater.to_owned(), path);
        }
    }
    Ok(maps)
}

/// Compares every pair of raters on the scans that both marked.
///
/// # Errors
/// No two raters with a scan in common; maps that cannot be read or lie on different grids.
pub fn compare(
    maps: &RatedMaps,
    rule: MatchRule,
    bootstrap: &Bootstrap,
) -> Result<Vec<PairAgreement>, StudyError> {
    let raters: BTreeSet<&String> = maps.values().flat_map(BTreeMap::keys).collect();
    let raters: Vec<&String> = raters.into_iter().collect();
    let mut pairs = Vec::new();
    for (n, first) in raters.iter().enumerate() {
        for second in &raters[n + 1..] {
            let scans = maps
                .iter()
                .filter_map(|(id, of)| Some((id, of.get(*first)?, of.get(*second)?)))
                .map(|(id, one, other)| rated(id, one, other))
                .collect::<Result<Vec<_>, _>>()?;
            if !scans.is_empty() {
                pairs.push(pair([first, second], &scans, rule, bootstrap));
            }
        }
    }
    if pairs.is_empty() {
        return Err(StudyError::Subjects {
            reason: format!(
                "no scan was finished by two raters ({}); label maps are named \
                 *_seg-lesions_desc-RATER_dseg.nii.gz",
                match raters.as_slice() {
                    [] => "there are no label maps of raters".to_owned(),
                    [only] => format!("the only rater is {only}"),
                    several => format!("there are {} raters, of different scans", several.len()),
                }
            ),
        });
    }
    Ok(pairs)
}

fn pair(
    raters: [&String; 2],
    scans: &[RatedScan],
    rule: MatchRule,
    bootstrap: &Bootstrap,
) -> PairAgreement {
    let known =
        |scan: &RatedScan| scan.lesions.iter().flatten().any(|(_, region)| region.is_some());
    let mut regions = vec![None];
    if scans.iter().any(known) {
        regions.extend([Region::Lobar, Region::Deep, Region::Infratentorial].map(Some));
    }
    let mut all = Vec::new();
    for class in LesionClass::ALL {
        all.extend(regions.iter().map(|&region| agreement(scans, class, region, rule, bootstrap)));
    }
    PairAgreement {
        raters: raters.map(String::clone),
        scans: scans.iter().map(|scan| scan.id.clone()).collect(),
        agreement: all,
        disagreements: disagreements(scans, rule),
    }
}

fn rated(id: &str, one: &Path, other: &Path) -> Result<RatedScan, StudyError> {
    let ((first, _), (second, _)) = (LabelMap::read(one)?, LabelMap::read(other)?);
    let remedy = "both raters must mark the same image";
    check_same_grid((one, first.grid()), (other, second.grid()), remedy)?;
    let lesions = [(first, one), (second, other)].map(|(labels, path)| placed(&labels, path));
    let [first, second] = lesions;
    Ok(RatedScan { id: id.to_owned(), lesions: [first?, second?] })
}

/// A map's lesions with the regions that the table beside it gives.
fn placed(labels: &LabelMap, path: &Path) -> Result<Vec<(Lesion, Option<Region>)>, StudyError> {
    let name = nifti::stem(path).replace("_dseg", "_lesions.tsv");
    let beside = path.with_file_name(name);
    let rows = if beside.is_file() { table::read(&beside)? } else { Vec::new() };
    let region = |lesion: &Lesion| {
        let distance = |row: &deepmir_lesion::LesionRow| {
            let place = [row.x_mm, row.y_mm, row.z_mm];
            (0..3).map(|axis| (place[axis] - lesion.centre_mm[axis]).powi(2)).sum::<f64>().sqrt()
        };
        let nearest = rows.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
        (distance(nearest) <= SAME_PLACE_MM).then_some(nearest.region).flatten()
    };
    let lesions = lesions_of(labels, Connectivity::TwentySix).into_iter();
    Ok(lesions
        .map(|lesion| (region(&lesion), lesion))
        .map(|(region, lesion)| (lesion, region))
        .collect())
}

/// Writes `agreement.json`, `agreement.tsv`, `disagreements.tsv` and the page `agreement.html`.
///
/// # Errors
/// If they cannot be written.
pub fn write(pairs: &[PairAgreement], folder: &Path) -> Result<(), StudyError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| StudyError::Write { path: folder.to_owned(), source })?;
    bids::write_json(&folder.join("agreement.json"), &pairs)?;
    bids::write_text(&folder.join("agreement.tsv"), &tab_separated(&agreement_rows(pairs)))?;
    bids::write_text(&folder.join("disagreements.tsv"), &tab_separated(&disagreement_rows(pairs)))?;
    Ok(bids::write_text(&folder.join("agreement.html"), &page(pairs))?)
}

/// Agreement as rows of text, the first being the header.
pub fn agreement_rows(pairs: &[PairAgreement]) -> Vec<Vec<String>> {
    let header = "rater_1 rater_2 class region scans lesions_1 lesions_2 both kappa_presence icc_count \
                  lesion_agreement dice";
    let mut rows = vec![header.split_whitespace().map(str::to_owned).collect::<Vec<_>>()];
    for pair in pairs {
        for one in &pair.agreement {
            rows.push(vec![
                pair.raters[0].clone(),
                pair.raters[1].clone(),
                one.class.name().to_owned(),
                one.region.map_or("all", Region::name).to_owned(),
                one.scans.to_string(),
                one.lesions[0].to_string(),
                one.lesions[1].to_string(),
                one.matched.to_string(),
                shown(one.kappa_presence),
                shown(one.icc_count),
                shown(one.lesion_agreement),
                shown(one.dice),
            ]);
        }
    }
    rows
}

fn shown(estimate: Option<Estimate>) -> String {
    estimate.map_or("n/a".to_owned(), |Estimate { value, low, high }| {
        format!("{value:.3} [{low:.3}, {high:.3}]")
    })
}

fn disagreement_rows(pairs: &[PairAgreement]) -> Vec<Vec<String>> {
    let header =
        "scan x_mm y_mm z_mm region rater_1 class_1 volume_1_mm3 rater_2 class_2 volume_2_mm3";
    let mut rows = vec![header.split_whitespace().map(str::to_owned).collect::<Vec<_>>()];
    for pair in pairs {
        for one in &pair.disagreements {
            let mut row = vec![one.scan.clone()];
            row.extend(one.centre_mm.map(|mm| format!("{mm:.1}")));
            row.push(one.region.map_or("n/a", Region::name).to_owned());
            for side in 0..2 {
                row.push(pair.raters[side].clone());
                row.push(one.classes[side].map_or("n/a", LesionClass::name).to_owned());
                row.push(
                    one.volumes_mm3[side].map_or("n/a".to_owned(), |volume| format!("{volume:.1}")),
                );
            }
            rows.push(row);
        }
    }
    rows
}

fn tab_separated(rows: &[Vec<String>]) -> String {
    rows.iter().map(|row| row.join("\t") + "\n").collect()
}

/// The page: agreement, then each disagreement.
fn page(pairs: &[PairAgreement]) -> String {
    let mut html = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Agreement of raters</title>\
         <style>body{font:14px/1.4 system-ui,sans-serif;margin:2em;max-width:1200px}\
         table{border-collapse:collapse}td,th{border:1px solid #999;padding:3px 8px;text-align:left}\
         td{font-variant-numeric:tabular-nums}</style><h1>Agreement of raters</h1>\
         <p>Cohen's kappa on whether a scan has any, ICC(2,1) of the number in a scan, share of marked lesions that \
         both marked, mean Dice; 95 % bootstrap intervals over scans. Research software, not a medical device.</p>",
    );
    for (title, rows) in
        [("Agreement", agreement_rows(pairs)), ("Each disagreement", disagreement_rows(pairs))]
    {
        let _ = write!(html, "<h2>{title}</h2><table>");
        for (n, row) in rows.iter().enumerate() {
            let tag = if n == 0 { "th" } else { "td" };
            let text = |cell: &String| if n == 0 { cell.replace('_', " ") } else { escaped(cell) };
            let cells = row.iter().map(|cell| format!("<{tag}>{}</{tag}>", text(cell)));
            let _ = write!(html, "<tr>{}</tr>", cells.collect::<String>());
        }
        html.push_str("</table>");
    }
    html.push_str("</html>\n");
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
