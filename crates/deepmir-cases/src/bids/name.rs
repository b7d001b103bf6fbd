//! File names of the Brain Imaging Data Structure: `sub-01_ses-2_acq-swi_T2starw.nii.gz`.

use std::collections::BTreeMap;
use std::path::Path;

use deepmir_volume::nifti;

/// The order of entities in a name, as the standard has it (those that images of the head use).
const ORDER: [&str; 18] = [
    "sub", "ses", "acq", "ce", "rec", "dir", "run", "echo", "flip", "inv", "mt", "part", "proc",
    "space", "seg", "res", "label", "desc",
];

/// A name taken apart: entities in order and a suffix. The ending is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BidsName {
    entities: Vec<(String, String)>,
    suffix: String,
}

impl BidsName {
    /// From a path; `None` if its name is no BIDS name (`sub-…_…_suffix`).
    pub fn parse(path: &Path) -> Option<Self> {
        let stem = nifti::stem(path);
        let mut parts: Vec<&str> = stem.split('_').collect();
        let suffix = parts.pop()?.to_owned();
        let entity = |part: &str| {
            let (key, value) = part.split_once('-')?;
            let fine = |text: &str| {
                !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '+')
            };
            (fine(key) && fine(value)).then(|| (key.to_owned(), value.to_owned()))
        };
        let entities: Vec<_> = parts.into_iter().map(entity).collect::<Option<_>>()?;
        let named = entities.first().is_some_and(|(key, _)| key == "sub");
        let suffix_is_fine = !suffix.is_empty() && suffix.chars().all(char::is_alphanumeric);
        (named && suffix_is_fine).then_some(Self { entities, suffix })
    }

    /// A name for a derivative of `source`: a BIDS name keeps its entities but `echo`, `part` and
    /// what the source itself was derived by; any other name becomes its own label.
    pub fn derived_from(source: &Path) -> DerivedName {
        match Self::parse(source) {
            Some(mut name) => {
                let passing = ["echo", "part", "seg", "label", "desc"];
                name.entities.retain(|(key, _)| !passing.contains(&key.as_str()));
                DerivedName::Bids(name)
            }
            None => DerivedName::Other(nifti::stem(source)),
        }
    }

    /// An entity's value.
    pub fn entity(&self, key: &str) -> Option<&str> {
        self.entities.iter().find(|(other, _)| other == key).map(|(_, value)| value.as_str())
    }

    /// What the file holds.
    pub fn suffix(&self) -> &str {
        &self.suffix
    }

    /// A run's number without leading zeros: `run-01` and `run-1` are one run.
    pub fn run(&self) -> Option<&str> {
        self.entity("run").map(without_zeros)
    }

    /// The entities by which names of one suffix can differ, in order: all but `sub` and `ses`.
    pub(super) fn distinguishing(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.entities.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        all.filter(|(key, _)| !["sub", "ses"].contains(key))
    }

    /// The scan that the file belongs to: `sub-01`, `sub-01_ses-2`, `sub-01_ses-2_run-1`.
    pub fn scan(&self) -> String {
        let parts = ["sub", "ses", "run"].into_iter().filter_map(|key| {
            let value = self.entity(key)?;
            Some(format!("{key}-{value}"))
        });
        parts.collect::<Vec<_>>().join("_")
    }
}

/// An index as the number that it is; any other value as it is.
pub(super) fn without_zeros(value: &str) -> &str {
    match value.trim_start_matches('0') {
        "" => value.get(value.len().saturating_sub(1)..).unwrap_or(value),
        number if value.chars().all(|letter| letter.is_ascii_digit()) => number,
        _ => value,
    }
}

/// What belongs to a scan, among things by the names of their scans: `run-01` and `run-1` are one run.
pub fn of_scan<'a, T>(by_scan: &'a BTreeMap<String, T>, scan: &str) -> Option<&'a T> {
    let plain = |scan: &str| {
        let parts = scan.split('_').map(|part| match part.strip_prefix("run-") {
            Some(run) => format!("run-{}", without_zeros(run)),
            None => part.to_owned(),
        });
        parts.collect::<Vec<_>>()
    };
    by_scan.get(scan).or_else(|| {
        let wanted = plain(scan);
        by_scan.iter().find(|(other, _)| plain(other) == wanted).map(|(_, found)| found)
    })
}

/// The beginning of the names of everything derived from one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DerivedName {
    /// Of an image with a BIDS name.
    Bids(BidsName),
    /// Of an image with another name.
    Other(String),
}

impl DerivedName {
    /// A file name with more entities, a suffix and an ending (with its dot).
    pub fn with(&self, entities: &[(&str, &str)], suffix: &str, ending: &str) -> String {
        let (mut all, stem) = match self {
            Self::Bids(name) => (name.entities.clone(), None),
            Self::Other(stem) => (Vec::new(), Some(stem)),
        };
        all.extend(entities.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let place = |key: &str| ORDER.iter().position(|other| *other == key).unwrap_or(ORDER.len());
        all.sort_by_key(|(key, _)| place(key));
        let parts = stem
            .into_iter()
            .cloned()
            .chain(all.iter().map(|(key, value)| format!("{key}-{value}")));
        let mut name = parts.collect::<Vec<_>>().join("_");
        name.push('_');
        name.push_str(suffix);
        name.push_str(ending);
        name
    }

    /// As [`DerivedName::with`] without the acquisition: of tables, which are the scan's rather
    /// than one image's.
    pub fn of_scan(&self, entities: &[(&str, &str)], name_of_table: &str) -> String {
        let mut scan = self.clone();
        if let Self::Bids(name) = &mut scan {
            name.entities.retain(|(key, _)| ["sub", "ses", "run"].contains(&key.as_str()));
        }
        let name = scan.with(entities, "", "");
        format!("{}{name_of_table}", name.trim_end_matches('_'))
    }

    /// The scan: `sub-01_ses-2`, or the other name itself.
    pub fn scan(&self) -> String {
        match self {
            Self::Bids(name) => name.scan(),
            Self::Other(stem) => stem.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(path: &str) -> DerivedName {
        BidsName::derived_from(Path::new(path))
    }

    #[test]
    fn names_are_taken_apart_and_others_refused() {
        let name =
            BidsName::parse(Path::new("a/sub-01_ses-2_acq-swi_run-1_T2starw.nii.gz")).unwrap();
        assert_eq!(name.entity("acq"), Some("swi"));
        assert_eq!((name.suffix(), name.scan().as_str()), ("T2starw", "sub-01_ses-2_run-1"));
        for path in [
            "swi.nii.gz",
            "acq-swi_T2starw.nii",
            "sub-01_T2 w.nii",
            "sub-_T2w.nii",
            "sub-01__T2w.nii",
        ] {
            assert_eq!(BidsName::parse(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn run_01_and_run_1_are_one_run() {
        let run = |value: &str| without_zeros(value).to_owned();
        assert_eq!(
            ["01", "1", "10", "0", "000", "b01"].map(run),
            ["1", "1", "10", "0", "0", "b01"]
        );
        let maps =
            BTreeMap::from([("sub-01_run-01".to_owned(), 1), ("sub-01_run-10".to_owned(), 2)]);
        assert_eq!(of_scan(&maps, "sub-01_run-1"), Some(&1));
        assert_eq!(of_scan(&maps, "sub-01_run-2"), None);
        assert_eq!(of_scan(&maps, "sub-01"), None);
    }

    #[test]
    fn derivatives_take_their_names_from_the_swi() {
        let name = derived("sub-01_acq-swi_T2starw.nii.gz");
        assert_eq!(
            name.with(&[("seg", "lesions")], "dseg", ".nii.gz"),
            "sub-01_acq-swi_seg-lesions_dseg.nii.gz"
        );
        assert_eq!(
            name.with(&[("seg", "lesions"), ("label", "CMB")], "probseg", ".nii.gz"),
            "sub-01_acq-swi_seg-lesions_label-CMB_probseg.nii.gz"
        );
        assert_eq!(name.of_scan(&[("desc", "lesions")], ".tsv"), "sub-01_desc-lesions.tsv");
        let session = derived("sub-01_ses-b_acq-swi_run-2_echo-3_part-mag_MEGRE.nii");
        assert_eq!(
            session.with(&[("seg", "lesions")], "dseg", ".nii.gz"),
            "sub-01_ses-b_acq-swi_run-2_seg-lesions_dseg.nii.gz"
        );
        assert_eq!(
            session.of_scan(&[("desc", "lesions")], ".tsv"),
            "sub-01_ses-b_run-2_desc-lesions.tsv"
        );
    }

    #[test]
    fn other_names_keep_themselves() {
        let name = derived("/data/patient 7/swi.nii.gz");
        assert_eq!(
            name.with(&[("seg", "lesions")], "dseg", ".nii.gz"),
            "swi_seg-lesions_dseg.nii.gz"
        );
        assert_eq!(name.of_scan(&[("desc", "lesions")], ".tsv"), "swi_desc-lesions.tsv");
    }
}
