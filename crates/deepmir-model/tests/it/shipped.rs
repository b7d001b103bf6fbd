//! The shipped model on a synthetic subject gives the numbers that it gave before the formats changed.

use std::path::Path;

use deepmir_cases::{CaseFiles, Modality};
use deepmir_lesion::LesionClass;
use deepmir_model::{Detector, shipped};
use deepmir_net::DeviceChoice;

use crate::support::{fixture, write_subject};

/// Instruction sets round differently.
const TOLERANCE: f64 = 2e-4;

#[test]
fn the_shipped_model_gives_the_probabilities_and_scores_it_always_gave() {
    let bundle = shipped::by_name("default").unwrap().unwrap();
    let rule = &bundle.settings.detection;
    assert_eq!((rule.candidate_threshold, rule.mask_threshold), (0.5, Some(0.8)));
    let threshold = |class| rule.classes[&class].detection_threshold;
    assert_eq!((threshold(LesionClass::Cmb), threshold(LesionClass::Nhid)), (0.32, 0.62));

    let folder = tempfile::tempdir().unwrap();
    let subject = write_subject(folder.path(), 20);
    let mut without_qsm = subject.clone();
    without_qsm.images.remove(&Modality::Qsm);
    let mut detector = Detector::new(bundle, DeviceChoice::Cpu).unwrap();
    let found = [subject, without_qsm].map(|case| rows(&mut detector, &case)).concat();

    let expected = std::fs::read_to_string(fixture("shipped_on_sub-20.txt")).unwrap();
    let expected: Vec<&str> = expected.lines().collect();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let cells = |row: &str| row.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (found_cells, expected_cells) = (cells(found), cells(expected));
        assert_eq!(found_cells.len(), expected_cells.len());
        for (found_cell, expected_cell) in found_cells.iter().zip(&expected_cells) {
            match (found_cell.parse::<f64>(), expected_cell.parse::<f64>()) {
                (Ok(a), Ok(b)) => {
                    let near = (a - b).abs() <= TOLERANCE * b.abs().max(1.0);
                    assert!(near, "{found}\n{expected}");
                }
                _ => assert_eq!(found_cell, expected_cell, "{found}\n{expected}"),
            }
        }
    }
}

/// A row for each map (class, sum, maximum) and each candidate (class, voxels, centre, peak, mean, score, accepted).
fn rows(detector: &mut Detector, case: &CaseFiles) -> Vec<String> {
    assert!(case.images.values().all(|path: &std::path::PathBuf| Path::is_file(path)));
    let detected = detector.detect(case, &mut |_, _| {}).unwrap();
    let maps = detected.maps.iter().map(|(class, map)| {
        let sum: f64 = map.data().iter().map(|&value| f64::from(value)).sum();
        let highest = map.data().iter().copied().fold(0.0_f32, f32::max);
        format!("map {class} {sum:.4} {highest:.6}")
    });
    let rule = &detector.detection().rule;
    let candidates = detected.candidates.iter().map(|candidate| {
        let [x, y, z] = candidate.lesion.centre_mm;
        format!(
            "candidate {} {} {x:.3} {y:.3} {z:.3} {:.6} {:.6} {:.6} {}",
            candidate.lesion.class,
            candidate.lesion.voxels.len(),
            candidate.peak_probability,
            candidate.mean_probability,
            candidate.score(),
            rule.accepts(candidate)
        )
    });
    maps.chain(candidates).collect()
}
