//! Microbleeds of the VALDO challenge.

use std::path::{Path, PathBuf};

use super::{PublishedData, begin, link, listed, name_of};
use crate::StudyError;

/// The microbleeds of the VALDO challenge 2021 (task 2), as its training data are published: a folder `sub-NNN` a case, with
/// `sub-NNN_space-T2S_desc-masked_T2S.nii.gz`, `…_T2.nii.gz` and `…_T1.nii.gz` without their skulls on the grid of the
/// T2*-weighted image, and `sub-NNN_space-T2S_CMB.nii.gz`, 1 in microbleeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValdoData {
    cases: Vec<ValdoCase>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ValdoCase {
    subject: String,
    t2_star: PathBuf,
    t2: Option<PathBuf>,
    truth: PathBuf,
}

impl ValdoData {
    /// Finds the cases in a folder, or in `Task2` below it.
    ///
    /// # Errors
    /// A folder that cannot be read or has no case; a case without one of its files.
    pub fn find(folder: &Path) -> Result<Self, StudyError> {
        let below = folder.join("Task2");
        let folder = if below.is_dir() { below } else { folder.to_owned() };
        let mut cases = Vec::new();
        for path in listed(&folder)? {
            let Some(subject) = name_of(&path).filter(|name| name.starts_with("sub-")) else {
                continue;
            };
            if !path.is_dir() {
                continue;
            }
            let file = |ending: &str| path.join(format!("{subject}_space-T2S_{ending}.nii.gz"));
            let (t2_star, truth) = (file("desc-masked_T2S"), file("CMB"));
            if let Some(missing) = [&t2_star, &truth].into_iter().find(|path| !path.is_file()) {
                let reason = "a case of the challenge has this file; copy it again, or take the case's folder away";
                return Err(StudyError::Table { path: missing.clone(), reason: reason.to_owned() });
            }
            let t2 = Some(file("desc-masked_T2")).filter(|path| path.is_file());
            cases.push(ValdoCase { subject, t2_star, t2, truth });
        }
        if cases.is_empty() {
            let reason = "no cases of the challenge (sub-101/sub-101_space-T2S_CMB.nii.gz, …) here; give the folder of \
                          task 2"
                .to_owned();
            return Err(StudyError::Table { path: folder, reason });
        }
        Ok(Self { cases })
    }
}

impl PublishedData for ValdoData {
    fn link(&self, dataset: &Path) -> Result<PathBuf, StudyError> {
        let truth = begin(dataset, "VALDO 2021, task 2: cerebral microbleeds")?;
        for case in &self.cases {
            let subject = &case.subject;
            let anat = Path::new(subject).join("anat");
            let at = |folder: &Path, ending: &str| {
                folder.join(&anat).join(format!("{subject}_{ending}.nii.gz"))
            };
            link(&case.t2_star, &at(dataset, "T2starw"))?;
            if let Some(t2) = &case.t2 {
                link(t2, &at(dataset, "T2w"))?;
            }
            link(&case.truth, &at(&truth, "seg-lesions_dseg"))?;
        }
        Ok(truth)
    }

    fn names(&self) -> Vec<(String, String)> {
        self.cases.iter().map(|case| (case.subject.clone(), case.subject.clone())).collect()
    }
}
