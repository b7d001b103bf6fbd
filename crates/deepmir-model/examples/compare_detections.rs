//! What models with the same networks find in the same scans: each scan is predicted once, with all its images and without
//! its optional ones, and its candidates are scored by the classifier, calibration and thresholds of each model.
//!
//! ```sh
//! cargo run --release -p deepmir-model --example compare_detections -- SCANS MODEL… > OUT.tsv
//! ```
//!
//! `SCANS` is a table of scans with label maps, `MODEL` a model's file or folder. A row for each scan, set of images, model and
//! class: lesions in truth, found and matched, of at least 1 mm³ on the scan's own grid, matched by overlap; the interval of
//! their count; and the probability of each lesion that was found, with 1 if it overlaps a true one.
//! `bench/model/same_networks.py` makes the table of scans and tells what comes out. Iron deposits lie where the brain's box
//! says, not a parcellation.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "result and progress")]

use std::path::{Path, PathBuf};

use deepmir_cases::{Cohort, Contrast, Modality};
use deepmir_detect::Detection;
use deepmir_lesion::matching::{MatchRule, match_lesions};
use deepmir_lesion::{Candidate, CountInterval, LabelMap, Lesion, LesionClass, lesions_of};
use deepmir_model::training_range::{Measure, disagreement, measures};
use deepmir_model::{Bundle, Detected, Detector};
use deepmir_net::{DeviceChoice, Plan};
use deepmir_volume::components::Connectivity;

const LEAST_MM3: f64 = 1.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [scans, models @ ..] = arguments.as_slice() else {
        return Err("give SCANS MODEL…".into());
    };
    let models: Vec<Bundle> =
        models.iter().map(|path| Bundle::read(Path::new(path))).collect::<Result<_, _>>()?;
    let Some(first) = models.first() else { return Err("give SCANS MODEL…".into()) };
    let alike = |model: &Bundle| {
        (&model.members, &model.patch_members) == (&first.members, &first.patch_members)
    };
    if !models.iter().all(alike) {
        return Err("the models have different networks".into());
    }
    let plan = &first.settings.plan;
    let mut detector = Detector::new(first.clone(), DeviceChoice::Cpu)?;
    let (cohort, _) = Cohort::labelled(&[PathBuf::from(scans)], None)?;
    println!("scan\timages\tmodel\tclass\ttruth\tfound\tmatched\tlow\thigh\tprobabilities");
    for (n, files) in cohort.cases.iter().enumerate() {
        let Some(truth) = &files.truth else { continue };
        let truth = lesions_of(&LabelMap::read(truth)?.0, Connectivity::TwentySix);
        let mut alone = files.clone();
        alone.images.retain(|modality, _| !plan.optional.contains(modality));
        let views = [files, &alone];
        let different = 1 + usize::from(alone.images != files.images);
        for files in &views[..different] {
            let detected = detector.detect(files, &mut |_, _| {})?;
            for (place, model) in models.iter().enumerate() {
                let images = images(plan, files.contrast(), &detected);
                let detection = model.settings.detection_of(&images);
                let rows = rows(model, &detection, &detected, &truth)?;
                for row in rows {
                    let images = images.join("+");
                    println!("{}\t{images}\t{place}\t{row}", files.id);
                }
            }
        }
        eprintln!("{} of {} scans", n + 1, cohort.cases.len());
    }
    Ok(())
}

fn images(plan: &Plan, contrast: Contrast, detected: &Detected) -> Vec<&'static str> {
    let there = plan.inputs.iter().filter(|input| detected.case.images.contains_key(input));
    let name = |&input: &Modality| match input {
        Modality::Swi => contrast.name(),
        other => other.name(),
    };
    there.map(name).collect()
}

/// The ends of a model's rows.
fn rows(
    model: &Bundle,
    detection: &Detection,
    detected: &Detected,
    truth: &[Lesion],
) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let (prepared, maps) = (&detected.prepared, &detected.maps);
    let patches = model.patch_classifier()?;
    let bound = patches.as_ref().map(|classifier| classifier.bind(prepared));
    let images = prepared.candidate_images(&model.settings.plan);
    let images = match &bound {
        Some(scorer) => images.with_patch_scorer(scorer),
        None => images,
    };
    let scored = maps.score_candidates(detection, Some(&prepared.brain), None, Some(&images))?;
    let found = maps.accepted(scored.candidates.clone(), &detection.rule);
    let found: Vec<Candidate> =
        detected.on_own_grid(&found).into_iter().map(|(_, candidate)| candidate).collect();

    let mut measured = measures(&detected.case, None);
    let share = disagreement(&scored.candidates, &detection.rule);
    measured.extend(share.map(|share| (Measure::Disagreement, share)));
    let range = model.settings.training_range.clone().unwrap_or_default();
    let distances = measured.iter().filter_map(|(measure, value)| range.distance(*measure, *value));
    let distance = distances.fold(0.0, f64::max);

    let row = |class: LesionClass| {
        let large = |lesion: &&Lesion| lesion.class == class && lesion.volume_mm3 >= LEAST_MM3;
        let truth_of: Vec<&Lesion> = truth.iter().filter(large).collect();
        let of_class = found.iter().filter(|candidate| large(&&candidate.lesion));
        let called: Vec<&Candidate> = of_class.collect();
        let lesions: Vec<&Lesion> = called.iter().map(|one| &one.lesion).collect();
        let matched = match_lesions(&truth_of, &lesions, MatchRule::Overlap).len();
        let all = scored.candidates.iter().filter(|one| one.lesion.class == class);
        let scores: Vec<f64> = all.map(|one| f64::from(one.score())).collect();
        let interval = CountInterval::of(&scores, distance);
        let every: Vec<&Lesion> = truth.iter().collect();
        let is_true =
            |one: &Candidate| !match_lesions(&every, &[&one.lesion], MatchRule::Overlap).is_empty();
        let probabilities =
            called.iter().map(|one| format!("{:.4}:{}", one.score(), u8::from(is_true(one))));
        let probabilities: Vec<String> = probabilities.collect();
        let CountInterval { low, high, .. } = interval;
        format!(
            "{class}\t{}\t{}\t{matched}\t{low}\t{high}\t{}",
            truth_of.len(),
            called.len(),
            probabilities.join(",")
        )
    };
    Ok(LesionClass::ALL.map(row).into())
}
