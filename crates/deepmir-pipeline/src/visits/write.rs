//! What is written for two visits.

use std::path::{Path, PathBuf};

use deepmir_cases::bids::{self, DerivedName};
use deepmir_lesion::{LesionClass, LesionRow};
use deepmir_volume::nifti;
use serde_json::json;

use super::aria::AriaSheet;
use super::change::log_ratios;
use super::lesions::instances;
use super::{Change, Comparison, Followed};
use crate::PipelineError;
use crate::predict::{Predictor, reference_name};

/// The files of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The table of lesions.
    pub table: PathBuf,
    /// The page.
    pub report: PathBuf,
    /// Every file, these too.
    pub all: Vec<PathBuf>,
}

/// The columns of the table of lesions.
pub const COLUMNS: [&str; 35] = [
    "lesion",
    "class",
    "change",
    "probability",
    "region",
    "mars_region",
    "lobe",
    "side",
    "baseline_x_mm",
    "baseline_y_mm",
    "baseline_z_mm",
    "followup_x_mm",
    "followup_y_mm",
    "followup_z_mm",
    "baseline_volume_mm3",
    "followup_volume_mm3",
    "baseline_chi_total_ppm_mm3",
    "followup_chi_total_ppm_mm3",
    "baseline_swi_deficit_mm3",
    "followup_swi_deficit_mm3",
    "chi_total_ratio",
    "chi_total_ratio_spread",
    "swi_deficit_ratio",
    "swi_deficit_ratio_spread",
    "baseline_lesion_probability",
    "followup_lesion_probability",
    "outlined_in",
    "none_probability",
    "gone_probability",
    "new_probability",
    "both_probability",
    "grown_probability",
    "shrunk_probability",
    "baseline_scan",
    "followup_scan",
];

impl Predictor {
    /// Writes what two visits show into a folder, under names taken from the follow-up's reference image.
    ///
    /// # Errors
    /// A folder that cannot be written to, or a full disk.
    pub fn write_comparison(
        &self,
        comparison: &Comparison,
        folder: &Path,
    ) -> Result<Written, PipelineError> {
        let [baseline, followup] = &comparison.visits;
        let name = reference_name(&followup.files);
        let page = self.visits_page(comparison).html()?;
        std::fs::create_dir_all(folder)
            .map_err(|source| PipelineError::Write { path: folder.to_owned(), source })?;
        let of_scan = |ending: &str| folder.join(name.of_scan(&[("desc", "visits")], ending));
        let mut all = Vec::new();

        for visit in [0, 1] {
            let map = folder.join(map_name(&name, visit));
            let header = &comparison.visits[visit].prediction.case.header;
            nifti::write(&map, &instances(comparison, visit), Some(header))?;
            all.push(map);
        }
        let stem = name.of_scan(&[("from", "baseline"), ("to", "followup")], "");
        let grids = [baseline, followup].map(|visit| visit.prediction.case.grid());
        comparison.registration.transform.write(folder, &stem, grids[0], grids[1])?;
        all.extend(["txt", "mat"].map(|ending| folder.join(format!("{stem}_xfm.{ending}"))));

        let table = of_scan(".tsv");
        bids::write_text(&table, &table_of(comparison))?;
        let candidates = of_scan("_candidates.tsv");
        bids::write_text(&candidates, &candidates_of(comparison))?;
        let sidecar = of_scan(".json");
        bids::write_json(&sidecar, &self.visits_sidecar(comparison, &name))?;
        let report = of_scan("_report.html");
        bids::write_text(&report, &page)?;
        all.extend([&table, &candidates, &sidecar, &report].map(Clone::clone));
        Ok(Written { table, report, all })
    }

    fn visits_sidecar(&self, comparison: &Comparison, name: &DerivedName) -> serde_json::Value {
        let settings = &self.bundle().settings;
        let mut visits = Vec::new();
        for visit in &comparison.visits {
            let mut sources = Vec::new();
            for (modality, path) in &visit.files.images {
                let checksum = visit.checksums.get(modality);
                sources.push(json!({ "Modality": modality, "Path": path, "SHA256": checksum }));
            }
            visits.push(json!({
                "Scan": visit.files.id,
                "Sources": sources,
                "Mask": visit.files.mask,
                "Contrast": visit.prediction.case.contrast,
                "CMBCountAlone": count(&visit.prediction.rows, LesionClass::Cmb),
                "NHIDCountAlone": count(&visit.prediction.rows, LesionClass::Nhid),
                "Warnings": visit.prediction.quality.warnings,
            }));
        }
        let registration = &comparison.registration;
        let changes = LesionClass::ALL.map(|class| {
            let counts = Change::ALL.map(|change| (change.name(), comparison.count(class, change)));
            let counts: std::collections::BTreeMap<_, _> = counts.into();
            let new = comparison.new_count(class);
            (class.name(), json!({ "Counts": counts, "New": new }))
        });
        let changes: std::collections::BTreeMap<_, _> = changes.into();
        json!({
            "Description": "Lesions over two visits, read together by a program: research software, not a medical device",
            "Baseline": visits[0],
            "Followup": visits[1],
            "Comparability": comparison.comparability,
            "Registration": {
                "Rotation_deg": registration.transform.angle_degrees(),
                "Shift_mm": registration.transform.shift_mm,
                "FollowupToBaseline": comparison.halfway.to_visits[0]
                    .after(&comparison.halfway.to_visits[1].inverse())
                    .rows(),
                "Disagreement_mm": registration.disagreement_mm,
                "Similarity": registration.similarity,
                "Overlap": registration.overlap,
                "BrainAgreement": comparison.halfway.brain_agreement(),
            },
            "LabelMaps": [map_name(name, 0), map_name(name, 1)],
            "Years": comparison.years(),
            "NewMicrobleedsPerYear": comparison
                .years()
                .map(|years| comparison.count(LesionClass::Cmb, Change::New) as f64 / years),
            "Changes": changes,
            "LargeFindings": comparison.large_json(),
            "ARIAH": AriaSheet::of(comparison),
            "Model": settings.name,
            "ModelId": self.bundle().id(),
            "Detection": settings.detection,
            "GeneratedBy": { "Name": "deepmir", "Version": env!("CARGO_PKG_VERSION") },
        })
    }
}

fn count(rows: &[LesionRow], class: LesionClass) -> usize {
    rows.iter().filter(|row| row.class == class).count()
}

fn map_name(name: &DerivedName, visit: usize) -> String {
    let visits = ("seg", "visits");
    match visit {
        0 => name.with(&[("space", "baseline"), visits], "dseg", ".nii.gz"),
        _ => name.with(&[visits], "dseg", ".nii.gz"),
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "n/a".to_owned(), |value| format!("{value:.digits$}"))
}

fn outlined_in(followed: &Followed) -> &'static str {
    match [0, 1].map(|visit| followed.site.seen[visit].own) {
        [true, true] => "both",
        [true, false] => "baseline",
        _ => "followup",
    }
}

/// Follow-up over baseline of the total susceptibility and of the SWI's deficit, of a lesion that is there at both.
pub(super) fn ratios(followed: &Followed) -> [Option<f64>; 2] {
    let there = followed.change.is_some_and(|change| change.is_there(0) && change.is_there(1));
    let known = followed.sums.each_ref().map(|sums| [sums.chi_total_ppm_mm3, sums.swi_deficit_mm3]);
    let ratios = log_ratios(&followed.sums);
    [0, 1].map(|n| (there && known.iter().all(|of| of[n].is_some())).then(|| ratios[n].exp()))
}

fn table_of(comparison: &Comparison) -> String {
    let mut text = COLUMNS.join("\t") + "\n";
    let [baseline, followup] = &comparison.visits;
    for lesion in &comparison.lesions {
        let followed = &comparison.followed[lesion.followed];
        let shown = lesion.row();
        let word = |value: Option<&'static str>| value.unwrap_or("n/a").to_owned();
        let each = |value: fn(&LesionRow) -> Option<f64>, digits: usize| {
            lesion.rows.each_ref().map(|row| number(row.as_ref().and_then(value), digits))
        };
        let centre = |visit: usize| {
            let row = lesion.rows[visit].as_ref();
            [row.map(|row| row.x_mm), row.map(|row| row.y_mm), row.map(|row| row.z_mm)]
                .map(|mm| number(mm, 2))
        };
        let of = &followed.probabilities;
        let mut cells = vec![
            lesion.number.to_string(),
            followed.site.class.to_string(),
            lesion.change.name().to_owned(),
            number(Some(followed.probability_of(lesion.change)), 4),
            word(shown.and_then(|row| row.region).map(|region| region.name())),
            word(shown.and_then(|row| row.mars_region).map(|region| region.name())),
            word(shown.and_then(|row| row.lobe).map(|lobe| lobe.name())),
            word(shown.and_then(|row| row.side).map(|side| side.name())),
        ];
        cells.extend(centre(0));
        cells.extend(centre(1));
        cells.extend(each(|row| Some(row.volume_mm3), 3));
        cells.extend(followed.sums.map(|sums| number(sums.chi_total_ppm_mm3, 4)));
        cells.extend(followed.sums.map(|sums| number(sums.swi_deficit_mm3, 3)));
        for (ratio, spread) in ratios(followed).into_iter().zip(comparison.scan_rescan_error) {
            let there = ratio.is_some().then(|| spread.exp());
            cells.extend([number(ratio, 3), number(there, 3)]);
        }
        let scores = followed.site.seen.each_ref().map(|sight| sight.candidate.score());
        cells.extend(scores.map(|score| number(Some(f64::from(score)), 4)));
        cells.push(outlined_in(followed).to_owned());
        cells.extend(
            [of.none, of.gone, of.new, of.both, of.grown, of.shrunk].map(|p| number(Some(p), 4)),
        );
        cells.extend([baseline.files.id.clone(), followup.files.id.clone()]);
        text += &(cells.join("\t") + "\n");
    }
    text
}

/// Every place that was followed, with the evidence: what the model of changes is fitted to.
fn candidates_of(comparison: &Comparison) -> String {
    let mut header: Vec<String> =
        ["class", "change", "outlined_in", "same_protocol"].map(str::to_owned).into();
    for visit in ["baseline", "followup"] {
        let names = [
            "x_mm",
            "y_mm",
            "z_mm",
            "volume_mm3",
            "log_odds",
            "patch_log_odds",
            "peak",
            "swi_contrast",
            "chi_contrast",
            "swi_deficit_mm3",
            "chi_total_ppm_mm3",
        ];
        header.extend(names.map(|name| format!("{visit}_{name}")));
    }
    header.extend(
        ["none", "gone", "new", "both", "grown", "shrunk"]
            .map(|name| format!("{name}_probability")),
    );
    let mut text = header.join("\t") + "\n";
    for followed in &comparison.followed {
        let mut cells = vec![
            followed.site.class.to_string(),
            followed.change.map_or("none", Change::name).to_owned(),
            outlined_in(followed).to_owned(),
            comparison.comparability.same_protocol.to_string(),
        ];
        for (sight, sums) in followed.site.seen.iter().zip(&followed.sums) {
            let lesion = &sight.candidate.lesion;
            cells.extend(lesion.centre_mm.map(|mm| number(Some(mm), 2)));
            let evidence = &sight.evidence;
            cells.extend(
                [
                    Some(lesion.volume_mm3),
                    Some(evidence.log_odds),
                    Some(evidence.patch_log_odds),
                    Some(evidence.peak),
                    Some(evidence.swi_contrast),
                    evidence.chi_contrast,
                    sums.swi_deficit_mm3,
                    sums.chi_total_ppm_mm3,
                ]
                .map(|value| number(value, 4)),
            );
        }
        let of = &followed.probabilities;
        cells.extend(
            [of.none, of.gone, of.new, of.both, of.grown, of.shrunk].map(|p| number(Some(p), 4)),
        );
        text += &(cells.join("\t") + "\n");
    }
    text
}
