//! Log-odds of a patch classifier as features.

use deepmir_detect::candidate_classifier::{Feature, Features};
use deepmir_detect::operating_point::{CandidateThreshold, View, choose_at};
use deepmir_detect::{ClassLogOdds, DetectError, Detection, PatchScorer};
use deepmir_lesion::{LabelMap, LesionClass};
use deepmir_volume::Volume;

use crate::head::Head;

/// Knows where the microbleeds are.
#[derive(Debug)]
struct Oracle<'a>(&'a Head);

impl PatchScorer for Oracle<'_> {
    fn log_odds(&self, centres_mm: &[[f64; 3]]) -> Result<Vec<ClassLogOdds>, DetectError> {
        let grid = self.0.truth.grid();
        let is_bleed = |centre: &[f64; 3]| {
            let voxel = grid.affine().inverse().apply(*centre).map(|at| at.round() as usize);
            self.0.truth.class_at(grid.index(voxel)).is_some()
        };
        let odds = |centre| if is_bleed(centre) { 3.0 } else { -3.0 };
        Ok(centres_mm.iter().map(|centre| vec![(LesionClass::Cmb, odds(centre))]).collect())
    }
}

/// A head in which nothing but an oracle can tell: microbleeds and vessels look alike, and with an odd seed the
/// microbleeds are where the vessels were.
fn ambiguous(seed: u32) -> Head {
    let mut head = Head::new(seed);
    let map = head.maps.iter().next().unwrap().1.clone();
    head.t2w = Volume::filled(*map.grid(), 0.0);
    head.swi = map.map(|probability| -probability);
    if seed % 2 == 1 {
        let other = |&n: &usize| map.data()[n] == 1.0 && head.truth.class_at(n).is_none();
        let others: Vec<usize> = (0..map.grid().len()).filter(other).collect();
        head.truth = LabelMap::empty(*map.grid());
        head.truth.paint(&others, LesionClass::Cmb);
    }
    head
}

#[test]
fn a_patch_classifier_decides_where_no_other_feature_does() {
    let heads: Vec<Head> = (1..=10).map(ambiguous).collect();
    let classes = [LesionClass::Cmb];
    let mut subjects: Vec<_> = heads.iter().map(|head| head.subject(true)).collect();
    let threshold = CandidateThreshold::find(0.5).unwrap();
    let without = choose_at(threshold, &subjects, &classes, 1.0);
    for (subject, head) in subjects.iter_mut().zip(&heads) {
        let sites = subject.sites(threshold, View::Complete);
        assert_eq!((sites.len(), subject.missed_lesions(threshold).len()), (8, 0));
        assert_eq!(sites.iter().filter(|site| site.truth.is_some()).count(), 4);
        let centres: Vec<[f64; 3]> = sites.iter().map(|site| site.centre_mm).collect();
        let odds = Oracle(head).log_odds(&centres).unwrap();
        subject.set_patch_log_odds(threshold, View::Complete, &odds);
    }
    let point = choose_at(threshold, &subjects, &classes, 1.0);
    assert_eq!((point.detection.rule.candidate_threshold, point.mean_f1()), (0.5, 1.0));
    assert!(without.mean_f1() < 0.8, "{}", without.mean_f1());
    assert!(!splits_on_patches(&without.detection) && splits_on_patches(&point.detection));

    let head = ambiguous(77);
    let oracle = Oracle(&head);
    let images = head.images().with_patch_scorer(&oracle);
    let (labels, found) =
        head.maps.detect(&point.detection, Some(&head.brain), Some(&images)).unwrap();
    assert_eq!((found.len(), labels.volume()), (4, head.truth.volume()));
}

fn splits_on_patches(detection: &Detection) -> bool {
    let shares = detection.classifier.as_ref().unwrap().split_shares();
    shares.iter().any(|(feature, share)| *feature == Feature::PatchCmb && *share > 0.0)
}

/// Cannot run, or answers for too few candidates.
#[derive(Debug)]
enum Broken {
    Fails,
    SkipsTheLast,
}

impl PatchScorer for Broken {
    fn log_odds(&self, centres_mm: &[[f64; 3]]) -> Result<Vec<ClassLogOdds>, DetectError> {
        match self {
            Self::Fails => Err(DetectError::PatchScorer { reason: "out of memory".to_owned() }),
            Self::SkipsTheLast => Ok(vec![vec![(LesionClass::Cmb, 0.0)]; centres_mm.len() - 1]),
        }
    }
}

/// Regression: the error was dropped, and candidates were scored as if there had been no patch classifier.
#[test]
fn a_failing_patch_classifier_is_an_error_and_not_missing_features() {
    let heads: Vec<Head> = (1..=10).map(Head::new).collect();
    let subjects: Vec<_> = heads.iter().map(|head| head.subject(true)).collect();
    let threshold = CandidateThreshold::find(0.5).unwrap();
    let detection = choose_at(threshold, &subjects, &[LesionClass::Cmb], 1.0).detection;
    let head = &heads[0];
    for (broken, reason) in
        [(Broken::Fails, "out of memory"), (Broken::SkipsTheLast, "7 of 8 candidates")]
    {
        let images = head.images().with_patch_scorer(&broken);
        let candidates = head.maps.candidates(0.5, None, None);
        let mut subject = head.subject(true);
        let errors = [
            Features::of_all(&candidates, &head.maps, &images).map(drop),
            head.maps.detect(&detection, None, Some(&images)).map(drop),
            head.maps.score_candidates(&detection, None, None, Some(&images)).map(drop),
            head.subject_in(Some(&images)).map(drop),
            subject.add_missing_modality_view(&head.maps, None, &images, None),
        ];
        for (n, result) in errors.into_iter().enumerate() {
            let message = result.unwrap_err().to_string();
            assert!(message.contains("the patch classifier failed"), "{n}: {message}");
            if n == 0 {
                assert!(message.contains(reason), "{message}");
            }
        }
    }
}
