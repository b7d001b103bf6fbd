//! Why something was called a lesion, or was not, in plain words: by what the candidate classifier judges it by.

use deepmir_detect::candidate_classifier::{Feature, Features};
use deepmir_lesion::{Candidate, FindPlace, LesionClass, LesionRow, MeasuredImages};
use deepmir_report::NearMiss;

use super::{Prediction, measured_images};

/// Candidates that are shown although they were not called.
const NEAR_MISSES: usize = 5;
/// Less probable ones are of no interest.
const LEAST_PROBABILITY: f32 = 0.02;
/// Principal axes of what is round, and of what is a line.
const ROUND: f64 = 1.5;
const LINE: f64 = 2.5;
/// What is dark and longer than this runs on beyond a microbleed.
const LONG_MM: f64 = 12.0;
/// Contrast that is seen.
const SEEN: f64 = 0.1;

/// For each lesion.
pub(super) fn of_lesions(prediction: &Prediction) -> Vec<String> {
    let lesions = prediction.rows.iter().zip(&prediction.candidate_of);
    let reasons = lesions.map(|(row, candidate)| {
        let features = candidate.and_then(|n| prediction.features.get(n));
        format!("Called because it is {}.", described(row, features))
    });
    reasons.collect()
}

/// The most probable candidates below the threshold of their class.
pub(super) fn near_misses(prediction: &Prediction) -> Vec<NearMiss<'_>> {
    let Prediction { case, candidates, accepted, rule, labels, .. } = prediction;
    let threshold = |class| rule.threshold(class).map(|one| one.detection_threshold);
    let mut near: Vec<(usize, f32)> = candidates
        .iter()
        .enumerate()
        .filter(|&(n, candidate)| !accepted[n] && candidate.lesion_probability.is_some())
        .filter_map(|(n, candidate)| {
            let below = candidate.score() < threshold(candidate.lesion.class)?;
            (below && candidate.score() >= LEAST_PROBABILITY)
                .then_some((n, threshold(candidate.lesion.class)?))
        })
        .collect();
    near.sort_by(|a, b| candidates[b.0].score().total_cmp(&candidates[a.0].score()));
    near.truncate(NEAR_MISSES);
    let chosen: Vec<Candidate> = near.iter().map(|&(n, _)| candidates[n].clone()).collect();
    let places = prediction.regions.as_ref().map(|regions| regions as &dyn FindPlace);
    let images = MeasuredImages { places, ..measured_images(case) };
    let rows = images.measure_candidates(labels, &chosen);
    let misses = near.into_iter().zip(rows).map(|((n, threshold), row)| {
        let probability = candidates[n].score();
        let reason = format!(
            "Not called, as its probability of {probability:.2} is below {threshold:.2}. It is {}.",
            described(&row, prediction.features.get(n))
        );
        NearMiss { lesion: &candidates[n].lesion, row, probability, reason }
    });
    misses.collect()
}

/// `58 % darker than around it on SWI, paramagnetic (0.98 ppm), round, …`, as far as it is known.
fn described(row: &LesionRow, features: Option<&Features>) -> String {
    let get = |feature| features.and_then(|features| features.get(feature));
    let mut words = Vec::new();
    words.extend(row.swi_contrast.map(|contrast| brightness(contrast, "SWI")));
    words.push(match row.chi_mean_ppm {
        Some(chi) if chi > 0.0 => format!("paramagnetic ({chi:.2} ppm)"),
        Some(chi) => format!("diamagnetic ({chi:.2} ppm), as calcium is"),
        None => "without a susceptibility there".to_owned(),
    });
    words.extend(get(Feature::Elongation).map(|ratio| match ratio {
        ratio if ratio < ROUND => "round".to_owned(),
        ratio if ratio < LINE => "oval".to_owned(),
        _ => "long, as vessels are".to_owned(),
    }));
    let line = get(Feature::DarkLength).zip(get(Feature::DarkElongation));
    words.extend(line.map(|(deviation, elongation)| {
        // An ellipsoid is √5 standard deviations long in each direction.
        let length = 2.0 * 5.0_f64.sqrt() * deviation;
        if length >= LONG_MM && elongation >= LINE {
            format!("part of a dark line of {length:.0} mm that runs on in the neighbouring slices")
        } else if length >= LONG_MM {
            format!("part of a dark area of {length:.0} mm")
        } else {
            format!("not seen in the neighbouring slices as a line (what is dark there is {length:.0} mm long)")
        }
    }));
    words.extend(row.t2w_contrast.map(|contrast| brightness(contrast, "T2w")));
    let class = row.class;
    let odds = get(match class {
        LesionClass::Cmb => Feature::PatchCmb,
        LesionClass::Nhid => Feature::PatchNhid,
    });
    words.extend(odds.map(|odds| {
        let name = class.full_name();
        let what = if odds > 0.0 { "like" } else { "unlike" };
        format!("{what} a {name} to the patch classifier")
    }));
    words.join(", ")
}

fn brightness(contrast: f64, image: &str) -> String {
    let percent = 100.0 * contrast.abs();
    match contrast {
        contrast if contrast <= -SEEN => format!("{percent:.0} % darker than around it on {image}"),
        contrast if contrast >= SEEN => {
            format!("{percent:.0} % brighter than around it on {image}")
        }
        _ => format!("as bright as its surroundings on {image}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::unmeasured;

    #[test]
    fn a_bleed_and_a_vein_are_told_apart_in_words() {
        let row = LesionRow {
            swi_contrast: Some(-0.58),
            chi_mean_ppm: Some(0.98),
            t2w_contrast: Some(0.02),
            ..unmeasured()
        };
        let features = |length, elongation| {
            Features::from_values(vec![
                (Feature::Elongation, elongation),
                (Feature::DarkLength, length / 20.0_f64.sqrt()),
                (Feature::DarkElongation, elongation),
                (Feature::PatchCmb, 3.0),
            ])
        };
        let text = described(&row, Some(&features(4.0, 1.1)));
        assert_eq!(
            text,
            "58 % darker than around it on SWI, paramagnetic (0.98 ppm), round, not seen in the neighbouring slices as a \
             line (what is dark there is 4 mm long), as bright as its surroundings on T2w, like a cerebral microbleed to \
             the patch classifier"
        );
        let vein = described(&row, Some(&features(25.0, 6.0)));
        assert!(vein.contains("long, as vessels are, part of a dark line of 25 mm"), "{vein}");
        let calcium = LesionRow { chi_mean_ppm: Some(-0.2), swi_contrast: None, ..row };
        assert!(described(&calcium, None).starts_with("diamagnetic (-0.20 ppm), as calcium is"));
    }
}
