//! The worst false positives and misses, as patches of every modality.

use std::collections::BTreeMap;

use deepmir_lesion::{LabelMap, Region, lesions_of};
use deepmir_report::{Card, Patches, Shown};

use crate::StudyError;
use crate::evaluate::without_small;
use crate::results::mistakes::Mistake;
use crate::results::read::Results;
use crate::results::scan::{ScanResult, Scene};
use crate::run::stored_predictions;
use deepmir_pipeline::predict::window;

/// Pictures of each class and kind.
const MOST: usize = 6;

/// Of an arm (its first seed): for each class the false positives of the highest probability, and the
/// largest missed lesions.
pub(crate) fn worst(results: &Results<'_>, arm: usize) -> Result<Vec<Card>, StudyError> {
    let plan = results.plan;
    let seed = plan.config.seeds.first().copied();
    let scans: Vec<&ScanResult> = results
        .scans
        .iter()
        .filter(|result| result.arm == arm && Some(result.seed) == seed)
        .collect();
    let mut chosen: Vec<(&ScanResult, &Mistake)> = Vec::new();
    for &class in &plan.arms[arm].classes {
        for is_false in [true, false] {
            let mut all: Vec<(&ScanResult, &Mistake)> = scans
                .iter()
                .flat_map(|scan| scan.mistakes.iter().map(|mistake| (*scan, mistake)))
                .filter(|(_, mistake)| mistake.class == class && mistake.is_false == is_false)
                .collect();
            let badness = |mistake: &Mistake| {
                let sure = if is_false { mistake.peak.unwrap_or(0.0) } else { 0.0 };
                (sure, mistake.volume_mm3)
            };
            all.sort_by(|(_, a), (_, b)| {
                let (a, b) = (badness(a), badness(b));
                b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
            });
            chosen.extend(all.into_iter().take(MOST));
        }
    }

    // Scan by scan, as images are large; then back into the order chosen.
    let mut by_scan: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (n, (scan, _)) in chosen.iter().enumerate() {
        by_scan.entry(&scan.scan).or_default().push(n);
    }
    let mut cards: BTreeMap<usize, Card> = BTreeMap::new();
    for (id, numbers) in by_scan {
        let files = plan.participants.cohort.cases.iter().find(|case| case.id == id);
        let Some(files) = files else { continue };
        let options = plan.config.evaluation_options();
        let scene = Scene::read(plan, files, &options)?;
        let images = shown(&scene);
        let (first, _) = chosen[numbers[0]];
        let cell = plan
            .cells
            .iter()
            .find(|cell| (cell.arm, cell.fold, cell.seed) == (arm, first.fold, first.seed));
        let Some(cell) = cell else { continue };
        let found =
            without_small(&stored_predictions::read(&plan.folder(cell), id)?.labels, &options);
        let outlined = |labels: &LabelMap| {
            Patches::new(&images, &lesions_of(labels, options.connectivity), labels.grid())
        };
        let (found, truth) = (outlined(&found), outlined(&scene.truth));
        for n in numbers {
            let (_, mistake) = chosen[n];
            let patches = if mistake.is_false { &found } else { &truth };
            cards.insert(n, card(id, mistake, patches));
        }
    }
    Ok(cards.into_values().collect())
}

fn shown(scene: &Scene) -> Vec<Shown<'_>> {
    let images = scene.case.images.iter();
    let shown = images.map(|(modality, volume)| Shown {
        name: modality.name().to_owned(),
        volume,
        window: window(*modality, volume, &scene.case.brain),
    });
    shown.collect()
}

fn card(scan: &str, mistake: &Mistake, patches: &Patches) -> Card {
    let [x, y, z] = mistake.place_mm;
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let mut facts = vec![
        fact("scan", scan.to_owned()),
        fact("centre", format!("{x:.1}, {y:.1}, {z:.1} mm")),
        fact("volume", format!("{:.1} mm³", mistake.volume_mm3)),
        fact("region", mistake.region.map_or("unknown", Region::name).to_owned()),
        fact(
            "highest probability",
            mistake.peak.map_or("below froc_threshold".to_owned(), |peak| format!("{peak:.3}")),
        ),
    ];
    if let Some(chi) = mistake.chi_mean_ppm {
        facts.push(fact("mean susceptibility", format!("{chi:.3} ppm")));
    }
    facts.push(fact(if mistake.is_false { "lies on" } else { "why" }, mistake.cause.clone()));
    let title = if mistake.is_false {
        format!("false {}", mistake.class)
    } else {
        format!("missed {}", mistake.class)
    };
    Card { title, picture: patches.draw(mistake.place_mm), facts }
}
