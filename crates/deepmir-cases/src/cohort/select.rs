//! Some of a cohort's scans, by the names of subjects and sessions.

use std::collections::BTreeSet;

use super::{Cohort, subject_of};
use crate::{CaseError, LabelKind};

impl Cohort {
    /// Only the scans of some subjects, named with or without `sub-`.
    ///
    /// # Errors
    /// Naming those that are not in the cohort.
    pub fn only(mut self, subjects: &[String]) -> Result<Self, CaseError> {
        self.check_known(subjects)?;
        self.cases.retain(|case| is_among(&case.id, subjects));
        Ok(self)
    }

    /// Only the scans of some sessions, named with or without `ses-`.
    ///
    /// # Errors
    /// Naming those that no scan is of.
    pub fn only_sessions(mut self, sessions: &[String]) -> Result<Self, CaseError> {
        let there = self.cases.iter().filter_map(|case| session_of(&case.id));
        let there: BTreeSet<String> = there.map(|name| LabelKind::Session.full(name)).collect();
        let wanted = sessions.iter().map(String::as_str);
        let unknown = LabelKind::Session.unknown(wanted, there.iter().map(String::as_str));
        if let Some(reason) = unknown {
            return Err(CaseError::Subjects { reason });
        }
        let bare: Vec<&str> = sessions.iter().map(|name| LabelKind::Session.bare(name)).collect();
        self.cases.retain(|case| session_of(&case.id).is_some_and(|name| bare.contains(&name)));
        Ok(self)
    }

    /// All but the scans of some subjects.
    ///
    /// # Errors
    /// Naming those that are not in the cohort.
    pub fn without(mut self, subjects: &[String]) -> Result<Self, CaseError> {
        self.check_known(subjects)?;
        self.cases.retain(|case| !is_among(&case.id, subjects));
        Ok(self)
    }

    fn check_known(&self, subjects: &[String]) -> Result<(), CaseError> {
        let known = |name: &&String| {
            self.cases.iter().any(|case| is_among(&case.id, std::slice::from_ref(name)))
        };
        let missing = subjects.iter().filter(|name| !known(name)).map(String::as_str);
        let there = self.subjects();
        match LabelKind::Subject.unknown(missing, there.iter().map(String::as_str)) {
            Some(reason) => Err(CaseError::Subjects { reason }),
            None => Ok(()),
        }
    }
}

/// The session of a scan: `2` of `sub-01_ses-2`.
fn session_of(scan: &str) -> Option<&str> {
    scan.split('_').find_map(|part| part.strip_prefix("ses-"))
}

/// Whether a scan belongs to one of some subjects, which may be named with or without `sub-`.
fn is_among(scan: &str, subjects: &[String]) -> bool {
    let subject = subject_of(scan);
    let bare = subject.strip_prefix("sub-").unwrap_or(&subject);
    subjects.iter().any(|name| *name == subject || name == bare || name == scan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::tests::cohort;

    #[test]
    fn subjects_are_chosen_with_or_without_their_prefix() {
        let all = cohort(&["sub-01_ses-1", "sub-01_ses-2", "sub-02", "sub-03"]);
        let ids = |cohort: Cohort| cohort.cases.into_iter().map(|case| case.id).collect::<Vec<_>>();
        let some = all.clone().only(&["01".to_owned(), "sub-03".to_owned()]).unwrap();
        assert_eq!(ids(some), ["sub-01_ses-1", "sub-01_ses-2", "sub-03"]);
        let rest = all.clone().without(&["01".to_owned()]).unwrap();
        assert_eq!(ids(rest), ["sub-02", "sub-03"]);
        let told = all.only(&["07".to_owned()]).unwrap_err().to_string();
        assert!(told.contains("no sub-07") && told.contains("sub-03"), "{told}");
    }

    #[test]
    fn sessions_are_chosen_with_or_without_their_prefix() {
        let all = cohort(&["sub-01_ses-1", "sub-01_ses-2_run-1", "sub-02"]);
        let ids = |cohort: Cohort| cohort.cases.into_iter().map(|case| case.id).collect::<Vec<_>>();
        for label in ["2", "ses-2"] {
            let some = all.clone().only_sessions(&[label.to_owned()]).unwrap();
            assert_eq!(ids(some), ["sub-01_ses-2_run-1"]);
        }
        let told = all.only_sessions(&["02".to_owned(), "1".to_owned()]).unwrap_err().to_string();
        assert_eq!(told, "there is no ses-02; similar: ses-2, ses-1");
    }
}
