//! What copies are called.

use std::path::{Path, PathBuf};

use deepmir_cases::bids::{BidsName, Scan};

/// One copy of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CopyName {
    subject: String,
    session: String,
    run: Option<String>,
    /// `sub-01` or `sub-01_ses-2`: how names of the source begin.
    source_prefix: String,
}

impl CopyName {
    /// The `number`-th copy, from 1.
    pub(super) fn of(scan: &Scan, number: usize) -> Self {
        let from = scan.session.as_deref().unwrap_or_default();
        let source_prefix = match &scan.session {
            Some(session) => format!("sub-{}_ses-{session}", scan.subject),
            None => format!("sub-{}", scan.subject),
        };
        // The scan's name has its run.
        let run = BidsName::parse(Path::new(&format!("{}_T2starw", scan.id)))
            .and_then(|name| name.entity("run").map(str::to_owned));
        Self {
            subject: scan.subject.clone(),
            session: format!("{from}implant{number:02}"),
            run,
            source_prefix,
        }
    }

    /// `sub-01_ses-implant01`.
    pub(super) fn prefix(&self) -> String {
        format!("sub-{}_ses-{}", self.subject, self.session)
    }

    /// The copy's name as a scan: `sub-01_ses-implant01`, with its run.
    pub(super) fn id(&self) -> String {
        match &self.run {
            Some(run) => format!("{}_run-{run}", self.prefix()),
            None => self.prefix(),
        }
    }

    /// `sub-01/ses-implant01/anat` below a folder.
    pub(super) fn folder(&self, dataset: &Path) -> PathBuf {
        let subject = dataset.join(format!("sub-{}", self.subject));
        subject.join(format!("ses-{}", self.session)).join("anat")
    }

    /// The copy's name of a file of the source: only the session changes, and the image is gzipped.
    pub(super) fn of_file(&self, source: &Path) -> String {
        let stem = deepmir_volume::nifti::stem(source);
        let rest = stem.strip_prefix(&self.source_prefix).unwrap_or(&stem);
        format!("{}_{}", self.prefix(), rest.trim_start_matches('_'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(id: &str, session: Option<&str>) -> Scan {
        Scan {
            id: id.to_owned(),
            subject: "01".to_owned(),
            session: session.map(str::to_owned),
            images: Default::default(),
            twice: Default::default(),
            magnitude: None,
            mask: None,
            r2_map: None,
            echoes: Ok(Vec::new()),
            notes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn copies_are_sessions_of_their_subject() {
        let plain = CopyName::of(&scan("sub-01", None), 1);
        assert_eq!(plain.id(), "sub-01_ses-implant01");
        assert_eq!(plain.folder(Path::new("d")), Path::new("d/sub-01/ses-implant01/anat"));
        let swi = Path::new("in/sub-01_acq-swi_T2starw.nii.gz");
        assert_eq!(plain.of_file(swi), "sub-01_ses-implant01_acq-swi_T2starw");
        let visit = CopyName::of(&scan("sub-01_ses-2_run-1", Some("2")), 12);
        assert_eq!(visit.id(), "sub-01_ses-2implant12_run-1");
        let swi = Path::new("sub-01_ses-2_run-1_swi.nii");
        assert_eq!(visit.of_file(swi), "sub-01_ses-2implant12_run-1_swi");
    }
}
