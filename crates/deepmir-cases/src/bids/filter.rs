//! Which of several images of one kind: filters as BIDS Apps take them (`--bids-filter-file`).

use std::collections::BTreeMap;
use std::path::Path;

use super::BidsName;
use super::name::without_zeros;
use crate::{CaseError, Modality};

/// What a filter chooses among.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Query {
    /// Susceptibility-weighted images.
    Swi,
    /// Susceptibility maps.
    Qsm,
    /// T2-weighted images.
    T2w,
    /// Raw echoes.
    Echoes,
    /// Brain masks.
    Mask,
}

impl Query {
    const NAMES: [(&str, Self); 9] = [
        ("swi", Self::Swi),
        ("qsm", Self::Qsm),
        ("chimap", Self::Qsm),
        ("t2w", Self::T2w),
        ("echoes", Self::Echoes),
        ("megre", Self::Echoes),
        ("gre", Self::Echoes),
        ("mask", Self::Mask),
        ("roi", Self::Mask),
    ];
    /// What files for other BIDS Apps choose among, too.
    const OF_OTHERS: [&str; 9] =
        ["t1w", "flair", "bold", "sbref", "fmap", "dwi", "asl", "pet", "t2star"];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Swi => "swi",
            Self::Qsm => "qsm",
            Self::T2w => "t2w",
            Self::Echoes => "echoes",
            Self::Mask => "mask",
        }
    }
}

impl From<Modality> for Query {
    fn from(modality: Modality) -> Self {
        match modality {
            Modality::Swi => Self::Swi,
            Modality::Qsm => Self::Qsm,
            Modality::T2w => Self::T2w,
        }
    }
}

/// The values that an entity may have.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    /// One of these; `None` is a name without the entity.
    OneOf(Vec<Option<String>>),
    /// Any value.
    Any,
}

/// Filters by what they choose among; the default chooses all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(BTreeMap<Query, Vec<(String, Allowed)>>);

/// Entities in names, and as they are called in full.
const ENTITIES: [(&str, &str); 17] = [
    ("sub", "subject"),
    ("ses", "session"),
    ("acq", "acquisition"),
    ("ce", "ceagent"),
    ("rec", "reconstruction"),
    ("dir", "direction"),
    ("run", "run"),
    ("echo", "echo"),
    ("flip", "flip"),
    ("inv", "inversion"),
    ("mt", "mtransfer"),
    ("part", "part"),
    ("proc", "proc"),
    ("space", "space"),
    ("res", "resolution"),
    ("desc", "description"),
    ("suffix", "suffix"),
];

impl Filters {
    /// Adds one of the command line: `t2w=acq-cor`, `t2w=acq-none_rec-norm`, `swi=suffix-T2starw`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let form = || {
            format!("{text:?} is no filter; write it such as t2w=acq-cor or t2w=acq-none_rec-norm")
        };
        let (query, conditions) = text.split_once('=').ok_or_else(form)?;
        let query = query_named(query)?;
        for condition in conditions.split('_') {
            let (key, value) = condition.split_once('-').ok_or_else(form)?;
            let allowed = allowed(value, key);
            self.0.entry(query).or_default().push((entity(key)?, allowed));
        }
        Ok(())
    }

    /// Adds those of a JSON file in the form of fMRIPrep's: `{"t2w": {"acquisition": "cor", "reconstruction": null}}`.
    ///
    /// # Errors
    /// A file that cannot be read or is no such file.
    pub fn read(&mut self, path: &Path) -> Result<(), CaseError> {
        let fault = |reason: String| CaseError::Table { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path)
            .map_err(|source| CaseError::Read { path: path.to_owned(), source })?;
        let all: BTreeMap<String, BTreeMap<String, serde_json::Value>> = serde_json::from_str(
            &text,
        )
        .map_err(|error| {
            fault(format!(
                "no filter file ({error}); it is such as {{\"t2w\": {{\"acquisition\": \"cor\"}}}}"
            ))
        })?;
        for (name, conditions) in all {
            if Query::OF_OTHERS.contains(&name.to_lowercase().as_str()) {
                continue;
            }
            let query = query_named(&name).map_err(fault)?;
            for (key, value) in conditions {
                // Folders and endings are no part of the choice here.
                if ["datatype", "extension"].contains(&key.as_str()) {
                    continue;
                }
                let key = entity(&key).map_err(fault)?;
                let allowed = of_json(&value, &key).ok_or_else(|| {
                    fault(format!("{name}: {key} is neither text, null nor a list"))
                })?;
                self.0.entry(query).or_default().push((key, allowed));
            }
        }
        Ok(())
    }

    /// Whether an image is among those chosen.
    pub(super) fn choose(&self, query: Query, name: &BidsName) -> bool {
        let conditions = self.0.get(&query).map_or(&[][..], Vec::as_slice);
        conditions.iter().all(|(key, allowed)| {
            let value = if key == "suffix" { Some(name.suffix()) } else { name.entity(key) };
            match allowed {
                Allowed::Any => value.is_some(),
                Allowed::OneOf(values) => {
                    let plain = |value: &str| without_zeros(value).to_owned();
                    let number = ["run", "echo"].contains(&key.as_str());
                    let value =
                        value.map(|value| if number { plain(value) } else { value.to_owned() });
                    values.iter().any(|wanted| match (wanted, &value) {
                        (Some(wanted), Some(value)) if number => plain(wanted) == *value,
                        (wanted, value) => wanted == value,
                    })
                }
            }
        })
    }

    /// Whether a filter says by suffix, acquisition or reconstruction which SWI is wanted: what it chooses was asked for.
    pub(super) fn ask_for_swi(&self) -> bool {
        let keys = self.0.get(&Query::Swi).into_iter().flatten().map(|(key, _)| key.as_str());
        keys.into_iter().any(|key| ["suffix", "acq", "rec"].contains(&key))
    }
}

fn query_named(name: &str) -> Result<Query, String> {
    let known = Query::NAMES.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
    known.map(|(_, query)| *query).ok_or_else(|| {
        format!(
            "there is nothing to choose under {name:?}; there are swi, qsm, t2w, echoes and mask"
        )
    })
}

fn entity(key: &str) -> Result<String, String> {
    let known = ENTITIES.iter().find(|(short, long)| [*short, *long].contains(&key));
    known.map(|(short, _)| (*short).to_owned()).ok_or_else(|| {
        format!(
            "{key:?} is no entity of BIDS names; there are acq, rec, run, ce, dir, … and suffix"
        )
    })
}

fn allowed(value: &str, key: &str) -> Allowed {
    match value {
        "*" | "Query.ANY" => Allowed::Any,
        "none" | "" | "Query.NONE" => Allowed::OneOf(vec![None]),
        value => {
            let bare = value.strip_prefix(key).and_then(|rest| rest.strip_prefix('-'));
            Allowed::OneOf(vec![Some(bare.unwrap_or(value).to_owned())])
        }
    }
}

fn of_json(value: &serde_json::Value, key: &str) -> Option<Allowed> {
    use serde_json::Value;
    match value {
        Value::Null => Some(Allowed::OneOf(vec![None])),
        Value::String(text) => Some(allowed(text, key)),
        Value::Number(number) => Some(allowed(&number.to_string(), key)),
        Value::Array(values) => {
            let mut all = Vec::new();
            for value in values {
                match of_json(value, key)? {
                    Allowed::Any => return Some(Allowed::Any),
                    Allowed::OneOf(mut values) => all.append(&mut values),
                }
            }
            Some(Allowed::OneOf(all))
        }
        Value::Bool(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(filters: &Filters, names: [&str; 3]) -> Vec<bool> {
        let one = |name| filters.choose(Query::T2w, &BidsName::parse(Path::new(name)).unwrap());
        names.into_iter().map(one).collect()
    }

    #[test]
    fn one_of_several_t2w_is_chosen_on_the_command_line_and_by_file() {
        let names = ["sub-01_T2w.nii", "sub-01_acq-cor_T2w.nii", "sub-01_rec-norm_run-01_T2w.nii"];
        for (text, json, want) in [
            (
                "t2w=acq-cor",
                r#"{"t2w": {"datatype": "anat", "acquisition": "cor"}, "bold": {}}"#,
                [false, true, false],
            ),
            (
                "t2w=acq-none_rec-none",
                r#"{"T2w": {"acq": null, "reconstruction": null}}"#,
                [true, false, false],
            ),
            ("t2w=run-1", r#"{"t2w": {"run": 1, "suffix": ["T2w", "x"]}}"#, [false, false, true]),
            ("t2w=rec-*", r#"{"t2w": {"rec": "*"}}"#, [false, false, true]),
        ] {
            let mut filters = Filters::default();
            filters.add(text).unwrap();
            assert_eq!(chosen(&filters, names), want, "{text}");
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("filter.json");
            std::fs::write(&path, json).unwrap();
            let mut filters = Filters::default();
            filters.read(&path).unwrap();
            assert_eq!(chosen(&filters, names), want, "{json}");
        }
        assert_eq!(chosen(&Filters::default(), names), [true; 3]);
    }

    #[test]
    fn what_is_no_filter_is_told() {
        let told = |text: &str| Filters::default().add(text).unwrap_err();
        assert!(told("acq-cor").contains("such as t2w=acq-cor"));
        assert!(told("flair=acq-cor").contains("there are swi, qsm"));
        assert!(told("t2w=colour-red").contains("no entity"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("filter.json");
        for (json, words) in [
            ("[]", "no filter file"),
            (r#"{"flare": {}}"#, "nothing to choose"),
            (r#"{"t2w": {"acq": {}}}"#, "neither text"),
        ] {
            std::fs::write(&path, json).unwrap();
            let told = Filters::default().read(&path).unwrap_err().to_string();
            assert!(told.contains(words) && told.ends_with("filter.json"), "{told}");
        }
    }
}
