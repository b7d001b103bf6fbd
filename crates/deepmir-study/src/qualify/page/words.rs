//! Results in plain words.

use crate::qualify::sensitivity::{Sensitivity, middle};
use crate::qualify::size_model::Limit;
use crate::qualify::summary::Summary;

/// `microbleeds` or `iron deposits`.
pub(crate) fn plural(kind: &str) -> &str {
    match kind {
        "CMB" => "microbleeds",
        "NHID" => "iron deposits",
        other => other,
    }
}

/// `SWI alone`, `SWI and QSM`, `SWI, QSM and T2w`.
pub(crate) fn inputs(set: &str) -> String {
    let names: Vec<&str> = set.split('+').collect();
    match names.as_slice() {
        [only] => format!("{only} alone"),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
        [] => String::new(),
    }
}

/// Two digits that count.
pub(crate) fn ppm(chi: f64) -> String {
    let digits = if chi < 0.095 { 3 } else { 2 };
    let text = format!("{chi:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// `2.3 to 3.1`, an end beyond the implants in words.
pub(crate) fn between(low: Limit, high: Limit) -> String {
    match (low, high) {
        (Limit::At(low), Limit::At(high)) => format!("{low:.1} to {high:.1}"),
        (Limit::AtMost(least), Limit::At(high)) => format!("{least:.1} or less, to {high:.1}"),
        (Limit::At(low), Limit::Above(most)) => format!("{low:.1} to more than {most:.1}"),
        (Limit::AtMost(least), Limit::Above(most)) => {
            format!("{least:.1} or less, to more than {most:.1}")
        }
        (low, high) if low == high => low.to_string(),
        (low, high) => format!("{low} to {high}"),
    }
}

/// From which size on lesions of the middle susceptibility are found with some inputs.
pub(crate) fn limit_sentence(group: &Sensitivity) -> String {
    let Sensitivity { kind, implants, found, .. } = group;
    let (with, what) = (inputs(&group.inputs), plural(kind));
    let of_all = format!("{found} of {implants}");
    let all_or_none = match (*found, *implants) {
        (0, _) => Some("none"),
        (found, implants) if found == implants => Some("all"),
        _ => None,
    };
    if let Some(all_or_none) = all_or_none {
        return format!(
            "With {with}, {all_or_none} of the {implants} implanted {what} were found, so that there is no limit of \
             detection among their sizes."
        );
    }
    let Some(curve) = middle(&group.curves) else {
        return format!(
            "With {with}, {of_all} implanted {what} were found; from which size on cannot be told of so few sizes."
        );
    };
    let chi = ppm(curve.chi_ppm);
    let [limit, low, high] = curve.limit;
    let interval = between(low, high);
    match limit {
        Limit::At(mm) => format!(
            "With {with}, {what} of {chi} ppm are found nine times in ten from {mm:.1} mm ({interval}) on."
        ),
        Limit::AtMost(mm) => format!(
            "With {with}, {what} of {chi} ppm are found nine times in ten from the smallest implanted on, {mm:.1} mm \
             (interval {interval})."
        ),
        Limit::Above(mm) => format!(
            "With {with}, {what} of {chi} ppm are not found nine times in ten even at {mm:.1} mm, the largest \
             implanted: {} of them are (interval of the limit {interval}).",
            curve.points.last().map_or_else(|| "n/a".to_owned(), |(_, e)| percent(e.value))
        ),
    }
}

/// What a paper says of the measurement.
pub(crate) fn methods(summary: &Summary) -> String {
    let Summary { provenance, scans, units, .. } = summary;
    let subjects = match (summary.units_are_subjects, units) {
        (true, units) => format!("{scans} scans of {units} subjects"),
        (false, 1) => "one scan".to_owned(),
        (false, _) => format!("{scans} scans of one subject"),
    };
    let mut sizes = Vec::new();
    let mut limits = Vec::new();
    for group in &summary.sensitivity {
        let [least, most] = group.diameters_mm;
        let size =
            format!("{} {} of {least:.1} to {most:.1} mm", group.implants, plural(&group.kind));
        if !sizes.contains(&size) {
            sizes.push(size);
        }
        if let Some(curve) = middle(&group.curves) {
            let [limit, low, high] = curve.limit;
            limits.push(format!(
                "{} mm (95 % CI {}) for {} of {} ppm with {}",
                limit,
                between(low, high),
                plural(&group.kind),
                ppm(curve.chi_ppm),
                inputs(&group.inputs)
            ));
        }
    }
    let intervals = match (summary.units_are_subjects, provenance.bootstrap.resamples, units) {
        (_, _, 0 | 1) => "confidence intervals are those of the delta method".to_owned(),
        (true, resamples, _) => {
            format!("confidence intervals from {resamples} bootstrap resamples of subjects")
        }
        (false, resamples, _) => {
            format!("confidence intervals from {resamples} bootstrap resamples of scans")
        }
    };
    let calls: Vec<String> = summary
        .false_calls
        .iter()
        .map(|calls| format!("{:.2} with {}", calls.per_scan.value, inputs(&calls.inputs)))
        .collect();
    format!(
        "The limit of detection was measured with {} (model {}, {}) by adding synthetic lesions of known size \
         to {subjects} ({}). An implant counted as found if a lesion of either class was called there \
         (matching: {}). Sensitivity was modelled by logistic regression on the logarithms of diameter and \
         susceptibility; {intervals}. Ninety per cent were detected from {} on; there were {} calls elsewhere in \
         each scan.",
        provenance.program,
        provenance.model,
        provenance.model_id,
        sizes.join(", "),
        provenance.matching,
        if limits.is_empty() {
            "a size that could not be told".to_owned()
        } else {
            limits.join("; ")
        },
        calls.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qualify::sensitivity::Curve;
    use deepmir_lesion::metrics::Estimate;

    fn group(limit: [Limit; 3], found: usize) -> Sensitivity {
        let last = (6.0, Estimate { value: 0.62, low: 0.5, high: 0.7 });
        Sensitivity {
            kind: "CMB".to_owned(),
            inputs: "SWI".to_owned(),
            implants: 40,
            found,
            coefficients: vec![0.0, 1.0],
            separated: false,
            diameters_mm: [1.0, 6.0],
            curves: vec![Curve { chi_ppm: 0.8, points: vec![last], limit }],
            resamples: 100,
        }
    }

    #[test]
    fn the_limit_is_said_in_plain_words() {
        use Limit::{Above, At, AtMost};
        assert_eq!(
            limit_sentence(&group([At(2.6), At(2.3), At(3.1)], 30)),
            "With SWI alone, microbleeds of 0.8 ppm are found nine times in ten from 2.6 mm (2.3 to 3.1) on."
        );
        let easy = limit_sentence(&group([AtMost(1.0), AtMost(1.0), At(1.4)], 39));
        assert!(easy.contains("from the smallest implanted on, 1.0 mm"), "{easy}");
        let hard = limit_sentence(&group([Above(6.0), At(5.0), Above(6.0)], 20));
        assert!(hard.contains("not found nine times in ten even at 6.0 mm"), "{hard}");
        assert!(hard.contains("62 %") && hard.contains("5.0 to more than 6.0"), "{hard}");
        let all = limit_sentence(&Sensitivity { curves: Vec::new(), ..group([At(1.0); 3], 40) });
        assert!(all.contains("all of the 40 implanted microbleeds were found"), "{all}");
        let none = limit_sentence(&Sensitivity { curves: Vec::new(), ..group([At(1.0); 3], 7) });
        assert!(none.contains("7 of 40") && none.contains("cannot be told"), "{none}");
    }

    #[test]
    fn inputs_are_listed_as_people_do() {
        assert_eq!(inputs("SWI"), "SWI alone");
        assert_eq!(inputs("SWI+QSM"), "SWI and QSM");
        assert_eq!(inputs("SWI+QSM+T2w"), "SWI, QSM and T2w");
        assert_eq!((ppm(0.8), ppm(0.05), ppm(1.25)), ("0.8".into(), "0.05".into(), "1.25".into()));
    }
}
