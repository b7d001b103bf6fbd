//! The sheet that a reader of two visits signs.

use std::collections::BTreeMap;
use std::path::Path;

use deepmir_cases::bids;
use deepmir_lesion::{Certainty, Change, LesionClass, Severity};
use deepmir_volume::atomic;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;
use serde_json::{Value, json};

use super::LoadedVisits;
use crate::candidates::Candidate;
use crate::case::LoadedCase;
use crate::export::{Exported, check_raters, write_layer};
use crate::layer::{Layer, Origin, Verdict};
use crate::store::{LayerKey, LayerState, Stage};
use crate::view::lesions;
use crate::{AnnotateError, Dataset, Store};

const TEMPLATE: &str = include_str!("sheet.html");

/// What a reader's marks on two visits come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Reading {
    /// Definite microbleeds at the baseline.
    pub baseline_microhaemorrhages: usize,
    /// Whether they are more than 4.
    pub baseline_above_four: bool,
    /// New definite microbleeds.
    pub new_microhaemorrhages: usize,
    /// New ones of which the reader is not sure; they do not count for the severity.
    pub new_possible_microhaemorrhages: usize,
    /// The severity of the number of new definite ones.
    pub microhaemorrhage_severity: Severity,
    /// New areas of superficial siderosis.
    pub siderosis_areas: Option<u16>,
    /// The severity of their number.
    pub siderosis_severity: Option<Severity>,
    /// New macrohaemorrhages. The published scale has no severity for them: they are stated beside the grade.
    pub macrohaemorrhages: Option<u16>,
    /// The worse of both severities; `None` while siderosis has not been judged.
    pub grade: Option<Severity>,
    /// Lesions by class and change.
    pub lesions: BTreeMap<&'static str, BTreeMap<&'static str, usize>>,
}

impl Reading {
    /// That of a layer.
    pub fn of(layer: &Layer) -> Self {
        let cmb = || layer.lesions.values().filter(|said| said.class == LesionClass::Cmb);
        let definite = || cmb().filter(|said| said.certainty == Certainty::Definite);
        let is_new = |change: Option<Change>| change == Some(Change::New);
        let before = definite().filter(|said| said.change.is_some_and(|change| change.is_there(0)));
        let baseline = before.count();
        let new = definite().filter(|said| is_new(said.change)).count();
        let all_new = cmb().filter(|said| is_new(said.change)).count();
        let findings = layer.findings.clone().unwrap_or_default();
        let severity = Severity::of_new(new);
        let siderosis = findings.siderosis_areas.map(|areas| Severity::of_siderosis(areas.into()));
        let count = |class, change| {
            let is = |said: &&crate::layer::Annotation| {
                said.class == class && said.change == Some(change)
            };
            layer.lesions.values().filter(is).count()
        };
        Self {
            baseline_microhaemorrhages: baseline,
            baseline_above_four: baseline > Severity::MOST_AT_BASELINE,
            new_microhaemorrhages: new,
            new_possible_microhaemorrhages: all_new - new,
            microhaemorrhage_severity: severity,
            siderosis_areas: findings.siderosis_areas,
            siderosis_severity: siderosis,
            macrohaemorrhages: findings.macrohaemorrhages,
            grade: siderosis.map(|siderosis| siderosis.max(severity)),
            lesions: LesionClass::ALL
                .map(|class| {
                    let changes =
                        Change::ALL.map(|change| (change.name(), count(class, change))).into();
                    (class.name(), changes)
                })
                .into(),
        }
    }
}

/// The layer that a reading begins with: what the program proposes as stable is taken over, all else is to be decided on.
pub fn start(proposals: &[Candidate]) -> Layer {
    let mut layer = Layer::default();
    for proposal in proposals.iter().filter(|one| one.said.change == Some(Change::Stable)) {
        let Ok(id) = u16::try_from(layer.lesions.len() + 1) else { break };
        let free = |voxel: &u32| !layer.voxels.contains_key(voxel);
        let voxels: Vec<u32> =
            proposal.voxels.iter().map(|&voxel| voxel as u32).filter(free).collect();
        if voxels.is_empty() {
            continue;
        }
        layer.voxels.extend(voxels.into_iter().map(|voxel| (voxel, id)));
        layer.lesions.insert(id, proposal.said.clone());
        layer.decisions.insert(proposal.key.clone(), Verdict::Accepted(id));
    }
    layer
}

/// What is missing before a reading can be signed.
///
/// # Errors
/// In words.
pub fn check_complete(layer: &Layer, visits: &LoadedVisits) -> Result<(), AnnotateError> {
    let open = visits.proposals.iter().filter(|one| !layer.decisions.contains_key(&one.key));
    let findings = layer.findings.clone().unwrap_or_default();
    let reason = match open.count() {
        0 if findings.siderosis_areas.is_none() => {
            "say how many new areas of superficial siderosis there are, 0 if none".to_owned()
        }
        0 if findings.macrohaemorrhages.is_none() => {
            "say how many new macrohaemorrhages there are, 0 if none".to_owned()
        }
        0 if findings.reader.trim().is_empty() => "sign with your name".to_owned(),
        0 => return Ok(()),
        open => format!("{open} still to be decided on; accept or reject each"),
    };
    Err(AnnotateError::refused(reason))
}

/// What a signed sheet says, for machines.
fn as_json(visits: &LoadedVisits, key: &LayerKey, state: &LayerState) -> Value {
    let layer = &state.layer;
    let findings = layer.findings.clone().unwrap_or_default();
    let decided = |accepted: bool| {
        let is = |verdict: &&Verdict| matches!(verdict, Verdict::Accepted(_)) == accepted;
        layer.decisions.values().filter(is).count()
    };
    let drawn = layer.lesions.values().filter(|said| said.origin == Origin::Drawn).count();
    let sidecar = &visits.sidecar;
    json!({
        "Description": "ARIA-H of two visits as a reader sees it; research software, not a medical device",
        "Baseline": sidecar.baseline.scan,
        "Followup": sidecar.followup.scan,
        "Status": if state.done.is_some() { "signed" } else { "not signed" },
        "Reader": { "Rater": key.rater, "Name": findings.reader, "SignedAt": state.done },
        "Reading": Reading::of(layer),
        "Remark": findings.remark,
        "Proposals": { "Accepted": decided(true), "Rejected": decided(false), "Added": drawn },
        "Comparability": {
            "Verdict": sidecar.comparability.verdict,
            "Reasons": sidecar.comparability.reasons,
        },
        "ProposedByProgram": sidecar.aria_h,
        "Model": sidecar.model,
        "ModelId": sidecar.model_id,
        "GeneratedBy": { "Name": "deepmir", "Version": env!("CARGO_PKG_VERSION") },
    })
}

/// The columns of the table of signed readings.
const COLUMNS: [&str; 16] = [
    "baseline_scan",
    "followup_scan",
    "rater",
    "reader",
    "signed_at",
    "comparability",
    "cmb_baseline",
    "cmb_new",
    "cmb_new_possible",
    "cmb_new_severity",
    "siderosis_new_areas",
    "siderosis_severity",
    "macrohaemorrhages_new",
    "grade",
    "cmb_new_proposed",
    "remark",
];

/// Exports every signed reading, of some raters or all, to `out`: label map, table and sheet of each, and
/// `readings.tsv` with a row for each. Pairs that none of these raters has signed are named.
///
/// # Errors
/// Nothing signed, an unknown rater, files that cannot be read or written.
pub fn export_signed(
    dataset: &Dataset,
    store: &Store,
    out: &Path,
    raters: &[String],
) -> Result<Exported, AnnotateError> {
    let known = store.raters()?;
    check_raters(raters, &known)?;
    let wanted = if raters.is_empty() { &known } else { raters };
    let mut there = dataset.clone();
    there.out = out.to_owned();
    let mut exported = Exported::default();
    let mut text = COLUMNS.join("\t") + "\n";
    for files in &dataset.cases {
        let mut case = None;
        for rater in wanted {
            let key =
                LayerKey { case: files.id.clone(), rater: rater.clone(), stage: Stage::Visits };
            let Some(state) = store.layer(&key)?.filter(|state| state.done.is_some()) else {
                continue;
            };
            let loaded = match &mut case {
                Some(loaded) => loaded,
                none => none.insert(LoadedCase::read(files)?),
            };
            write_layer(&there, loaded, &key, &state)?;
            if let Some(visits) = &loaded.visits {
                text += &(cells(visits, &key, &state).join("\t") + "\n");
            }
            exported.written += 1;
        }
        if case.is_none() {
            exported.unfinished.push(files.id.clone());
        }
    }
    if exported.written == 0 {
        return Err(AnnotateError::refused("no reading has been signed; nothing was exported"));
    }
    bids::write_text(&out.join("readings.tsv"), &text)?;
    Ok(exported)
}

fn cells(visits: &LoadedVisits, key: &LayerKey, state: &LayerState) -> Vec<String> {
    let sidecar = &visits.sidecar;
    let reading = Reading::of(&state.layer);
    let findings = state.layer.findings.clone().unwrap_or_default();
    let number = |count: Option<u16>| count.map_or("n/a".to_owned(), |count| count.to_string());
    let word = |of: Option<Severity>| of.map_or("n/a", Severity::name).to_owned();
    // A table's cell is one line, and no spreadsheet takes it for a formula.
    let text = |text: &str| {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.chars().next() {
            None => "n/a".to_owned(),
            Some('=' | '+' | '-' | '@') => format!("'{line}"),
            Some(_) => line,
        }
    };
    vec![
        sidecar.baseline.scan.clone(),
        sidecar.followup.scan.clone(),
        key.rater.clone(),
        text(&findings.reader),
        state.done.clone().unwrap_or_default(),
        sidecar.comparability.verdict.clone(),
        reading.baseline_microhaemorrhages.to_string(),
        reading.new_microhaemorrhages.to_string(),
        reading.new_possible_microhaemorrhages.to_string(),
        reading.microhaemorrhage_severity.name().to_owned(),
        number(reading.siderosis_areas),
        word(reading.siderosis_severity),
        number(reading.macrohaemorrhages),
        word(reading.grade),
        sidecar.aria_h.get("NewMicrohaemorrhages").map_or("n/a".to_owned(), Value::to_string),
        text(&findings.remark),
    ]
}

/// Writes `…_ariah.json` and `…_ariah.html` beside a reader's label map; `name` stands before these endings.
///
/// # Errors
/// Files that cannot be written.
pub fn write(
    folder: &Path,
    name: &str,
    case: &LoadedCase,
    key: &LayerKey,
    state: &LayerState,
) -> Result<(), AnnotateError> {
    let Some(visits) = &case.visits else { return Ok(()) };
    let page = html(visits, case, key, state)?;
    let path = folder.join(format!("{name}_ariah.html"));
    atomic::write(&path, page.as_bytes()).map_err(|source| AnnotateError::Io { path, source })?;
    // The last file: who waits for it finds the others.
    let told = as_json(visits, key, state);
    Ok(bids::write_json(&folder.join(format!("{name}_ariah.json")), &told)?)
}

fn html(
    visits: &LoadedVisits,
    case: &LoadedCase,
    key: &LayerKey,
    state: &LayerState,
) -> Result<String, AnnotateError> {
    let mut shown: Vec<(Option<Change>, Vec<String>)> = Vec::new();
    for (view, row) in lesions(case, &state.layer) {
        let said = &view.said;
        let region = said.region.map(|region| region.name()).or(view.lobe).unwrap_or("unknown");
        let cells = vec![
            view.id.to_string(),
            said.class.name().to_owned(),
            said.change.map_or("", Change::name).to_owned(),
            said.certainty.name().to_owned(),
            format!("{} {region}", if view.side == "L" { "left" } else { "right" }),
            format!("{:.1}", row.diameter_mm),
            said.origin.name().to_owned(),
            said.comment.clone(),
        ];
        shown.push((said.change, cells));
    }
    shown.sort_by_key(|(change, _)| *change);
    let lesions: Vec<Vec<String>> = shown.into_iter().map(|(_, cells)| cells).collect();
    let findings = state.layer.findings.clone().unwrap_or_default();
    let reading = Reading::of(&state.layer);
    let fault = |error: minijinja::Error| AnnotateError::refused(error.to_string());
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("sheet", TEMPLATE).map_err(fault)?;
    let sidecar = &visits.sidecar;
    let values = context! {
        baseline => sidecar.baseline.scan, followup => sidecar.followup.scan,
        verdict => sidecar.comparability.verdict, reasons => sidecar.comparability.reasons,
        reading => reading,
        severity => reading.microhaemorrhage_severity.name(),
        siderosis => reading.siderosis_severity.map(Severity::name),
        grade => reading.grade.map(Severity::name),
        proposed => sidecar.aria_h.get("NewMicrohaemorrhages"),
        model => sidecar.model,
        lesions => lesions, remark => findings.remark, reader => findings.reader,
        rater => key.rater, signed => state.done,
        version => env!("CARGO_PKG_VERSION"),
    };
    environment.get_template("sheet").and_then(|page| page.render(values)).map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Annotation, ReaderFindings};

    fn layer(changes: &[(Change, Certainty)], siderosis: Option<u16>) -> Layer {
        let mut layer = Layer::default();
        for (id, &(change, certainty)) in (1..).zip(changes) {
            let said = Annotation {
                change: Some(change),
                certainty,
                ..Annotation::new(LesionClass::Cmb, Origin::Model)
            };
            layer.lesions.insert(id, said);
        }
        let findings = ReaderFindings { siderosis_areas: siderosis, ..ReaderFindings::default() };
        layer.findings = Some(findings);
        layer
    }

    #[test]
    fn the_grade_is_the_worse_of_both_and_possible_lesions_do_not_count() {
        let mut changes = vec![(Change::New, Certainty::Definite); 4];
        changes.push((Change::New, Certainty::Possible));
        changes.push((Change::Stable, Certainty::Definite));
        changes.push((Change::Gone, Certainty::Definite));
        let reading = Reading::of(&layer(&changes, Some(0)));
        assert_eq!((reading.new_microhaemorrhages, reading.baseline_microhaemorrhages), (4, 2));
        assert_eq!(reading.new_possible_microhaemorrhages, 1);
        assert_eq!(reading.grade, Some(Severity::Mild));
        assert_eq!(reading.lesions["CMB"]["new"], 5);
        assert_eq!(Reading::of(&layer(&changes, Some(2))).grade, Some(Severity::Moderate));
        assert_eq!(Reading::of(&layer(&changes, None)).grade, None);
        let many = vec![(Change::New, Certainty::Definite); 10];
        assert_eq!(Reading::of(&layer(&many, Some(1))).grade, Some(Severity::Severe));
    }
}
