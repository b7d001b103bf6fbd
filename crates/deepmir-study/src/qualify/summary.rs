//! All results of a qualification, and the files that hold them.

use std::path::{Path, PathBuf};

use deepmir_cases::bids;
use deepmir_lesion::metrics::{Bootstrap, Estimate};
use serde::{Deserialize, Serialize};

use super::difference::Difference;
use super::measure::Rows;
use super::page;
use super::rows::{self, CallPlace, CallRow, ImplantRow};
use super::sensitivity::{Group, Sensitivity, Units, groups, percentiles, sensitivities};
use super::tally::{AtThreshold, Called, Cell, at_thresholds, cells, confusion, input_sets, scans};
use crate::StudyError;

/// What was measured with what: the head of `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The program and its version.
    pub program: String,
    /// The model's name.
    pub model: String,
    /// The model's number.
    pub model_id: String,
    /// The command.
    pub command: String,
    /// The implanted dataset.
    pub implanted: PathBuf,
    /// The scans to which nothing was added, where they were read.
    pub untouched: Option<PathBuf>,
    /// When a call is an implant.
    pub matching: String,
    /// Resamples and seed.
    pub bootstrap: Bootstrap,
    /// The model's own threshold of each class.
    pub model_thresholds: Vec<(String, f64)>,
}

/// Calls that are no implant's, with one set of inputs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FalseCalls {
    /// The inputs.
    pub inputs: String,
    /// Scans.
    pub scans: usize,
    /// Calls in no implant and in no place of which nobody knows what is there.
    pub elsewhere: usize,
    /// Calls in places of which nobody knows what is there.
    pub unknown: usize,
    /// The former in each scan, with their interval.
    pub per_scan: Estimate,
}

/// What more inputs add: the second set against the first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InputGain {
    /// `CMB` or `NHID`.
    pub kind: String,
    /// The two sets.
    pub inputs: [String; 2],
    /// The second less the first.
    pub difference: Difference,
}

/// All results.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What was measured with what.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Implanted scans.
    pub scans: usize,
    /// What intervals are drawn by: subjects, or scans of one subject.
    pub units: usize,
    /// Whether those are subjects.
    pub units_are_subjects: bool,
    /// Scans that could not be used, and why.
    pub failed: Vec<(String, String)>,
    /// What was noticed, scan by scan.
    pub warnings: Vec<(String, String)>,
    /// Curves and limits.
    pub sensitivity: Vec<Sensitivity>,
    /// What more inputs add.
    pub input_gains: Vec<InputGain>,
    /// What each kind was called.
    pub confusion: Vec<Called>,
    /// Calls that are no implant's.
    pub false_calls: Vec<FalseCalls>,
    /// What thresholds do.
    pub thresholds: Vec<AtThreshold>,
}

/// The page of a folder of results.
pub const PAGE: &str = "qualify.html";
const SUMMARY: &str = "summary.json";
const IMPLANTS: &str = "implants.tsv";

impl Summary {
    /// Of what came of all scans.
    #[must_use]
    pub fn new(found: &Rows, provenance: Provenance) -> Self {
        let implants = &found.implants;
        let units = Units::of(implants);
        let draws = units.draws(&provenance.bootstrap);
        Self {
            scans: names(implants),
            units: units.count(),
            units_are_subjects: units.are_subjects,
            failed: found.failed.clone(),
            warnings: found.warnings.clone(),
            sensitivity: sensitivities(implants, &units, &draws),
            input_gains: gains(implants, &provenance.bootstrap),
            confusion: confusion(implants),
            false_calls: false_calls(found, &units, &draws),
            thresholds: at_thresholds(implants, &found.calls),
            provenance,
        }
    }

    /// Writes tables, summary and page into a folder.
    ///
    /// # Errors
    /// A folder that cannot be written to, or a full disk.
    pub fn write(&self, found: &Rows, out: &Path) -> Result<PathBuf, StudyError> {
        let is_false = |call: &&CallRow| call.called && call.place == CallPlace::Elsewhere;
        let mut false_calls: Vec<CallRow> = found.calls.iter().filter(is_false).cloned().collect();
        false_calls.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        rows::write(&out.join("false_calls.tsv"), &false_calls)?;
        let native = native_calls(found);
        rows::write(&out.join("native_calls.tsv"), &native)?;
        let cells = cells(&found.implants);
        write_cells(&out.join("sensitivity.tsv"), &cells)?;
        let page = page::page(self, found, &cells, &false_calls, &native)?;
        let path = out.join(PAGE);
        let html = page.html()?;
        deepmir_volume::atomic::write(&path, html.as_bytes())
            .map_err(|source| StudyError::Write { path: path.clone(), source })?;
        rows::write(&out.join(IMPLANTS), &found.implants)?;
        // Last: it says that all is there.
        bids::write_json(&out.join(SUMMARY), self)?;
        Ok(path)
    }
}

/// A finished qualification, as it lies on disk.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What was measured with what.
    pub provenance: Provenance,
    /// Every implant with every set of inputs.
    pub implants: Vec<ImplantRow>,
}

impl Finished {
    /// Whether a folder holds one.
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        folder.join(SUMMARY).is_file() && folder.join(IMPLANTS).is_file()
    }

    /// Reads a folder of results.
    ///
    /// # Errors
    /// A folder that holds none.
    pub fn read(folder: &Path) -> Result<Self, StudyError> {
        if !Self::is_in(folder) {
            let reason = format!(
                "this folder holds no finished qualification ({SUMMARY} and {IMPLANTS}); make one with \
                 `deepmir qualify BIDS -o OUT`: {}",
                folder.display()
            );
            return Err(StudyError::Subjects { reason });
        }
        let path = folder.join(SUMMARY);
        let bytes = std::fs::read(&path)
            .map_err(|source| StudyError::Read { path: path.clone(), source })?;
        let provenance = serde_json::from_slice(&bytes)
            .map_err(|error| StudyError::Table { path, reason: error.to_string() })?;
        let implants: Vec<ImplantRow> = rows::read(&folder.join(IMPLANTS))?;
        Ok(Self { provenance, implants })
    }
}

/// Calls in places where something may have been before: in scans to which nothing was added and, where those were
/// not read, in the places of implanted scans of which nobody knows what is there.
fn native_calls(found: &Rows) -> Vec<CallRow> {
    let mut calls: Vec<CallRow> = match &found.untouched {
        Some(untouched) => untouched.clone(),
        None => {
            let is_native = |call: &&CallRow| call.called && call.place == CallPlace::Unknown;
            found.calls.iter().filter(is_native).cloned().collect()
        }
    };
    calls.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    calls
}

fn names(implants: &[ImplantRow]) -> usize {
    let scans: std::collections::BTreeSet<&str> =
        implants.iter().map(|row| row.scan.as_str()).collect();
    scans.len()
}

/// Every set of inputs against the first.
fn gains(implants: &[ImplantRow], bootstrap: &Bootstrap) -> Vec<InputGain> {
    let mut gains = Vec::new();
    let groups = groups(implants);
    let of = |group: &Group| -> Vec<&ImplantRow> {
        let same = |row: &&ImplantRow| row.kind == group.kind && row.inputs == group.inputs;
        implants.iter().filter(same).collect()
    };
    for group in &groups {
        let first = groups.iter().find(|first| first.kind == group.kind);
        let Some(first) = first.filter(|first| *first != group) else { continue };
        if let Some(difference) = Difference::of(&of(first), &of(group), bootstrap) {
            let inputs = [first.inputs.clone(), group.inputs.clone()];
            gains.push(InputGain { kind: group.kind.clone(), inputs, difference });
        }
    }
    gains
}

fn false_calls(found: &Rows, units: &Units, draws: &[Vec<f64>]) -> Vec<FalseCalls> {
    let of = |inputs: String| {
        let called = found.calls.iter().filter(|call| call.called && call.inputs == inputs);
        let calls: Vec<&CallRow> = called.collect();
        let count = |place| calls.iter().filter(|call| call.place == place).count();
        // Scans and their calls, unit by unit.
        let mut by_unit = vec![(0.0, 0.0); units.count()];
        let mut seen: Vec<&str> = Vec::new();
        for row in found.implants.iter().filter(|row| row.inputs == inputs) {
            if !seen.contains(&row.scan.as_str()) {
                seen.push(&row.scan);
                let here =
                    |call: &&&CallRow| call.scan == row.scan && call.place == CallPlace::Elsewhere;
                let unit = &mut by_unit[units.place(row)];
                unit.0 += 1.0;
                unit.1 += calls.iter().filter(here).count() as f64;
            }
        }
        let rate = |draw: &[f64]| {
            let sum = |value: fn(&(f64, f64)) -> f64| {
                draw.iter().zip(&by_unit).map(|(n, unit)| n * value(unit)).sum::<f64>()
            };
            let scans = sum(|unit| unit.0);
            (scans > 0.0).then(|| sum(|unit| unit.1) / scans)
        };
        let value = rate(&vec![1.0; units.count()]).unwrap_or(0.0);
        let resampled = draws.iter().filter_map(|draw| rate(draw)).collect();
        let [low, high] = percentiles(resampled).unwrap_or([value; 2]);
        FalseCalls {
            scans: scans(&found.implants, &inputs),
            elsewhere: count(CallPlace::Elsewhere),
            unknown: count(CallPlace::Unknown),
            per_scan: Estimate { value, low, high },
            inputs,
        }
    };
    input_sets(&found.implants).into_iter().map(of).collect()
}

/// Writes `sensitivity.tsv`.
fn write_cells(path: &Path, cells: &[Cell]) -> Result<(), StudyError> {
    let mut text = String::from(
        "kind\tinputs\tsite\tdiameter_low_mm\tdiameter_high_mm\tchi_low_ppm\tchi_high_ppm\timplants\tfound\t\
         sensitivity\tlow\thigh\n",
    );
    // Sites come from a table; a tab in one would be a column.
    let plain = |text: &str| text.replace(['\t', '\n', '\r', '"'], " ");
    for cell in cells {
        let ends = |bin: Option<super::bins::Bin>| match bin {
            Some(bin) => format!("{}\t{}", bin.low, bin.high),
            None => "all\tall".to_owned(),
        };
        let share = cell.count.share().unwrap_or_default().map(|value| format!("{value:.4}"));
        text += &format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
            cell.group.kind,
            plain(&cell.group.inputs),
            cell.site.as_deref().map_or_else(|| "all".to_owned(), plain),
            ends(cell.diameter),
            ends(cell.chi),
            cell.count.implants,
            cell.count.found,
            share.join("\t")
        );
    }
    Ok(bids::write_text(path, &text)?)
}
