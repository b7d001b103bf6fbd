//! Where the microbleeds of a scan lie and how sure they are, in its sidecar and on its page.

use deepmir_lesion::{
    COUNT_LEVEL, CountInterval, DEFINITE_PROBABILITY, LesionClass, MarsRegion, MicrobleedCounts,
    Pattern,
};
use deepmir_report::TextTable;
use serde_json::{Map, Value, json};

use super::Prediction;

/// Counts of the scan, by the names of the columns of `subjects.tsv`.
pub(super) fn counts(prediction: &Prediction) -> Map<String, Value> {
    let counts = counted(prediction);
    let mut fields = Map::new();
    for (class, count) in super::counts(&prediction.rows) {
        fields.insert(format!("{}_count", class.name().to_lowercase()), json!(count));
    }
    for (class, interval) in &prediction.quality.count_intervals {
        let name = |end: &str| format!("{}_count_{end}", class.name().to_lowercase());
        fields.insert(name("low"), json!(interval.low));
        fields.insert(name("high"), json!(interval.high));
    }
    fields.insert("cmb_pattern".to_owned(), json!(counts.pattern.map(Pattern::name)));
    fields
        .extend(counts.columns().into_iter().map(|(name, count)| (name.to_owned(), json!(count))));
    fields
}

/// What is known of the microbleeds' places and certainty; `None` if there are none.
pub(super) fn page_table(prediction: &Prediction) -> Option<TextTable> {
    let microbleeds = prediction.rows.iter().filter(|row| row.class == LesionClass::Cmb).count();
    let interval = prediction.quality.count_intervals.get(&LesionClass::Cmb);
    (microbleeds > 0).then(|| laid_out(&counted(prediction), interval))
}

fn counted(prediction: &Prediction) -> MicrobleedCounts {
    MicrobleedCounts::of(&prediction.rows, prediction.quality.region_source)
}

fn laid_out(counts: &MicrobleedCounts, interval: Option<&CountInterval>) -> TextTable {
    let mut rows = Vec::new();
    let mut add = |name: String, value: String| rows.push(vec![name, value]);
    if let Some(CountInterval { low, high, .. }) = interval {
        let name = format!(
            "number, by the probabilities of all candidates ({:.0} % interval)",
            100.0 * COUNT_LEVEL
        );
        add(name, format!("{low} to {high}"));
    }
    if let Some((definite, possible)) = counts.certainty {
        add(
            format!("definite (probability of at least {DEFINITE_PROBABILITY})"),
            definite.to_string(),
        );
        add("possible".to_owned(), possible.to_string());
    }
    let pattern = match counts.pattern {
        Some(Pattern::None) => "none",
        Some(Pattern::Lobar) => "strictly lobar",
        Some(Pattern::Deep) => "strictly deep or infratentorial",
        Some(Pattern::Mixed) => "mixed",
        None => "n/a",
    };
    add("pattern".to_owned(), pattern.to_owned());
    let mars = counts.mars.into_iter().flatten();
    for (region, count) in MarsRegion::ALL.into_iter().zip(mars) {
        add(region.name().to_owned(), count.to_string());
    }
    if let Some(fields) = counts.boston2 {
        let name = "strictly lobar, cerebellum not counted (a field of the Boston criteria v2.0)";
        add(name.to_owned(), fields.strictly_lobar.to_string());
    }
    TextTable {
        title: "Microbleeds".to_owned(),
        header: ["", "microbleeds"].map(str::to_owned).to_vec(),
        rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::unmeasured;
    use deepmir_lesion::{Certainty, LesionRow, Region, RegionSource};

    fn shown(source: RegionSource) -> Vec<Vec<String>> {
        let place = Some(MarsRegion::Occipital).filter(|_| source == RegionSource::Parcellation);
        let row = LesionRow {
            certainty: Some(Certainty::Possible),
            region: Some(Region::Lobar),
            mars_region: place,
            ..unmeasured()
        };
        let interval = CountInterval { expected: 1.2, low: 1, high: 3 };
        laid_out(&MicrobleedCounts::of(&[row], source), Some(&interval)).rows
    }

    #[test]
    fn the_page_names_every_region_of_a_parcellated_scan_and_none_of_another() {
        let has = |rows: &[Vec<String>], name: &str, value: &str| {
            rows.iter().any(|row| row[0].starts_with(name) && row[1] == value)
        };
        let rows = shown(RegionSource::Parcellation);
        assert!(has(&rows, "definite", "0") && has(&rows, "possible", "1"), "{rows:?}");
        assert!(has(&rows, "number, by", "1 to 3"), "{rows:?}");
        assert!(has(&rows, "occipital lobe", "1") && has(&rows, "thalamus", "0"), "{rows:?}");
        assert!(has(&rows, "strictly lobar", "1"), "{rows:?}");
        let rows = shown(RegionSource::BrainBox);
        assert!(has(&rows, "pattern", "strictly lobar"), "{rows:?}");
        assert!(!rows.iter().any(|row| row[0].contains("lobe") || row[0].contains("Boston")));
    }
}
