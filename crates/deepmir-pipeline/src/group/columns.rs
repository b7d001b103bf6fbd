//! What the columns of the cohort's page are called, and what they mean. The tables on disk keep their names.

use deepmir_lesion::MarsRegion;
use deepmir_report::CohortColumn;

/// Name, label, unit, meaning, and whether the column is shown before anybody chooses.
const COLUMNS: [(&str, &str, &str, &str, bool); 42] = [
    ("scan_id", "scan", "", "subject, session and run", true),
    ("participant_id", "participant", "", "the subject", false),
    ("session_id", "session", "", "the visit", false),
    ("run_id", "run", "", "the repetition", false),
    ("age", "age", "years", "from participants.tsv", true),
    ("sex", "sex", "", "from participants.tsv", true),
    ("state", "state", "", "done, skipped or failed", true),
    ("reason", "reason", "", "why it is not done", true),
    ("cmb_count", "microbleeds", "", "number of cerebral microbleeds", true),
    (
        "cmb_count_low",
        "microbleeds, low",
        "",
        "lower end of the 90 % interval of their number",
        true,
    ),
    (
        "cmb_count_high",
        "microbleeds, high",
        "",
        "upper end of the 90 % interval of their number",
        true,
    ),
    (
        "cmb_pattern",
        "pattern",
        "",
        "none, strictly lobar, strictly deep or infratentorial, or mixed",
        true,
    ),
    ("cmb_lobar", "lobar", "", "microbleeds in lobes", true),
    ("cmb_deep", "deep", "", "microbleeds in deep regions", true),
    ("cmb_infratentorial", "infratentorial", "", "microbleeds in brainstem and cerebellum", true),
    ("region_source", "regions from", "", "a parcellation, or the brain's box", false),
    ("cmb_definite", "definite", "", "microbleeds with a probability of at least 0.7", false),
    ("cmb_possible", "possible", "", "the other microbleeds", false),
    ("boston2_lobar_cmb", "lobar (Boston 2.0)", "", "with the insula; no diagnosis", false),
    ("boston2_deep_cmb", "deep (Boston 2.0)", "", "with the brainstem; no diagnosis", false),
    (
        "boston2_strictly_lobar_cmb",
        "strictly lobar (Boston 2.0)",
        "",
        "the lobar ones if there is no deep one; no diagnosis",
        false,
    ),
    ("cmb_volume_mm3", "volume of microbleeds", "mm³", "with blooming", false),
    ("cmb_lobar_volume_mm3", "volume of lobar ones", "mm³", "with blooming", false),
    ("cmb_deep_volume_mm3", "volume of deep ones", "mm³", "with blooming", false),
    (
        "cmb_infratentorial_volume_mm3",
        "volume of infratentorial ones",
        "mm³",
        "with blooming",
        false,
    ),
    (
        "cmb_chi_total_ppm_mm3",
        "total susceptibility of microbleeds",
        "ppm·mm³",
        "summed over their volume",
        false,
    ),
    ("nhid_count", "iron deposits", "", "number of non-hemorrhage iron deposits", true),
    (
        "nhid_count_low",
        "deposits, low",
        "",
        "lower end of the 90 % interval of their number",
        false,
    ),
    (
        "nhid_count_high",
        "deposits, high",
        "",
        "upper end of the 90 % interval of their number",
        false,
    ),
    ("nhid_volume_mm3", "volume of deposits", "mm³", "with blooming", false),
    (
        "nhid_chi_total_ppm_mm3",
        "total susceptibility of deposits",
        "ppm·mm³",
        "summed over their volume",
        false,
    ),
    ("contrast", "contrast", "", "what the image in the place of the SWI shows", false),
    ("brain_ml", "brain volume", "mL", "of the mask, with ventricles", true),
    ("snr", "signal to noise", "", "median of the reference image over its noise", true),
    (
        "registration_similarity",
        "similarity of SWI and T2w",
        "",
        "normalised mutual information, 1 to 2",
        false,
    ),
    ("chi_deviation_ppm", "spread of susceptibility", "ppm", "over the brain", false),
    ("flags", "warnings", "", "codes of the warnings", true),
    ("warnings", "warnings in words", "", "their sentences", false),
    ("outlier_in", "outlier in", "", "measures that are far from the cohort's median", true),
    ("model", "model", "", "what found the lesions", false),
    ("model_id", "model's checksum", "", "of the whole model", false),
    ("site", "site", "", "from participants.tsv", true),
];

/// A column of the page.
pub(super) fn column(name: &str, is_number: bool) -> CohortColumn {
    let described = COLUMNS.iter().find(|(key, ..)| *key == name);
    let region = MarsRegion::ALL.into_iter().find(|region| region.count_column() == name);
    let (label, unit, meaning, is_chosen) = match (described, region) {
        (Some(&(_, label, unit, meaning, is_chosen)), _) => {
            (label.to_owned(), unit, meaning.to_owned(), is_chosen)
        }
        (None, Some(region)) => {
            let name = region.name();
            (name.to_owned(), "", format!("microbleeds in it, both sides: {name}"), false)
        }
        (None, None) => (name.replace('_', " "), "", String::new(), false),
    };
    CohortColumn {
        name: name.to_owned(),
        label,
        unit: unit.to_owned(),
        meaning,
        is_number,
        is_chosen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::tables;

    #[test]
    fn every_column_of_the_table_has_a_name_for_people_and_a_meaning() {
        let table = tables::header();
        for name in table {
            let column = column(name, false);
            assert!(!column.label.contains('_') && !column.meaning.is_empty(), "{name}");
        }
        assert_eq!(column("odd_one", true).label, "odd one");
    }
}
