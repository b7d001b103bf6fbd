//! The participants: the cohort, extra training data, and which subjects share an anatomy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deepmir_cases::{CaseFiles, Modality};

use crate::StudyError;
use crate::plan::config::{Incomplete, StudyConfig};
use deepmir_cases::Cohort;
use deepmir_cases::Groups;
use deepmir_cases::cohort::{dataset_name, subject_of};

/// The scans of a study.
#[derive(Clone, Debug)]
pub(crate) struct Participants {
    /// To be held out in turn: scans with label maps and every image that some arm needs.
    pub cohort: Cohort,
    /// For training only.
    pub extra_training: Vec<CaseFiles>,
    /// Which subjects share an anatomy.
    pub groups: Groups,
    /// Scans that take no part, and why.
    pub left_out: Vec<(String, String)>,
}

impl Participants {
    /// Reads what the study's file names; `needed` are the modalities of all arms.
    pub(crate) fn gather(
        config: &StudyConfig,
        path: &Path,
        needed: &[Modality],
    ) -> Result<Self, StudyError> {
        let fault = |reason: String| StudyError::Experiment { path: path.to_owned(), reason };
        let mut cohort = Cohort::default();
        for (number, data) in config.data.iter().enumerate() {
            let mut part = Cohort::read(data, config.labels.as_deref())?;
            let name = (config.data.len() > 1).then(|| unique_name(&config.data, number));
            for case in &mut part.cases {
                let own = subject_of(&case.id);
                let mut group = part.groups.of(&own).to_owned();
                let stated = group != own;
                if let Some(name) = &name {
                    case.id = within(name, &case.id);
                    // The patients of a table are its own; an anatomy is the same everywhere.
                    group = if data.is_dir() { group } else { within(name, &group) };
                }
                if stated {
                    cohort.groups.insert(&subject_of(&case.id), &group);
                }
            }
            cohort.cases.extend(part.cases);
            cohort.warnings.extend(part.warnings);
        }
        // Before subjects are left out: held-out subjects must not enter as extra training data.
        let extra = cohort.extra(&config.extra_train)?;
        let mut groups = cohort.groups.clone();
        groups.extend(extra.groups);
        let extra_training = extra.cases;
        cohort.warnings.extend(extra.warnings);
        if let Some(table) = &config.groups {
            let known = cohort.subjects().into_iter();
            let known = known.chain(extra_training.iter().map(|case| subject_of(&case.id)));
            groups.add_table(table, &known.collect())?;
        }

        if !config.subjects.is_empty() {
            cohort = cohort.only(&config.subjects)?;
        }
        if !config.held_out.is_empty() {
            cohort = cohort.without(&config.held_out)?;
        }
        let mut left_out = Vec::new();
        let mut incomplete = Vec::new();
        cohort.cases.retain(|case| {
            let missing = needed.iter().find(|modality| !case.images.contains_key(modality));
            if case.truth.is_none() {
                left_out.push((case.id.clone(), "it has no label map".to_owned()));
            } else if let Some(modality) = missing {
                incomplete.push((case.id.clone(), format!("it has no {modality}")));
            } else {
                return true;
            }
            false
        });
        if let (Incomplete::Refuse, Some((id, reason))) = (config.incomplete, incomplete.first()) {
            return Err(fault(format!(
                "{id} cannot take part in every cell: {reason}; give the image, name it in \
                 held_out, or set incomplete = \"leave-out\" to leave such subjects out"
            )));
        }
        left_out.extend(incomplete);
        if cohort.cases.is_empty() {
            return Err(fault(
                "no subject has a label map and every image that is needed".to_owned(),
            ));
        }
        for case in &extra_training {
            if let Some(modality) = needed.iter().find(|needed| !case.images.contains_key(needed)) {
                return Err(fault(format!(
                    "{} (of extra_train) has no {modality}, which some cells need; leave its dataset out",
                    case.id
                )));
            }
        }
        Ok(Self { cohort, extra_training, groups, left_out })
    }

    /// The group of a scan.
    pub(crate) fn group(&self, scan: &str) -> String {
        self.groups.of_scan(scan)
    }

    /// Groups of some scans.
    pub(crate) fn groups_of<'a>(
        &self,
        cases: impl IntoIterator<Item = &'a CaseFiles>,
    ) -> BTreeSet<String> {
        cases.into_iter().map(|case| self.group(&case.id)).collect()
    }
}

/// A dataset's name, numbered where two have the same name.
fn unique_name(data: &[PathBuf], number: usize) -> String {
    let name = dataset_name(&data[number]);
    match data[..number].iter().filter(|other| dataset_name(other) == name).count() {
        0 => name,
        before => format!("{name}{}", before + 1),
    }
}

/// A scan's name that says which dataset it is of: `sub-cohort01_ses-2` of `sub-01_ses-2`.
fn within(dataset: &str, scan: &str) -> String {
    let plain: String = dataset.chars().filter(|letter| letter.is_alphanumeric()).collect();
    match scan.strip_prefix("sub-") {
        Some(rest) => format!("sub-{plain}{rest}"),
        None => format!("{plain}-{scan}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_one_subject_stay_one_subject_under_a_datasets_name() {
        assert_eq!(within("site-a", "sub-01_ses-2"), "sub-sitea01_ses-2");
        assert_eq!(subject_of(&within("site-a", "sub-01_ses-2")), "sub-sitea01");
        assert_eq!(within("table", "p7"), "table-p7");
    }
}
